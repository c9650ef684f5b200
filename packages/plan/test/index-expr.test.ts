/**
 * Simplified index expressions against the arithmetic they stand for. Every constructor is mirrored by a
 * naive tree that is evaluated as written; what the simplifier makes of it must agree everywhere.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { IndexExpr } from "../src/index-expr/index.ts";
import * as ix from "../src/index-expr/index.ts";

/** An expression as it was asked for, beside its meaning at a point. */
interface Twin {
  readonly text: string;
  readonly expr: IndexExpr;
  readonly at: (point: Point) => number;
}
interface Point {
  readonly axes: readonly number[];
  readonly loops: readonly number[];
  readonly values: readonly number[];
}

const extents = [5, 8, 12, 64];
const loopExtents = [3, 16];
const valueRanges = [
  [-4, 9],
  [0, 31],
] as const;

const environment = (point: Point): ix.IndexEnvironment => ({
  axis: (i) => point.axes[i] as number,
  loop: (i) => point.loops[i] as number,
  value: (i) => point.values[i] as number,
});

const floorDivide = (x: number, by: number): number => Math.floor(x / by);
const modulo = (x: number, by: number): number => x - by * Math.floor(x / by);

const leaves: Twin[] = [
  ...extents.map((extent, i) => ({
    text: `a${i}`,
    expr: ix.axis(i, extent),
    at: (p: Point) => p.axes[i] as number,
  })),
  ...loopExtents.map((extent, i) => ({
    text: `l${i}`,
    expr: ix.loop(i, extent),
    at: (p: Point) => p.loops[i] as number,
  })),
  ...valueRanges.map(([lo, hi], i) => ({
    text: `v${i}`,
    expr: ix.value(i, lo, hi),
    at: (p: Point) => p.values[i] as number,
  })),
];

const divisors = fc.constantFrom(1, 2, 3, 4, 5, 6, 8, 12, 16, 64);
const factors = fc.constantFrom(-12, -3, -1, 0, 1, 2, 3, 4, 8, 12, 16, 64);

const twins: fc.Arbitrary<Twin> = fc.letrec<{ twin: Twin }>((tie) => ({
  twin: fc.oneof(
    { depthSize: "medium", withCrossShrink: true },
    fc.constantFrom(...leaves),
    fc.integer({ min: -20, max: 70 }).map((c) => ({
      text: `${c}`,
      expr: ix.constant(c),
      at: () => c,
    })),
    fc.tuple(tie("twin"), tie("twin")).map(([p, q]) => ({
      text: `(${p.text} + ${q.text})`,
      expr: ix.add(p.expr, q.expr),
      at: (point: Point) => p.at(point) + q.at(point),
    })),
    fc.tuple(tie("twin"), tie("twin")).map(([p, q]) => ({
      text: `(${p.text} - ${q.text})`,
      expr: ix.sub(p.expr, q.expr),
      at: (point: Point) => p.at(point) - q.at(point),
    })),
    fc.tuple(tie("twin"), factors).map(([p, factor]) => ({
      text: `(${p.text} * ${factor})`,
      expr: ix.mul(p.expr, factor),
      at: (point: Point) => p.at(point) * factor + 0, // no −0
    })),
    fc.tuple(tie("twin"), divisors).map(([p, by]) => ({
      text: `(${p.text} floordiv ${by})`,
      expr: ix.floordiv(p.expr, by),
      at: (point: Point) => floorDivide(p.at(point), by),
    })),
    fc.tuple(tie("twin"), divisors).map(([p, by]) => ({
      text: `(${p.text} mod ${by})`,
      expr: ix.mod(p.expr, by),
      at: (point: Point) => modulo(p.at(point), by),
    })),
    fc.tuple(tie("twin"), tie("twin")).map(([p, q]) => ({
      text: `min(${p.text}, ${q.text})`,
      expr: ix.min(p.expr, q.expr),
      at: (point: Point) => Math.min(p.at(point), q.at(point)),
    })),
    fc.tuple(tie("twin"), tie("twin")).map(([p, q]) => ({
      text: `max(${p.text}, ${q.text})`,
      expr: ix.max(p.expr, q.expr),
      at: (point: Point) => Math.max(p.at(point), q.at(point)),
    })),
    fc.tuple(tie("twin"), fc.integer({ min: -9, max: 9 }), fc.nat(20)).map(([p, lo, width]) => ({
      text: `clamp(${p.text}, ${lo}, ${lo + width})`,
      expr: ix.clamp(p.expr, lo, lo + width),
      at: (point: Point) => Math.min(Math.max(p.at(point), lo), lo + width),
    })),
    bitwise("xor", tie("twin"), tie("twin"), ix.xor, (x, y) => x ^ y),
    bitwise("and", tie("twin"), tie("twin"), ix.and, (x, y) => x & y),
  ),
})).twin;

