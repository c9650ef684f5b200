/**
 * The operators of WebNN in terms of the front end, as far as the conformance cases use them.
 * Composite operators compute in float32 and round once, as an implementation of WebNN would.
 */
import * as gf from "@gridfuse/graph";

type Tensor = gf.Tensor;

/** Arguments of one call: input names are already tensors. */
export interface Call {
  readonly x: Tensor;
  /** Positional argument by its name in the case. */
  readonly argument: (name: string) => unknown;
  readonly option: <T>(name: string, absent: T) => T;
}

export type Operator = (call: Call) => Tensor | readonly Tensor[];

const shapeOf = (x: Tensor): readonly number[] => x.shape as readonly number[];
const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

// ── Elementwise ─────────────────────────────────────────────────────────────────────────────

type Unary = (x: Tensor) => Tensor;
type Binary = (a: Tensor, b: Tensor) => Tensor;

const unary =
  (f: unknown): Operator =>
  ({ x }) =>
    (f as Unary)(x);
const binary =
  (f: unknown): Operator =>
  ({ argument }) =>
    (f as Binary)(argument("a") as Tensor, argument("b") as Tensor);
const comparison =
  (f: unknown): Operator =>
  ({ argument }) =>
    gf.astype((f as Binary)(argument("a") as Tensor, argument("b") as Tensor), "uint8");

/** Computes in float32 what is given in float16. */
const wide =
  (f: Operator): Operator =>
  (call) => {
    const { dtype } = call.x;
    const widen = (value: unknown) => (gf.isTensor(value) ? gf.astype(value, "float32") : value);
    const result = f({
      x: gf.astype(call.x, "float32"),
      argument: (name) => widen(call.argument(name)),
      option: (name, absent) => widen(call.option(name, absent)) as typeof absent,
    }) as Tensor;
    return gf.astype(result, dtype);
  };

const times = (x: Tensor, factor: number): Tensor => gf.mul(x, factor) as Tensor;
const plus = (x: Tensor, term: number): Tensor => gf.add(x, term) as Tensor;
const limited = (x: Tensor, low: number, high: number): Tensor =>
  gf.minimum(gf.maximum(x, low), high) as Tensor;

const elu: Operator = ({ x, option }) =>
  gf.where(gf.lt(x, 0), times(gf.expm1(x), option("alpha", 1)), x) as Tensor;
const hardSigmoid: Operator = ({ x, option }) =>
  limited(plus(times(x, option("alpha", 0.2)), option("beta", 0.5)), 0, 1);
const hardSwish: Operator = ({ x }) => gf.div(gf.mul(x, limited(plus(x, 3), 0, 6)), 6) as Tensor;
const leakyRelu: Operator = ({ x, option }) =>
  gf.where(gf.lt(x, 0), times(x, option("alpha", 0.01)), x) as Tensor;
const linear: Operator = ({ x, option }) => plus(times(x, option("alpha", 1)), option("beta", 0));
const clamp: Operator = ({ x, option }) => {
  const low = option<number | undefined>("minValue", undefined);
  const high = option<number | undefined>("maxValue", undefined);
  const above = low === undefined ? x : gf.maximum(x, low);
  return (high === undefined ? above : gf.minimum(above, high)) as Tensor;
};

// ── Reductions ──────────────────────────────────────────────────────────────────────────────

type Reduce = (x: Tensor, options: { axis: readonly number[]; keepDims: boolean }) => Tensor;

const reduction =
  (reduce: Reduce): Operator =>
  ({ x, option }) => {
    const axis = option("axes", range(x.ndim));
    return gf.astype(reduce(x, { axis, keepDims: option("keepDimensions", false) }), x.dtype);
  };

const sumOf =
  (before: Unary, after: Unary = (x) => x): Operator =>
  (call) =>
    reduction((x, options) => after(gf.sum(before(x), options) as Tensor))(call);

