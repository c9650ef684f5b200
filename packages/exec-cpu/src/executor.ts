/** The CPU executor: WebAssembly with SIMD, or plain typed-array JS where there is none. */
import { CapabilityError, type Executor, type Plan, type PrepareOptions } from "@gridfuse/plan";
import type { Engine, EngineOptions } from "./engine.ts";
import { type CpuExecutable, PreparedPlan } from "./executable.ts";
import { jsEngine } from "./js/engine.ts";
import { hasWasm, wasmEngine, wasmEngineSync } from "./wasm-engine.ts";

export interface CpuOptions {
  /** Default "auto": WebAssembly where the host has it. */
  readonly backend?: "auto" | "wasm" | "js";
  readonly threads?: 1;
  /** Most bytes that one prepared plan may take; default what 32-bit addresses reach. */
  readonly maxBytes?: number;
  /** Most iterations of any `while`, whatever its plan allows. */
  readonly maxFuel?: number;
}

export interface CpuExecutor extends Executor {
  /**
   * @throws OutOfMemoryError GF5001, GF5002
   */
  prepare(plan: Plan, options?: PrepareOptions): Promise<CpuExecutable>;
  /** Like `prepare`, at once. Some browsers refuse this for large plans on their main thread. */
  prepareSync(plan: Plan, options?: PrepareOptions): CpuExecutable;
}

/**
 * @throws CapabilityError GF5005 where `backend` is "wasm" and the host has no WebAssembly
 */
export async function cpu(options: CpuOptions = {}): Promise<CpuExecutor> {
  return cpuSync(options);
}

/** Like `cpu`, at once. */
export function cpuSync(options: CpuOptions = {}): CpuExecutor {
  const wanted = options.backend ?? "auto";
  const available = hasWasm();
  if (wanted === "wasm" && !available) {
    throw new CapabilityError("GF5005", "this host has no WebAssembly", {
      expected: "wasm",
      help: 'Use backend "auto" or "js".',
    });
  }
  const notes = wanted === "auto" && !available ? ["js, because this host has no WebAssembly"] : [];
  return new Cpu(options, wanted === "js" || !available, notes);
}

class Cpu implements CpuExecutor {
  readonly name = "cpu";
  readonly #options: CpuOptions;
  readonly #js: boolean;
  readonly #notes: readonly string[];

  constructor(options: CpuOptions, js: boolean, notes: readonly string[]) {
    this.#options = options;
    this.#js = js;
    this.#notes = notes;
  }

  #engineOptions({ onPrint }: PrepareOptions): EngineOptions {
    return { maxBytes: this.#options.maxBytes, maxFuel: this.#options.maxFuel, onPrint };
  }
  #prepared(plan: Plan, engine: Engine, { onProgress }: PrepareOptions): CpuExecutable {
    onProgress?.(1, 1);
    return new PreparedPlan(plan, engine, this.#notes);
  }

  async prepare(plan: Plan, options: PrepareOptions = {}): Promise<CpuExecutable> {
    options.signal?.throwIfAborted();
    options.onProgress?.(0, 1);
    const engineOptions = this.#engineOptions(options);
    const engine = this.#js ? jsEngine(plan, engineOptions) : await wasmEngine(plan, engineOptions);
    options.signal?.throwIfAborted();
    return this.#prepared(plan, engine, options);
  }

  prepareSync(plan: Plan, options: PrepareOptions = {}): CpuExecutable {
    options.signal?.throwIfAborted();
    const engineOptions = this.#engineOptions(options);
    const engine = this.#js ? jsEngine(plan, engineOptions) : wasmEngineSync(plan, engineOptions);
    return this.#prepared(plan, engine, options);
  }
}
