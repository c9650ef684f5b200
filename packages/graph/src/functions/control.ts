/**
 * Structured control flow. Bodies are traced once; what they use from outside becomes a capture.
 * Counted loops with known bounds are `scan`, others `while`, as in lax.
 */
import { BuildError } from "@gridfuse/plan/errors";
import type { DType } from "@gridfuse/plan/scalar";
import type { Region, ValueId } from "../ir/table.ts";
import { formatShape, sameShape, type TensorType, tensorType } from "../ir/types.ts";
import { commonDType, tensorOf, valueFor } from "../operand.ts";
import {
  type Flat,
  flatten,
  type Returned,
  type Stacked,
  type Traced,
  type TracedAll,
  type Tree,
} from "../pytree.ts";
import { runIn, type Scope, traced } from "../scope.ts";
import { isTensor, type Operand, type Tensor } from "../tensor.ts";
import { add, clamp, lt, mul, ne } from "./elementwise.ts";

// ── Regions and captures ────────────────────────────────────────────────────────────────────

/** Gives regions that were traced apart the same captures in the same order; the trailing operands. */
export function alignCaptures(scope: Scope, bodies: readonly Scope[]): readonly ValueId[] {
  const outers: ValueId[] = [];
  for (const body of bodies) {
    for (const { outer } of body.captures) if (!outers.includes(outer.id)) outers.push(outer.id);
  }
  for (const body of bodies) {
    const own = body.region.params.length - body.captures.length;
    const inner = outers.map(
      (outer) =>
        body.captures.find((capture) => capture.outer.id === outer)?.inner ??
        body.table.newValue(scope.table.types[outer] as TensorType),
    );
    body.region.params.splice(own, body.captures.length, ...inner);
  }
  return outers;
}

/** A scalar condition as a bool value. @throws BuildError GF2401 unless it is a scalar */
export function scalarCondition(scope: Scope, name: string, condition: Operand): ValueId {
  if (!isTensor(condition)) return valueFor(scope, name, condition, "bool");
  const size = condition.shape.every((dim) => dim === 1);
  if (!size) {
    throw new BuildError(
      "GF2401",
      `${name}: the condition has shape ${formatShape(condition.shape)}`,
      {
        expected: "a scalar",
        received: formatShape(condition.shape),
        help: "choose per element with `where`, or reduce it with `.any()` or `.all()`",
      },
    );
  }
  const scalar = scope.emitter.reshape(scope.resolve(condition), []);
  if (condition.dtype === "bool") return scalar;
  return (ne(tensorOf(scope, scalar), 0) as Tensor).id;
}

/** An int32 scalar. @throws BuildError GF2402 where it is neither a whole number nor an integer scalar */
export function integerScalar(scope: Scope, name: string, value: Operand): ValueId {
  const fits = isTensor(value)
    ? value.shape.length === 0 && /^u?int/.test(value.dtype)
    : typeof value === "bigint" || (typeof value === "number" && Number.isInteger(value));
  if (!fits) {
    throw new BuildError("GF2402", `${name} is ${isTensor(value) ? value.toString() : value}`, {
      expected: "a whole number or an integer scalar",
      received: value,
      help: "convert with `.astype(i32)`, or reshape to []",
    });
  }
  return valueFor(scope, name, value, "int32");
}

const leafIds = (scope: Scope, name: string, flat: Flat): readonly ValueId[] =>
  flat.leaves.map((leaf) => valueFor(scope, name, leaf));

/** Params for the leaves, as the tree that a body receives. */
function treeOfParams(body: Scope, flat: Flat, types: readonly TensorType[]): Tree {
  const params = types.map((type, i) => tensorOf(body, body.param(type, flat.paths[i])));
  return flat.rebuild(params);
}

const typesOf = (scope: Scope, ids: readonly ValueId[]): readonly TensorType[] =>
  ids.map((id) => scope.table.tensor(id));

const show = ({ dtype, shape }: TensorType): string => `${dtype}${formatShape(shape)}`;

/** Results of a body under the types it has to give. Literals adopt the dtype. */
function returnAs(
  body: Scope,
  name: string,
  returned: Tree,
  carry: Flat,
  types: readonly TensorType[],
): readonly ValueId[] {
  const flat = flatten(returned, `${name} result`);
  requireStructure(name, flat, carry);
  return flat.leaves.map((leaf, i) => {
    const wanted = types[i] as TensorType;
    if (!isTensor(leaf) && wanted.shape.length === 0)
      return valueFor(body, name, leaf, wanted.dtype);
    const id = valueFor(body, name, leaf);
    const got = body.table.tensor(id);
    if (got.dtype === wanted.dtype && sameShape(got.shape, wanted.shape)) return id;
    throw new BuildError(
      "GF2403",
      `${name} returns ${show(got)} for ${carry.paths[i]}, which is ${show(wanted)}`,
      {
        expected: show(wanted),
        received: show(got),
        help:
          got.dtype === wanted.dtype
            ? "a carried value keeps its shape: start from one of that shape, or reduce what is returned"
            : "a carried value keeps its dtype: convert one of them with `.astype(…)`",
      },
    );
  });
}

