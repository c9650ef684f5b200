/**
 * The feed-forward part of a transformer in one call, so that the hidden layer is never a whole array.
 * A grid axis walks over blocks of hidden units; each adds its share of the output. `gelu` is the
 * original form (Hendrycks and Gimpel, 2016), `swiglu` the gated one (Shazeer, 2020).
 */
import { f32, type Graph, graph, kernel, silu, tensor, when } from "gridfuse";
import { type Check, type Inputs, type Outputs, randomFloats, within } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";
import { multiply } from "./product.ts";

interface MlpShape {
  readonly rows: number;
  readonly width: number;
  readonly hidden: number;
  /** Divides rows and hidden. */
  readonly block: number;
}

/** x: f32[rows, width], up and gate: f32[width, hidden], down: f32[hidden, width] → y: f32[rows, width]. */
export function swiglu(shape: MlpShape): Graph {
  const { x, into, down, y, grid } = specs(shape);
  const mlp = kernel(
    "swiglu",
    { grid, inputs: { x, up: into, gate: into, down }, outputs: { y } },
    ({ x, up, gate, down, y }, { h }) => {
      when(h.isFirst, () => y.set(0));
      const units = silu(x.get().dot(gate.get())).mul(x.get().dot(up.get()));
      y.add(units.dot(down.get()));
    },
  );
  return graph(mlp.inputs, mlp, { name: "swiglu" });
}

/** x: f32[rows, width], up: f32[width, hidden], down: f32[hidden, width] → y: f32[rows, width]. */
export function geluMlp(shape: MlpShape): Graph {
  const { x, into, down, y, grid } = specs(shape);
  const mlp = kernel(
    "gelu_mlp",
    { grid, inputs: { x, up: into, down }, outputs: { y } },
    ({ x, up, down, y }, { h }) => {
      when(h.isFirst, () => y.set(0));
      y.add(x.get().dot(up.get()).gelu().dot(down.get()));
    },
  );
  return graph(mlp.inputs, mlp, { name: "gelu_mlp" });
}

function specs({ rows, width, hidden, block }: MlpShape) {
  const row = tensor(f32, [rows, width]).blocks([block, width], ({ i }) => [i, 0]);
  return {
    grid: { i: rows / block, h: hidden / block },
    x: row,
    into: tensor(f32, [width, hidden]).blocks([width, block], ({ h }) => [0, h]),
    down: tensor(f32, [hidden, width]).blocks([block, width], ({ h }) => [h, 0]),
    y: row,
  };
}

const inputs = ({ rows, width, hidden }: MlpShape): Inputs => ({
  x: randomFloats(rows * width, 1, 64),
  up: randomFloats(width * hidden, 1 / Math.sqrt(width), 65),
  down: randomFloats(hidden * width, 1, 66),
});
const gatedInputs = (shape: MlpShape): Inputs => ({
  ...inputs(shape),
  gate: randomFloats(shape.width * shape.hidden, 1 / Math.sqrt(shape.width), 67),
});

/** The approximation by a hyperbolic tangent, the usual one. */
const gelu = (z: number): number =>
  0.5 * z * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (z + 0.044715 * z ** 3)));

/** Hidden units in float64, and how far float32 ones may be off. */
interface Units {
  readonly values: Float64Array;
  readonly errors: Float64Array;
}

/** A sum of `width` products is off by width · 2⁻²⁴ · Σ|x·w|; no activation here is steeper than 1.2. */
function hiddenUnits({ rows, width, hidden }: MlpShape, inputs: Inputs): Units {
  const shape = { m: rows, depth: width, n: hidden };
  const up = multiply(shape, inputs.x as Float32Array, inputs.up as Float32Array);
  const off = (magnitude: number): number => 1.2 * (width + 8) * 2 ** -24 * magnitude;
  if (inputs.gate === undefined) {
    return { values: up.values.map(gelu), errors: up.magnitude.map(off) };
  }
  const gate = multiply(shape, inputs.x as Float32Array, inputs.gate as Float32Array);
  const open = gate.values.map((value) => value / (1 + Math.exp(-value)));
  return {
    values: open.map((value, i) => value * up.values[i]),
    errors: open.map(
      (value, i) =>
        off(gate.magnitude[i]) * Math.abs(up.values[i]) + Math.abs(value) * off(up.magnitude[i]),
    ),
  };
}

/** In float64; errors of the units go through the second product, and its own come on top. */
const check =
  (shape: MlpShape) =>
  (inputs: Inputs, { y }: Outputs): Check => {
    const { rows, width, hidden } = shape;
    const second = { m: rows, depth: hidden, n: width };
    const down = inputs.down as Float32Array;
    const units = hiddenUnits(shape, inputs);
    const { values, magnitude } = multiply(second, units.values, down);
    const carried = multiply(second, units.errors, down.map(Math.abs)).values;
    return within(y, values, (i) => carried[i] + hidden * 2 ** -24 * magnitude[i]);
  };

const sizes = {
  full: { rows: 256, width: 128, hidden: 512, block: 64 },
  small: { rows: 8, width: 6, hidden: 12, block: 4 },
};

export const examples: readonly SuiteExample[] = [
  defineExample<MlpShape>({
    name: "SwiGLU MLP",
    about: "two products, a gate and a third product that sums over blocks of hidden units",
    ...sizes,
    graph: swiglu,
    inputs: gatedInputs,
    check,
  }),
  defineExample<MlpShape>({
    name: "GELU MLP",
    about: "the hidden layer block by block",
    ...sizes,
    graph: geluMlp,
    inputs,
    check,
  }),
];
