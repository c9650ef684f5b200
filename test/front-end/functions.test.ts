/** What the functions of tensors mean, run by the interpreter and held against plain JavaScript. */
import {
  arange,
  argsort,
  at,
  concatenate,
  cond,
  constant,
  type DType,
  ds,
  einsum,
  floorDivide,
  fori,
  graph,
  type Indexer,
  index,
  matmul,
  mod,
  type Operand,
  pow,
  repeat,
  roll,
  scan,
  shiftRight,
  sort,
  split,
  stack,
  switchCase,
  type Tensor,
  take,
  takeAlongAxis,
  tensor,
  tile,
  topK,
  where,
  whileLoop,
} from "@gridfuse/graph";
import { interpret } from "@gridfuse/interpret";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

function evaluate(f: () => Operand | Tensor): {
  values: readonly number[];
  shape: readonly number[];
  dtype: DType;
} {
  const { out } = interpret(graph({}, f).program, {});
  return { values: [...out.data].map(Number), shape: out.shape, dtype: out.dtype };
}
const valuesOf = (f: () => Operand | Tensor): readonly number[] => evaluate(f).values;

describe("literals", () => {
  it("adopt the dtype of their tensor; a fraction turns integers into float32", () => {
    expect(evaluate(() => arange(3).mul(2))).toMatchObject({ dtype: "int32", values: [0, 2, 4] });
    expect(evaluate(() => arange(3).mul(0.5))).toMatchObject({
      dtype: "float32",
      values: [0, 0.5, 1],
    });
    expect(evaluate(() => constant([true, false]).add(1))).toMatchObject({
      dtype: "int32",
      values: [2, 1],
    });
    expect(evaluate(() => constant([1], { dtype: "bfloat16" }).mul(2.5)).dtype).toBe("bfloat16");
    expect(evaluate(() => constant([1n], { dtype: "int64" }).mul(2n)).dtype).toBe("int64");
  });
});

describe("division", () => {
  const dividends = [7, -7, 7, -7, 6, 0];
  const divisors = [2, 2, -2, -2, -3, 5];
  const both = (dtype: DType) =>
    [constant(dividends, { dtype }), constant(divisors, { dtype })] as const;

  it.each(["int32", "float32", "int8", "float64"] as const)(
    "of %s rounds as its name says",
    (dtype) => {
      const run = (f: (a: Tensor, b: Tensor) => Tensor) => valuesOf(() => f(...both(dtype)));
      const floors = dividends.map((a, i) => Math.floor(a / divisors[i]));
      const plain = (xs: readonly number[]) => xs.map((x) => x + 0);
      expect(plain(run((a, b) => floorDivide(a, b)))).toEqual(plain(floors));
      expect(plain(run((a, b) => mod(a, b)))).toEqual(
        plain(dividends.map((a, i) => a - floors[i] * divisors[i])),
      );
      expect(plain(run((a, b) => a.rem(b)))).toEqual(
        plain(dividends.map((a, i) => a % divisors[i])),
      );
    },
  );

  it("truncates integers with div and not with divide", () => {
    expect(valuesOf(() => arange(4).sub(5).div(2))).toEqual([-2, -2, -1, -1]);
    expect(valuesOf(() => arange(4).divide(2))).toEqual([0, 0.5, 1, 1.5]);
  });

  it("shifts right by the sign of the dtype, and raises to powers", () => {
    expect(valuesOf(() => shiftRight(constant([-8, 8]), 1))).toEqual([-4, 4]);
    expect(valuesOf(() => shiftRight(constant([2 ** 31], { dtype: "uint32" }), 31))).toEqual([1]);
    expect(valuesOf(() => pow(constant([2, -3]), 3))).toEqual([8, -27]);
    expect(valuesOf(() => pow(constant([2, 4]), -0.5)).map((x) => x ** -2)).toEqual([
      expect.closeTo(2, 5),
      expect.closeTo(4, 5),
    ]);
  });
});