const logSumExp: Operator = ({ x, option }) => {
  const axis = option("axes", range(x.ndim));
  const top = gf.max(x, { axis, keepDims: true }) as Tensor;
  const total = gf.sum(gf.exp(gf.sub(x, top)), { axis, keepDims: true }) as Tensor;
  const result = gf.add(gf.log(total), top) as Tensor;
  return option("keepDimensions", false) ? result : gf.squeeze(result, axis);
};

// ── Normalisations ──────────────────────────────────────────────────────────────────────────

/** Gives a tensor over some axes, in that order, the rank of x. */
function alongAxes(values: Tensor, axes: readonly number[], x: Tensor): Tensor {
  const order = range(axes.length).sort((a, b) => (axes[a] as number) - (axes[b] as number));
  const sorted = gf.transpose(values, order) as Tensor;
  const shape = shapeOf(x).map((dim, d) => (axes.includes(d) ? dim : 1));
  return gf.reshape(sorted, shape) as Tensor;
}

function normalised(x: Tensor, axes: readonly number[], call: Call, affine: readonly number[]) {
  const average = (values: Tensor) => gf.mean(values, { axis: axes, keepDims: true }) as Tensor;
  const centred = gf.sub(x, average(x)) as Tensor;
  const variance = average(gf.square(centred) as Tensor);
  const scaled = gf.div(centred, gf.sqrt(plus(variance, call.option("epsilon", 1e-5)))) as Tensor;
  return affineOf(scaled, call, affine);
}

/** Times scale plus bias, where they are given, along `axes`. */
function affineOf(x: Tensor, { option }: Call, axes: readonly number[]): Tensor {
  const scale = option<Tensor | undefined>("scale", undefined);
  const bias = option<Tensor | undefined>("bias", undefined);
  const scaled = scale === undefined ? x : (gf.mul(x, alongAxes(scale, axes, x)) as Tensor);
  return bias === undefined ? scaled : (gf.add(scaled, alongAxes(bias, axes, x)) as Tensor);
}

const layerNormalization: Operator = (call) => {
  const axes = call.option("axes", range(call.x.ndim).slice(1));
  return normalised(call.x, axes, call, axes);
};

const instanceNormalization: Operator = (call) => {
  const last = call.option<string>("layout", "nchw") === "nhwc";
  return normalised(call.x, last ? [1, 2] : [2, 3], call, [last ? 3 : 1]);
};

const batchNormalization: Operator = (call) => {
  const axes = [call.option("axis", 1)];
  const along = (name: string) => alongAxes(call.argument(name) as Tensor, axes, call.x);
  const deviation = gf.sqrt(plus(along("variance"), call.option("epsilon", 1e-5)));
  return affineOf(gf.div(gf.sub(call.x, along("mean")), deviation) as Tensor, call, axes);
};

// ── Movement ────────────────────────────────────────────────────────────────────────────────

const slice: Operator = ({ x, argument, option }) => {
  const starts = argument("starts") as number[];
  const sizes = argument("sizes") as number[];
  const limits = starts.map((start, d) => start + (sizes[d] as number));
  return gf.slice(
    x,
    starts,
    limits,
    option(
      "strides",
      starts.map(() => 1),
    ),
  );
};

const split: Operator = ({ x, argument, option }) => {
  const splits = argument("splits") as number | readonly number[];
  const axis = option("axis", 0);
  if (typeof splits === "number") return gf.split(x, splits, { axis });
  const ends = splits.map((_, i) => splits.slice(0, i + 1).reduce((a, b) => a + b, 0));
  return gf.split(x, ends.slice(0, -1), { axis });
};

const gather: Operator = ({ x, argument, option }) => {
  const indices = gf.astype(argument("indices") as Tensor, "int32") as Tensor;
  return gf.take(x, indices, { axis: option("axis", 0), mode: "clip" });
};

// ── Convolutions ────────────────────────────────────────────────────────────────────────────

/** Strides, dilations, padding [top, bottom, left, right] and groups, with their defaults. */
const convolutionOptions = ({ option }: Call) => ({
  strides: option("strides", [1, 1]) as readonly [number, number],
  dilations: option("dilations", [1, 1]) as readonly [number, number],
  padding: option("padding", [0, 0, 0, 0]) as readonly [number, number, number, number],
  groups: option("groups", 1),
});

