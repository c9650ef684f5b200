/** Blocks and rows whose place is computed are read and written as windows: their index lists name places, not elements. */
import {
  bounded,
  ds,
  element,
  type Graph,
  graph,
  kernel,
  type Program,
  squeezed,
  type Table,
  tensor,
} from "@gridfuse/graph";
import { type HostTensor, tensorOf } from "@gridfuse/interpret";
import { describe, expect, it } from "vitest";
import { disagreements, ownCopy } from "../../../test/differential/support/three-way.ts";
import { lower } from "../src/lower.ts";

const counting = (...shape: readonly number[]): HostTensor => {
  const count = shape.reduce((product, extent) => product * extent, 1);
  return tensorOf(
    "float32",
    shape,
    Array.from({ length: count }, (_, i) => i),
  );
};

/** Greatest number of elements in the index list of a gather or scatter, after all tensor-level passes. */
function longestIndexList({ program }: Graph): number {
  let longest = 0;
  const visit = (table: Table, nodes: Program["main"]["nodes"]): void => {
    for (const id of nodes) {
      const node = table.nodes[id]!;
      if (node.op === "gather" || node.op === "scatter") {
        const { shape } = table.tensor(node.inputs[1]!);
        longest = Math.max(
          longest,
          (shape as readonly number[]).reduce((a, b) => a * b, 1),
        );
      }
      for (const region of node.regions) visit(table, region.nodes);
    }
  };
  lower(ownCopy(program), {
    afterPass: (pass, { table, main }) => {
      if (pass !== "settle-nans") return;
      longest = 0;
      visit(table, main.nodes);
    },
  });
  return longest;
}

const table = (...pages: readonly number[]): HostTensor =>
  tensorOf("int32", [pages.length], [...pages]);

describe("a block that a prefetched table places", () => {
  it("is one window where the array holds it whole in the other dimensions", () => {
    const pages = kernel(
      "pages",
      {
        grid: { i: 4 },
        prefetch: { table: tensor("int32", [4]) },
        inputs: {
          x: tensor("float32", [5, 8, 6]).blocks([squeezed, 4, 6], ({ i }, { table }) => [
            table.get(i),
            1,
            0,
          ]),
        },
        outputs: { y: tensor("float32", [4, 4, 6]).blocks([squeezed, 4, 6], ({ i }) => [i, 0, 0]) },
      },
      ({ x, y }) => y.set(x.get().mul(2)),
    );
    const traced = graph(pages.inputs, pages);
    // Table entries outside the array read what lies around it.
    expect(
      disagreements(traced.program, { table: table(4, 0, 7, -1), x: counting(5, 8, 6) }),
    ).toEqual([]);
    expect(longestIndexList(traced)).toBeLessThanOrEqual(8);
  });

  it("may be partly outside, with padding, or cut short by a count", () => {
    const pieces = kernel(
      "pieces",
      {
        grid: { i: 3 },
        prefetch: { table: tensor("int32", [3]) },
        inputs: {
          x: tensor("float32", [4, 7, 2]).blocks(
            [element(3, { padding: [1, 1] }), bounded(4), 2],
            ({ i }, { table }) => [table.get(i), ds(table.get(i), i.add(1)), 0],
          ),
        },
        outputs: { y: tensor("float32", [9, 4, 2]).blocks([3, 4, 2], ({ i }) => [i, 0, 0]) },
      },
      ({ x, y }) => y.set(x.get()),
    );
    const inputs = { table: table(0, 3, 4), x: counting(4, 7, 2) };
    expect(disagreements(graph(pieces.inputs, pieces).program, inputs)).toEqual([]);
  });

  it("is written as one window, and dropped where it does not exist", () => {
    const placed = kernel(
      "placed",
      {
        grid: { i: 4 },
        prefetch: { table: tensor("int32", [4]) },
        inputs: { x: tensor("float32", [4, 6]).blocks([1, 6], ({ i }) => [i, 0]) },
        outputs: {
          y: tensor("float32", [5, 6]).blocks([1, 6], ({ i }, { table }) => [table.get(i), 0]),
        },
      },
      ({ x, y }) => y.set(x.get().add(1)),
    );
    const traced = graph(placed.inputs, placed);
    expect(disagreements(traced.program, { table: table(3, 1, 3, 0), x: counting(4, 6) })).toEqual(
      [],
    );
    expect(longestIndexList(traced)).toBeLessThanOrEqual(4);
  });
});

describe("rows named by an array", () => {
  const rows = tensor("float32", [6, 5]);
  const whole = { grid: 1, inputs: { x: rows, at: tensor("int32", [3]) } } as const;

  it("are read as windows", () => {
    const take = kernel(
      "take",
      { ...whole, outputs: { y: tensor("float32", [3, 5]) } },
      ({ x, at, y }) => y.set(x.get(at.get(), ":")),
    );
    const traced = graph(take.inputs, take);
    expect(disagreements(traced.program, { x: counting(6, 5), at: table(5, -1, 2) })).toEqual([]);
    expect(longestIndexList(traced)).toBe(3);
  });

  it("are written as windows, the last one of equals in the end", () => {
    const put = kernel(
      "put",
      { ...whole, outputs: { y: tensor("float32", [6, 7]) } },
      ({ x, at, y }) => {
        y.set(0);
        y.set(x.get("1:4", ":"), at.get(), "1:6");
        y.add(1, at.get(), "0:7:3");
      },
    );
    const traced = graph(put.inputs, put);
    expect(disagreements(traced.program, { x: counting(6, 5), at: table(4, 0, 4) })).toEqual([]);
  });
});
