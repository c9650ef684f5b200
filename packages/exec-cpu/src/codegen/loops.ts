/** Counted loops. */
import type { Push } from "../wasm/scalar-ops.ts";
import type { Nest } from "./nest.ts";

/**
 * Runs `body`, one level down, while `local` (set before) leaves room for `step` more before the end.
 *
 * @param end a constant, or a local; `certain` says that the first round always happens
 */
export function blockLoop(
  nest: Nest,
  local: number,
  step: number,
  end: { readonly constant: number } | { readonly local: number },
  certain: boolean,
  body: () => void,
): void {
  const { code } = nest;
  const inner = nest.nested(body);
  const pushRoom: Push = (into) => {
    into.get(local);
    if ("constant" in end) {
      into.i32(end.constant - step + 1).op("i32.lt_u");
    } else {
      if (step > 1) into.i32(step).op("i32.add");
      into.get(end.local).op(step > 1 ? "i32.le_u" : "i32.lt_u");
    }
  };
  if (!certain) {
    pushRoom(code);
    code.if();
  }
  code.loop().append(inner);
  code.get(local).i32(step).op("i32.add").set(local);
  pushRoom(code);
  code.brIf(0).end();
  if (!certain) code.end();
}
