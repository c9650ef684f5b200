export * from "./bits.ts";
export * from "./dtype.ts";
export * from "./errors.ts";
export * from "./executor.ts";
export { decodePlan, type LoadLimits, type LoadOptions, loadPlan } from "./load.ts";
export * from "./plan.ts";
export * from "./plan-errors.ts";
export { formatPrintLines, resolveInputs, resolveOutputs } from "./run-io.ts";
export { verifyPlan } from "./verify/verify.ts";
