import { affineForm, axis, evaluate, format, type IndexExpr } from "@gridfuse/plan/index-expr";
import { toBits } from "@gridfuse/plan/scalar";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { sizes, tensorType } from "../../src/ir/types.ts";
import type { OpName, OpParams } from "../../src/ir/vocabulary.ts";
import { definitionOf, infer } from "../../src/ops/table.ts";

/** Every coordinate of a box, in row-major order. */
function points(shape: readonly number[]): readonly (readonly number[])[] {
  return shape.reduce<readonly (readonly number[])[]>(
    (heads, size) => heads.flatMap((head) => Array.from({ length: size }, (_, i) => [...head, i])),
    [[]],
  );
}

const flatten = (at: readonly number[], shape: readonly number[]): number =>
  at.reduce((flat, i, dim) => flat * (shape[dim] as number) + i, 0);

interface Mapped {
  readonly result: readonly number[];
  readonly index: readonly IndexExpr[];
}

function mapOf<K extends OpName>(op: K, operand: readonly number[], params: OpParams[K]): Mapped {
  const result = sizes(infer(op, [tensorType("int32", operand)], params)[0]!.shape);
  const at = result.map((size, i) => axis(i, size));
  return { result, index: definitionOf(op).indexMap!(at, operand, params, result) };
}

/** Row-major element numbers of the operand, as the op arranges them. */
function arrange<K extends OpName>(op: K, operand: readonly number[], params: OpParams[K]) {
  const { result, index } = mapOf(op, operand, params);
  return points(result).map((point) => {
    const from = index.map((e) => evaluate(e, { axis: (i) => point[i] as number }));
    from.forEach((i, dim) => {
      expect(i).toBeGreaterThanOrEqual(0);
      expect(i).toBeLessThan(operand[dim] as number);
    });
    return flatten(from, operand);
  });
}

const shapes = fc.array(fc.integer({ min: 1, max: 5 }), { maxLength: 4 });

/** All ways to write `count` as a product, with some ones thrown in. */
const shapeOf = (count: number): fc.Arbitrary<number[]> => {
  const factors: number[] = [];
  for (let rest = count, p = 2; rest > 1; p++) {
    for (; rest % p === 0; rest /= p) factors.push(p);
  }
  return fc
    .tuple(
      fc.shuffledSubarray(factors, { minLength: factors.length }),
      fc.array(fc.nat(factors.length), { maxLength: 3 }),
      fc.nat(2),
    )
    .map(([order, cuts, ones]) => {
      const edges = [0, ...cuts, order.length].sort((p, q) => p - q);
      const merged = edges
        .slice(1)
        .map((end, i) => order.slice(edges[i], end).reduce((p, q) => p * q, 1));
      return [...merged, ...new Array<number>(ones).fill(1)];
    });
};

const reshapes = fc
  .constantFrom(1, 2, 12, 16, 30, 36, 64, 90)
  .chain((count) => fc.tuple(shapeOf(count), shapeOf(count)));

