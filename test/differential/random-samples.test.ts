/**
 * Single ops with random params, where params are many: dimension numbers of gathers and scatters, pads,
 * dots, views. The samples are those that the interpreter's own tests draw.
 */
import { Emitter, newRegion, type OpName, opNames, Table, tensorType } from "@gridfuse/graph";
import fc from "fast-check";
import { describe, test } from "vitest";
import { anyTensor, samplesOf } from "../../packages/interpret/test/support/samples.ts";
import { expectNoFaults, runsOf } from "./support/property.ts";
import { disagreements } from "./support/three-way.ts";

const runs = runsOf("GRIDFUSE_RANDOM_SAMPLES", 25);

const many: readonly OpName[] = [
  "broadcast_in_dim",
  "reshape",
  "transpose",
  "slice",
  "pad",
  "concatenate",
  "view",
  "dynamic_slice",
  "dynamic_update_slice",
  "gather",
  "scatter",
  "reduce_sum",
  "argmax",
  "cumsum",
  "dot_general",
  "sort",
  "top_k",
  "select_n",
  "bitcast_convert_type",
];

describe("random params", () => {
  test.each(opNames.filter((op) => many.includes(op)))("of %s", (op) => {
    const applied = samplesOf(op)!.chain((sample) =>
      fc
        .tuple(...sample.operands.map(anyTensor))
        .map((tensors) => ({ params: sample.params, tensors })),
    );
    expectNoFaults(applied, runs, ({ params, tensors }) => {
      const table = new Table();
      const main = newRegion();
      const e = new Emitter(table, main);
      const values = tensors.map(({ dtype, shape }) =>
        table.newParam(main, tensorType(dtype, shape)),
      );
      main.results.push(...e.emitAll(op, values, params));
      const program = {
        name: op,
        table,
        main,
        inputs: values.map((_, i) => `x${i}`),
        outputs: main.results.map((_, i) => `y${i}`),
      };
      const inputs = Object.fromEntries(tensors.map((tensor, i) => [`x${i}`, tensor]));
      return disagreements(program, inputs);
    });
  });
});