function requireStructure(name: string, got: Flat, wanted: Flat): void {
  if (got.structure === wanted.structure) return;
  throw new BuildError("GF2404", `${name} returns ${got.structure} for ${wanted.structure}`, {
    expected: wanted.structure,
    received: got.structure,
    help: "return the same arrays and records that come in, with every entry",
  });
}

// ── Branches ────────────────────────────────────────────────────────────────────────────────

type Branch<O extends readonly unknown[], R> = (...operands: TracedAll<O>) => R;

/** One node `cond` over branches traced with the same operands. */
function branchOn(
  scope: Scope,
  name: string,
  which: ValueId,
  branches: readonly ((...operands: never[]) => Tree)[],
  operands: readonly Tree[],
): Tree {
  const flats = operands.map((operand, i) => flatten(operand, `operand ${i}`));
  const values = flats.flatMap((flat) => leafIds(scope, name, flat));
  const traces = branches.map((branch, i) => {
    const body = scope.inside(`branch ${i} of ${name}`);
    let next = 0;
    const params = flats.map((flat) => {
      const ids = values.slice(next, next + flat.leaves.length);
      next += flat.leaves.length;
      return treeOfParams(body, flat, typesOf(scope, ids));
    });
    return {
      body,
      result: flatten(
        runIn(body, () => branch(...(params as never[]))),
        `branch ${i}`,
      ),
    };
  });
  const first = (traces[0] as (typeof traces)[number]).result;
  for (const { body, result } of traces) requireStructure(body.label, result, first);
  const dtypes = first.leaves.map((_, i) =>
    commonDType(
      name,
      traces.map(({ result }) => result.leaves[i] as Operand),
    ),
  );
  for (const { body, result } of traces) {
    runIn(body, () => {
      body.emitter.origin = scope.emitter.origin;
      body.region.results.push(
        ...result.leaves.map((leaf, i) => branchResult(body, name, leaf, dtypes[i] as DType)),
      );
    });
  }
  requireAlike(
    traces.map(({ body }) => body),
    first.paths,
  );
  const captures = alignCaptures(
    scope,
    traces.map(({ body }) => body),
  );
  const regions: readonly Region[] = traces.map(({ body }) => body.region);
  const outputs = scope.emitter.emitAll("cond", [which, ...values, ...captures], {}, regions);
  return first.rebuild(outputs.map((id) => tensorOf(scope, id)));
}

/** Literals of one branch adopt the dtype of the other; two tensors have to agree. */
const branchResult = (body: Scope, name: string, leaf: Operand, dtype: DType): ValueId =>
  isTensor(leaf) ? body.resolve(leaf) : valueFor(body, name, leaf, dtype);

function requireAlike(bodies: readonly Scope[], paths: readonly string[]): void {
  const [first, ...others] = bodies.map((body) => typesOf(body, body.region.results));
  for (const [i, other] of others.entries()) {
    for (const [k, type] of other.entries()) {
      const wanted = (first as readonly TensorType[])[k] as TensorType;
      if (type.dtype === wanted.dtype && sameShape(type.shape, wanted.shape)) continue;
      const path = (paths[k] as string).replace(/^branch 0/, "");
      throw new BuildError(
        "GF2403",
        `${(bodies[i + 1] as Scope).label} returns ${show(type)}${path === "" ? "" : ` for ${path}`}, branch 0 ${show(wanted)}`,
        {
          expected: show(wanted),
          received: show(type),
          help: "all branches return the same shapes and dtypes: convert with `.astype(…)` or `broadcastTo`",
        },
      );
    }
  }
}

/** `onTrue(…operands)` where the scalar condition holds, else `onFalse(…operands)`. One of them runs. */
export function cond<const O extends readonly unknown[], R>(
  condition: Operand,
  onTrue: Branch<O, R>,
  onFalse: Branch<O, NoInfer<Returned<R>>>,
  ...operands: O
): Traced<R> {
  return traced("cond", (scope) => {
    const which = scalarCondition(scope, "cond", condition);
    const branches = [onFalse, onTrue] as unknown as readonly (() => Tree)[];
    return branchOn(scope, "cond", which, branches, operands as unknown as readonly Tree[]);
  }) as unknown as Traced<R>;
}

