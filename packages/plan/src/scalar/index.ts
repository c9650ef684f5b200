export * from "../bits.ts";
export * from "../dtype.ts";
export * from "./builder.ts";
export * from "./evaluate.ts";
export * from "./lanes.ts";
export * as math from "./math/index.ts";
export * from "./node.ts";
