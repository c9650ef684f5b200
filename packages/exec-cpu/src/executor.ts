/** The CPU executor: WebAssembly with SIMD, or plain typed-array JS where there is none. */
import { CapabilityError, type Plan, type PrepareOptions } from "@gridfuse/plan";
import { checkPrepareOptions, checkRunOptions, requirePlan } from "@gridfuse/plan/executor";
import { hasRelaxedSimd } from "./codegen/relaxed-simd.ts";
import type { Engine } from "./engine.ts";
import type { CheckRun, CpuExecutable } from "./executable.ts";
import { jsEngine } from "./js/engine.ts";
import { codeFeatures, relaxedFeature } from "./native.ts";
import { checked, cpuOptions, ofCompile } from "./options.ts";
import {
  type AsyncCpuExecutor,
  type Backends,
  type CpuOptions,
  Preparation,
  printing,
} from "./prepare.ts";
import * as wasm from "./wasm-backend.ts";
import { startProgramSync } from "./wasm-engine.ts";
import { WideCpu } from "./wide/executor.ts";

export interface CpuExecutor extends AsyncCpuExecutor {
  /** Like `prepare`, at once. Some browsers refuse this for large plans on their main thread. */
  prepareSync(plan: Plan, options?: PrepareOptions): CpuExecutable;
}

/**
 * @throws CapabilityError GF5005 where `backend` is "wasm" and the host has no WebAssembly (`prepare` throws it where a page's
 *   policy forbids to compile any), GF5007 for options there are not,
 *   GF5013 where `backend` is "native" and there is no C compiler, or the host cannot load what it makes, GF5015 where `simd` is "wide" and
 *   V8 does not join vectors
 */
export async function cpu(options: CpuOptions = {}): Promise<CpuExecutor> {
  checked("cpu", options, cpuOptions, ofCompile);
  if (options.backend === "native") return (await import("./c/executor.ts")).nativeCpu(options);
  return cpuSync(options);
}

/** Like `cpu`, at once. @throws CapabilityError GF5013 for `backend: "native"`, which has to be loaded */
export function cpuSync(options: CpuOptions = {}): CpuExecutor {
  checked("cpuSync", options, cpuOptions, ofCompile);
  if (options.backend === "native") {
    throw new CapabilityError(
      "GF5013",
      "cpuSync has no native backend: it would have to be loaded",
      {
        path: "backend",
        help: 'Use await cpu({ backend: "native" }); what it gives has a prepareSync.',
      },
    );
  }
  if (options.simd === "wide") return new WideCpu(options);
  return new Cpu(options, { wasm: async () => wasm, js: async () => ({ jsEngine }) });
}

class Cpu extends Preparation implements CpuExecutor {
  protected override readonly nativeFeatures: readonly string[];
  protected override readonly checkRun: CheckRun = checkRunOptions;

  constructor(options: CpuOptions, backends: Backends) {
    super(options, backends);
    const isFast = options.precision === "fast" && hasRelaxedSimd();
    this.nativeFeatures = isFast ? [...codeFeatures, relaxedFeature] : codeFeatures;
  }

  override async prepare(plan: Plan, options: PrepareOptions = {}): Promise<CpuExecutable> {
    requirePlan(plan);
    checkPrepareOptions(options);
    return super.prepare(plan, options);
  }

  prepareSync(plan: Plan, options: PrepareOptions = {}): CpuExecutable {
    requirePlan(plan);
    checkPrepareOptions(options);
    options.signal?.throwIfAborted();
    const engineOptions = printing(this.engineOptions(options), wasm);
    const native = this.native(plan, engineOptions);
    let engine: Engine;
    try {
      if (typeof native === "object") engine = startProgramSync(native, engineOptions);
      else if (this.isJs) engine = jsEngine(plan, engineOptions);
      else {
        const program = this.programOf(plan, engineOptions, wasm);
        engine = startProgramSync(program, engineOptions, this.crews);
      }
    } catch (error) {
      if (!this.doesWithout(error)) throw error;
      return this.prepareSync(plan, options);
    }
    options.onProgress?.(1, 1);
    return this.prepared(plan, engine, native);
  }
}
