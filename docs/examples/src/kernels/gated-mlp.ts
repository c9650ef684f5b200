/**
 * The feed-forward part of a transformer in one call, so that the hidden layer is never a whole array.
 * A grid axis walks over blocks of hidden units; each adds its share of the output. `gelu` is the
 * original form (Hendrycks and Gimpel, 2016), `swiglu` the gated one (Shazeer, 2020).
 */
import { f32, type Graph, graph, kernel, silu, type Tensor, tensor, when } from "gridfuse";
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
      const units = silu(x.get().dot(gate.get()) as Tensor<"float32">).mul(x.get().dot(up.get()));
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

/** In float64. Both products lose up to 2⁻²⁴ a term, and the activations stretch no error more than twice. */
const check =
  (shape: MlpShape) =>
  (inputs: Inputs, { y }: Outputs): Check => {
    const { rows, width, hidden } = shape;
    const [x, up] = [inputs.x as Float32Array, inputs.up as Float32Array];
    const first = { m: rows, depth: width, n: hidden };
    const raised = multiply(first, x, up);
    const gate = inputs.gate as Float32Array | undefined;
    const gates = gate === undefined ? undefined : multiply(first, x, gate);
    const units = raised.values.map((value, i) => {
      if (gates === undefined) return gelu(value);
      return (gates.values[i] / (1 + Math.exp(-gates.values[i]))) * value;
    });
    const second = { m: rows, depth: hidden, n: width };
    const { values } = multiply(second, units, inputs.down as Float32Array);
    // |gate|, |up| < √width, so a unit is off by at most 4 · width · 2⁻²⁴ · √width · max|unit|.
    const greatest = units.reduce((most, unit) => Math.max(most, Math.abs(unit)), 1);
    const bound = (hidden + 4 * width) * Math.sqrt(hidden) * 2 ** -24 * greatest;
    return within(y, values, () => bound);
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
