/**
 * All that a production process needs, in one module: plan files and the CPU executor. The build also
 * bundles it into a single file, because a process that loads a hundred small modules has started
 * before it has done anything.
 */
export * from "@gridfuse/plan";
export * from "./index.ts";
