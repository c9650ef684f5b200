/**
 * What an executor needs to start a plan and to run it, and nothing that a plan without native code would need besides:
 * no decoder, no verifier, no expression languages.
 */
export { userCacheDirectory } from "./cache-directory.ts";
export * from "./dtype.ts";
export * from "./errors.ts";
export { checkPrepareOptions, checkRunOptions } from "./executor-options.ts";
export { builtin } from "./host.ts";
export { checkShape, misshapen, type Shape } from "./json-shape.ts";
export { decoded, type NativeUse, nativeOf, unused } from "./native.ts";
export type { NativeCode, NativePart } from "./native-section.ts";
export * from "./plan-errors.ts";
export { requirePlan, resolveInputs, resolveOutputs } from "./run-io.ts";
