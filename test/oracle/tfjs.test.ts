/**
 * An outside opinion: TensorFlow.js on its plain CPU backend computes the same ops from an
 * implementation that shares nothing with ours. Tolerances are those of the WebNN conformance
 * tests (web-platform-tests/wpt, webnn/conformance_tests), by operator.
 */
import "@tensorflow/tfjs-backend-cpu";
import type { OpName, OpParams } from "@gridfuse/graph";
import {
  compareTensors,
  evaluateNode,
  type HostTensor,
  type Tolerance,
  tensorOf,
} from "@gridfuse/interpret";
import * as tf from "@tensorflow/tfjs-core";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";

type OutsideDType = "float32" | "int32" | "bool";

const exact: Tolerance = { ulp: 0 }; // zeros of either sign are equal
const ulp = (distance: number): Tolerance => ({ ulp: distance });
const close: Tolerance = { rtol: 0, atol: 1 / 1024 };
const runs = { numRuns: 40 };

beforeAll(async () => {
  tf.env().set("IS_TEST", true); // no advertisement for the native backend
  await tf.setBackend("cpu");
});

// ── Between the two worlds ──────────────────────────────────────────────────────────────────

const outside = ({ data, shape, dtype }: HostTensor): tf.Tensor =>
  tf.tensor(data as Float32Array, [...shape], dtype as OutsideDType);

/** Elements one by one: some of its casts leave the data in the array class of the source. */
const inside = (tensor: tf.Tensor): HostTensor =>
  tensorOf(tensor.dtype as OutsideDType, tensor.shape, tensor.dataSync());

function ours<K extends OpName>(
  op: K,
  params: OpParams[K],
  ...operands: readonly HostTensor[]
): HostTensor {
  const node = { op, params } as Parameters<typeof evaluateNode>[0];
  return evaluateNode(node, operands)[0] as HostTensor;
}

function agree(actual: HostTensor, theirs: tf.Tensor, tolerance: Tolerance): void {
  expect(compareTensors(actual, inside(theirs), tolerance)?.message).toBeUndefined();
}

// ── Random tensors ──────────────────────────────────────────────────────────────────────────

const shapes = (minLength = 0, maxLength = 3) =>
  fc.array(fc.integer({ min: 1, max: 5 }), { minLength, maxLength });

const floats = (min: number, max: number): fc.Arbitrary<number> =>
  fc.double({ min, max, noNaN: true }).map(Math.fround);
const integers = fc.integer({ min: -20, max: 20 });

const tensorsOf = (
  dtype: OutsideDType,
  shape: readonly number[],
  elements: fc.Arbitrary<number | boolean>,
): fc.Arbitrary<HostTensor> => {
  const count = shape.reduce((product, dim) => product * dim, 1);
  return fc
    .array(elements, { minLength: count, maxLength: count })
    .map((values) => tensorOf(dtype, shape, values));
};

const elementsOf = { float32: floats(-8, 8), int32: integers, bool: fc.boolean() };
const dtypes = fc.constantFrom<OutsideDType>("float32", "int32", "bool");

/** A tensor of some shape. */
const anyTensor = (
  dtype: OutsideDType,
  elements = elementsOf[dtype] as fc.Arbitrary<number | boolean>,
  rank = 0,
) => shapes(rank).chain((shape) => tensorsOf(dtype, shape, elements));

/** A tensor of some dtype and shape, and one of its axes. */
const withAxis = (dtype: fc.Arbitrary<OutsideDType>) =>
  fc
    .tuple(dtype, shapes(1))
    .chain(([chosen, shape]) =>
      fc.tuple(tensorsOf(chosen, shape, elementsOf[chosen]), fc.nat(shape.length - 1)),
    );

/** Several tensors of one shape. */
const alike = (dtype: OutsideDType, ...elements: readonly fc.Arbitrary<number | boolean>[]) =>
  shapes().chain((shape) => fc.tuple(...elements.map((each) => tensorsOf(dtype, shape, each))));

// ── Elementwise ─────────────────────────────────────────────────────────────────────────────

