/**
 * Random tensor programs. A program is a list of instructions, each a recipe with a few dice; a recipe
 * takes operands from what there is, adapts them (promotes, broadcasts, cuts, pads) and never fails, so
 * that every list is a program and fast-check can drop and simplify instructions as it likes.
 *
 * Float dots get operands on which every sum is exact: their results are then the same in any order.
 */
import {
  type DType,
  definitionOf,
  Emitter,
  elementCount,
  infer,
  isFloat,
  isInteger,
  itemSize,
  newRegion,
  type OpName,
  type OpParams,
  opNames,
  type Program,
  promoteDTypes,
  type Region,
  sameShape,
  sizes,
  Table,
  type TensorType,
  tensorType,
  toBits,
  type ValueId,
} from "@gridfuse/graph";
import type { HostTensor } from "@gridfuse/interpret";
import fc from "fast-check";
import { Dice } from "./dice.ts";
import { allDTypes, Random, randomTensor, type Style } from "./values.ts";

type Shape = readonly number[];

export interface Instruction {
  readonly recipe: string;
  readonly dice: readonly number[];
  /** What a loop or branch does. */
  readonly body: readonly Instruction[];
}

export interface GraphPlan {
  readonly inputs: readonly { readonly dtype: DType; readonly shape: Shape }[];
  readonly instructions: readonly Instruction[];
  readonly outputs: readonly number[];
  readonly seed: number;
  readonly style: Style;
}

const maxElements = 1500;
const maxRank = 5;

// ── What ops take ───────────────────────────────────────────────────────────────────────────

const acceptedBy = new Map<string, readonly DType[]>();

/** Dtypes that `op` takes for all of `arity` operands. */
function dtypesFor<K extends OpName>(op: K, arity: number, params: OpParams[K]): readonly DType[] {
  const key = `${op}/${arity}/${JSON.stringify(params)}`;
  let known = acceptedBy.get(key);
  if (known === undefined) {
    known = allDTypes.filter((dtype) => {
      try {
        infer(op, Array(arity).fill(tensorType(dtype, [1])), params);
        return true;
      } catch {
        return false;
      }
    });
    acceptedBy.set(key, known);
  }
  return known;
}

const withParams: { readonly [op: string]: (dice: Dice) => unknown } = {
  round: (dice) => ({ roundingMethod: dice.pick(["away", "even"]) }),
  integer_pow: (dice) => ({ y: dice.pick([2, 3, 0, 1, -1, -2, 7]) }),
  reduce_precision: (dice) => ({
    exponentBits: dice.pick([5, 8, 3]),
    mantissaBits: dice.below(11),
  }),
  multiple_of: () => ({ value: 1 }),
  threefry2x32: (dice) => ({ word: dice.below(2) }),
};
const special = ["select_n", "clamp", "convert_element_type", "bitcast_convert_type"];
const elementwise = opNames.filter(
  (op) => definitionOf(op).category === "elementwise" && !special.includes(op),
);

