/** The figures to reach: how many times as fast as a peer gridfuse is to be, by medians of one run. */
import type { SubjectName } from "./subject.ts";

export interface Target {
  readonly work: string;
  readonly size: string;
  readonly against: SubjectName;
  readonly least: number;
  readonly aim: number;
}

const sizes = (
  work: string,
  against: SubjectName,
  figures: Readonly<Record<string, readonly [least: number, aim: number]>>,
): readonly Target[] =>
  Object.entries(figures).map(([size, [least, aim]]) => ({ work, size, against, least, aim }));

const rows = "1024x1024";
const small = "512x128";
const [square, large] = ["512x512x512", "1024x1024x1024"];

export const targets: readonly Target[] = [
  ...sizes("sinadd", "numpy", { "16x131072": [3.5, 5.5], [small]: [2.8, 5] }),
  ...sizes("exp", "numpy", { [small]: [1.5, 2.8] }),
  ...sizes("gelu", "numpy", { [small]: [3, 6] }),
  ...sizes("softmax", "numpy", { [rows]: [4, 8] }),
  ...sizes("softmax", "ort-node", { [rows]: [2, 4] }),
  ...sizes("layernorm", "numpy", { [rows]: [12, 16] }),
  ...sizes("layernorm", "ort-node", { [rows]: [5, 7] }),
  ...sizes("argmax", "numpy", { [rows]: [2, 2.3] }),
  ...sizes("cumsum", "numpy", { [rows]: [15, 17] }),
  ...sizes("sum", "numpy", { "16777216": [3.5, 3.5] }),
  ...sizes("matmul", "numpy", { [square]: [0.28, 1], [large]: [0.28, 1] }),
  ...sizes("matmul", "ort-web", { [square]: [1.5, 3], [large]: [1.5, 3] }),
  ...sizes("matmul", "jax-js", { [square]: [2.4, 5], [large]: [2.4, 5] }),
  ...sizes("sort", "numpy", { "8x128": [1, 1.4], "64x1024": [1.1, 1.5], "16x131072": [1.2, 1.6] }),
  ...sizes("argsort", "numpy", { "64x1024": [15, 20], "16x131072": [25, 30] }),
  ...sizes("bitonic", "numpy", { "8x128": [300, 300] }),
];
