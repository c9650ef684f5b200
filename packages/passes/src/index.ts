export * from "./compile.ts";
export { counted } from "./counted.ts";
export { codes } from "./error-codes.ts";
export * from "./lower.ts";
export {
  countSteps,
  type PassLevel,
  type PassObserver,
  type PassRecord,
  type RegionPass,
  type StepPass,
} from "./pipeline.ts";
export { type Accesses, accessesOf } from "./plan/accesses.ts";
export * from "./print-plan.ts";
export * from "./report.ts";
export { defaultBudget, type TileBudget } from "./tile/trips.ts";
