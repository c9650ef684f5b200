export * from "./affine.ts";
export * from "./expr.ts";
export * from "./meaning.ts";
