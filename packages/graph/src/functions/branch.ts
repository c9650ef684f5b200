/** Branches: `cond` and `switchCase`. All branches are traced; one of them runs. */
import { BuildError } from "@gridfuse/plan/errors";
import type { DType } from "@gridfuse/plan/scalar";
import type { Region, ValueId } from "../ir/table.ts";
import { sameShape, type TensorType } from "../ir/types.ts";
import { commonDType, tensorOf, valueFor } from "../operand.ts";
import { flatten, type Returned, type Traced, type TracedAll, type Tree } from "../pytree.ts";
import { runIn, type Scope, traced } from "../scope.ts";
import { isTensor, type Operand, type Tensor } from "../tensor.ts";
import { clamp } from "./elementwise.ts";
import {
  alignCaptures,
  integerScalar,
  leafIds,
  requireStructure,
  scalarCondition,
  show,
  treeOfParams,
  typesOf,
} from "./regions.ts";

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
