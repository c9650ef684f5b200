/** The examples as others use them: the benchmarks, and pages of the site. */
export * from "./check.ts";
export * from "./example.ts";
export * from "./examples.ts";
export { meetsExpectation } from "./expectations.ts";
export { suite } from "./kernels/index.ts";
export { tileSort, wholeSort } from "./kernels/tile-sort.ts";
export { measureShippedSort, type Production } from "./shipped-sort.ts";
export { median, quantile } from "./statistics.ts";
