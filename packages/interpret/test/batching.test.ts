/**
 * The batching rules guard the vectoriser: an op over a leading batch dimension, on whichever
 * operands carry one, is the same op on every slice, to the bit.
 */
import {
  type BatchOperand,
  definitionOf,
  Emitter,
  type NodeNamed,
  newRegion,
  type OpDefinition,
  type OpName,
  opNames,
  Table,
  tensorType,
} from "@gridfuse/graph";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareTensors, type HostTensor, interpretRegion } from "../src/index.ts";
import { stacked } from "./support/apply.ts";
import { anyTensor, type Sample, samplesOf } from "./support/samples.ts";

interface BatchCase {
  readonly sample: Sample;
  readonly size: number;
  /** For each operand a tensor for every slice, or one for all. */
  readonly operands: readonly (readonly HostTensor[])[];
  readonly batched: readonly boolean[];
}

const batchCases = (samples: fc.Arbitrary<Sample>): fc.Arbitrary<BatchCase> =>
  samples.chain((sample) => {
    const flags = fc
      .array(fc.boolean(), {
        minLength: sample.operands.length,
        maxLength: sample.operands.length,
      })
      .filter((batched) => batched.includes(true));
    return fc.tuple(fc.integer({ min: 1, max: 3 }), flags).chain(([size, batched]) =>
      fc
        .tuple(
          ...sample.operands.map((operand, i) => {
            const length = batched[i] ? size : 1;
            return fc.array(anyTensor(operand), { minLength: length, maxLength: length });
          }),
        )
        .map((operands) => ({ sample, size, operands, batched })),
    );
  });

/** Runs the batched form. */
function runBatched({ sample, size, operands, batched }: BatchCase): readonly HostTensor[] {
  const table = new Table();
  const plain = new Emitter(table, newRegion());
  const plainOperands = sample.operands.map(({ dtype, shape }) =>
    table.newParam(plain.region, tensorType(dtype, shape)),
  );
  plain.emitAll(sample.op, plainOperands, sample.params);
  const node = table.nodes[0] as unknown as NodeNamed<OpName>;

  const e = new Emitter(table, newRegion());
  const inputs = operands.map((slices, i) => (batched[i] ? stacked(slices) : slices[0]!));
  const batchOperands = inputs.map(
    ({ dtype, shape }, i): BatchOperand => ({
      value: table.newParam(e.region, tensorType(dtype, shape)),
      batched: batched[i] as boolean,
    }),
  );
  const definition = definitionOf(sample.op) as OpDefinition<OpName>;
  e.region.results.push(...definition.batch!(e, node, batchOperands, size));
  return interpretRegion(table, e.region, inputs) as readonly HostTensor[];
}

/** Runs the op on one slice. */
function runSlice({ sample, operands, batched }: BatchCase, slice: number): readonly HostTensor[] {
  const table = new Table();
  const e = new Emitter(table, newRegion());
  const values = sample.operands.map(({ dtype, shape }) =>
    table.newParam(e.region, tensorType(dtype, shape)),
  );
  e.region.results.push(...e.emitAll(sample.op, values, sample.params));
  const inputs = operands.map((slices, i) => slices[batched[i] ? slice : 0]!);
  return interpretRegion(table, e.region, inputs) as readonly HostTensor[];
}

const withBatchRule = opNames.filter(
  (op) => (definitionOf(op) as OpDefinition<OpName>).batch !== undefined && op !== "debug_print",
);
const structural = ["grid", "scan", "while", "cond", "get", "set", "addupdate", "debug_print"];

describe("the op table", () => {
  it("batches every op that takes tensors and has no region", () => {
    const without = opNames.filter((op) => !withBatchRule.includes(op));
    expect(without.sort()).toEqual([...structural, "constant", "full", "iota"].sort());
  });
});

describe("a batched op equals the op on every slice", () => {
  it.each(withBatchRule)("%s", (op) => {
    const samples = samplesOf(op);
    if (samples === undefined) throw new Error(`no samples of ${op}`);
    fc.assert(
      fc.property(batchCases(samples), (test) => {
        const whole = runBatched(test);
        const slices = Array.from({ length: test.size }, (_, i) => runSlice(test, i));
        for (const [k, result] of whole.entries()) {
          const expected = stacked(slices.map((results) => results[k]!));
          expect(compareTensors(result, expected)?.message).toBeUndefined();
        }
      }),
      { numRuns: 40 },
    );
  });
});
