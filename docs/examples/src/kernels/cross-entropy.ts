/**
 * log Σ exp(logits) − logit of the label, for every row: the loss of a classifier or language model. The
 * label picks its logit with a comparison instead of a gather, so the row is read in one go and no
 * probabilities are stored.
 */
import { cdiv, f32, type Graph, graph, i32, iota, kernel, tensor, where } from "gridfuse";
import {
  type Check,
  type Inputs,
  type Outputs,
  randomFloats,
  randomInts,
  within,
} from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

interface LogitsShape {
  readonly rows: number;
  readonly classes: number;
  readonly block: number;
}

/** logits: f32[rows, classes], label: i32[rows] → loss: f32[rows]; the last block may be ragged. */
export function crossEntropy({ rows, classes, block }: LogitsShape): Graph {
  const rowBlocks = <D extends "float32" | "int32">(dtype: D) =>
    tensor(dtype, [rows]).blocks([block], ({ i }) => [i]);
  const lossOfRows = kernel(
    "cross_entropy",
    {
      grid: { i: cdiv(rows, block) },
      inputs: {
        logits: tensor(f32, [rows, classes]).blocks([block, classes], ({ i }) => [i, 0]),
        label: rowBlocks(i32),
      },
      outputs: { loss: rowBlocks(f32) },
    },
    ({ logits, label, loss }) => {
      const greatest = logits.get().max({ axis: 1, keepDims: true });
      const shifted = logits.get().sub(greatest);
      const isLabel = iota(i32, [block, classes], 1).eq(label.get().reshape([block, 1]));
      const ofLabel = where(isLabel, shifted, 0).sum({ axis: 1 });
      loss.set(shifted.exp().sum({ axis: 1 }).log().sub(ofLabel));
    },
  );
  return graph(lossOfRows.inputs, lossOfRows, { name: "cross_entropy" });
}

const inputs = ({ rows, classes }: LogitsShape): Inputs => ({
  logits: randomFloats(rows * classes, 8, 76),
  label: randomInts(rows, classes, 77),
});

/** In float64. Logits lie in ±8: the differences are exact to 2⁻²⁰, their exponentials sum to 2⁻¹⁸ of it. */
const check =
  ({ classes }: LogitsShape) =>
  (inputs: Inputs, { loss }: Outputs): Check => {
    const logits = inputs.logits as Float32Array;
    const expected = Float64Array.from(inputs.label as Int32Array, (label, row) => {
      let total = 0;
      for (let c = 0; c < classes; c++) total += Math.exp(logits[row * classes + c]);
      return Math.log(total) - logits[row * classes + label];
    });
    return within(loss, expected, () => 2 ** -18);
  };

export const examples: readonly SuiteExample[] = [
  defineExample<LogitsShape>({
    name: "softmax cross-entropy",
    about: "two reductions of a row to one number, the label by comparison",
    full: { rows: 500, classes: 2048, block: 32 },
    small: { rows: 10, classes: 12, block: 4 },
    graph: crossEntropy,
    inputs,
    check,
  }),
];