describe("indexMap", () => {
  it("of reshape keeps the row-major order", () => {
    fc.assert(
      fc.property(reshapes, ([from, to]) => {
        const order = arrange("reshape", from, { shape: to });
        expect(order).toEqual(order.map((_, i) => i));
      }),
    );
  });

  it("of a reshape with an empty dim is defined", () => {
    expect(mapOf("reshape", [3, 0], { shape: [0, 7] }).index).toHaveLength(2);
  });

  it("of transpose moves coordinates", () => {
    fc.assert(
      fc.property(
        shapes.chain((shape) =>
          fc.tuple(
            fc.constant(shape),
            fc.shuffledSubarray([...shape.keys()], { minLength: shape.length }),
          ),
        ),
        ([shape, permutation]) => {
          const { result } = mapOf("transpose", shape, { permutation });
          const expected = points(result).map((point) => {
            const from = new Array<number>(shape.length);
            permutation.forEach((dim, i) => {
              from[dim] = point[i] as number;
            });
            return flatten(from, shape);
          });
          expect(arrange("transpose", shape, { permutation })).toEqual(expected);
        },
      ),
    );
  });

  it("of broadcast_in_dim repeats along new and stretched dimensions", () => {
    const broadcasts = shapes.chain((shape) =>
      fc.tuple(
        fc.constant(shape),
        fc.subarray([...shape.keys()]),
        fc.array(fc.boolean(), { minLength: shape.length, maxLength: shape.length }),
      ),
    );
    fc.assert(
      fc.property(broadcasts, ([shape, broadcastDimensions, stretched]) => {
        const operand = broadcastDimensions.map((to) =>
          stretched[to] ? 1 : (shape[to] as number),
        );
        const expected = points(shape).map((point) =>
          flatten(
            broadcastDimensions.map((to, i) => (operand[i] === 1 ? 0 : (point[to] as number))),
            operand,
          ),
        );
        const params = { shape, broadcastDimensions };
        expect(arrange("broadcast_in_dim", operand, params)).toEqual(expected);
      }),
    );
  });

  it("of slice walks from start by the stride", () => {
    const window = fc
      .tuple(fc.nat(4), fc.nat(5), fc.nat(3), fc.integer({ min: 1, max: 3 }))
      .map(([start, length, rest, stride]) => ({
        start,
        length,
        size: start + length + rest,
        stride,
      }));
    fc.assert(
      fc.property(fc.array(window, { maxLength: 3 }), (windows) => {
        const operand = windows.map(({ size }) => size);
        const params = {
          start: windows.map(({ start }) => start),
          limit: windows.map(({ start, length }) => start + length),
          strides: windows.map(({ stride }) => stride),
        };
        const expected = points(operand)
          .filter((point) =>
            windows.every(({ start, length, stride }, dim) => {
              const offset = (point[dim] as number) - start;
              return offset >= 0 && offset < length && offset % stride === 0;
            }),
          )
          .map((point) => flatten(point, operand));
        expect(arrange("slice", operand, params)).toEqual(expected);
      }),
    );
  });

  it("of rev counts down, and twice is nothing", () => {
    expect(arrange("rev", [2, 3], { dimensions: [1] })).toEqual([2, 1, 0, 5, 4, 3]);
    const { index } = mapOf("rev", [4], { dimensions: [0] });
    const again = definitionOf("rev").indexMap!(index, [4], { dimensions: [0] }, [4]);
    expect(again.map((e) => e.key)).toEqual([axis(0, 4).key]);
  });

  it("of view composes with the coordinates it is asked for", () => {
    const fill = toBits("int32", 0);
    const params = { shape: [3, 2], index: [axis(1, 2), axis(0, 3)], fill };
    expect(arrange("view", [2, 3], params)).toEqual([0, 3, 1, 4, 2, 5]);
  });
});

describe("indexMap of reshape stays simple", () => {
  const maps = (from: readonly number[], to: readonly number[]): readonly string[] =>
    mapOf("reshape", from, { shape: to }).index.map((e) => format(e));

  it("an unchanged dimension maps to itself", () => {
    expect(maps([8, 6], [8, 2, 3])).toEqual(["i0", "i1*3 + i2"]);
    expect(maps([8, 6], [8, 1, 6, 1])).toEqual(["i0", "i2"]);
  });

  it("a split dimension is a sum", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 4 }),
        (to) => {
          const count = to.reduce((p, q) => p * q, 1);
          const { index } = mapOf("reshape", [count], { shape: to });
          expect(affineForm(index[0] as IndexExpr, to.length)).toBeDefined();
        },
      ),
    );
  });

  it("a merged dimension is a quotient and a remainder", () => {
    expect(maps([4, 3], [12])).toEqual(["i0 floordiv 3", "i0 mod 3"]);
    expect(maps([5, 4, 3], [5, 12])).toEqual(["i0", "i1 floordiv 3", "i1 mod 3"]);
  });

  it("a chain of splits and merges that returns is the identity", () => {
    fc.assert(
      fc.property(reshapes, ([from, to]) => {
        const there = from.map((size, i) => axis(i, size));
        const { indexMap } = definitionOf("reshape");
        const inTo = indexMap!(there, to, { shape: from }, from);
        const back = indexMap!(inTo, from, { shape: to }, to);
        expect(back.map((e) => e.key)).toEqual(there.map((e) => e.key));
      }),
    );
  });
});
