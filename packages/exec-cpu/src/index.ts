/** `@gridfuse/exec-cpu`: plan in, results out, on the CPU. */
export { codes } from "./error-codes.ts";
export type { CpuExecutable } from "./executable.ts";
export { type CpuExecutor, type CpuOptions, cpu, cpuSync } from "./executor.ts";
