/** Reductions, running reductions, sorting. */
import type { OpName, ValueId } from "@gridfuse/graph";
import type { Body } from "../body.ts";
import { dtypeOf } from "../dtypes.ts";
import type { Eqn, WireDType } from "../format.ts";
import type { Rule } from "../importing.ts";
import type { Rules } from "./table.ts";

type Reduction = Extract<OpName, `reduce_${"sum" | "prod" | "max" | "min" | "and" | "or" | "xor"}`>;

/** On bool, sums and maxima are `or`, products and minima `and`. */
const logic: { readonly [K in Reduction]?: Reduction } = {
  reduce_max: "reduce_or",
  reduce_min: "reduce_and",
  reduce_sum: "reduce_or",
  reduce_prod: "reduce_and",
};

function emitReduction(body: Body, op: Reduction, x: ValueId, axes: readonly number[]): ValueId {
  if (axes.length === 0) return x;
  const name = body.dtype(x) === "bool" ? (logic[op] ?? op) : op;
  return body.e.emit(name, [x], { axes: [...axes].sort((a, b) => a - b) });
}

const reduction =
  (op: Reduction): Rule =>
  (body, [x], { axes }: { axes: readonly number[] }) =>
    emitReduction(body, op, x as ValueId, axes);

const extreme =
  (op: "argmax" | "argmin"): Rule =>
  (body, [x], { axes, d }: { axes: readonly number[]; d: WireDType }, eqn) => {
    if (axes.length !== 1) throw body.unsupported(eqn, `${axes.length} axes at once`);
    const value = body.dtype(x as ValueId) === "bool" ? body.e.convert(x as ValueId, "int8") : x;
    return body.e.emit(op, [value as ValueId], {
      axis: axes[0] as number,
      indexDType: dtypeOf(d),
    });
  };

const running =
  (op: "cumsum" | "cumprod" | "cummax" | "cummin" | "cumlogsumexp"): Rule =>
  (body, [x], { axis, rev }: { axis: number; rev?: boolean }) =>
    body.e.emit(op, [x as ValueId], { axis, reverse: rev ?? false });

/** What the one equation of a reducer's body says, where it is a reduction that has a name. */
const monoids: { readonly [p: string]: Reduction } = {
  add: "reduce_sum",
  mul: "reduce_prod",
  max: "reduce_max",
  min: "reduce_min",
  and: "reduce_and",
  or: "reduce_or",
  xor: "reduce_xor",
};

function generalReduction(
  body: Body,
  args: readonly ValueId[],
  p: { readonly jaxpr: number; readonly dimensions: readonly number[] },
  eqn: Eqn,
): ValueId {
  const { eqns } = body.importing.jaxpr(p.jaxpr);
  const op = eqns.length === 1 ? monoids[eqns[0]?.p ?? ""] : undefined;
  if (op === undefined || args.length !== 2) throw body.unsupported(eqn, "this reducer");
  const [x, init] = args as [ValueId, ValueId];
  const reduced = emitReduction(body, op, x, p.dimensions);
  const name = op.slice("reduce_".length).replace("sum", "add").replace("prod", "mul") as "add";
  return body.e.emit(name, [reduced, body.e.broadcastTo(init, body.shape(reduced))], {});
}

function topK(
  body: Body,
  x: ValueId,
  { k, axis }: { k: number; axis?: number },
): readonly ValueId[] {
  const rank = body.shape(x).length;
  const along = axis === undefined ? rank - 1 : (axis + rank) % rank;
  if (along === rank - 1) return body.e.emitAll("top_k", [x], { k });
  const last = body.shape(x).map((_, d) => (d === along ? rank - 1 : d === rank - 1 ? along : d));
  return body.e
    .emitAll("top_k", [body.e.transpose(x, last)], { k })
    .map((result) => body.e.transpose(result, last));
}

export const reductions: Rules = {
  "lax:reduce_sum": reduction("reduce_sum"),
  "lax:reduce_prod": reduction("reduce_prod"),
  "lax:reduce_max": reduction("reduce_max"),
  "lax:reduce_min": reduction("reduce_min"),
  "lax:reduce_and": reduction("reduce_and"),
  "lax:reduce_or": reduction("reduce_or"),
  "lax:reduce_xor": reduction("reduce_xor"),
  "lax:reduce": (body, args, p: Parameters<typeof generalReduction>[2], eqn) =>
    generalReduction(body, args, p, eqn),
  "lax:argmax": extreme("argmax"),
  "lax:argmin": extreme("argmin"),
  "lax:cumsum": running("cumsum"),
  "lax:cumprod": running("cumprod"),
  "lax:cummax": running("cummax"),
  "lax:cummin": running("cummin"),
  "lax:cumlogsumexp": running("cumlogsumexp"),
  "lax:sort": (body, args, p: { dim: number; stable?: boolean; nkeys: number }) =>
    body.e.emitAll("sort", args, {
      dimension: p.dim,
      keys: p.nkeys,
      stable: p.stable ?? true,
    }),
  "lax:top_k": (body, [x], p: Parameters<typeof topK>[2]) => topK(body, x as ValueId, p),
};