type Unary = readonly [
  name: OpName,
  theirs: (x: tf.Tensor) => tf.Tensor,
  elements: fc.Arbitrary<number>,
  tolerance: Tolerance,
];

const wide = floats(-8, 8);
const positive = floats(0.01, 100);
const unit = floats(-0.99, 0.99);

const unary: readonly Unary[] = [
  ["neg", tf.neg, wide, exact],
  ["abs", tf.abs, wide, exact],
  ["sign", tf.sign, wide, exact],
  ["ceil", tf.ceil, wide, exact],
  ["floor", tf.floor, wide, exact],
  ["sqrt", tf.sqrt, positive, ulp(1)],
  ["rsqrt", tf.rsqrt, positive, ulp(2)],
  ["square", tf.square, wide, ulp(1)],
  ["exp", tf.exp, wide, ulp(32)],
  ["expm1", tf.expm1, wide, ulp(32)],
  ["log", tf.log, positive, close],
  ["log1p", tf.log1p, positive, close],
  ["sin", tf.sin, wide, close],
  ["cos", tf.cos, wide, close],
  ["tan", tf.tan, floats(-1.5, 1.5), close],
  ["asin", tf.asin, unit, close],
  ["acos", tf.acos, unit, close],
  ["atan", tf.atan, wide, close],
  ["sinh", tf.sinh, floats(-3, 3), close],
  ["cosh", tf.cosh, floats(-3, 3), close],
  ["tanh", tf.tanh, wide, close],
  ["asinh", tf.asinh, wide, close],
  ["acosh", tf.acosh, floats(1, 50), close],
  ["atanh", tf.atanh, unit, close],
  ["erf", tf.erf, wide, close],
  ["logistic", tf.sigmoid, wide, ulp(34)],
];

describe("elementwise ops of one operand", () => {
  it.each(unary)("%s", (op, theirs, elements, tolerance) => {
    fc.assert(
      fc.property(anyTensor("float32", elements), (x) => {
        agree(ours(op as "neg", {}, x), theirs(outside(x)), tolerance);
      }),
      runs,
    );
  });

  it("round to even", () => {
    const halves = integers.map((x) => x / 2);
    fc.assert(
      fc.property(anyTensor("float32", fc.oneof(halves, wide)), (x) => {
        agree(ours("round", { roundingMethod: "even" }, x), tf.round(outside(x)), exact);
      }),
      runs,
    );
  });

  it("is_finite", () => {
    const awkward = fc.constantFrom(1, Number.NaN, Infinity, -Infinity, 0);
    fc.assert(
      fc.property(anyTensor("float32", awkward), (x) => {
        agree(ours("is_finite", {}, x), tf.isFinite(outside(x)), exact);
      }),
      runs,
    );
  });

  it("casts between float32, int32 and bool", () => {
    fc.assert(
      fc.property(
        dtypes.chain((dtype) => anyTensor(dtype)),
        dtypes,
        (x, to) => {
          agree(ours("convert_element_type", { dtype: to }, x), tf.cast(outside(x), to), exact);
        },
      ),
      runs,
    );
  });
});

type Binary = readonly [
  name: OpName,
  theirs: (x: tf.Tensor, y: tf.Tensor) => tf.Tensor,
  dtype: OutsideDType,
  tolerance: Tolerance,
  left?: fc.Arbitrary<number>,
  right?: fc.Arbitrary<number>,
];

const binary: readonly Binary[] = [
  ["add", tf.add, "float32", ulp(1)],
  ["sub", tf.sub, "float32", ulp(1)],
  ["mul", tf.mul, "float32", ulp(1)],
  ["div", tf.div, "float32", ulp(2)],
  ["max", tf.maximum, "float32", exact],
  ["min", tf.minimum, "float32", exact],
  ["pow", tf.pow, "float32", ulp(32), positive, floats(-3, 3)],
  ["atan2", tf.atan2, "float32", close],
  ["add", tf.add, "int32", exact],
  ["sub", tf.sub, "int32", exact],
  ["mul", tf.mul, "int32", exact],
  ["max", tf.maximum, "int32", exact],
  ["min", tf.minimum, "int32", exact],
  ["eq", tf.equal, "int32", exact],
  ["ne", tf.notEqual, "int32", exact],
  ["lt", tf.less, "float32", exact],
  ["le", tf.lessEqual, "int32", exact],
  ["gt", tf.greater, "float32", exact],
  ["ge", tf.greaterEqual, "int32", exact],
  ["and", tf.logicalAnd, "bool", exact],
  ["or", tf.logicalOr, "bool", exact],
  ["xor", tf.logicalXor, "bool", exact],
];

