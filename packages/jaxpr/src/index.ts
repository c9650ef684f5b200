export { codes, type ErrorCodeEntry } from "./error-codes.ts";
export { type ImportOptions, importJaxpr, importProgram } from "./import.ts";
export { inspectJaxpr, type JaxprSummary, type PrimitiveUse } from "./inspect.ts";
export { knownPrimitives } from "./primitives/table.ts";
