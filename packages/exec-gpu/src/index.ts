/**
 * The WebGPU executor.
 */
export { codes } from "./error-codes.ts";
export type { GpuExecutable } from "./executable.ts";
export { GpuExecutor, type WebGpuSource, webgpu } from "./executor.ts";