/** Bit operations take non-negative operands: max(…, 0) sees to it. */
function bitwise(
  name: string,
  left: fc.Arbitrary<Twin>,
  right: fc.Arbitrary<Twin>,
  build: (a: IndexExpr, b: IndexExpr) => IndexExpr,
  formula: (x: bigint, y: bigint) => bigint,
): fc.Arbitrary<Twin> {
  const natural = (e: IndexExpr): IndexExpr => ix.max(e, ix.zero);
  const value = (twin: Twin, point: Point): bigint => BigInt(Math.max(twin.at(point), 0));
  return fc.tuple(left, right).map(([p, q]) => ({
    text: `(${p.text} ${name} ${q.text})`,
    expr: build(natural(p.expr), natural(q.expr)),
    at: (point: Point) => Number(formula(value(p, point), value(q, point))),
  }));
}

const points: fc.Arbitrary<Point> = fc.record({
  axes: fc.tuple(...extents.map((extent) => fc.nat(extent - 1))),
  loops: fc.tuple(...loopExtents.map((extent) => fc.nat(extent - 1))),
  values: fc.tuple(...valueRanges.map(([min, max]) => fc.integer({ min, max }))),
});
const manyPoints = fc.array(points, { minLength: 20, maxLength: 20 });

describe("a simplified expression", () => {
  it("means what was asked for, within its own bounds", () => {
    fc.assert(
      fc.property(twins, manyPoints, ({ text, expr, at }, places) => {
        for (const point of places) {
          const value = ix.evaluate(expr, environment(point));
          expect(value, `${text} became ${ix.format(expr)}`).toBe(at(point));
          expect(value).toBeGreaterThanOrEqual(expr.lo);
          expect(value).toBeLessThanOrEqual(expr.hi);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it("is canonical: rebuilding it changes nothing", () => {
    fc.assert(
      fc.property(twins, manyPoints, ({ expr }, places) => {
        const rebuilt = ix.substitute(expr, (leaf) => leaf);
        for (const point of places) {
          expect(ix.evaluate(rebuilt, environment(point))).toBe(
            ix.evaluate(expr, environment(point)),
          );
        }
        expect(rebuilt.lo).toBeGreaterThanOrEqual(expr.lo);
        expect(rebuilt.hi).toBeLessThanOrEqual(expr.hi);
      }),
      { numRuns: 500 },
    );
  });

  it("has bounds that are integers, and one value where they meet", () => {
    fc.assert(
      fc.property(twins, ({ expr }) => {
        expect(Number.isSafeInteger(expr.lo) && Number.isSafeInteger(expr.hi)).toBe(true);
        expect(expr.lo).toBeLessThanOrEqual(expr.hi);
        if (expr.k === "sum") {
          const keys = expr.terms.map((term) => term.of.key);
          expect(keys).toEqual([...new Set(keys)].sort((p, q) => (p < q ? -1 : 1)));
          expect(expr.terms.every((term) => term.factor !== 0)).toBe(true);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("substitutes into a flipped bit what only a guard keeps from being negative", () => {
    const flipped = ix.xor(ix.axis(0, 8), ix.constant(2));
    const shifted = ix.substituteAxes(flipped, [ix.add(ix.axis(0, 8), ix.constant(-3))]);
    for (const i of [3, 4, 5, 6, 7]) {
      expect(ix.evaluate(shifted, { axis: () => i })).toBe((i - 3) ^ 2);
    }
  });

  it("substitutes as it evaluates", () => {
    const replacements = fc.tuple(twins, twins, twins, twins);
    fc.assert(
      fc.property(twins, replacements, points, (twin, by, point) => {
        // Replacements are brought into the range that the axis promises.
        const replaced = by.map((r, i) => ix.mod(r.expr, extents[i] as number));
        const after = ix.substituteAxes(twin.expr, replaced);
        const moved: Point = {
          ...point,
          axes: by.map((r, i) => modulo(r.at(point), extents[i] as number)),
        };
        expect(ix.evaluate(after, environment(point)), twin.text).toBe(twin.at(moved));
      }),
      { numRuns: 1000 },
    );
  });
});

describe("equal maps have equal keys", () => {
  const positive = fc.integer({ min: 2, max: 16 });
  const affine = fc
    .array(fc.tuple(fc.constantFrom(...leaves.slice(0, 4)), fc.integer({ min: 1, max: 40 })), {
      minLength: 1,
      maxLength: 4,
    })
    .map((terms) => ix.add(...terms.map(([leaf, factor]) => ix.mul(leaf.expr, factor))));

  it("e floordiv c times c plus e mod c is e", () => {
    fc.assert(
      fc.property(affine, positive, (e, c) => {
        const joined = ix.add(ix.mul(ix.floordiv(e, c), c), ix.mod(e, c));
        expect(joined.key).toBe(e.key);
      }),
      { numRuns: 1000 },
    );
  });

  it("x − x is 0 and sums forget their order", () => {
    fc.assert(
      fc.property(twins, twins, (p, q) => {
        expect(ix.sub(p.expr, p.expr)).toEqual(ix.zero);
        expect(ix.add(p.expr, q.expr).key).toBe(ix.add(q.expr, p.expr).key);
      }),
    );
  });

  /** The flat index of coordinates, and the coordinates of a flat index. */
  const flatten = (coordinates: readonly IndexExpr[], shape: readonly number[]): IndexExpr =>
    coordinates.reduce(
      (flat, c, i) => ix.add(ix.mul(flat, shape[i] as number), c),
      ix.zero as IndexExpr,
    );
  const unflatten = (flat: IndexExpr, shape: readonly number[]): IndexExpr[] => {
    let rest = flat;
    return [...shape]
      .reverse()
      .map((extent, i) => {
        const coordinate = i === shape.length - 1 ? rest : ix.mod(rest, extent);
        rest = ix.floordiv(rest, extent);
        return coordinate;
      })
      .reverse();
  };
  const shapes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 });

  it("a reshape and back is the identity", () => {
    fc.assert(
      fc.property(shapes, (shape) => {
        const axes = shape.map((extent, i) => ix.axis(i, extent));
        const back = unflatten(flatten(axes, shape), shape);
        expect(back.map((e) => e.key)).toEqual(axes.map((e) => e.key));
      }),
    );
  });

  it("a detour over another shape is the identity", () => {
    const pairs = fc
      .tuple(shapes, fc.shuffledSubarray([2, 3, 4, 6, 8]))
      .map(([shape, split]) => ({ shape, split }));
    fc.assert(
      fc.property(pairs, ({ shape, split }) => {
        const size = shape.reduce((product, extent) => product * extent, 1);
        const other: number[] = [];
        let rest = size;
        for (const factor of split) {
          if (rest % factor !== 0) continue;
          other.push(factor);
          rest /= factor;
        }
        other.push(rest);
        const axes = shape.map((extent, i) => ix.axis(i, extent));
        const there = unflatten(flatten(axes, shape), other);
        const back = unflatten(flatten(there, other), shape);
        expect(back.map((e) => e.key)).toEqual(axes.map((e) => e.key));
      }),
    );
  });

  it("xor with a constant has exact bounds", () => {
    fc.assert(
      fc.property(fc.nat(40), fc.nat(40), fc.integer({ min: 1, max: 70 }), (from, count, flips) => {
        const flipped = Array.from({ length: count + 2 }, (_, i) => (from + i) ^ flips);
        const { lo, hi } = ix.binaryNode(
          "xor",
          ix.value(0, from, from + count + 1),
          ix.constant(flips),
        );
        expect([lo, hi]).toEqual([Math.min(...flipped), Math.max(...flipped)]);
      }),
    );
  });

  it("xor with a constant undoes itself", () => {
    fc.assert(
      fc.property(fc.constantFrom(...leaves.slice(0, 6)), fc.nat(127), ({ expr }, c) => {
        const mask = ix.constant(c);
        expect(ix.xor(ix.xor(expr, mask), mask).key).toBe(expr.key);
      }),
    );
  });
});

describe("facts", () => {
  it("an affine form gives the strides back", () => {
    const strides = fc.tuple(...extents.map(() => fc.integer({ min: -50, max: 50 })));
    fc.assert(
      fc.property(strides, fc.integer({ min: -99, max: 99 }), (factors, offset) => {
        const terms = factors.map((factor, i) => ix.mul(ix.axis(i, extents[i] as number), factor));
        const form = ix.affineForm(ix.add(...terms, ix.constant(offset)), extents.length);
        expect(form).toEqual({ strides: factors, constant: offset });
      }),
    );
    expect(ix.affineForm(ix.mod(ix.axis(0, 9), 4), 1)).toBeUndefined();
    expect(ix.affineForm(ix.axis(2, 9), 2)).toBeUndefined();
  });

  it("mixed radix implies that no two points meet", () => {
    const cases = fc
      .array(fc.tuple(fc.integer({ min: -20, max: 20 }), fc.integer({ min: 1, max: 5 })), {
        minLength: 1,
        maxLength: 3,
      })
      .map((pairs) => ({ strides: pairs.map((p) => p[0]), extents: pairs.map((p) => p[1]) }));
    fc.assert(
      fc.property(cases, ({ strides, extents: sizes }) => {
        fc.pre(ix.isMixedRadix(strides, sizes));
        const reached = sizes.reduce<number[]>(
          (offsets, size, i) =>
            offsets.flatMap((offset) =>
              Array.from({ length: size }, (_, c) => offset + c * (strides[i] as number)),
            ),
          [0],
        );
        expect(new Set(reached).size).toBe(reached.length);
      }),
    );
  });

  it("axes are found wherever they hide", () => {
    const e = ix.floordiv(
      ix.add(ix.axis(0, 5), ix.mul(ix.min(ix.axis(3, 64), ix.axis(1, 8)), 3)),
      2,
    );
    expect([...ix.axesOf(e)].sort()).toEqual([0, 1, 3]);
  });

  it("bounds a bit operation by all ones, even where a logarithm would round", () => {
    const large = 2 ** 48;
    const either = ix.xor(ix.axis(0, large + 1), ix.value(0, 0, 1));
    expect(either.hi).toBe(2 * large - 1);
    expect(ix.xor(ix.axis(0, large), ix.value(0, 0, 1)).hi).toBe(large - 1);
  });

  it("a constant has no negative zero", () => {
    expect(ix.constant(-0)).toEqual(ix.zero);
    expect(ix.mul(ix.constant(0), -3)).toEqual(ix.zero);
  });

  it("a bit operation on what may be negative is refused", () => {
    expect(() => ix.xor(ix.value(0, -1, 3), ix.zero)).toThrow(RangeError);
    expect(() => ix.and(ix.axis(0, 4), ix.constant(-1))).toThrow(RangeError);
  });

  it("prints like the language it is", () => {
    const e = ix.add(ix.mul(ix.axis(0, 5), 4), ix.mod(ix.axis(1, 8), 3), ix.constant(-2));
    expect(ix.format(e)).toBe("i0*4 + (i1 mod 3) - 2");
    expect(ix.format(ix.min(ix.loop(1, 4), ix.value(7, 0, 2)), () => "x")).toBe("min(loop1, %7)");
  });
});
