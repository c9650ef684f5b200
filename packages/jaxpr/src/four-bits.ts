/**
 * int4 and uint4, which have no dtype here: held in eight bits, the upper four repeating the sign or zero. NumPy's
 * arrays of them leave the upper bits zero, so what comes from outside is brought to this form.
 */
import type { ValueId } from "@gridfuse/graph";
import type { WireDType } from "./format.ts";
import type { Scope } from "./scope.ts";

/** `value` with its upper four bits set from the lower ones, where `wire` has four bits. */
export function fourBits(scope: Scope, value: ValueId, wire: WireDType): ValueId {
  if (wire !== "i4" && wire !== "u4") return value;
  const { e } = scope;
  const four = scope.full(e.dtype(value), e.shape(value), 4);
  const raised = e.emit("shift_left", [value, four], {});
  const lower = wire === "i4" ? "shift_right_arithmetic" : "shift_right_logical";
  return e.emit(lower, [raised, four], {});
}
