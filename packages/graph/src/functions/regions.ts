/**
 * What branches and loops share: bodies traced as regions, with the same captures where one node owns
 * several, and results checked against what they have to be.
 */
import { BuildError } from "@gridfuse/plan/errors";
import type { ValueId } from "../ir/table.ts";
import { formatShape, sameShape, type TensorType } from "../ir/types.ts";
import { tensorOf, valueFor } from "../operand.ts";
import type { Flat, Tree } from "../pytree.ts";
import type { Scope } from "../scope.ts";
import { isTensor, type Operand, type Tensor } from "../tensor.ts";
import { ne } from "./elementwise.ts";

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

export const leafIds = (scope: Scope, name: string, flat: Flat): readonly ValueId[] =>
  flat.leaves.map((leaf) => valueFor(scope, name, leaf));

/** Params for the leaves, as the tree that a body receives. */
export function treeOfParams(body: Scope, flat: Flat, types: readonly TensorType[]): Tree {
  const params = types.map((type, i) => tensorOf(body, body.param(type, flat.paths[i])));
  return flat.rebuild(params);
}

export const typesOf = (scope: Scope, ids: readonly ValueId[]): readonly TensorType[] =>
  ids.map((id) => scope.table.tensor(id));

export const show = ({ dtype, shape }: TensorType): string => `${dtype}${formatShape(shape)}`;

/** Results of a body under the types it has to give. Literals adopt the dtype. */
export function returnAs(
  body: Scope,
  name: string,
  returned: Flat,
  carry: Flat,
  types: readonly TensorType[],
): readonly ValueId[] {
  return returned.leaves.map((leaf, i) => {
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

export function requireStructure(name: string, got: Flat, wanted: Flat): void {
  if (got.structure === wanted.structure) return;
  throw new BuildError("GF2404", `${name} returns ${got.structure} for ${wanted.structure}`, {
    expected: wanted.structure,
    received: got.structure,
    help: "return the same arrays and records that come in, with every entry",
  });
}
