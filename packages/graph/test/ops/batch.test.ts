import { describe, expect, it } from "vitest";
import { Emitter } from "../../src/ir/emit.ts";
import { type Node, newRegion, Table } from "../../src/ir/table.ts";
import { tensorType } from "../../src/ir/types.ts";
import type { OpName } from "../../src/ir/vocabulary.ts";
import type { BatchOperand, OpDefinition } from "../../src/ops/define.ts";
import { definitionOf, opNames } from "../../src/ops/table.ts";
import { type Sample, samples } from "./samples.ts";

const batchSize = 6;

/** Every choice of operands that carry the batch, but not none. */
const subsets = (count: number): readonly (readonly boolean[])[] =>
  Array.from({ length: 2 ** count - 1 }, (_, mask) =>
    Array.from({ length: count }, (_, i) => (((mask + 1) >> i) & 1) === 1),
  );

/** The op over a batch of slices, built from params of a fresh program. */
function batch(op: OpName, { operands, params }: Sample, batched: readonly boolean[]) {
  const table = new Table();
  const region = newRegion();
  const e = new Emitter(table, region);
  const plain = operands.map((type) => table.newParam(region, type));
  e.emitAll(op, plain, params);
  const node = table.nodes[0] as Node;
  const inputs: BatchOperand[] = operands.map((type, i) => ({
    batched: batched[i] as boolean,
    value: batched[i]
      ? table.newParam(region, tensorType(type.dtype, [batchSize, ...type.shape]))
      : (plain[i] as number),
  }));
  const rule = (definitionOf(op) as OpDefinition<OpName>).batch;
  const outputs = rule?.(e, node, inputs, batchSize) ?? [];
  return { table, nodes: table.nodes.slice(1), types: outputs.map((value) => e.type(value)) };
}

describe("batching rules", () => {
  const cases = samples.flatMap(({ op, sample }) =>
    subsets(sample.operands.length).map((batched) => ({
      op,
      sample,
      batched,
      which: batched.map((is) => (is ? "batched" : "shared")).join(", "),
    })),
  );

  it.each(cases)("put the batch in front: $op of $which", ({ op, sample, batched }) => {
    expect(batch(op, sample, batched).types).toEqual(
      sample.results.map(({ dtype, shape }) => tensorType(dtype, [batchSize, ...shape])),
    );
  });

  it("exist for every op of values", () => {
    const without = opNames.filter((op) => definitionOf(op).batch === undefined);
    expect(without.sort()).toEqual(
      [
        ["full", "constant", "iota"],
        ["grid", "scan", "while", "cond"],
        ["get", "set", "addupdate"],
      ]
        .flat()
        .sort(),
    );
  });

  const opsOf = (op: OpName, batched: readonly boolean[]) => {
    const { sample } = samples.find((each) => each.op === op) as (typeof samples)[number];
    return batch(op, sample, batched).nodes.map((node) => node.op);
  };

  it("keep dynamic_slice where all slices start alike", () => {
    expect(opsOf("dynamic_slice", [true, false, false])).toEqual(["full", "dynamic_slice"]);
  });

  it("clamp starts before they become gather or scatter indices", () => {
    expect(opsOf("dynamic_slice", [false, true, true])).toContain("clamp");
    expect(opsOf("dynamic_slice", [false, true, true]).at(-1)).toBe("gather");
    expect(opsOf("dynamic_update_slice", [true, false, true, false]).at(-1)).toBe("scatter");
  });

  it("make an unbatched side of a dot neither copied nor broadcast", () => {
    expect(opsOf("dot_general", [false, true])).toEqual(["dot_general", "transpose"]);
    expect(opsOf("dot_general", [true, true])).toEqual(["dot_general"]);
  });

  it("give each slice its own padding value through a mask", () => {
    expect(opsOf("pad", [true, true])).toContain("select_n");
    expect(opsOf("pad", [true, false])).toEqual(["pad"]);
  });

  it("leave a shared scalar choice as it is", () => {
    const { sample } = samples.filter(({ op }) => op === "select_n")[1] as (typeof samples)[number];
    const { nodes } = batch("select_n", sample, [false, true, true]);
    expect(nodes.map((node) => node.op)).toEqual(["select_n"]);
  });
});