function broadcastShapes(a: Shape, b: Shape): Shape | undefined {
  const rank = Math.max(a.length, b.length);
  const result: number[] = [];
  for (let d = 0; d < rank; d++) {
    const [x, y] = [a[d - rank + a.length] ?? 1, b[d - rank + b.length] ?? 1];
    if (x !== y && x !== 1 && y !== 1) return undefined;
    result.push(x === 1 ? y : x);
  }
  return result;
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

// ── Building ────────────────────────────────────────────────────────────────────────────────

class Builder {
  readonly e: Emitter;
  readonly pool: ValueId[];

  constructor(e: Emitter, pool: readonly ValueId[]) {
    this.e = e;
    this.pool = [...pool];
  }

  shape(value: ValueId): Shape {
    return sizes(this.e.shape(value));
  }
  /** A value, the latest ones more often. */
  any(dice: Dice): ValueId {
    const back = Math.min(dice.below(this.pool.length), dice.below(this.pool.length));
    return this.pool[this.pool.length - 1 - back] as ValueId;
  }
  add(...values: readonly ValueId[]): void {
    this.pool.push(...values);
  }

  as(value: ValueId, dtype: DType): ValueId {
    return this.e.convert(value, dtype);
  }
  /** As it is, where the dtype is among `accepted`, else converted to one that is. */
  within(value: ValueId, accepted: readonly DType[], dice: Dice): ValueId {
    return accepted.includes(this.e.dtype(value)) ? value : this.as(value, dice.pick(accepted));
  }

  /** Any value in any shape: broadcast, reshaped, cut or padded. */
  fit(value: ValueId, shape: Shape): ValueId {
    const own = this.shape(value);
    if (sameShape(own, shape)) return value;
    const together = broadcastShapes(own, shape);
    if (together !== undefined && sameShape(together, shape)) {
      return this.e.broadcastTo(value, shape);
    }
    const [has, wants] = [elementCount(own), elementCount(shape)];
    let flat = this.e.reshape(value, [has]);
    if (has > wants)
      flat = this.e.emit("slice", [flat], { start: [0], limit: [wants], strides: [1] });
    if (has < wants) {
      const zero = this.e.full(this.e.dtype(value), [], 0);
      flat = this.e.emit("pad", [flat, zero], {
        config: [{ lo: 0, hi: wants - has, interior: 0 }],
      });
    }
    return this.e.reshape(flat, shape);
  }
  /** Two values of one shape and dtype. */
  alike(x: ValueId, y: ValueId): readonly [ValueId, ValueId] {
    const dtype = promoteDTypes(this.e.dtype(x), this.e.dtype(y));
    const both = broadcastShapes(this.shape(x), this.shape(y));
    const shape =
      both === undefined || both.length > maxRank || elementCount(both) > maxElements
        ? this.shape(x)
        : both;
    return [this.fit(this.as(x, dtype), shape), this.fit(this.as(y, dtype), shape)];
  }

  /** Floats that are small whole numbers, so that sums of products are exact. */
  tame(value: ValueId): ValueId {
    const { e } = this;
    const dtype = e.dtype(value);
    if (!isFloat(dtype)) return value;
    const shape = this.shape(value);
    const zero = e.full(dtype, shape, 0);
    const finite = e.emit("select_n", [e.emit("is_finite", [value], {}), zero, value], {});
    const bounds = [e.full(dtype, [], -4), e.full(dtype, [], 4)] as const;
    const small = e.emit("clamp", [bounds[0], finite, bounds[1]], {});
    return e.emit("round", [small], { roundingMethod: "even" });
  }

  run(instructions: readonly Instruction[]): void {
    for (const { recipe, dice, body } of instructions) {
      const before = this.pool.length;
      recipes[recipe]!(this, new Dice(dice), body);
      const large = (value: ValueId): boolean =>
        elementCount(this.e.shape(value)) > maxElements || this.e.shape(value).length > maxRank;
      const made = this.pool.splice(before);
      this.pool.push(...made.filter((value) => !large(value)));
    }
  }

  /** A closed region over `operands`, with `extra` params in front. */
  region(
    extra: readonly TensorType[],
    operands: readonly TensorType[],
    make: (inner: Builder, params: readonly ValueId[]) => readonly ValueId[],
  ): Region {
    const region = newRegion();
    const params = [...extra, ...operands].map((type) => this.e.table.newParam(region, type));
    region.results.push(...make(new Builder(this.e.nested(region), params), params));
    return region;
  }
  type(value: ValueId): TensorType {
    return this.e.type(value);
  }
}

type Recipe = (b: Builder, dice: Dice, body: readonly Instruction[]) => void;

function nonEmpty(b: Builder, value: ValueId, d: number): ValueId {
  const shape = b.shape(value);
  return shape[d] === 0 ? b.fit(value, shape.with(d, 1)) : value;
}
const ranked = (b: Builder, value: ValueId): ValueId =>
  b.shape(value).length === 0 ? b.fit(value, [1]) : value;

const reductions = ["sum", "prod", "max", "min", "and", "or", "xor"] as const;
const cumulatives = ["cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp"] as const;

const recipes: { readonly [name: string]: Recipe } = {
  elementwise(b, dice) {
    const op = dice.pick(elementwise);
    const params = (withParams[op]?.(dice) ?? {}) as OpParams[typeof op];
    const { arity } = definitionOf(op);
    const accepted = dtypesFor(op, arity, params);
    if (arity === 1) return b.add(b.e.emit(op, [b.within(b.any(dice), accepted, dice)], params));
    const [x, y] = b.alike(b.any(dice), b.any(dice));
    const first = b.within(x, accepted, dice);
    const operands = range(arity).map((i) =>
      i === 0 ? first : b.as(i % 2 === 1 ? y : x, b.e.dtype(first)),
    );
    b.add(b.e.emit(op, operands, params));
  },
  arithmetic(b, dice) {
    const op = dice.pick(["add", "sub", "mul", "max", "min", "neg", "abs"] as const);
    const unary = op === "neg" || op === "abs";
    const accepted = dtypesFor(op, unary ? 1 : 2, {});
    const [x, y] = b.alike(b.any(dice), b.any(dice));
    const first = b.within(x, accepted, dice);
    b.add(b.e.emit(op, unary ? [first] : [first, b.as(y, b.e.dtype(first))], {}));
  },
  select(b, dice) {
    const [x, y] = b.alike(b.any(dice), b.any(dice));
    const shape = dice.flip() ? b.shape(x) : [];
    if (dice.flip()) {
      b.add(b.e.emit("select_n", [b.fit(b.as(b.any(dice), "bool"), shape), x, y], {}));
      return;
    }
    const three = b.e.full("int32", shape, 3);
    const raw = b.fit(b.as(b.any(dice), "int32"), shape);
    const positive = b.e.emit("and", [raw, b.e.full("int32", shape, 0xffff)], {});
    b.add(b.e.emit("select_n", [b.e.emit("rem", [positive, three], {}), x, y, x], {}));
  },
  clamp(b, dice) {
    const x = b.within(b.any(dice), dtypesFor("clamp", 3, {}), dice);
    const bound = (): ValueId =>
      b.fit(b.as(b.any(dice), b.e.dtype(x)), dice.flip() ? b.shape(x) : []);
    b.add(b.e.emit("clamp", [bound(), x, bound()], {}));
  },
  convert(b, dice) {
    b.add(b.as(b.any(dice), dice.pick(allDTypes)));
  },
  bitcast(b, dice) {
    const x = b.any(dice);
    if (b.e.dtype(x) === "bool") return;
    const dtype = dice.pick(allDTypes.filter((to) => to !== "bool"));
    const ratio = itemSize(dtype) / itemSize(b.e.dtype(x));
    const shape = b.shape(x);
    const operand = ratio > 1 && shape.at(-1) !== ratio ? b.fit(x, [...shape, ratio]) : x;
    if (b.shape(operand).length > maxRank) return;
    b.add(b.e.emit("bitcast_convert_type", [operand], { dtype }));
  },
  source(b, dice) {
    const shape = range(1 + dice.below(3)).map(() => dice.pick([2, 3, 1, 5, 0]));
    const dtype = dice.pick(allDTypes);
    switch (dice.below(3)) {
      case 0:
        return b.add(b.e.full(dtype, shape, dice.below(5)));
      case 1: {
        const iotas = dtypesFor("iota", 0, { dtype, shape, dimension: 0 });
        if (iotas.length === 0) return;
        return b.add(b.e.iota(dtype === "bool" ? "int32" : dtype, shape, dice.below(shape.length)));
      }
      default: {
        const { data } = randomTensor(dtype, shape, new Random(dice.below(1000)));
        return b.add(b.e.emit("constant", [], { dtype, shape, data }));
      }
    }
  },

  broadcast(b, dice) {
    const x = b.any(dice);
    const shape = b.shape(x);
    const at = dice.below(shape.length + 1);
    const wide = [...shape.slice(0, at), dice.pick([2, 3, 1, 7, 0]), ...shape.slice(at)];
    if (wide.length > maxRank) return;
    const kept = range(wide.length).filter((d) => d !== at);
    b.add(b.e.broadcastInDim(x, wide, kept));
  },
  reshape(b, dice) {
    const x = b.any(dice);
    const shape = b.shape(x);
    const count = elementCount(shape);
    const at = dice.below(shape.length + 1);
    const options: Shape[] = [
      [count],
      shape.toReversed(),
      [...shape.slice(0, at), 1, ...shape.slice(at)],
      ...[2, 3, 5, 4].filter((f) => count % f === 0).map((f) => [f, count / f]),
      ...[2, 3].filter((f) => count % f === 0).map((f) => [count / f, f]),
    ];
    b.add(b.e.reshape(x, dice.pick(options)));
  },
  transpose(b, dice) {
    const x = b.any(dice);
    const permutation = range(b.shape(x).length);
    for (let d = permutation.length - 1; d > 0; d--) {
      const other = dice.below(d + 1);
      [permutation[d], permutation[other]] = [permutation[other]!, permutation[d]!];
    }
    b.add(b.e.transpose(x, permutation));
  },
  slice(b, dice) {
    const x = b.any(dice);
    const parts = b.shape(x).map((extent) => {
      const start = dice.below(extent + 1);
      return { start, limit: start + dice.below(extent - start + 1), stride: 1 + dice.below(3) };
    });
    const params = {
      start: parts.map(({ start }) => start),
      limit: parts.map(({ start, limit }, d) => (limit > start ? limit : b.shape(x)[d]!)),
      strides: parts.map(({ stride }) => stride),
    };
    b.add(b.e.emit("slice", [x], params));
  },
  pad(b, dice) {
    const x = b.any(dice);
    const value = b.fit(b.as(b.any(dice), b.e.dtype(x)), []);
    const config = b.shape(x).map((extent) => {
      const one = { lo: dice.below(5) - 2, hi: dice.below(5) - 2, interior: dice.below(3) };
      const inside = extent === 0 ? 0 : (extent - 1) * (one.interior + 1) + 1;
      return one.lo + one.hi + inside < 0 ? { lo: 1, hi: 0, interior: 0 } : one;
    });
    b.add(b.e.emit("pad", [x, value], { config }));
  },
  concatenate(b, dice) {
    const x = ranked(b, b.any(dice));
    const shape = b.shape(x);
    const dimension = dice.below(shape.length);
    const others = range(1 + dice.below(2)).map(() =>
      b.fit(b.as(b.any(dice), b.e.dtype(x)), shape.with(dimension, dice.below(4))),
    );
    b.add(b.e.emit("concatenate", dice.flip() ? [x, ...others] : [...others, x], { dimension }));
  },
  rev(b, dice) {
    const x = b.any(dice);
    b.add(b.e.emit("rev", [x], { dimensions: range(b.shape(x).length).filter(() => dice.flip()) }));
  },

  dynamicSlice(b, dice) {
    const x = b.any(dice);
    const starts = b.shape(x).map(() => b.fit(start(b, dice), []));
    const windows = b.shape(x).map((extent) => dice.below(extent + 1));
    b.add(b.e.emit("dynamic_slice", [x, ...starts], { sizes: windows }));
  },
  dynamicUpdate(b, dice) {
    const x = b.any(dice);
    const starts = b.shape(x).map(() => b.fit(start(b, dice), []));
    const windows = b.shape(x).map((extent) => dice.below(extent + 1));
    const update = b.fit(b.as(b.any(dice), b.e.dtype(x)), windows);
    b.add(b.e.emit("dynamic_update_slice", [x, update, ...starts], {}));
  },
  gather(b, dice) {
    const raw = ranked(b, b.any(dice));
    const d = dice.below(b.shape(raw).length);
    const x = nonEmpty(b, raw, d);
    const shape = b.shape(x);
    const count = 1 + dice.below(4);
    const indices = b.fit(start(b, dice), [count, 1]);
    b.add(
      b.e.emit("gather", [x, indices], {
        dimensions: {
          offsetDims: range(shape.length).filter((k) => k !== d),
          collapsedSliceDims: [d],
          startIndexMap: [d],
          operandBatchingDims: [],
          startIndicesBatchingDims: [],
        },
        sliceSizes: shape.with(d, 1),
        mode: dice.pick(["clip", "fill"]),
        fill: toBits(b.e.dtype(x), dice.below(3)),
      }),
    );
  },
  scatter(b, dice) {
    const combine = dice.pick(["set", "add", "mul", "min", "max"] as const);
    const raw = ranked(b, b.any(dice));
    const numeric = b.e.dtype(raw) === "bool" ? b.as(raw, "int8") : raw;
    const d = dice.below(b.shape(numeric).length);
    const x = nonEmpty(b, numeric, d);
    const shape = b.shape(x);
    const count = 1 + dice.below(4);
    const indices = b.fit(start(b, dice), [count, 1]);
    const updates = b.fit(b.as(b.any(dice), b.e.dtype(x)), shape.with(d, count));
    b.add(
      b.e.emit("scatter", [x, indices, updates], {
        dimensions: {
          updateWindowDims: range(shape.length).filter((k) => k !== d),
          insertedWindowDims: [d],
          scatterDimsToOperandDims: [d],
          operandBatchingDims: [],
          scatterIndicesBatchingDims: [],
        },
        combine,
        mode: dice.pick(["clip", "fill"]),
      }),
    );
  },

  reduce(b, dice) {
    const op = `reduce_${dice.pick(reductions)}` as "reduce_sum";
    const raw = b.any(dice);
    const axes = range(b.shape(raw).length).filter(() => dice.flip());
    const x = b.within(raw, dtypesFor(op, 1, { axes: [0] }), dice);
    b.add(b.e.emit(op, [x], { axes }));
  },
  /** reduce → broadcast → combine, as softmax and layer norm do. */
  normalise(b, dice) {
    const op = `reduce_${dice.pick(["max", "sum", "min"])}` as "reduce_max";
    const x = b.within(ranked(b, b.any(dice)), ["float32", "int32", "float16", "float64"], dice);
    const shape = b.shape(x);
    const d = dice.below(shape.length);
    const reduced = b.e.emit(op, [x], { axes: [d] });
    const kept = range(shape.length).filter((k) => k !== d);
    const wide = b.e.broadcastInDim(reduced, shape, kept);
    b.add(b.e.emit(dice.pick(["sub", "mul", "max"]), [x, wide], {}), reduced);
  },
  arg(b, dice) {
    const raw = ranked(b, b.any(dice));
    const axis = dice.below(b.shape(raw).length);
    const x = nonEmpty(b, raw, axis);
    const op = dice.pick(["argmax", "argmin"] as const);
    const indexDType = dice.pick(["int32", "uint8", "int64", "uint32"] as const);
    b.add(b.e.emit(op, [x], { axis, indexDType }));
  },
  cumulative(b, dice) {
    const op = dice.pick(cumulatives);
    const params = { axis: 0, reverse: dice.flip() };
    const x = b.within(ranked(b, b.any(dice)), dtypesFor(op, 1, params), dice);
    b.add(b.e.emit(op, [x], { ...params, axis: dice.below(b.shape(x).length) }));
  },
  dot(b, dice) {
    const dtype = dice.pick(["float32", "int32", "bfloat16", "float16", "int8", "int64"] as const);
    const [left, right] = [b.any(dice), b.any(dice)].map((value) => b.tame(b.as(value, dtype)));
    const k = 1 + dice.below(4);
    const shape = (rows: number): Shape => (dice.flip() ? [2, k, rows] : [2, rows, k]);
    const [lhsShape, rhsShape] = [shape(1 + dice.below(3)), shape(2)];
    const contract = (of: Shape): readonly number[] => [of[1] === k ? 1 : 2];
    const narrow = isInteger(dtype) && itemSize(dtype) < 4;
    const batched = dice.flip();
    b.add(
      b.e.emit("dot_general", [b.fit(left!, lhsShape), b.fit(right!, rhsShape)], {
        contract: [contract(lhsShape), contract(rhsShape)],
        batch: batched ? [[0], [0]] : [[], []],
        dtype: narrow ? "int32" : dtype,
        accumulate: narrow ? "int32" : itemSize(dtype) === 2 ? "float32" : dtype,
      }),
    );
  },
  sort(b, dice) {
    const x = ranked(b, b.any(dice));
    const shape = b.shape(x);
    const others = range(dice.below(3)).map(() => b.fit(b.any(dice), shape));
    const keys = 1 + dice.below(others.length + 1);
    const dimension = dice.below(shape.length);
    b.add(...b.e.emitAll("sort", [x, ...others], { dimension, keys, stable: true }));
  },
  topK(b, dice) {
    const x = ranked(b, b.any(dice));
    const k = dice.below((b.shape(x).at(-1) as number) + 1);
    b.add(...b.e.emitAll("top_k", [x], { k }));
  },

  print(b, dice) {
    const [x, y] = [b.fit(b.any(dice), []), b.fit(b.any(dice), [2])];
    b.e.emitAll("debug_print", [x, y], { format: "{} and {}", batch: 0, masked: false });
  },

  scan(b, dice, body) {
    const trips = dice.pick([3, 2, 1, 4, 0]);
    const [carry, x, capture] = [b.any(dice), b.any(dice), b.any(dice)];
    const xs = b.fit(x, [trips, ...b.shape(x).slice(1)]);
    const element = tensorType(b.e.dtype(xs), b.shape(xs).slice(1));
    const region = b.region(
      [tensorType("int32", [])],
      [b.type(carry), element, b.type(capture)],
      (inner) => {
        inner.run(body);
        const next = inner.as(inner.any(dice), b.e.dtype(carry));
        return [inner.fit(next, b.shape(carry)), inner.any(dice)];
      },
    );
    const params = { trips, carries: 1, xs: 1, reverse: dice.flip() };
    b.add(...b.e.emitAll("scan", [carry, xs, capture], params, [region]));
  },
  while(b, dice, body) {
    const [carry, capture] = [b.any(dice), b.any(dice)];
    const bound = b.fit(b.as(b.any(dice), "int32"), []);
    const limit = b.e.emit(
      "clamp",
      [b.e.full("int32", [], 0), bound, b.e.full("int32", [], 3)],
      {},
    );
    const counter = b.e.full("int32", [], dice.below(2));
    const operands = [counter, carry, capture, limit];
    const types = operands.map((value) => b.type(value));
    const condition = b.region([], types, ({ e }, [i, , , last]) => [
      e.emit("lt", [i as ValueId, last as ValueId], {}),
    ]);
    const step = b.region([], types, (inner, [i]) => {
      inner.run(body);
      const next = inner.as(inner.any(dice), b.e.dtype(carry));
      const one = inner.e.full("int32", [], 1);
      return [inner.e.emit("add", [i as ValueId, one], {}), inner.fit(next, b.shape(carry))];
    });
    b.add(...b.e.emitAll("while", operands, { carries: 2 }, [condition, step]));
  },
  cond(b, dice, body) {
    const operands = [b.any(dice), b.any(dice)];
    const [first] = operands as [ValueId];
    const types = operands.map((value) => b.type(value));
    const dtype = dice.pick(["bool", "int32"] as const);
    const count = dtype === "bool" ? 2 : 3;
    const which = b.fit(b.as(b.any(dice), dtype), []);
    const regions = range(count).map((k) =>
      b.region([], types, (inner) => {
        inner.run(body.slice(k % (body.length + 1)));
        const result = inner.as(inner.any(dice), b.e.dtype(first));
        return [inner.fit(result, b.shape(first))];
      }),
    );
    b.add(...b.e.emitAll("cond", [which, ...operands], {}, regions));
  },
};

/** An integer somewhere around the start of an array: sometimes data, sometimes small. */
function start(b: Builder, dice: Dice): ValueId {
  const dtype = dice.pick(["int32", "uint8", "int64", "uint32"] as const);
  const raw = b.as(b.any(dice), dtype);
  if (dice.flip()) return raw;
  const shape = b.shape(raw);
  return b.e.emit("rem", [raw, b.e.full(dtype, shape, 4)], {});
}

// ── Arbitraries ─────────────────────────────────────────────────────────────────────────────

const structured = ["scan", "while", "cond"];
const plainRecipes = Object.keys(recipes).filter((name) => !structured.includes(name));
const dice = fc.array(fc.nat(5039), { minLength: 9, maxLength: 9 });
const plain = fc.record({
  recipe: fc.constantFrom(
    ...plainRecipes,
    "arithmetic",
    "arithmetic",
    "elementwise",
    "elementwise",
  ),
  dice,
  body: fc.constant([]),
});
const nested = (inner: fc.Arbitrary<Instruction>): fc.Arbitrary<Instruction> =>
  fc.record({
    recipe: fc.constantFrom(...structured),
    dice,
    body: fc.array(inner, { maxLength: 4 }),
  });
const shallow = fc.oneof({ weight: 7, arbitrary: plain }, { weight: 1, arbitrary: nested(plain) });
const instruction: fc.Arbitrary<Instruction> = fc.oneof(
  { weight: 9, arbitrary: plain },
  { weight: 1, arbitrary: nested(shallow) },
);

const dim = fc.constantFrom(1, 2, 3, 5, 0, 7, 4, 13);
const inputShape = fc
  .array(dim, { maxLength: 4 })
  .map((shape) => (elementCount(shape) > 400 ? shape.slice(0, 2) : shape));

/** Programs of up to `most` instructions. */
export const graphPlans = (most: number): fc.Arbitrary<GraphPlan> =>
  fc.record({
    inputs: fc.array(fc.record({ dtype: fc.constantFrom(...allDTypes), shape: inputShape }), {
      minLength: 1,
      maxLength: 3,
    }),
    instructions: fc.array(instruction, { minLength: 1, maxLength: most }),
    outputs: fc.array(fc.nat(100), { minLength: 0, maxLength: 3 }),
    seed: fc.nat(2 ** 31 - 1),
    style: fc.constantFrom<Style>("tame", "wild"),
  });

/** The program of a plan with inputs for it: the last value is an output, and a few others. */
export function buildGraph(plan: GraphPlan): {
  readonly program: Program;
  readonly inputs: Readonly<Record<string, HostTensor>>;
} {
  const table = new Table();
  const main = newRegion();
  const params = plan.inputs.map(({ dtype, shape }) =>
    table.newParam(main, tensorType(dtype, shape)),
  );
  const builder = new Builder(new Emitter(table, main), params);
  builder.run(plan.instructions);
  const { pool } = builder;
  const results = [pool.length - 1, ...plan.outputs.map((n) => n % pool.length)];
  main.results.push(...results.map((i) => pool[i] as ValueId));
  const random = new Random(plan.seed);
  const names = plan.inputs.map((_, i) => `x${i}`);
  return {
    program: {
      name: "random",
      table,
      main,
      inputs: names,
      outputs: results.map((_, i) => `y${i}`),
    },
    inputs: Object.fromEntries(
      plan.inputs.map(({ dtype, shape }, i) => [
        names[i],
        randomTensor(dtype, shape, random, plan.style),
      ]),
    ),
  };
}