// ── Indexing against nested arrays ──────────────────────────────────────────────────────────

type Nested = number | readonly Nested[];
const counted = (shape: readonly number[], from = { n: 0 }): Nested =>
  shape.length === 0
    ? from.n++
    : Array.from({ length: shape[0] }, () => counted(shape.slice(1), from));
const flat = (nested: Nested): readonly number[] => [nested].flat(9) as number[];

type Choice = { readonly indexer: Indexer; readonly chosen: number | readonly number[] };

/** An int or slice for a dimension of `size`, with what it selects. */
const choice = (size: number): fc.Arbitrary<Choice> =>
  fc.oneof(
    fc
      .integer({ min: -size, max: size - 1 })
      .map((i) => ({ indexer: i, chosen: i < 0 ? i + size : i })),
    fc.constant({ indexer: ":" as const, chosen: Array.from({ length: size }, (_, i) => i) }),
    fc
      .record({
        start: fc.integer({ min: 0, max: size - 1 }),
        stride: fc.integer({ min: 1, max: 3 }),
      })
      .map(({ start, stride }) => {
        const chosen = Array.from({ length: size }, (_, i) => i).filter(
          (i) => i >= start && (i - start) % stride === 0,
        );
        return { indexer: `${start}::${stride}` as const, chosen };
      }),
  );

const pick = (nested: Nested, choices: readonly Choice[]): Nested => {
  const [first, ...rest] = choices;
  if (first === undefined) return nested;
  const rows = nested as readonly Nested[];
  return typeof first.chosen === "number"
    ? pick(rows[first.chosen], rest)
    : first.chosen.map((i) => pick(rows[i], rest));
};

const access = fc
  .array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 3 })
  .chain((shape) =>
    fc.record({ shape: fc.constant(shape), choices: fc.tuple(...shape.map(choice)) }),
  );

describe("index and at", () => {
  it("select what nested arrays give for ints and slices", () => {
    fc.assert(
      fc.property(access, ({ shape, choices }) => {
        const x = counted(shape);
        const indexers = choices.map(({ indexer }) => indexer);
        expect(valuesOf(() => index(constant(x as number[]), ...indexers))).toEqual(
          flat(pick(x, choices)),
        );
      }),
      { numRuns: 60 },
    );
  });

  it("change exactly what index selects", () => {
    fc.assert(
      fc.property(access, ({ shape, choices }) => {
        const x = counted(shape);
        const indexers = choices.map(({ indexer }) => indexer);
        const hit = new Set(flat(pick(x, choices)));
        const changed = (f: (n: number) => number) => flat(x).map((n) => (hit.has(n) ? f(n) : n));
        const place = () => at(constant(x as number[]), ...indexers);
        expect(valuesOf(() => place().set(-1))).toEqual(changed(() => -1));
        expect(valuesOf(() => place().add(100))).toEqual(changed((n) => n + 100));
      }),
      { numRuns: 60 },
    );
  });

  it("take index arrays as NumPy does: in place when they stand together, else in front", () => {
    const x = () => constant(counted([2, 3, 4]) as number[]);
    expect(evaluate(() => index(x(), ":", [2, 0, -1])).shape).toEqual([2, 3, 4]);
    expect(valuesOf(() => index(x(), 1, [2, 0], [3, 0]))).toEqual([23, 12]);
    const split = evaluate(() => index(x(), [1, 0], ":", [3, 1]));
    expect(split).toMatchObject({ shape: [2, 3], values: [15, 19, 23, 1, 5, 9] });
    expect(valuesOf(() => index(x(), 1, "1:3", [0, 3]))).toEqual([16, 20, 19, 23]);
  });

  it("move computed starts inside and count negative entries from the end", () => {
    const x = () => arange(6);
    expect(valuesOf(() => index(x(), ds(arange(9).index(8), 2)))).toEqual([4, 5]);
    expect(valuesOf(() => at(x(), [0, -1]).set(9))).toEqual([9, 1, 2, 3, 4, 9]);
    expect(valuesOf(() => at(x(), constant([1, 1, 7])).add(10))).toEqual([0, 21, 2, 3, 4, 5]);
    expect(valuesOf(() => at(constant(counted([2, 3]) as number[]), "1:", [0, 2]).max(9))).toEqual([
      0, 1, 2, 9, 4, 9,
    ]);
  });

  it("take and takeAlongAxis fill what lies outside", () => {
    expect(valuesOf(() => take(arange(3).astype("float32"), [2, 5, -1]))).toEqual([
      2,
      Number.NaN,
      2,
    ]);
    expect(valuesOf(() => take(arange(3), [5], { mode: "clip" }))).toEqual([2]);
    expect(
      evaluate(() =>
        take(
          constant([
            [1, 2],
            [3, 4],
          ]),
          constant([[0, 1, 1]]),
          { axis: 1 },
        ),
      ),
    ).toMatchObject({ shape: [2, 1, 3], values: [1, 2, 2, 3, 4, 4] });
    expect(
      valuesOf(() =>
        takeAlongAxis(
          constant([
            [1, 2],
            [3, 4],
          ]),
          constant([[1], [0]]),
          { axis: 1 },
        ),
      ),
    ).toEqual([2, 3]);
  });
});

