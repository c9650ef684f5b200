/** Tiles that go through the same steps become one array with a lane for each tile. */
import { concatenate, graph, type Tensor, tensor } from "@gridfuse/graph";
import { type HostTensor, tensorOf } from "@gridfuse/interpret";
import { describe, expect, it } from "vitest";
import { disagreements, ownCopy } from "../../../test/differential/support/three-way.ts";
import { lower } from "../src/lower.ts";
import { opsOf } from "./support/build.ts";

/** Ops that are left when tiles have been packed and the program is canonical. */
function opsAfter({ program }: ReturnType<typeof graph>): string[] {
  let ops: string[] = [];
  lower(ownCopy(program), {
    afterPass: (name, { table, main }) => {
      if (name === "canonicalise") ops = opsOf(table, main);
    },
  });
  return ops;
}

const count = (ops: readonly string[], wanted: string): number =>
  ops.filter((op) => op === wanted).length;

const numbers = (rows: number, columns: number): HostTensor =>
  tensorOf(
    "float32",
    [rows, columns],
    Array.from({ length: rows * columns }, (_, i) => ((i * 37) % 101) - 50),
  );

/** Tiles of 2 by 3 elements. */
const tileOf = (x: Tensor, row: number, column: number): Tensor =>
  x.slice([2 * row, 3 * column], [2 * row + 2, 3 * column + 3]);

const range = (n: number): number[] => Array.from({ length: n }, (_, k) => k);

describe("tiles put together in two directions", () => {
  const inTiles = (inner: 0 | 1) =>
    graph({ x: tensor("float32", [8, 12]) }, ({ x }) => {
      const bands = range(4).map((i) =>
        concatenate(
          range(4).map((j) => (inner === 1 ? tileOf(x, i, j) : tileOf(x, j, i)).mul(2).add(1)),
          { axis: inner },
        ),
      );
      return { y: concatenate(bands, { axis: 1 - inner }) };
    });

  it.each([0, 1] as const)("are the whole array, first along axis %i", (inner) => {
    const ops = opsAfter(inTiles(inner));
    expect(count(ops, "concatenate")).toBe(0);
    expect(count(ops, "mul")).toBe(1);
    expect(disagreements(inTiles(inner).program, { x: numbers(8, 12) })).toEqual([]);
  });

  it("along one axis in two goes too", () => {
    const inPieces = graph({ x: tensor("float32", [2, 24]) }, ({ x }) => {
      const tiles = range(8).map((j) => tileOf(x, 0, j).mul(2).add(1));
      const halves = [tiles.slice(0, 4), tiles.slice(4)];
      return {
        y: concatenate(
          halves.map((half) => concatenate(half, { axis: 1 })),
          { axis: 1 },
        ),
      };
    });
    expect(count(opsAfter(inPieces), "concatenate")).toBe(0);
    expect(disagreements(inPieces.program, { x: numbers(2, 24) })).toEqual([]);
  });

  it("stay bands where bands differ in their tiles", () => {
    const ragged = graph({ x: tensor("float32", [8, 12]) }, ({ x }) => {
      const band = (i: number) =>
        concatenate(
          range(4).map((j) => tileOf(x, i, j).mul(2).add(1)),
          { axis: 1 },
        );
      return { y: concatenate([...range(3).map(band), x.slice([6, 0], [8, 12])], { axis: 0 }) };
    });
    expect(disagreements(ragged.program, { x: numbers(8, 12) })).toEqual([]);
  });
});

describe("siblings of which all take one lane of a pack", () => {
  // Two products that are packed, of which one goes into every tile.
  const shifted = graph({ x: tensor("float32", [16, 3]), s: tensor("float32", []) }, ({ x, s }) => {
    const [base, other] = [s.mul(3), s.mul(5)];
    const tiles = range(8).map((k) => tileOf(x, k, 0).add(base.add(k).broadcastTo([2, 3])));
    return { y: concatenate(tiles, { axis: 0 }), other };
  });

  it("are told apart by what they do not share", () => {
    const ops = opsAfter(shifted);
    expect(count(ops, "concatenate")).toBe(0);
    expect(ops.length).toBeLessThan(20);
  });

  it("mean what they meant", () => {
    const s = tensorOf("float32", [], [0.5]);
    expect(disagreements(shifted.program, { x: numbers(16, 3), s })).toEqual([]);
  });
});