/** A tensor whose dims are named by letters, in another order of the letters. */
const relaid = (x: Tensor, from: string, to: string): Tensor =>
  gf.transpose(
    x,
    [...to].map((letter) => from.indexOf(letter)),
  ) as Tensor;

/** Cuts an axis into `groups` parts of equal size. */
const grouped = (x: Tensor, groups: number, axis: number): readonly Tensor[] =>
  gf.split(x, groups, { axis });

/** nchw input, already padded; oihw filter: a dot for every place in the filter, summed. */
function correlate(
  input: Tensor,
  filter: Tensor,
  strides: readonly [number, number],
  dilations: readonly [number, number],
): Tensor {
  const [batch, channels, ...space] = shapeOf(input) as [number, number, number, number];
  const [, , ...window] = shapeOf(filter) as [number, number, number, number];
  const extents = [0, 1].map((d) => {
    const reach = ((window[d] as number) - 1) * (dilations[d] as number);
    return Math.floor(((space[d] as number) - reach - 1) / (strides[d] as number)) + 1;
  });
  let total: Tensor | undefined;
  for (let row = 0; row < (window[0] as number); row++) {
    for (let column = 0; column < (window[1] as number); column++) {
      const start = [row * dilations[0], column * dilations[1]];
      const limit = start.map(
        (from, d) => from + ((extents[d] as number) - 1) * (strides[d] as number) + 1,
      );
      const seen = gf.slice(
        input,
        [0, 0, ...start],
        [batch, channels, ...limit],
        [1, 1, ...strides],
      );
      const weights = gf.reshape(
        gf.slice(
          filter,
          [0, 0, row, column],
          [...shapeOf(filter).slice(0, 2), row + 1, column + 1],
        ),
        shapeOf(filter).slice(0, 2),
      ) as Tensor;
      const product = gf.einsum("nihw,oi->nohw", seen, weights);
      total = total === undefined ? product : (gf.add(total, product) as Tensor);
    }
  }
  return total as Tensor;
}

function withBias(result: Tensor, { option }: Call, layout: string): Tensor {
  const bias = option<Tensor | undefined>("bias", undefined);
  const biased =
    bias === undefined ? result : (gf.add(result, alongAxes(bias, [1], result)) as Tensor);
  return relaid(biased, "nchw", layout);
}

const conv2d: Operator = (call) => {
  const { strides, dilations, padding, groups } = convolutionOptions(call);
  const layout = call.option<string>("inputLayout", "nchw");
  const input = relaid(call.x, layout, "nchw");
  const filter = relaid(
    call.argument("filter") as Tensor,
    call.option<string>("filterLayout", "oihw"),
    "oihw",
  );
  const [top, bottom, left, right] = padding;
  const padded = gf.pad(input, [
    [0, 0],
    [0, 0],
    [top, bottom],
    [left, right],
  ]);
  const inputs = grouped(padded, groups, 1);
  const filters = grouped(filter, groups, 0);
  const parts = inputs.map((part, g) => correlate(part, filters[g] as Tensor, strides, dilations));
  return withBias(gf.concatenate(parts, { axis: 1 }), call, layout);
};