describe("movement", () => {
  it("joins, cuts, tiles, repeats and rolls as NumPy does", () => {
    const x = () =>
      constant([
        [1, 2],
        [3, 4],
      ]);
    expect(valuesOf(() => concatenate([x(), x()], { axis: 1 }))).toEqual([1, 2, 1, 2, 3, 4, 3, 4]);
    expect(evaluate(() => stack([arange(2), arange(2)], { axis: 1 }))).toMatchObject({
      shape: [2, 2],
      values: [0, 0, 1, 1],
    });
    expect(valuesOf(() => split(arange(6), 3)[1])).toEqual([2, 3]);
    expect(valuesOf(() => split(arange(6), [1, 4])[1])).toEqual([1, 2, 3]);
    expect(evaluate(() => tile(x(), [2, 1]))).toMatchObject({
      shape: [4, 2],
      values: [1, 2, 3, 4, 1, 2, 3, 4],
    });
    expect(valuesOf(() => tile(arange(2), 3))).toEqual([0, 1, 0, 1, 0, 1]);
    expect(valuesOf(() => repeat(x(), 2, { axis: 1 }))).toEqual([1, 1, 2, 2, 3, 3, 4, 4]);
    expect(valuesOf(() => roll(arange(5), 2))).toEqual([3, 4, 0, 1, 2]);
    expect(valuesOf(() => roll(arange(5), -6))).toEqual([1, 2, 3, 4, 0]);
    expect(valuesOf(() => x().transpose().ravel())).toEqual([1, 3, 2, 4]);
    expect(
      valuesOf(() =>
        x().pad(
          [
            [1, 0],
            [0, 1],
          ],
          9,
        ),
      ),
    ).toEqual([9, 9, 9, 1, 2, 9, 3, 4, 9]);
    expect(evaluate(() => x().reshape([-1, 1, 2])).shape).toEqual([2, 1, 2]);
    expect(evaluate(() => x().moveaxis(0, -1).expandDims([0, 3])).shape).toEqual([1, 2, 2, 1]);
  });
});

