import {
  Emitter,
  newRegion,
  type RefTransforms,
  refType,
  Table,
  tensorType,
} from "@gridfuse/graph";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type HostTensor, interpretRegion, newRef, tensorOf, valuesOf } from "../../src/index.ts";
import { counting, expectSame, vector } from "../support/apply.ts";

type Indexer = RefTransforms[number][number];

/** Reads a view of a ref that holds `memory`. */
function get(memory: HostTensor, transforms: RefTransforms, ...indices: readonly HostTensor[]) {
  const table = new Table();
  const e = new Emitter(table, newRegion());
  const ref = table.newParam(e.region, refType(memory.dtype, memory.shape, "vmem"));
  const operands = indices.map(({ dtype, shape }) =>
    table.newParam(e.region, tensorType(dtype, shape)),
  );
  const value = e.emit("get", [ref, ...operands], { transforms });
  e.region.results.push(value);
  const [result] = interpretRegion(table, e.region, [newRef(memory), ...indices]) as HostTensor[];
  expect(table.tensor(value).shape).toEqual(result!.shape);
  return result!;
}

/** Writes to a view of a ref that starts with `memory`; gives what the ref holds then. */
function update(
  op: "set" | "addupdate",
  memory: HostTensor,
  value: HostTensor,
  transforms: RefTransforms,
  ...indices: readonly HostTensor[]
): HostTensor {
  const table = new Table();
  const e = new Emitter(table, newRegion());
  const ref = table.newParam(e.region, refType(memory.dtype, memory.shape, "vmem"));
  const operands = [value, ...indices].map(({ dtype, shape }) =>
    table.newParam(e.region, tensorType(dtype, shape)),
  );
  e.emitAll(op, [ref, ...operands], { transforms });
  const cell = newRef({ ...memory, data: memory.data.slice() });
  interpretRegion(table, e.region, [cell, value, ...indices]);
  return cell.memory;
}

const scalar = (value: number) => tensorOf("int32", [], [value]);
const slice = (start: number | { operand: number }, size: number, stride = 1): Indexer => ({
  kind: "slice",
  start,
  size,
  stride,
});
const at = (index: number | { operand: number }): Indexer => ({ kind: "int", index });
const array = (operand: number): Indexer => ({ kind: "array", operand });

const matrix = counting("int32", 3, 4);
const cube = counting("int32", 2, 3, 4);

describe("reading a view", () => {
  it("takes ints, slices and strides", () => {
    expect(valuesOf(get(matrix, [[at(1), slice(0, 4)]]))).toEqual([4, 5, 6, 7]);
    expect(valuesOf(get(matrix, [[slice(0, 2, 2), slice(1, 2, 2)]]))).toEqual([1, 3, 9, 11]);
    expect(valuesOf(get(matrix, [[slice(1, 0), slice(0, 4)]]))).toEqual([]);
    expectSame(get(matrix, []), matrix);
  });

  it("clamps dynamic starts so that the window fits", () => {
    const window: RefTransforms = [[slice({ operand: 0 }, 2), at({ operand: 1 })]];
    expect(valuesOf(get(matrix, window, scalar(7), scalar(-2)))).toEqual([4, 8]);
    const strided: RefTransforms = [[at(0), slice({ operand: 0 }, 2, 2)]];
    expect(valuesOf(get(matrix, strided, scalar(3)))).toEqual([1, 3]);
  });

  it("chains: each link indexes what the one before left", () => {
    const chain: RefTransforms = [
      [at(1), slice(1, 2), slice(0, 2, 2)],
      [slice(1, 1), slice(0, 2)],
      [at(0), at(1)],
    ];
    expect(valuesOf(get(cube, chain))).toEqual([12 + 2 * 4 + 2]);
  });

  it("follows NumPy in where array indexers put their dims", () => {
    const pick = vector("int32", 2, 0);
    expect(valuesOf(get(matrix, [[array(0), slice(0, 4)]], pick))).toEqual([
      8, 9, 10, 11, 0, 1, 2, 3,
    ]);
    expect(valuesOf(get(matrix, [[slice(0, 3), array(0)]], pick))).toEqual([2, 0, 6, 4, 10, 8]);
    // x[pick, 1]: neighbours, one by one
    expect(valuesOf(get(matrix, [[array(0), at(1)]], pick))).toEqual([9, 1]);
    // x[0, :, pick]: split by a slice, so the dims go to the front
    expect(get(cube, [[at(0), slice(0, 3), array(0)]], pick)).toEqual(
      tensorOf("int32", [2, 3], [2, 6, 10, 0, 4, 8]),
    );
    // x[:, 0, pick]: neighbours, so they stay behind the slice
    expect(get(cube, [[slice(0, 2), at(0), array(0)]], pick)).toEqual(
      tensorOf("int32", [2, 2], [2, 0, 14, 12]),
    );
  });

  it("broadcasts array indexers together", () => {
    const rows = tensorOf("int32", [2, 1], [0, 2]);
    const columns = vector("int32", 3, 1, 0);
    expect(get(matrix, [[array(0), array(1)]], rows, columns)).toEqual(
      tensorOf("int32", [2, 3], [3, 1, 0, 11, 9, 8]),
    );
  });

  it("counts negative elements of an array indexer from the end, and clamps the rest", () => {
    const pick = vector("int32", -1, -3, -4, 9);
    expect(valuesOf(get(counting("int32", 3), [[array(0)]], pick))).toEqual([2, 0, 0, 2]);
  });

  it("goes on after an array indexer", () => {
    const chain: RefTransforms = [
      [array(0), slice(0, 4)],
      [at(1), slice(1, 2, 2)],
    ];
    expect(valuesOf(get(matrix, chain, vector("int32", 0, 2)))).toEqual([9, 11]);
    const twice: RefTransforms = [
      [array(0), slice(0, 4)],
      [array(1), at(3)],
    ];
    expect(valuesOf(get(matrix, twice, vector("int32", 0, 2), vector("int32", 1, 1, 0)))).toEqual([
      11, 11, 3,
    ]);
  });
});

