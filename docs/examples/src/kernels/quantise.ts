/**
 * Rows as int8 with one scale each: the greatest magnitude of a row becomes 127 (symmetric quantisation;
 * Jacob et al., 2018), ties round to even. And back.
 */
import { cdiv, f32, type Graph, graph, i8, kernel, tensor, where } from "gridfuse";
import {
  type Check,
  exactly,
  type Inputs,
  type Outputs,
  randomFloats,
  randomInts,
} from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

interface RowsShape {
  readonly rows: number;
  readonly columns: number;
  readonly block: number;
}

/** x: f32[rows, columns] → q: i8[rows, columns], scale: f32[rows, 1]; a row of zeros has scale 0. */
export function quantise({ rows, columns, block }: RowsShape): Graph {
  const quantiseRows = kernel(
    "quantise",
    {
      grid: { i: cdiv(rows, block) },
      inputs: { x: tensor(f32, [rows, columns]).blocks([block, columns], ({ i }) => [i, 0]) },
      outputs: {
        q: tensor(i8, [rows, columns]).blocks([block, columns], ({ i }) => [i, 0]),
        scale: tensor(f32, [rows, 1]).blocks([block, 1], ({ i }) => [i, 0]),
      },
    },
    ({ x, q, scale }) => {
      const step = x.get().abs().max({ axis: 1, keepDims: true }).div(127);
      const steps = x.get().div(where(step.eq(0), 1, step));
      q.set(steps.round().clamp(-127, 127).astype(i8));
      scale.set(step);
    },
  );
  return graph(quantiseRows.inputs, quantiseRows, { name: "quantise" });
}

/** q: i8[rows, columns], scale: f32[rows, 1] → x: f32[rows, columns]. */
export function dequantise({ rows, columns, block }: RowsShape): Graph {
  const dequantiseRows = kernel(
    "dequantise",
    {
      grid: { i: cdiv(rows, block) },
      inputs: {
        q: tensor(i8, [rows, columns]).blocks([block, columns], ({ i }) => [i, 0]),
        scale: tensor(f32, [rows, 1]).blocks([block, 1], ({ i }) => [i, 0]),
      },
      outputs: { x: tensor(f32, [rows, columns]).blocks([block, columns], ({ i }) => [i, 0]) },
    },
    ({ q, scale, x }) => x.set(q.get().astype(f32).mul(scale.get())),
  );
  return graph(dequantiseRows.inputs, dequantiseRows, { name: "dequantise" });
}

/** The second row is all zeros. */
const floats = ({ rows, columns }: RowsShape): Inputs => ({
  x: randomFloats(rows * columns, 5, 91).fill(0, columns, 2 * columns),
});
const levels = ({ rows, columns }: RowsShape): Inputs => ({
  q: Int8Array.from(randomInts(rows * columns, 255, 92), (level) => level - 127),
  scale: randomFloats(rows, 1, 93).map(Math.abs),
});

/** To the nearest whole number, from the middle to the even one. */
function roundToEven(x: number): number {
  const below = Math.floor(x);
  if (x - below !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}

/** Rounded to float32 where the kernel rounds: exact. */
const checkQuantised =
  ({ columns }: RowsShape) =>
  (inputs: Inputs, { q, scale }: Outputs): Check => {
    const x = inputs.x as Float32Array;
    const steps = Float32Array.from({ length: x.length / columns }, (_, row) => {
      const values = x.subarray(row * columns, (row + 1) * columns);
      return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127;
    });
    const scales = exactly(scale, steps);
    if (!scales.ok) return scales;
    const expected = Int32Array.from(x, (value, i) => {
      const step = steps[Math.floor(i / columns)];
      return step === 0 ? 0 : roundToEven(Math.fround(value / step));
    });
    return exactly(q, expected);
  };

const checkDequantised =
  ({ columns }: RowsShape) =>
  (inputs: Inputs, { x }: Outputs): Check => {
    const scale = inputs.scale as Float32Array;
    const q = inputs.q as Int8Array;
    return exactly(
      x,
      Float32Array.from(q, (level, i) => level * scale[Math.floor(i / columns)]),
    );
  };

const sizes = {
  full: { rows: 1000, columns: 512, block: 64 },
  small: { rows: 10, columns: 12, block: 4 },
};

export const examples: readonly SuiteExample[] = [
  defineExample<RowsShape>({
    name: "quantise",
    about: "a scale for each row and its rounded multiples, in one pass",
    ...sizes,
    graph: quantise,
    inputs: floats,
    check: checkQuantised,
  }),
  defineExample<RowsShape>({
    name: "dequantise",
    about: "int8 and a scale for each row, back to floats",
    ...sizes,
    graph: dequantise,
    inputs: levels,
    check: checkDequantised,
  }),
];