describe("elementwise ops of several operands", () => {
  for (const [op, theirs, dtype, tolerance, left, right] of binary) {
    it(`${op} of ${dtype}`, () => {
      const elements = elementsOf[dtype];
      fc.assert(
        fc.property(alike(dtype, left ?? elements, right ?? elements), ([x, y]) => {
          agree(ours(op as "add", {}, x!, y!), theirs(outside(x!), outside(y!)), tolerance);
        }),
        runs,
      );
    });
  }

  it("select_n is where with its cases turned around", () => {
    const cases = shapes().chain((shape) =>
      fc.tuple(
        tensorsOf("bool", shape, fc.boolean()),
        tensorsOf("int32", shape, integers),
        tensorsOf("int32", shape, integers),
      ),
    );
    fc.assert(
      fc.property(cases, ([which, no, yes]) => {
        const theirs = tf.where(outside(which), outside(yes), outside(no));
        agree(ours("select_n", {}, which, no, yes), theirs, exact);
      }),
      runs,
    );
  });
});

// ── Reductions ──────────────────────────────────────────────────────────────────────────────

describe("reductions", () => {
  const reductions = [
    ["reduce_sum", tf.sum, "float32"],
    ["reduce_sum", tf.sum, "int32"],
    ["reduce_prod", tf.prod, "float32"],
    ["reduce_max", tf.max, "float32"],
    ["reduce_min", tf.min, "int32"],
    ["reduce_and", tf.all, "bool"],
    ["reduce_or", tf.any, "bool"],
  ] as const;
  it.each(reductions)("%s over some axes (%o %s)", (op, theirs, dtype) => {
    const cases = shapes(1).chain((shape) =>
      fc.tuple(
        // Of one sign: a sum that cancels has no small relative error.
        tensorsOf(dtype, shape, dtype === "float32" ? floats(0.1, 2) : elementsOf[dtype]),
        fc.subarray(
          shape.map((_, d) => d),
          { minLength: 1 },
        ),
      ),
    );
    fc.assert(
      fc.property(cases, ([x, axes]) => {
        const count = axes.reduce((product, d) => product * (x.shape[d] as number), 1);
        const tolerance = dtype === "float32" && op !== "reduce_max" ? ulp(count) : exact;
        agree(ours(op as "reduce_sum", { axes }, x), theirs(outside(x), axes), tolerance);
      }),
      runs,
    );
  });

  it("argmax and argmin name the first extreme element", () => {
    fc.assert(
      fc.property(withAxis(fc.constantFrom("float32", "int32")), ([x, axis]) => {
        const params = { axis, indexDType: "int32" } as const;
        agree(ours("argmax", params, x), tf.argMax(outside(x), axis), exact);
        agree(ours("argmin", params, x), tf.argMin(outside(x), axis), exact);
      }),
      runs,
    );
  });

  it("cumsum and cumprod, from either end", () => {
    fc.assert(
      fc.property(withAxis(fc.constant("int32")), fc.boolean(), ([x, axis], reverse) => {
        const theirs = outside(x);
        agree(ours("cumsum", { axis, reverse }, x), tf.cumsum(theirs, axis, false, reverse), exact);
        agree(
          ours("cumprod", { axis, reverse }, x),
          tf.cumprod(theirs, axis, false, reverse),
          exact,
        );
      }),
      runs,
    );
  });

  it("cumlogsumexp ends with logSumExp", () => {
    fc.assert(
      fc.property(withAxis(fc.constant("float32")), ([x, axis]) => {
        const cumulative = ours("cumlogsumexp", { axis, reverse: true }, x);
        const start = x.shape.map(() => 0);
        const params = { start, limit: x.shape.with(axis, 1), strides: x.shape.map(() => 1) };
        const head = ours("slice", params, cumulative);
        agree(head, tf.logSumExp(outside(x), axis, true), close);
      }),
      runs,
    );
  });

  it("top_k", () => {
    const cases = shapes(1).chain((shape) =>
      fc.tuple(
        tensorsOf("float32", shape, fc.constantFrom(1, 2, 3, -1, 0.5)),
        fc.integer({ min: 1, max: shape.at(-1) as number }),
      ),
    );
    fc.assert(
      fc.property(cases, ([x, k]) => {
        const [values, indices] = evaluateNode({ op: "top_k", params: { k } }, [x]);
        const theirs = tf.topk(outside(x), k);
        agree(values!, theirs.values, exact);
        agree(indices!, theirs.indices, exact);
      }),
      runs,
    );
  });
});

