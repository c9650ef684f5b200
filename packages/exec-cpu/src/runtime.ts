/**
 * All that a production process needs: plan files and the CPU executor. The build bundles it in pieces: what
 * starts a plan with native code that the process trusts, a few tens of kilobytes, and what verifies a plan and makes
 * code of it, loaded when a plan asks for it. Because that is loaded, nothing here prepares at once;
 * `@gridfuse/exec-cpu/standalone` is everything in one file.
 */
import { type AsyncCpuExecutor, type CpuOptions, Preparation } from "./prepare.ts";

export * from "@gridfuse/plan/runtime";
export type { CpuExecutable } from "./executable.ts";
export type { AsyncCpuExecutor, CpuOptions } from "./prepare.ts";

/**
 * @throws CapabilityError GF5005 where `backend` is "wasm" and the host has no WebAssembly
 */
export async function cpu(options: CpuOptions = {}): Promise<AsyncCpuExecutor> {
  return new Preparation(options, {
    wasm: () => import("./wasm-backend.ts"),
    js: () => import("./js/engine.ts"),
  });
}
