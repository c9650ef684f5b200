/** What a rewrite rule of `canonicalise` is, what it is given, and what most of them ask. */
import type { Emitter, NodeNamed, OpName, Region, ValueId } from "@gridfuse/graph";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import { type Bits, toBits } from "@gridfuse/plan/scalar";

export interface RuleContext {
  readonly e: Emitter;
  readonly known: ReadonlyMap<ValueId, IndexExpr>;
  /** Appends the simplified nodes of a region with its params bound; gives its results. */
  splice(region: Region, args: readonly ValueId[]): readonly ValueId[];
}

export type Result = readonly ValueId[] | undefined;
export type Rule<K extends OpName> = (
  context: RuleContext,
  node: NodeNamed<K>,
  inputs: readonly ValueId[],
) => Result;

/** Bits of a value that is the same everywhere, or undefined. */
export function splatBits(e: Emitter, value: ValueId): Bits | undefined {
  const node = e.table.producer(value);
  return node?.op === "full" ? node.params.bits : undefined;
}

export const isSplatOf = (
  e: Emitter,
  value: ValueId,
  scalar: number | bigint | boolean,
): boolean => {
  const bits = splatBits(e, value);
  return bits !== undefined && sameBits(bits, toBits(e.dtype(value), scalar));
};

export const fullLike = (e: Emitter, like: ValueId, bits: Bits): ValueId => {
  const { dtype, shape } = e.type(like);
  return e.emit("full", [], { dtype, shape, bits });
};

export const sameBits = (a: Bits, b: Bits): boolean => a.lo === b.lo && a.hi === b.hi;

export function isEmpty(e: Emitter, value: ValueId): boolean {
  const type = e.table.types[value];
  if (type?.kind !== "tensor") return false;
  const { shape } = type;
  for (let d = 0; d < shape.length; d += 1) if (shape[d] === 0) return true;
  return false;
}