// ── Movement and indexing ───────────────────────────────────────────────────────────────────

describe("movement", () => {
  const moved = dtypes.chain((dtype) => anyTensor(dtype, elementsOf[dtype], 1));

  it("transpose and reverse", () => {
    const cases = moved.chain((x) => {
      const dims = x.shape.map((_, d) => d);
      return fc.tuple(
        fc.constant(x),
        fc.shuffledSubarray(dims, { minLength: dims.length }),
        fc.subarray(dims),
      );
    });
    fc.assert(
      fc.property(cases, ([x, permutation, dimensions]) => {
        agree(ours("transpose", { permutation }, x), tf.transpose(outside(x), permutation), exact);
        agree(ours("rev", { dimensions }, x), tf.reverse(outside(x), dimensions), exact);
      }),
      runs,
    );
  });

  it("slice with strides", () => {
    const cases = moved.chain((x) =>
      fc.tuple(
        fc.constant(x),
        fc.tuple(
          ...x.shape.map((size) =>
            fc
              .tuple(fc.nat(size - 1), fc.nat(size - 1), fc.integer({ min: 1, max: 3 }))
              .map(([a, b, stride]) => [Math.min(a, b), Math.max(a, b) + 1, stride] as const),
          ),
        ),
      ),
    );
    fc.assert(
      fc.property(cases, ([x, ranges]) => {
        const [start, limit, strides] = [0, 1, 2].map((i) =>
          ranges.map((range) => range[i] as number),
        ) as [number[], number[], number[]];
        const theirs = tf.stridedSlice(outside(x), start, limit, strides);
        agree(ours("slice", { start, limit, strides }, x), theirs, exact);
      }),
      runs,
    );
  });

  it("pad", () => {
    const cases = moved.chain((x) =>
      fc.tuple(fc.constant(x), fc.tuple(...x.shape.map(() => fc.tuple(fc.nat(2), fc.nat(2))))),
    );
    fc.assert(
      fc.property(cases, ([x, amounts]) => {
        const config = amounts.map(([lo, hi]) => ({ lo, hi, interior: 0 }));
        const padding = tensorOf(x.dtype, [], [1]);
        agree(
          ours("pad", { config }, x, padding),
          tf.pad(outside(x), amounts as [number, number][], 1),
          exact,
        );
      }),
      runs,
    );
  });

  it("concatenate and reshape", () => {
    fc.assert(
      fc.property(withAxis(dtypes), fc.integer({ min: 1, max: 3 }), ([x, axis], count) => {
        const operands = new Array<HostTensor>(count).fill(x);
        const theirs = operands.map(outside);
        const joined = tf.concat(theirs, axis);
        agree(ours("concatenate", { dimension: axis }, ...operands), joined, exact);
        const flat = ours("reshape", { shape: [x.data.length] }, x);
        agree(flat, tf.reshape(outside(x), [-1]), exact);
      }),
      runs,
    );
  });

  it("broadcast_in_dim at the end is NumPy's broadcasting", () => {
    const cases = fc
      .tuple(shapes(1), fc.nat(2), fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }))
      .chain(([shape, drop, ones]) => {
        const own = shape.slice(Math.min(drop, shape.length)).map((dim, d) => (ones[d] ? 1 : dim));
        return fc.tuple(fc.constant(shape), tensorsOf("int32", own, integers));
      });
    fc.assert(
      fc.property(cases, ([shape, x]) => {
        const offset = shape.length - x.shape.length;
        const broadcastDimensions = x.shape.map((_, d) => d + offset);
        const theirs = tf.broadcastTo(outside(x), shape);
        agree(ours("broadcast_in_dim", { shape, broadcastDimensions }, x), theirs, exact);
      }),
      runs,
    );
  });

  it("gather along an axis", () => {
    const cases = withAxis(dtypes).chain(([x, axis]) =>
      fc.tuple(
        fc.constant(x),
        fc.constant(axis),
        fc.array(fc.nat((x.shape[axis] as number) - 1), { minLength: 1, maxLength: 6 }),
      ),
    );
    fc.assert(
      fc.property(cases, ([x, axis, picks]) => {
        const rank = x.shape.length;
        const params: OpParams["gather"] = {
          dimensions: {
            offsetDims: x.shape.map((_, d) => d).filter((d) => d !== axis),
            collapsedSliceDims: [axis],
            startIndexMap: [axis],
            operandBatchingDims: [],
            startIndicesBatchingDims: [],
          },
          sliceSizes: x.shape.with(axis, 1),
          mode: "fill",
          fill: { lo: 0, hi: 0 },
        };
        expect(params.dimensions.offsetDims.length).toBe(rank - 1);
        const indices = tensorOf("int32", [picks.length, 1], picks);
        const theirs = tf.gather(outside(x), tf.tensor1d(picks, "int32"), axis);
        agree(ours("gather", params, x, indices), theirs, exact);
      }),
      runs,
    );
  });

  it("scatter of sums", () => {
    const cases = fc
      .tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 8 }))
      .chain(([size, count]) =>
        fc.tuple(
          fc.constant(size),
          fc.array(fc.nat(size - 1), { minLength: count, maxLength: count }),
          tensorsOf("int32", [count], integers),
        ),
      );
    fc.assert(
      fc.property(cases, ([size, places, updates]) => {
        const params: OpParams["scatter"] = {
          dimensions: {
            updateWindowDims: [],
            insertedWindowDims: [0],
            scatterDimsToOperandDims: [0],
            operandBatchingDims: [],
            scatterIndicesBatchingDims: [],
          },
          combine: "add",
          mode: "fill",
        };
        const zeros = tensorOf("int32", [size], new Array(size).fill(0));
        const indices = tensorOf("int32", [places.length, 1], places);
        const theirs = tf.scatterND(outside(indices) as tf.Tensor2D, outside(updates), [size]);
        agree(ours("scatter", params, zeros, indices, updates), theirs, exact);
      }),
      runs,
    );
  });
});

