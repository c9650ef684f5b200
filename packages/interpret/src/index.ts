/** The reference interpreter of gridfuse programs, and comparisons of what it gives. */

export * from "./comparison.ts";
export type { InterpretOptions, RefCell, Value } from "./context.ts";
export { newRef } from "./context.ts";
export { Environment } from "./environment.ts";
export { codes } from "./error-codes.ts";
export { evaluateNode } from "./evaluate.ts";
export { fillBits } from "./grid/blocks.ts";
export { interpret, interpretRegion } from "./interpret.ts";
export { fold } from "./ops/reductions.ts";
export { formatTensor } from "./print.ts";
export { filled, type HostTensor, scalarOf, tensorOf, valuesOf } from "./tensor.ts";
