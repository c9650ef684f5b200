/** Calls, loops and branches. Bodies become regions; constants of a body become captures. */
import type { ValueId } from "@gridfuse/graph";
import { Body } from "../body.ts";
import type { Rule } from "../importing.ts";
import { alignCaptures, NOTHING, type Scope } from "../scope.ts";
import type { Rules } from "./table.ts";

const call: Rule = Object.assign(
  (body: Body, args: readonly ValueId[], { jaxpr }: { jaxpr: number }) => body.call(jaxpr, args),
  { isCall: true as const },
);

interface ScanParams {
  readonly jaxpr: number;
  readonly nc: number;
  readonly nk: number;
  readonly length: number;
  readonly reverse?: boolean;
}

/** Positions of the values that exist here; tokens do not. */
const present = (values: readonly ValueId[]): readonly number[] =>
  values.flatMap((value, i) => (value === NOTHING ? [] : [i]));

/** `values` at the places `at`, nothing elsewhere. */
function placed(count: number, at: readonly number[], values: readonly ValueId[]): ValueId[] {
  const all = Array<ValueId>(count).fill(NOTHING);
  for (const [i, place] of at.entries()) all[place] = values[i] as ValueId;
  return all;
}

const scan: Rule = (body, args, { jaxpr, nc, nk, length, reverse = false }: ScanParams, eqn) => {
  const consts = args.slice(0, nc);
  const carry = args.slice(nc, nc + nk);
  const xs = args.slice(nc + nk);
  if (length === 0) {
    // JAX traces the bodies of loops that never run.
    const ys = (eqn.o ?? []).slice(nk).map((v, i) => {
      if (v === null) return NOTHING;
      const { dtype, shape } = body.resultType(eqn, nk + i);
      return body.full(dtype, shape, 0);
    });
    return [...carry, ...ys];
  }
  const kept = present(carry);
  const inner = body.scope.inside();
  const type = (value: ValueId) => body.e.table.types[value]!;
  inner.param({ kind: "tensor", dtype: "int32", shape: [] });
  const carried = kept.map((i) => inner.param(type(carry[i] as ValueId)));
  const rows = xs.map((x) => {
    const { dtype, shape } = body.e.type(x);
    return inner.param({ kind: "tensor", dtype, shape: shape.slice(1) });
  });
  const captured = consts.map((value) => inner.capture(value));
  const results = new Body(body.importing, inner).run(jaxpr, [
    ...captured,
    ...placed(nk, kept, carried),
    ...rows,
  ]);
  inner.region.results.push(...kept.map((i) => results[i] as ValueId), ...results.slice(nk));
  const captures = alignCaptures([inner]);
  const outputs = body.e.emitAll(
    "scan",
    [...kept.map((i) => carry[i] as ValueId), ...xs, ...captures],
    { trips: length, carries: kept.length, xs: xs.length, reverse },
    [inner.region],
  );
  return [...placed(nk, kept, outputs), ...outputs.slice(kept.length)];
};

interface WhileParams {
  readonly cond: number;
  readonly cnc: number;
  readonly body: number;
  readonly bnc: number;
}

/**
 * A loop that was batched has a condition for each lane: it goes on while any lane does, and a lane that
 * is done keeps what it has.
 */
const whileLoop: Rule = (body, args, p: WhileParams) => {
  const carry = args.slice(p.cnc + p.bnc);
  const kept = present(carry);
  const start = kept.map((i) => carry[i] as ValueId);
  const open = (): readonly [Scope, ValueId[]] => {
    const scope = body.scope.inside();
    return [scope, start.map((value) => scope.param(body.e.table.types[value]!))];
  };
  const proceed = (scope: Scope, carried: readonly ValueId[]): ValueId => {
    const consts = args.slice(0, p.cnc).map((value) => scope.capture(value));
    const all = placed(carry.length, kept, carried);
    return new Body(body.importing, scope).run(p.cond, [...consts, ...all])[0] as ValueId;
  };
  const [condition, tested] = open();
  const goesOn = proceed(condition, tested);
  const lanes = condition.e.shape(goesOn).length > 0;
  const axes = condition.e.shape(goesOn).map((_, d) => d);
  condition.region.results.push(lanes ? condition.e.emit("reduce_or", [goesOn], { axes }) : goesOn);
  const [inside, carried] = open();
  const consts = args.slice(p.cnc, p.cnc + p.bnc).map((value) => inside.capture(value));
  const results = new Body(body.importing, inside).run(p.body, [
    ...consts,
    ...placed(carry.length, kept, carried),
  ]);
  let next = kept.map((i) => results[i] as ValueId);
  if (lanes) next = keepDone(inside, proceed(inside, carried), carried, next);
  inside.region.results.push(...next);
  const captures = alignCaptures([condition, inside]);
  const outputs = body.e.emitAll("while", [...start, ...captures], { carries: kept.length }, [
    condition.region,
    inside.region,
  ]);
  return placed(carry.length, kept, outputs);
};

function keepDone(
  { e }: Scope,
  goesOn: ValueId,
  before: readonly ValueId[],
  after: readonly ValueId[],
): ValueId[] {
  return after.map((value, i) => {
    const shape = e.shape(value);
    const which = e.broadcastInDim(
      goesOn,
      shape,
      e.shape(goesOn).map((_, d) => d),
    );
    return e.emit("select_n", [which, before[i] as ValueId, value], {});
  });
}

const branch: Rule = (body, [which, ...args], { branches }: { branches: readonly number[] }) => {
  const dtype = body.dtype(which as ValueId);
  const index = dtype === "bool" ? which : body.e.convert(which as ValueId, "int32");
  let count = 0;
  const scopes = branches.map((jaxpr) => {
    const scope = body.scope.inside();
    const results = new Body(body.importing, scope).run(
      jaxpr,
      args.map((value) => scope.capture(value)),
    );
    count = results.length;
    scope.region.results.push(...results);
    return scope;
  });
  const first = (scopes[0] as Scope).region.results;
  const kept = present(first);
  for (const { region } of scopes) {
    const results = kept.map((i) => region.results[i] as ValueId);
    region.results.length = 0;
    region.results.push(...results);
  }
  const captures = alignCaptures(scopes);
  const outputs = body.e.emitAll(
    "cond",
    [index as ValueId, ...captures],
    {},
    scopes.map(({ region }) => region),
  );
  return placed(count, kept, outputs);
};

/** Which of the lists has this platform: JAX's name for it is cpu. */
const platformIndex: Rule = (
  body,
  _,
  { platforms }: { platforms: readonly (readonly string[] | null)[] },
) => {
  const own = platforms.findIndex((names) => names?.includes("cpu") === true);
  const index = own >= 0 ? own : platforms.indexOf(null);
  return body.full("int32", [], Math.max(0, index));
};

export const control: Rules = {
  "core:call": call,
  "core:jit": call,
  "core:closed_call": call,
  "lax:scan": scan,
  "lax:while": whileLoop,
  "lax:cond": branch,
  "lax:platform_index": platformIndex,
};