/** The strides spread the input out; the filter runs over it turned around. */
const convTranspose2d: Operator = (call) => {
  const { strides, dilations, padding, groups } = convolutionOptions(call);
  const layout = call.option<string>("inputLayout", "nchw");
  const input = relaid(call.x, layout, "nchw");
  const filter = relaid(
    call.argument("filter") as Tensor,
    call.option<string>("filterLayout", "iohw"),
    "iohw",
  );
  const turned = gf.flip(filter, [2, 3]) as Tensor;
  const space = [0, 1].map((d) => {
    const window = shapeOf(filter)[2 + d] as number;
    const size = shapeOf(input)[2 + d] as number;
    const [before, after] = [padding[2 * d] as number, padding[2 * d + 1] as number];
    const reach = (window - 1) * (dilations[d] as number);
    const natural = (size - 1) * (strides[d] as number) + reach + 1 - before - after;
    const wanted = call.option<readonly number[] | undefined>("outputSizes", undefined)?.[d];
    const extra =
      wanted === undefined ? (call.option("outputPadding", [0, 0])[d] as number) : wanted - natural;
    const interior = (strides[d] as number) - 1;
    return { lo: reach - before, hi: reach - after + extra, interior };
  });
  const spread = gf.pad(input, [[0, 0], [0, 0], ...space]);
  const inputs = grouped(spread, groups, 1);
  const filters = grouped(turned, groups, 0);
  const parts = inputs.map((part, g) =>
    correlate(part, gf.swapaxes(filters[g] as Tensor, 0, 1), [1, 1], dilations),
  );
  return withBias(gf.concatenate(parts, { axis: 1 }), call, layout);
};

export const operators: Readonly<Record<string, Operator>> = {
  abs: unary(gf.abs),
  add: binary(gf.add),
  batchNormalization: wide(batchNormalization),
  cast: ({ x, argument }) => gf.astype(x, argument("type") as gf.DType),
  ceil: unary(gf.ceil),
  clamp,
  concat: ({ argument }) =>
    gf.concatenate(argument("inputs") as Tensor[], { axis: argument("axis") as number }),
  conv2d: wide(conv2d),
  convTranspose2d: wide(convTranspose2d),
  div: binary(gf.div),
  elu: wide(elu),
  equal: comparison(gf.eq),
  exp: unary(gf.exp),
  expand: ({ x, argument }) => gf.broadcastTo(x, argument("newShape") as number[]) as Tensor,
  floor: unary(gf.floor),
  gather,
  greater: comparison(gf.gt),
  greaterOrEqual: comparison(gf.ge),
  hardSigmoid: wide(hardSigmoid),
  hardSwish: wide(hardSwish),
  instanceNormalization: wide(instanceNormalization),
  layerNormalization: wide(layerNormalization),
  leakyRelu: wide(leakyRelu),
  lesser: comparison(gf.lt),
  lesserOrEqual: comparison(gf.le),
  linear: wide(linear),
  log: unary(gf.log),
  logicalNot: ({ argument }) => gf.astype(gf.eq(argument("a") as Tensor, 0), "uint8"),
  matmul: binary(gf.matmul),
  max: binary(gf.maximum),
  min: binary(gf.minimum),
  mul: binary(gf.mul),
  neg: unary(gf.neg),
  pow: binary(gf.pow),
  reduceL1: sumOf((x) => gf.abs(x) as Tensor),
  reduceL2: wide(
    sumOf(
      (x) => gf.square(x) as Tensor,
      (x) => gf.sqrt(x) as Tensor,
    ),
  ),
  reduceLogSum: wide(
    sumOf(
      (x) => x,
      (x) => gf.log(x) as Tensor,
    ),
  ),
  reduceLogSumExp: wide(logSumExp),
  reduceMax: reduction(gf.max as Reduce),
  reduceMean: wide(reduction(gf.mean as Reduce)),
  reduceMin: reduction(gf.min as Reduce),
  reduceProduct: reduction(gf.prod as Reduce),
  reduceSum: reduction(gf.sum as Reduce),
  reduceSumSquare: sumOf((x) => gf.square(x) as Tensor),
  relu: unary(gf.relu),
  reshape: ({ x, argument }) => gf.reshape(x, argument("newShape") as number[]) as Tensor,
  sigmoid: unary(gf.sigmoid),
  slice,
  softmax: wide(({ x, argument }) => gf.softmax(x, { axis: argument("axis") as number }) as Tensor),
  split,
  sqrt: unary(gf.sqrt),
  sub: binary(gf.sub),
  tanh: unary(gf.tanh),
  transpose: ({ x, option }) =>
    gf.transpose(x, option("permutation", range(x.ndim).reverse())) as Tensor,
};
