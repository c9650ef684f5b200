/**
 * Loops: `scan`, `fori`, `whileLoop`. A body is traced once; what it uses from outside becomes a capture.
 * Counted loops with known bounds are the op `scan`, others `while`, as in lax.
 */
import { BuildError } from "@gridfuse/plan/errors";
import type { DType } from "@gridfuse/plan/scalar";
import type { ValueId } from "../ir/table.ts";
import { type TensorType, tensorType } from "../ir/types.ts";
import { commonDType, tensorOf, valueFor } from "../operand.ts";
import { checked, type OptionNames } from "../options.ts";
import {
  type Flat,
  flatten,
  type Returned,
  type Stacked,
  type Traced,
  type Tree,
} from "../pytree.ts";
import { runIn, type Scope, traced } from "../scope.ts";
import { isTensor, type Operand, type Tensor } from "../tensor.ts";
import { add, lt, mul } from "./elementwise.ts";
import {
  alignCaptures,
  integerScalar,
  leafIds,
  requireStructure,
  returnAs,
  scalarCondition,
  treeOfParams,
  typesOf,
} from "./regions.ts";

interface Loop {
  /** Body params before the carry. */
  readonly before: readonly TensorType[];
  /** Body params after the carry. */
  readonly after: readonly TensorType[];
  run(before: readonly Tensor[], carry: Tree, after: readonly Tensor[]): readonly [Tree, Tree];
}

interface TracedLoop {
  readonly body: Scope;
  readonly initial: readonly ValueId[];
  readonly ys: Flat;
  readonly yIds: readonly ValueId[];
}

/** dtypes that carries take; undefined leaves a carry as it is. */
type CarryDTypes = readonly (DType | undefined)[];

/**
 * Traces a loop body. A carry that starts as a literal takes the dtype that the body returns for it,
 * found by tracing a second time, as JAX does for weakly typed carries.
 */
function traceLoop(scope: Scope, name: string, carry: Flat, loop: Loop): TracedLoop {
  const weak = carry.leaves.map((leaf) => !isTensor(leaf));
  const first = traceBody(scope, name, carry, loop, []);
  const wanted = first.types.map((type, i): DType => {
    const returned = first.returned.leaves[i] as Operand;
    const param = tensorOf(first.body, first.own[i] as ValueId);
    return weak[i] ? runIn(first.body, () => commonDType(name, [returned, param])) : type.dtype;
  });
  const settled = wanted.every((dtype, i) => dtype === first.types[i]?.dtype);
  const { body, initial, types, returned, y } = settled
    ? first
    : traceBody(
        scope,
        name,
        carry,
        loop,
        wanted.map((dtype, i) => (weak[i] ? dtype : undefined)),
      );
  return runIn(body, () => {
    body.emitter.origin = scope.emitter.origin;
    body.region.results.push(...returnAs(body, `the body of ${name}`, returned, carry, types));
    const ys = flatten(y, `${name} output`);
    return { body, initial, ys, yIds: ys.leaves.map((leaf) => valueFor(body, name, leaf)) };
  });
}

interface TracedBody {
  readonly body: Scope;
  readonly initial: readonly ValueId[];
  readonly types: readonly TensorType[];
  /** Params of the carry. */
  readonly own: readonly ValueId[];
  readonly returned: Flat;
  readonly y: Tree;
}

function traceBody(
  scope: Scope,
  name: string,
  carry: Flat,
  loop: Loop,
  dtypes: CarryDTypes,
): TracedBody {
  const initial = carry.leaves.map((leaf, i) => valueFor(scope, name, leaf, dtypes[i]));
  const types = typesOf(scope, initial);
  const body = scope.inside(`the body of ${name}`);
  const params = (list: readonly TensorType[]) =>
    list.map((type) => tensorOf(body, body.param(type)));
  const before = params(loop.before);
  const own = treeOfParams(body, carry, types);
  const after = params(loop.after);
  const [result, y] = runIn(body, () => loop.run(before, own, after));
  const returned = flatten(result, `${name} result`);
  requireStructure(`the body of ${name}`, returned, carry);
  const at = loop.before.length;
  return {
    body,
    initial,
    types,
    own: body.region.params.slice(at, at + types.length),
    returned,
    y,
  };
}

export interface ScanOptions {
  /** Number of trips; needed where there is no `xs`. */
  readonly length?: number;
  /** From the last x to the first. */
  readonly reverse?: boolean;
}
const scanOptions: OptionNames<ScanOptions> = { length: true, reverse: true };

