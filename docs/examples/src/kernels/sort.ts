/**
 * Bitonic sort of every row, as a network of compare-exchanges (Batcher, 1968): which elements meet
 * never depends on the data, so the loops below are plain JS loops that run while the graph is built.
 *
 * The comparison is on integers. The bits of a float, with the lower 31 flipped where the sign is set,
 * are ordered like the floats themselves: −Inf … −0, +0 … +Inf. Every value keeps its bits, subnormal
 * ones and both zeros included; NaNs become the canonical one and come last.
 */
import { f32, type Graph, graph, i32, iota, kernel, type Tensor, tensor, where } from "gridfuse";
import { type Check, exactly, type Inputs, type Outputs, randomFloats } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

export interface SortShape {
  readonly rows: number;
  /** Elements of a row: a power of two. */
  readonly n: number;
}
type Keys = Tensor<"int32">;
type Floats = Tensor<"float32">;

/** Rows that one grid point sorts. */
const blockRows = 2;

const orderedBits = (bits: Keys): Keys =>
  bits.xor(bits.shiftRightArithmetic(31).and(0x7fffffff)) as Keys;
const toKeys = (x: Floats): Keys => orderedBits(where(x.isnan(), NaN, x).bitcast(i32) as Keys);
/** `orderedBits` undoes itself. */
const fromKeys = (keys: Keys): Floats => orderedBits(keys).bitcast(f32);

/** Gives the lower position of each pair the one and the upper position the other. */
type Exchange = (
  self: readonly Keys[],
  partner: readonly Keys[],
  isLower: Tensor<"bool">,
) => readonly Keys[];

/** Sorts rows of columns that move together. A block that is sorted and one that is sorted make one of twice the size. */
function network(columns: readonly Keys[], { n }: SortShape, exchange: Exchange): readonly Keys[] {
  for (let block = 2; block <= n; block *= 2) {
    // Element i of a block meets its mirror image: both halves ascend, so one of them is read backwards.
    columns = compare(columns, n, block / 2, [2, 3], exchange);
    for (let distance = block / 4; distance >= 1; distance /= 2) {
      columns = compare(columns, n, distance, [2], exchange);
    }
  }
  return columns;
}

function compare(
  columns: readonly Keys[],
  n: number,
  distance: number,
  flipped: readonly number[],
  exchange: Exchange,
): readonly Keys[] {
  const paired = columns.map((x) => x.reshape([-1, n / (2 * distance), 2, distance]) as Keys);
  const partner = paired.map((x) => x.flip(flipped));
  const isLower = iota(i32, [1, 1, 2, 1], 2).eq(0);
  return exchange(paired, partner, isLower).map((x) => x.reshape([-1, n]) as Keys);
}

const ascending: Exchange = ([self], [partner], isLower) => [
  where(isLower, self.minimum(partner), self.maximum(partner)) as Keys,
];
const descending: Exchange = ([self], [partner], isLower) => [
  where(isLower, self.maximum(partner), self.minimum(partner)) as Keys,
];

/** By the first column, among equals by the second, and so on. */
const lexicographic: Exchange = (self, partner, isLower) => {
  const comesFirst = self
    .map((key, i) => ({ less: key.lt(partner[i]), equal: key.eq(partner[i]) }))
    .reduceRight<Tensor<"bool"> | undefined>(
      (rest, { less, equal }) => (rest ? less.or(equal.and(rest)) : less) as Tensor<"bool">,
      undefined,
    ) as Tensor<"bool">;
  const stays = comesFirst.eq(isLower);
  return self.map((key, i) => where(stays, key, partner[i]) as Keys);
};

/** x: f32[rows, n] → sorted: f32[rows, n]. */
export function sort(shape: SortShape, order: "ascending" | "descending" = "ascending"): Graph {
  const exchange = order === "ascending" ? ascending : descending;
  const rows = rowBlocks(shape);
  const sortRows = kernel(
    `sort_${order}`,
    {
      grid: { row: shape.rows / blockRows },
      inputs: { x: rows(f32) },
      outputs: { sorted: rows(f32) },
    },
    ({ x, sorted }) => {
      const [keys] = network([toKeys(x.get())], shape, exchange);
      sorted.set(fromKeys(keys));
    },
  );
  return graph({ x: tensor(f32, [shape.rows, shape.n]) }, ({ x }) => sortRows({ x }), {
    name: "sort",
  });
}

/** x: f32[rows, n] → order: i32[rows, n]; stable, because the index is the second key. */
export function argsort(shape: SortShape): Graph {
  const rows = rowBlocks(shape);
  const argsortRows = kernel(
    "argsort",
    {
      grid: { row: shape.rows / blockRows },
      inputs: { x: rows(f32) },
      outputs: { order: rows(i32) },
    },
    ({ x, order }) => {
      const index = iota(i32, [blockRows, shape.n], 1);
      order.set(network([toKeys(x.get()), index], shape, lexicographic)[1]);
    },
  );
  return graph({ x: tensor(f32, [shape.rows, shape.n]) }, ({ x }) => argsortRows({ x }), {
    name: "argsort",
  });
}

