export * from "./exponential.ts";
export * from "./hyperbolic.ts";
export * from "./inverse-trigonometric.ts";
export * from "./logarithm.ts";
export * from "./power.ts";
export * from "./rounding.ts";
export * from "./trigonometric.ts";