/**
 * Runs `f(carry, x, i)` for every leading index of `xs` and stacks what it returns second.
 * Without xs, `length` says how often.
 */
export function scan<const C, const X = readonly [], Y = readonly []>(
  f: (
    carry: Traced<C>,
    x: Stacked<X>,
    i: Tensor<"int32", readonly []>,
  ) => readonly [Returned<C>, Y],
  init: C,
  xs?: X,
  options: ScanOptions = {},
): readonly [Traced<C>, Traced<Y>] {
  return traced("scan", (scope) => {
    checked("scan", options, scanOptions);
    const carry = flatten(init as Tree, "carry");
    const elements = flatten((xs ?? []) as Tree, "xs");
    const values = leafIds(scope, "scan", elements);
    const trips = tripCount(scope, values, elements, options.length);
    const after = typesOf(scope, values).map(({ dtype, shape }) =>
      tensorType(dtype, shape.slice(1)),
    );
    const { body, initial, ys, yIds } = traceLoop(scope, "scan", carry, {
      before: [tensorType("int32", [])],
      after,
      run: ([i], own, leaves) =>
        requirePair(f(own as never, elements.rebuild(leaves) as never, i as never)),
    });
    body.region.results.push(...yIds);
    const outputs = scope.emitter.emitAll(
      "scan",
      [...initial, ...values, ...alignCaptures(scope, [body])],
      { trips, carries: initial.length, xs: values.length, reverse: options.reverse ?? false },
      [body.region],
    );
    const tensors = outputs.map((id) => tensorOf(scope, id));
    return [carry.rebuild(tensors), ys.rebuild(tensors.slice(initial.length))] as const;
  }) as never;
}

function requirePair(returned: unknown): readonly [Tree, Tree] {
  if (Array.isArray(returned) && returned.length === 2) return returned as unknown as [Tree, Tree];
  const what = isTensor(returned) ? "a Tensor" : String(returned);
  throw new BuildError("GF2404", `the body of scan returns ${what} instead of a pair`, {
    expected: "[carry, y]",
    received: returned,
    help: "return the next carry and what to stack: `[carry, y]`, or `[carry, []]` to stack nothing",
  });
}

function tripCount(
  scope: Scope,
  values: readonly ValueId[],
  elements: Flat,
  length: number | undefined,
): number {
  const leading = values.map((id) => scope.table.tensor(id).shape[0]);
  const all = length === undefined ? leading : [length, ...leading];
  const [first] = all;
  if (
    typeof first === "number" &&
    Number.isInteger(first) &&
    first >= 0 &&
    all.every((n) => n === first)
  ) {
    return first;
  }
  const named = all.find((n) => typeof n === "string");
  throw new BuildError(
    "GF2406",
    all.length === 0
      ? "scan without xs needs a `length`"
      : named !== undefined
        ? `scan over a leading dim named "${named}"`
        : `scan over leading dims ${all.map((n) => n ?? "none").join(" and ")}`,
    {
      expected: "one number of trips",
      received: all,
      path: elements.paths.join(", "),
      help: "give every x the same leading dimension, or say `{ length: n }`",
    },
  );
}

export interface ForOptions {
  /** Step of the counter, positive. */
  readonly step?: number;
  /** Repeats the body in place of a loop; bounds have to be known. */
  readonly unroll?: boolean;
}
const forOptions: OptionNames<ForOptions> = { step: true, unroll: true };

type Counter = Tensor<"int32", readonly []>;

/**
 * `carry = body(i, carry)` for i from `lower` up to `upper` (not included).
 * Known bounds make a loop of known trips (`scan`), others a `while`.
 */
export function fori<const C>(
  lower: Operand,
  upper: Operand,
  init: C,
  body: (i: Counter, carry: Traced<C>) => Returned<C>,
  options: ForOptions = {},
): Traced<C> {
  return traced("fori", (scope) =>
    countedLoop(scope, "fori", lower, upper, init as Tree, body as never, options),
  ) as unknown as Traced<C>;
}

