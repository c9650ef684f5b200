/** What is measured: works, their sizes, their data. All of it is float32; what comes out is float32 or int32. */
import { randomFloats } from "@gridfuse/docs/examples";

export const workNames = [
  "sinadd",
  "add",
  "exp",
  "gelu",
  "softmax",
  "layernorm",
  "argmax",
  "cumsum",
  "sum",
  "matmul",
  "sort",
  "argsort",
  "bitonic",
] as const;
export type WorkName = (typeof workNames)[number];
export const isWork = (name: string): name is WorkName =>
  (workNames as readonly string[]).includes(name);

export type Data = Float32Array<ArrayBuffer>;
export type Result = Float32Array | Int32Array;

export interface Work {
  /** What it computes, for people. */
  readonly about: string;
  readonly sizes: readonly string[];
  /** Names of the inputs, and the range ±scale of their values. */
  readonly inputs: Readonly<Record<string, number>>;
  /** The shape of input number i. */
  readonly shapeOf: (shape: readonly number[], input: number) => readonly number[];
  readonly resultShape: (shape: readonly number[]) => readonly number[];
  readonly resultType: "float32" | "int32";
  /** Most that two subjects may differ by, relative to the greatest result. */
  readonly tolerance: number;
}

const elementwise = ["16x131072", "512x128"];
const rows = ["1024x1024"];
const sorting = ["8x128", "64x1024", "16x131072"];
const same = (shape: readonly number[]): readonly number[] => shape;

const over = (about: string, sizes: readonly string[], scale: number, tolerance = 1e-5): Work => ({
  about,
  sizes,
  inputs: { x: scale },
  shapeOf: same,
  resultShape: same,
  resultType: "float32",
  tolerance,
});
const ofTwo = (about: string, scale: number): Work => ({
  ...over(about, elementwise, scale),
  inputs: { x: scale, y: scale },
});

export const works: Readonly<Record<WorkName, Work>> = {
  sinadd: ofTwo("sin((x + y) · 2)", 3),
  add: ofTwo("x + y", 3),
  exp: over("exp(x)", elementwise, 7),
  gelu: over("gelu(x), the tanh form", elementwise, 4),
  softmax: over("softmax of rows", rows, 8),
  layernorm: over("(row − mean) / √(variance + 1e−5)", rows, 3, 1e-4),
  argmax: {
    ...over("place of the greatest of each row", rows, 100, 0),
    resultShape: ([n]) => [n],
    resultType: "int32",
  },
  cumsum: over("running sums of rows", rows, 1, 1e-4),
  sum: { ...over("sum of all", ["16777216"], 1, 1e-3), resultShape: () => [1] },
  matmul: {
    ...over("a · b", ["512x512x512", "1024x1024x1024"], 1, 1e-4),
    inputs: { a: 1, b: 1 },
    shapeOf: ([m, n, k], input) => (input === 0 ? [m, k] : [k, n]),
    resultShape: ([m, n]) => [m, n],
  },
  sort: over("rows in order", sorting, 1000, 0),
  argsort: {
    ...over("places of rows in order, stable", sorting, 1000, 0),
    resultType: "int32",
  },
  bitonic: over("rows in order, by a network written as array operations", ["8x128"], 1000, 0),
};

export const shapeOfSize = (size: string): readonly number[] => size.split("x").map(Number);
export const countOf = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

export function makeInputs(name: WorkName, size: string): Readonly<Record<string, Data>> {
  const { inputs, shapeOf } = works[name];
  const shape = shapeOfSize(size);
  return Object.fromEntries(
    Object.entries(inputs).map(([input, scale], i) => [
      input,
      randomFloats(countOf(shapeOf(shape, i)), scale, 11 + i) as Data,
    ]),
  );
}

/** Bytes that must be read and written at least. */
export function trafficOf(name: WorkName, size: string): number {
  const { inputs, shapeOf, resultShape } = works[name];
  const shape = shapeOfSize(size);
  const read = Object.keys(inputs).reduce((total, _, i) => total + countOf(shapeOf(shape, i)), 0);
  return 4 * (read + countOf(resultShape(shape)));
}
