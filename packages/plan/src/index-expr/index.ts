export * from "./affine.ts";
export * from "./expr.ts";