/** The loop behind `fori` and, in kernels, `loop`. */
export function countedLoop(
  scope: Scope,
  name: string,
  lower: Operand,
  upper: Operand,
  init: Tree,
  body: (i: Tensor, carry: Tree) => Tree,
  options: ForOptions,
): Tree {
  const { step = 1, unroll = false } = checked(name, options, forOptions);
  if (!Number.isInteger(step) || step < 1) {
    throw new BuildError("GF2402", `${name}: step ${step}`, {
      expected: "a whole number ≥ 1",
      received: step,
      help: "count up, and turn the counter around in the body",
    });
  }
  const carry = flatten(init, "carry");
  if (typeof lower === "number" && typeof upper === "number") {
    integerScalar(scope, `${name}: lower bound`, lower);
    integerScalar(scope, `${name}: upper bound`, upper);
    const trips = Math.max(0, Math.ceil((upper - lower) / step));
    return unroll
      ? unrolled(scope, name, carry, trips, lower, step, body)
      : scanned(scope, name, carry, trips, lower, step, body);
  }
  return whiled(scope, name, carry, lower, upper, step, body);
}

type Step = (i: Tensor, carry: Tree) => Tree;

function unrolled(
  scope: Scope,
  name: string,
  carry: Flat,
  trips: number,
  lower: number,
  step: number,
  body: Step,
): Tree {
  const origin = scope.emitter.origin;
  let current = carry.rebuild(leafIds(scope, name, carry).map((id) => tensorOf(scope, id)));
  for (let trip = 0; trip < trips; trip++) {
    const i = tensorOf(scope, scope.emitter.full("int32", [], lower + trip * step));
    scope.emitter.origin = undefined; // The body's calls have places of their own.
    current = body(i, current);
    scope.emitter.origin = origin;
    requireStructure(`the body of ${name}`, flatten(current, `${name} result`), carry);
  }
  return current;
}

function scanned(
  scope: Scope,
  name: string,
  carry: Flat,
  trips: number,
  lower: number,
  step: number,
  body: Step,
): Tree {
  const { body: inside, initial } = traceLoop(scope, name, carry, {
    before: [tensorType("int32", [])],
    after: [],
    run: ([counter], own) => {
      const i = affine(counter as Tensor, step, lower);
      return [body(i, own), []];
    },
  });
  const outputs = scope.emitter.emitAll(
    "scan",
    [...initial, ...alignCaptures(scope, [inside])],
    { trips, carries: initial.length, xs: 0, reverse: false },
    [inside.region],
  );
  return carry.rebuild(outputs.map((id) => tensorOf(scope, id)));
}

function affine(counter: Tensor, step: number, offset: number): Tensor {
  const scaled: Tensor = step === 1 ? counter : mul(counter, step);
  return offset === 0 ? scaled : (add(scaled, offset) as Tensor);
}

function whiled(
  scope: Scope,
  name: string,
  carry: Flat,
  lower: Operand,
  upper: Operand,
  step: number,
  body: Step,
): Tree {
  const start = tensorOf(scope, integerScalar(scope, `${name}: lower bound`, lower));
  const limit = tensorOf(scope, integerScalar(scope, `${name}: upper bound`, upper));
  const whole = flatten([start, carry.rebuild(carry.leaves)], "carry");
  const result = whileOf(
    scope,
    name,
    whole,
    (state) => lt((state as readonly Tensor[])[0] as Tensor, limit) as Tensor,
    (state) => {
      const [i, own] = state as readonly [Tensor, Tree];
      return [add(i, step) as Tensor, body(i, own)];
    },
  ) as readonly [Tensor, Tree];
  return result[1];
}

/** Repeats `body` on the carry while the condition, a bool scalar, holds. */
export function whileLoop<const C>(
  condition: (carry: Traced<C>) => Operand,
  body: (carry: Traced<C>) => Returned<C>,
  init: C,
): Traced<C> {
  return traced("whileLoop", (scope) =>
    whileOf(scope, "whileLoop", flatten(init as Tree, "carry"), condition as never, body as never),
  ) as unknown as Traced<C>;
}

function whileOf(
  scope: Scope,
  name: string,
  carry: Flat,
  condition: (carry: Tree) => Operand,
  body: (carry: Tree) => Tree,
): Tree {
  const { body: inside, initial } = traceLoop(scope, name, carry, {
    before: [],
    after: [],
    run: (_before, own) => [body(own), []],
  });
  const test = scope.inside(`the condition of ${name}`);
  const params = treeOfParams(test, carry, typesOf(scope, initial));
  runIn(test, () => {
    const holds = condition(params);
    test.emitter.origin = scope.emitter.origin;
    test.region.results.push(scalarCondition(test, `the condition of ${name}`, holds));
  });
  const captures = alignCaptures(scope, [test, inside]);
  const regions = [test.region, inside.region];
  const outputs = scope.emitter.emitAll(
    "while",
    [...initial, ...captures],
    { carries: initial.length },
    regions,
  );
  return carry.rebuild(outputs.map((id) => tensorOf(scope, id)));
}
