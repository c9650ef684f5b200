/**
 * Integers of two and four bits, which have no dtype here: held in eight bits, the upper ones repeating the sign or
 * zero. NumPy's arrays of them leave the upper bits zero, so what comes from outside is brought to this form; so
 * is what arithmetic leaves, as it wraps.
 */
import type { ValueId } from "@gridfuse/graph";
import type { WireDType } from "./format.ts";
import type { Scope } from "./scope.ts";

interface FewBits {
  readonly bits: number;
  readonly signed: boolean;
}

const kinds: { readonly [name: WireDType]: FewBits | undefined } = {
  i2: { bits: 2, signed: true },
  u2: { bits: 2, signed: false },
  i4: { bits: 4, signed: true },
  u4: { bits: 4, signed: false },
};

export const hasFewBits = (wire: WireDType): boolean => kinds[wire] !== undefined;

/** Least and greatest integer of a dtype; undefined where it has bits enough of its own. */
export function rangeOf(wire: WireDType): readonly [least: number, greatest: number] | undefined {
  const kind = kinds[wire];
  if (kind === undefined) return undefined;
  const count = 2 ** kind.bits;
  return kind.signed ? [-count / 2, count / 2 - 1] : [0, count - 1];
}

/** `value` with its upper bits set from the lower ones, where `wire` has fewer than eight. */
export function wrapped(scope: Scope, value: ValueId, wire: WireDType): ValueId {
  const kind = kinds[wire];
  if (kind === undefined) return value;
  const { e } = scope;
  const spare = scope.full(e.dtype(value), e.shape(value), 8 - kind.bits);
  const raised = e.emit("shift_left", [value, spare], {});
  const lower = kind.signed ? "shift_right_arithmetic" : "shift_right_logical";
  return e.emit(lower, [raised, spare], {});
}
