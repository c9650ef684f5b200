export * from "./compile.ts";
export { codes } from "./error-codes.ts";
export * from "./lower.ts";
export * from "./report.ts";
