export * from "./ir/emit.ts";
export * from "./ir/table.ts";
export * from "./ir/types.ts";
export * from "./ir/vocabulary.ts";
export * from "./languages.ts";
export * from "./ops/define.ts";
export * from "./ops/table.ts";
