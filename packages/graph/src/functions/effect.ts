/** Effects: what a program does besides computing its outputs. */
import { valueFor } from "../operand.ts";
import { traced } from "../scope.ts";
import type { Operand } from "../tensor.ts";

/** Prints a line when the program runs; each `{}` is one value. */
export function debugPrint(format: string, ...values: readonly Operand[]): void {
  traced("debugPrint", (scope) => {
    const ids = values.map((value) => valueFor(scope, "debugPrint", value));
    scope.emitter.emitAll("debug_print", ids, { format, batch: 0, masked: false });
  });
}