/** Rows of pairs (a, b), sorted by a and among equal a by b. */
export function sortTwoKeys(shape: SortShape): Graph {
  const rows = rowBlocks(shape);
  const sortPairs = kernel(
    "sort_two_keys",
    {
      grid: { row: shape.rows / blockRows },
      inputs: { a: rows(f32), b: rows(f32) },
      outputs: { first: rows(f32), second: rows(f32) },
    },
    ({ a, b, first, second }) => {
      const keys = network([toKeys(a.get()), toKeys(b.get())], shape, lexicographic);
      first.set(fromKeys(keys[0]));
      second.set(fromKeys(keys[1]));
    },
  );
  const whole = tensor(f32, [shape.rows, shape.n]);
  return graph({ a: whole, b: whole }, ({ a, b }) => sortPairs({ a, b }), {
    name: "sort_two_keys",
  });
}

/** An array of the shape, cut into blocks of whole rows. */
const rowBlocks =
  ({ rows, n }: SortShape) =>
  <D extends "float32" | "int32">(dtype: D) =>
    tensor(dtype, [rows, n]).blocks([blockRows, n], ({ row }) => [row, 0]);

// ── Inputs and checks ───────────────────────────────────────────────────────────────────────

/** Random rows with everything that is hard to sort among the values. */
export function sortInputs({ rows, n }: SortShape): { x: Float32Array } {
  const x = randomFloats(rows * n, 1000);
  const awkward = [NaN, Infinity, -Infinity, 0, -0, 1e-42, -1e-42, 2 ** -149, -(2 ** -149), x[0]];
  for (let i = 0; i < x.length; i += 7) x[i] = awkward[(i / 7) % awkward.length];
  return { x };
}

/** First keys with many ties. */
export function twoKeyInputs(shape: SortShape): { a: Float32Array; b: Float32Array } {
  const a = randomFloats(shape.rows * shape.n, 4).map(Math.round);
  return { a, b: sortInputs(shape).x };
}

/** The order of `Float32Array.prototype.sort`: −0 before +0, NaN last. */
function compareFloats(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
  if (a !== b) return a < b ? -1 : 1;
  return Number(Object.is(b, -0)) - Number(Object.is(a, -0));
}

/** Indices of each row in the order that `compare` gives to positions in the array. */
function sortedIndices(
  { rows, n }: SortShape,
  compare: (i: number, j: number) => number,
): number[][] {
  return Array.from({ length: rows }, (_, row) =>
    Array.from({ length: n }, (_, column) => row * n + column).sort(
      (i, j) => compare(i, j) || i - j,
    ),
  );
}

/** JavaScript's own sort, row by row, to the bit. */
export const checkSort =
  ({ rows, n }: SortShape, order: "ascending" | "descending" = "ascending") =>
  ({ x }: Inputs, { sorted }: Outputs): Check => {
    const expected = Float32Array.from(x as Float32Array);
    for (let row = 0; row < rows; row++) {
      const part = expected.subarray(row * n, (row + 1) * n).sort();
      if (order === "descending") part.reverse();
    }
    return exactly(sorted, expected);
  };

export const checkArgsort =
  (shape: SortShape) =>
  ({ x }: Inputs, { order }: Outputs): Check => {
    const values = x as Float32Array;
    const indices = sortedIndices(shape, (i, j) => compareFloats(values[i], values[j]));
    return exactly(
      order,
      Int32Array.from(indices.flat(), (i) => i % shape.n),
    );
  };

export const checkTwoKeys =
  (shape: SortShape) =>
  (inputs: Inputs, { first, second }: Outputs): Check => {
    const [a, b] = [inputs.a as Float32Array, inputs.b as Float32Array];
    const indices = sortedIndices(
      shape,
      (i, j) => compareFloats(a[i], a[j]) || compareFloats(b[i], b[j]),
    ).flat();
    const firstKeys = exactly(
      first,
      Float32Array.from(indices, (i) => a[i]),
    );
    return firstKeys.ok
      ? exactly(
          second,
          Float32Array.from(indices, (i) => b[i]),
        )
      : firstKeys;
  };

// ── Examples ────────────────────────────────────────────────────────────────────────────────

const full: SortShape = { rows: 8, n: 1024 };
const small: SortShape = { rows: 4, n: 16 };

export const examples: readonly SuiteExample[] = [
  defineExample<SortShape>({
    name: "bitonic sort",
    about: "a network of compare-exchanges in one kernel a substage",
    full,
    small,
    graph: (shape) => sort(shape),
    inputs: sortInputs,
    check: (shape) => checkSort(shape),
  }),
  defineExample<SortShape>({
    name: "bitonic sort, descending",
    about: "the same network the other way round",
    full,
    small,
    graph: (shape) => sort(shape, "descending"),
    inputs: sortInputs,
    check: (shape) => checkSort(shape, "descending"),
  }),
  defineExample<SortShape>({
    name: "argsort",
    about: "the network on pairs of value and place",
    full: { rows: 8, n: 128 },
    small,
    graph: argsort,
    inputs: sortInputs,
    check: checkArgsort,
  }),
  defineExample<SortShape>({
    name: "sort by two keys",
    about: "columns that move together",
    full: { rows: 8, n: 128 },
    small,
    graph: sortTwoKeys,
    inputs: twoKeyInputs,
    check: checkTwoKeys,
  }),
];