describe("reductions", () => {
  it("sum narrow types in wide ones and average integers in float32", () => {
    const bytes = () => constant([200, 100], { dtype: "uint8" });
    expect(evaluate(() => bytes().sum())).toMatchObject({ dtype: "uint32", values: [300] });
    expect(evaluate(() => constant([true, true]).sum())).toMatchObject({
      dtype: "int32",
      values: [2],
    });
    expect(evaluate(() => arange(4).mean())).toMatchObject({ dtype: "float32", values: [1.5] });
    expect(valuesOf(() => arange(4).variance())).toEqual([1.25]);
    expect(valuesOf(() => arange(4).variance({ correction: 1 }))).toEqual([
      expect.closeTo(5 / 3, 6),
    ]);
    expect(evaluate(() => constant([2048, 1, 1], { dtype: "float16" }).sum())).toMatchObject({
      dtype: "float16",
    });
  });

  it("keep reduced axes on request and find extremes in flattened tensors", () => {
    const x = () =>
      constant([
        [1, 5],
        [7, 2],
      ]);
    expect(evaluate(() => x().max({ axis: -1, keepDims: true }))).toMatchObject({
      shape: [2, 1],
      values: [5, 7],
    });
    expect(valuesOf(() => x().argmax())).toEqual([2]);
    expect(valuesOf(() => x().argmin({ axis: 0 }))).toEqual([0, 1]);
    expect(valuesOf(() => x().gt(4).any({ axis: 0 }))).toEqual([1, 1]);
    expect(valuesOf(() => x().gt(4).all())).toEqual([0]);
    expect(valuesOf(() => x().cumsum({ axis: 0, reverse: true }))).toEqual([8, 7, 7, 2]);
  });
});

describe("products", () => {
  const a = [
    [1, 2, 3],
    [4, 5, 6],
  ];
  const b = [
    [1, 0],
    [2, 1],
    [0, 3],
  ];
  it("contract the last dim with the last but one, and broadcast the dims before", () => {
    expect(valuesOf(() => matmul(constant(a), constant(b)))).toEqual([5, 11, 14, 23]);
    expect(valuesOf(() => matmul(constant(a[0]), constant(b)))).toEqual([5, 11]);
    expect(valuesOf(() => matmul(constant(a), constant([1, 1, 1])))).toEqual([6, 15]);
    const batched = evaluate(() => matmul(constant([a, a]), constant(b)));
    expect(batched).toMatchObject({ shape: [2, 2, 2], values: [5, 11, 14, 23, 5, 11, 14, 23] });
    const stretched = evaluate(() => matmul(constant(a), constant([b, b])));
    expect(stretched).toMatchObject({ shape: [2, 2, 2], values: [5, 11, 14, 23, 5, 11, 14, 23] });
    expect(evaluate(() => matmul(constant([1, 1]), constant([a, a])))).toMatchObject({
      shape: [2, 3],
      values: [5, 7, 9, 5, 7, 9],
    });
  });

  it("are also written as einsum, with transposes, sums, diagonals and several operands", () => {
    expect(valuesOf(() => einsum("ij,jk->ki", constant(a), constant(b)))).toEqual([5, 14, 11, 23]);
    expect(valuesOf(() => einsum("ij->j", constant(a)))).toEqual([5, 7, 9]);
    expect(
      valuesOf(() =>
        einsum(
          "ii",
          constant([
            [1, 2],
            [3, 4],
          ]),
        ),
      ),
    ).toEqual([5]);
    expect(
      valuesOf(() => einsum("ij,jk,k->i", constant(a), constant(b), constant([1, 1]))),
    ).toEqual([16, 37]);
    expect(valuesOf(() => einsum("i,j->ij", constant([1, 2]), constant([3, 4])))).toEqual([
      3, 4, 6, 8,
    ]);
    expect(valuesOf(() => einsum("bi,bi->b", constant(a), constant(a)))).toEqual([14, 77]);
  });
});

