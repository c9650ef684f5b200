export * from "./lower.ts";
export * from "./report.ts";
