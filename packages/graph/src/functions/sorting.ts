/**
 * Sorting. The order is lax's: −0 equals +0, NaNs come last. Descending order turns the operands round
 * before and after, so that it is stable and treats NaNs as the mirror image.
 */
import { BuildError } from "@gridfuse/plan/errors";
import { tensorOf } from "../operand.ts";
import { checked, type OptionNames } from "../options.ts";
import { type Scope, traced } from "../scope.ts";
import { isTensor, type Tensor } from "../tensor.ts";
import { iota } from "./create.ts";
import { flip, moveaxis } from "./movement.ts";
import { frontAxis } from "./reduction.ts";

export interface SortOptions {
  /** The last one where absent. */
  readonly axis?: number;
  readonly descending?: boolean;
  /** Equal keys keep their order; true by default. */
  readonly stable?: boolean;
}
export interface SortManyOptions extends SortOptions {
  /** How many of the operands are compared, in order; the others are carried along. 1 by default. */
  readonly numKeys?: number;
}
const sortOptions: OptionNames<SortOptions> = { axis: true, descending: true, stable: true };
const sortManyOptions: OptionNames<SortManyOptions> = { ...sortOptions, numKeys: true };

function sortAll(
  scope: Scope,
  name: string,
  operands: readonly Tensor[],
  { axis = -1, descending = false, stable = true, numKeys = 1 }: SortManyOptions,
): readonly Tensor[] {
  const [first] = operands;
  if (first === undefined) {
    throw new BuildError("GF2311", `${name} of no tensors`, { help: "pass at least one key" });
  }
  const dimension = frontAxis(name, axis, first.ndim);
  const turn = (x: Tensor): Tensor => (descending ? (flip(x, dimension) as Tensor) : x);
  // Without stability there is nothing to keep in order: one turn at the end is enough.
  const inputs = operands.map((x) => scope.resolve(stable ? turn(x) : x));
  const params = { dimension, keys: numKeys, stable };
  return scope.emitter.emitAll("sort", inputs, params).map((id) => turn(tensorOf(scope, id)));
}

/** Elements in order along an axis; several operands are sorted together by the first keys. */
export function sort<T extends Tensor>(x: T, options?: SortOptions): Tensor<T["dtype"], T["shape"]>;
export function sort(operands: readonly Tensor[], options?: SortManyOptions): readonly Tensor[];
export function sort(
  given: Tensor | readonly Tensor[],
  options: SortManyOptions = {},
): Tensor | readonly Tensor[] {
  return traced("sort", (scope) => {
    if (isTensor(given)) {
      return sortAll(scope, "sort", [given], checked("sort", options, sortOptions))[0] as Tensor;
    }
    return sortAll(scope, "sort", given, checked("sort", options, sortManyOptions));
  });
}

/** Indices that sort an axis. */
export function argsort<T extends Tensor>(
  x: T,
  options: SortOptions = {},
): Tensor<"int32", T["shape"]> {
  return traced("argsort", (scope) => {
    const { axis = -1 } = checked("argsort", options, sortOptions);
    const along = frontAxis("argsort", axis, x.ndim);
    const places = iota("int32", x.shape, along) as Tensor;
    return sortAll(scope, "argsort", [x, places], options)[1];
  }) as Tensor<"int32", T["shape"]>;
}

export interface TopKOptions {
  /** The last one where absent. */
  readonly axis?: number;
}
const topKOptions: OptionNames<TopKOptions> = { axis: true };
/** The k greatest along an axis in descending order, and where they stand; ties keep their order. */
export function topK(
  x: Tensor,
  k: number,
  options: TopKOptions = {},
): { readonly values: Tensor; readonly indices: Tensor<"int32"> } {
  return traced("topK", (scope) => {
    const { axis = -1 } = checked("topK", options, topKOptions);
    const along = frontAxis("topK", axis, x.ndim);
    const last = x.ndim - 1;
    const moved = moveaxis(x, along, last);
    const found = scope.emitter
      .emitAll("top_k", [moved.id], { k })
      .map((id) => moveaxis(tensorOf(scope, id), last, along));
    const [values, indices] = found as [Tensor, Tensor<"int32">];
    return { values, indices };
  });
}