describe("writing through a view", () => {
  it("sets strided and dynamic windows", () => {
    const x = counting("int32", 5);
    expect(
      valuesOf(update("set", x, vector("int32", 8, 9), [[slice({ operand: 0 }, 2, 2)]], scalar(9))),
    ).toEqual([0, 1, 8, 3, 9]);
  });

  it("sets through a chain and through arrays; of repeated places the last wins", () => {
    const chain: RefTransforms = [[at(1), slice(0, 4)], [slice(2, 2)]];
    expect(valuesOf(update("set", matrix, vector("int32", -1, -2), chain)).slice(4, 8)).toEqual([
      4, 5, -1, -2,
    ]);
    const x = counting("int32", 3);
    expect(
      valuesOf(update("set", x, vector("int32", 7, 8, 9), [[array(0)]], vector("int32", 1, 0, 1))),
    ).toEqual([8, 9, 2]);
  });

  it("adds, rounding in the dtype; repeated places add up", () => {
    const x = vector("float16", 2048, 0);
    const ones = vector("float16", 1, 1, 1);
    expect(valuesOf(update("addupdate", x, ones, [[array(0)]], vector("int32", 0, 1, 1)))).toEqual([
      2048, 2,
    ]);
  });

  it("keeps bits", () => {
    const value = { dtype: "float32", shape: [1], data: new Float32Array(1) } as const;
    new Uint32Array(value.data.buffer)[0] = 0x7fa00001;
    const out = update("set", vector("float32", 0), value, [[slice(0, 1)]]);
    expect(new Uint32Array(out.data.buffer)[0]).toBe(0x7fa00001);
  });

  it("is undone by reading the same view", () => {
    const indexer = (size: number) =>
      fc.oneof(
        fc.integer({ min: -1, max: size }).map((index) => ({ index })),
        fc
          .tuple(fc.integer({ min: -1, max: size }), fc.nat(size), fc.integer({ min: 1, max: 2 }))
          .filter(([, count, stride]) => count === 0 || (count - 1) * stride + 1 <= size)
          .map(([start, count, stride]) => ({ start, count, stride })),
      );
    fc.assert(
      fc.property(indexer(3), indexer(4), (rows, columns) => {
        const indices: HostTensor[] = [];
        const link = [rows, columns].map((chosen): Indexer => {
          const operand = indices.push(scalar("index" in chosen ? chosen.index : chosen.start)) - 1;
          return "index" in chosen
            ? at({ operand })
            : slice({ operand }, chosen.count, chosen.stride);
        });
        const before = get(matrix, [link], ...indices);
        const value = { ...before, data: (before.data as Int32Array).map((x) => -1 - x) };
        const after = update("set", matrix, value, [link], ...indices);
        expectSame(get(after, [link], ...indices), value);
        const untouched = [...after.data].filter((x) => Number(x) >= 0);
        expect(untouched.length).toBe(12 - value.data.length);
      }),
    );
  });
});
