export * from "./exponential.ts";
export * from "./logarithm.ts";
export * from "./rounding.ts";
export * from "./trigonometric.ts";
