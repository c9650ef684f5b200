/**
 * gridfuse: kernels, graphs, compiler, plans and executors in one import. A production process that only
 * runs plans imports `@gridfuse/plan` and one executor instead.
 */
export {
  type CpuExecutable,
  type CpuExecutor,
  type CpuOptions,
  compileNative,
  cpu,
  cpuSync,
} from "@gridfuse/exec-cpu";
export { type GpuExecutable, type WebGpuSource, webgpu } from "@gridfuse/exec-gpu";
export * from "@gridfuse/graph";
export {
  type ImportOptions,
  importJaxpr,
  inspectJaxpr,
  type JaxprSummary,
  type PrimitiveUse,
} from "@gridfuse/jaxpr";
export {
  type CompileOptions,
  compile,
  type KernelReport,
  type PlanReport,
  report,
} from "@gridfuse/passes";
export {
  BuildError,
  bf16,
  bool,
  CapabilityError,
  CompileError,
  DisposedError,
  decoded,
  decodePlan,
  type ErrorDetails,
  type Executable,
  type ExecutionReport,
  type Executor,
  f16,
  f32,
  f64,
  type HostTensor,
  i8,
  i16,
  i32,
  i64,
  type LoadLimits,
  type LoadOptions,
  loadPlan,
  OutOfMemoryError,
  type Plan,
  PlanCorrupt,
  type PlanDebug,
  PlanError,
  PlanFileError,
  PlanInvalid,
  PlanNotCanonical,
  type PlanOutput,
  type PlanPort,
  PlanTooLarge,
  PlanUndecoded,
  PlanUntrusted,
  PlanVersionUnsupported,
  type PrepareOptions,
  type RunInput,
  type RunInputs,
  type RunOptions,
  type RunOutputs,
  type SourceLocation,
  type Trust,
  u8,
  u16,
  u32,
  u64,
  verifyPlan,
  version,
} from "@gridfuse/plan";
export {
  type CacheMode,
  type CacheStats,
  cacheKey,
  PlanCache,
  type PlanCacheOptions,
} from "@gridfuse/plan/cache";
export {
  type EncodeOptions,
  encodePlan,
  type NativeCode,
  planId,
  savePlan,
} from "@gridfuse/plan/encode";
export { codes } from "./codes.ts";
export type { ErrorCode } from "./error-codes.ts";
