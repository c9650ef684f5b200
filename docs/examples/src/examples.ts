/** The rows of the demo's table: a graph, its inputs, and a check that does not go through gridfuse. */
import type { Example } from "./example.ts";
import { attentionInputs, checkAttention, flashAttention } from "./kernels/flash-attention.ts";
import { checkLayerNorm, layerNorm, layerNormInputs } from "./kernels/layer-norm.ts";
import { checkMatmul, matmul, matmulInputs } from "./kernels/matmul.ts";
import { checkSin, sinGrid, sinInputs } from "./kernels/sin-grid.ts";
import { checkSoftmax, softmax, softmaxInputs } from "./kernels/softmax.ts";
import {
  argsort,
  checkArgsort,
  checkSort,
  checkTwoKeys,
  sort,
  sortInputs,
  sortTwoKeys,
  twoKeyInputs,
} from "./kernels/sort.ts";

const tile = { rows: 8, n: 128 };
const long = { rows: 8, n: 131_072 };
const ragged = { rows: 1000, columns: 512 };
const attention = { heads: 4, length: 1024, depth: 64 };
const points = 16 * 131_072;

export const examples: readonly Example[] = [
  {
    name: "sort 8×128",
    graph: () => sort(tile),
    inputs: () => sortInputs(tile),
    check: checkSort(tile),
  },
  {
    name: "sort descending 8×128",
    graph: () => sort(tile, "descending"),
    inputs: () => sortInputs(tile),
    check: checkSort(tile, "descending"),
  },
  {
    name: "argsort 8×128",
    graph: () => argsort(tile),
    inputs: () => sortInputs(tile),
    check: checkArgsort(tile),
  },
  {
    name: "sort by two keys 8×128",
    graph: () => sortTwoKeys(tile),
    inputs: () => twoKeyInputs(tile),
    check: checkTwoKeys(tile),
  },
  {
    name: "sort 8×131072",
    graph: () => sort(long),
    inputs: () => sortInputs(long),
    check: checkSort(long),
  },
  {
    name: "sin grid 512",
    graph: () => sinGrid(512),
    inputs: () => sinInputs(512),
    check: checkSin,
  },
  {
    name: "sin grid 2097152",
    graph: () => sinGrid(points),
    inputs: () => sinInputs(points),
    check: checkSin,
  },
  {
    name: "matmul 512×512×512",
    graph: () => matmul(512),
    inputs: () => matmulInputs(512),
    check: checkMatmul(512),
  },
  {
    name: "softmax 1000×512",
    graph: () => softmax(ragged),
    inputs: () => softmaxInputs(ragged),
    check: checkSoftmax(ragged),
  },
  {
    name: "layer norm 1000×512",
    graph: () => layerNorm(ragged),
    inputs: () => layerNormInputs(ragged),
    check: checkLayerNorm(ragged),
  },
  {
    name: "flash attention 4×1024×64",
    graph: () => flashAttention(attention),
    inputs: () => attentionInputs(attention),
    check: checkAttention(attention),
  },
];
