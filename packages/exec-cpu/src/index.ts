/** `@gridfuse/exec-cpu`: plan in, results out, on the CPU. */
export { codes } from "./error-codes.ts";
export type { CpuExecutable } from "./executable.ts";
export { type CpuExecutor, cpu, cpuSync } from "./executor.ts";
export { compileNative } from "./native-compile.ts";
export type { AsyncCpuExecutor, CpuOptions } from "./prepare.ts";