describe("sorting", () => {
  it("puts NaNs last, or first in descending order, and is stable both ways", () => {
    const x = () => constant([3, Number.NaN, 1, 2.5]);
    expect(valuesOf(() => sort(x()))).toEqual([1, 2.5, 3, Number.NaN]);
    expect(valuesOf(() => sort(x(), { descending: true }))).toEqual([Number.NaN, 3, 2.5, 1]);
    const ties = () => constant([1, 0, 1, 0]);
    expect(valuesOf(() => argsort(ties()))).toEqual([1, 3, 0, 2]);
    expect(valuesOf(() => argsort(ties(), { descending: true }))).toEqual([0, 2, 1, 3]);
  });

  it("carries operands along and compares as many as are keys", () => {
    const keys = () => [constant([1, 0, 1]), constant([5, 9, 4]), constant([0, 1, 2])];
    expect(valuesOf(() => sort(keys(), { numKeys: 2 })[2])).toEqual([1, 2, 0]);
    expect(valuesOf(() => sort(keys(), { numKeys: 1 })[2])).toEqual([1, 0, 2]);
  });

  it("finds the greatest along any axis", () => {
    const x = () =>
      constant([
        [1, 9],
        [7, 2],
        [7, 3],
      ]);
    expect(valuesOf(() => topK(x(), 2, { axis: 0 }).values)).toEqual([7, 9, 7, 3]);
    expect(valuesOf(() => topK(x(), 2, { axis: 0 }).indices)).toEqual([1, 0, 2, 2]);
  });
});

describe("control flow", () => {
  it("carries records and gives a literal carry the dtype of what the body returns", () => {
    const total = evaluate(() => fori(0, 4, 0, (i, c) => c.add(i.mul(0.5))));
    expect(total).toMatchObject({ dtype: "float32", values: [3] });
    const pair = valuesOf(() => {
      const { a, b } = fori(0, 5, { a: 0, b: 1 }, (_i, { a, b }) => ({ a: b, b: a.add(b) }));
      return stack([a, b]);
    });
    expect(pair).toEqual([5, 8]);
  });

  it("unrolls, steps and counts from computed bounds alike", () => {
    const sum = (options: object, hi: () => Operand) =>
      valuesOf(() => fori(1, hi(), 0, (i, c) => c.add(i), options));
    for (const hi of [() => 8, () => arange(9).index(8)]) {
      expect(sum({ step: 3 }, hi)).toEqual([1 + 4 + 7]);
    }
    expect(sum({ step: 3, unroll: true }, () => 8)).toEqual([12]);
    expect(valuesOf(() => fori(3, 3, 7, (_i, c) => c.mul(2)))).toEqual([7]);
  });

  it("scans from the end and stacks what each step gives", () => {
    const sums = (reverse: boolean) =>
      valuesOf(() => scan((c, x) => [c.add(x), c.add(x)], 0, arange(4), { reverse })[1]);
    expect(sums(false)).toEqual([0, 1, 3, 6]);
    expect(sums(true)).toEqual([6, 6, 5, 3]);
  });

  it("branches on scalars, and repeats while a condition holds", () => {
    const sign = (n: number) =>
      valuesOf(() => {
        const x = constant([n]).index(0);
        return cond(
          x.lt(0),
          (v) => v.neg(),
          () => 5,
          x,
        );
      });
    expect([sign(-3), sign(3)]).toEqual([[3], [5]]);
    const branch = (i: number) =>
      valuesOf(() =>
        switchCase(
          arange(9)
            .index(4)
            .add(i - 4),
          [() => 10, () => 20, () => 30],
        ),
      );
    expect([branch(-1), branch(1), branch(7)]).toEqual([[10], [20], [30]]);
    expect(
      valuesOf(() =>
        whileLoop(
          (x) => x.lt(100),
          (x) => x.mul(3),
          2,
        ),
      ),
    ).toEqual([162]);
  });

  it("captures values of the graph around a body at any depth", () => {
    const g = graph({ x: tensor("float32", [3]), n: tensor("int32", []) }, ({ x, n }) =>
      fori(0, n, x, (i, c) =>
        cond(
          i.lt(2),
          () => c.add(x),
          () => where(x.gt(1), c, 0),
        ),
      ),
    );
    const { out } = interpret(g.program, {
      x: new Float32Array([1, 2, 3]),
      n: new Int32Array([3]),
    });
    expect([...out.data]).toEqual([0, 6, 9]);
  });
});