// ── Linear algebra ──────────────────────────────────────────────────────────────────────────

describe("dot_general", () => {
  it("is matMul, batched and with either side transposed", () => {
    const size = fc.integer({ min: 1, max: 6 });
    const cases = fc
      .tuple(size, size, size, size, fc.boolean(), fc.boolean())
      .chain(([b, m, n, k, turnLeft, turnRight]) =>
        fc.tuple(
          // Of one sign, as for sums.
          tensorsOf("float32", turnLeft ? [b, k, m] : [b, m, k], floats(0.1, 4)),
          tensorsOf("float32", turnRight ? [b, n, k] : [b, k, n], floats(0.1, 4)),
          fc.constant({ k, turnLeft, turnRight }),
        ),
      );
    fc.assert(
      fc.property(cases, ([lhs, rhs, { k, turnLeft, turnRight }]) => {
        const params: OpParams["dot_general"] = {
          batch: [[0], [0]],
          contract: [[turnLeft ? 1 : 2], [turnRight ? 2 : 1]],
          dtype: "float32",
          accumulate: "float32",
        };
        const theirs = tf.matMul(outside(lhs), outside(rhs), turnLeft, turnRight);
        agree(ours("dot_general", params, lhs, rhs), theirs, ulp(2 * k));
      }),
      runs,
    );
  });
});