/** Branch number `index` (clamped into range) of the list. */
export function switchCase<const O extends readonly unknown[], R>(
  index: Operand,
  branches: readonly Branch<O, R>[],
  ...operands: O
): Traced<R> {
  return traced("switchCase", (scope) => {
    if (branches.length === 0) {
      throw new BuildError("GF2405", "switchCase without branches", { help: "pass at least one" });
    }
    const which = integerScalar(scope, "the index of switchCase", index);
    const clamped = clamp(tensorOf(scope, which), 0, branches.length - 1) as Tensor;
    return branchOn(
      scope,
      "switchCase",
      clamped.id,
      branches as never,
      operands as unknown as readonly Tree[],
    );
  }) as unknown as Traced<R>;
}

// ── Loops ───────────────────────────────────────────────────────────────────────────────────

interface Loop {
  /** Body params before the carry. */
  readonly before: readonly TensorType[];
  /** Body params after the carry. */
  readonly after: readonly TensorType[];
  run(
    body: Scope,
    before: readonly Tensor[],
    carry: Tree,
    after: readonly Tensor[],
  ): readonly [Tree, Tree];
}

interface TracedLoop {
  readonly body: Scope;
  readonly initial: readonly ValueId[];
  readonly ys: Flat;
  readonly yIds: readonly ValueId[];
}

/**
 * Traces a loop body. A carry that starts as a literal takes the dtype that the body returns for it,
 * found by tracing a second time, as JAX does for weakly typed carries.
 */
function traceLoop(scope: Scope, name: string, carry: Flat, loop: Loop): TracedLoop {
  const attempt = (dtypes: readonly (DType | undefined)[]): TracedLoop | readonly DType[] => {
    const initial = carry.leaves.map((leaf, i) => valueFor(scope, name, leaf, dtypes[i]));
    const types = typesOf(scope, initial);
    const body = scope.inside(`the body of ${name}`);
    const params = (list: readonly TensorType[]) =>
      list.map((type) => tensorOf(body, body.param(type)));
    const before = params(loop.before);
    const own = treeOfParams(body, carry, types);
    const after = params(loop.after);
    return runIn(body, () => {
      const [returned, y] = loop.run(body, before, own, after);
      const flat = flatten(returned, `${name} result`);
      requireStructure(`the body of ${name}`, flat, carry);
      const wanted = flat.leaves.map((leaf, i) => {
        const type = types[i] as TensorType;
        const weak = !isTensor(carry.leaves[i]) && dtypes[i] === undefined;
        return weak ? commonDType(name, [leaf, tensorOf(body, own_(body, i))]) : type.dtype;
      });
      if (wanted.some((dtype, i) => dtype !== (types[i] as TensorType).dtype)) return wanted;
      body.emitter.origin = scope.emitter.origin;
      body.region.results.push(...returnAs(body, `the body of ${name}`, returned, carry, types));
      const ys = flatten(y, `${name} output`);
      const yIds = ys.leaves.map((leaf) => valueFor(body, name, leaf));
      return { body, initial, ys, yIds };
    });
    function own_(inside: Scope, i: number): ValueId {
      return inside.region.params[loop.before.length + i] as ValueId;
    }
  };
  const none = carry.leaves.map(() => undefined);
  const first = attempt(none);
  if (!Array.isArray(first)) return first as TracedLoop;
  const dtypes = (first as readonly DType[]).map((dtype, i) =>
    isTensor(carry.leaves[i]) ? undefined : dtype,
  );
  return attempt(dtypes) as TracedLoop;
}

export interface ScanOptions {
  /** Number of trips; needed where there is no `xs`. */
  readonly length?: number;
  /** From the last x to the first. */
  readonly reverse?: boolean;
}

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
      run: (_body, [i], own, leaves) =>
        f(own as never, elements.rebuild(leaves) as never, i as never) as unknown as readonly [
          Tree,
          Tree,
        ],
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
  { step = 1, unroll = false }: ForOptions,
): Tree {
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
    run: (_body, [counter], own) => {
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
    run: (_body, _before, own) => [body(own), []],
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

// ── Effects ─────────────────────────────────────────────────────────────────────────────────

/** Prints a line when the program runs; each `{}` is one value. */
export function debugPrint(format: string, ...values: readonly Operand[]): void {
  traced("debugPrint", (scope) => {
    const ids = values.map((value) => valueFor(scope, "debugPrint", value));
    scope.emitter.emitAll("debug_print", ids, { format, batch: 0, masked: false });
  });
}
