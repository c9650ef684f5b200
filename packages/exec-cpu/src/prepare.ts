/**
 * How a plan becomes an executable. Native code that came with a trusted plan is started as it is; anything
 * else needs the plan's steps and one of two backends, which the package's main entry has at hand and
 * the small runtime loads only then.
 */
import type { Executor, Plan, PrepareOptions } from "@gridfuse/plan";
import { CapabilityError, decoded, requirePlan, unused } from "@gridfuse/plan/executor";
import type { CrewSource, Engine, EngineOptions, FormatPrint } from "./engine.ts";
import { type CheckRun, type CpuExecutable, PreparedPlan } from "./executable.ts";
import { codeFeatures, nativeProgram } from "./native.ts";
import { hasWasm, startProgram } from "./wasm-engine.ts";
import type { WasmProgram } from "./wasm-program.ts";

export interface CpuOptions {
  /**
   * Default "auto": WebAssembly where the host has it. "native" makes C of a plan, which the system's compiler turns into
   * code for this very processor; Node on Linux or macOS, for plans that are trusted.
   */
  readonly backend?: "auto" | "wasm" | "js" | "native";
  /**
   * Threads that run a plan, the caller's included; default 1. Results do not depend on it. More than one start workers
   * after a plan's first run, where it has steps that are worth sharing and the host has shared memory;
   * `report()` says what became of it.
   */
  readonly threads?: number;
  /**
   * "fast": a product and a sum may be rounded once (relaxed SIMD), on hosts that can; `report()` says where.
   * Default "exact": results are those of the interpreter, to the bit.
   */
  readonly precision?: "exact" | "fast";
  /**
   * "wide": V8 may join vectors in pairs, on Node 24 and later, x64; `report()` says whether it does. What comes out was
   * compared once, on numbers that `prepare` made up. Default is 128 bits.
   */
  readonly simd?: "wide";
  /** Most bytes that one prepared plan may take; default what 32-bit addresses reach. */
  readonly maxBytes?: number;
  /** Most iterations of any `while`, whatever its plan allows. */
  readonly maxFuel?: number;
}

/** How many threads an executor has, and the team of them. */
export interface Threads {
  readonly count: number;
  /** Or why there is none. */
  team?: CrewSource | string;
}

/** What turns the steps of a plan into something that runs, each loaded where it is first needed. */
export interface Backends {
  wasm(): Promise<WasmBackend>;
  js(): Promise<JsBackend>;
}
export interface WasmBackend {
  generate(plan: Plan, options: EngineOptions): WasmProgram;
  /** The same for a team, which is made where `threads` has none yet. */
  share(plan: Plan, threads: Threads, options: EngineOptions): WasmProgram;
  readonly formatPrintLines: FormatPrint;
}
export interface JsBackend {
  jsEngine(plan: Plan, options: EngineOptions): Engine;
}

/** The executor as the small runtime has it: preparing may have to load code, so it is not done at once. */
export interface AsyncCpuExecutor extends Executor {
  /**
   * @throws OutOfMemoryError GF5001, GF5002; PlanInvalid where native code or the plan it came with is not sound
   */
  prepare(plan: Plan, options?: PrepareOptions): Promise<CpuExecutable>;
}

const isCount = (value: unknown): boolean => typeof value === "number" && value >= 0;
const isOneOf =
  (...names: unknown[]) =>
  (value: unknown): boolean =>
    names.includes(value);
const known: { readonly [name: string]: ((value: unknown) => boolean) | undefined } = {
  backend: isOneOf("auto", "wasm", "js"),
  threads: (value) => Number.isInteger(value) && Number(value) > 0 && Number(value) <= 64,
  precision: isOneOf("exact", "fast"),
  // What is wide has an executor of its own.
  simd: isOneOf(),
  maxBytes: isCount,
  maxFuel: isCount,
};

export class Preparation implements AsyncCpuExecutor {
  readonly name = "cpu";
  readonly #options: CpuOptions;
  readonly #backends: Backends;
  readonly #notes: string[];
  protected isJs: boolean;
  protected readonly nativeFeatures: readonly string[] = codeFeatures;
  /** The small runtime has none. */
  declare protected readonly checkRun?: CheckRun;
  readonly #threads: Threads;

  /** @throws CapabilityError GF5005, GF5007 */
  constructor(options: CpuOptions, backends: Backends) {
    for (const [name, value] of Object.entries(options)) {
      const fits = known[name];
      if (fits && (value === undefined || fits(value) === true)) continue;
      throw new CapabilityError("GF5007", `cpu has no ${name}: ${JSON.stringify(value)}`, {
        path: name,
        received: value,
        help: 'There are backend ("auto", "wasm", "js", "native"), threads (1 to 64), precision ("exact", "fast"), simd ("wide"), maxBytes, maxFuel.',
      });
    }
    const wanted = options.backend ?? "auto";
    const available = hasWasm();
    if (wanted === "wasm" && !available) {
      throw new CapabilityError("GF5005", "this host has no WebAssembly", {
        expected: "wasm",
        help: 'Use backend "auto" or "js".',
      });
    }
    this.#options = options;
    this.#backends = backends;
    this.isJs = wanted === "js" || !available;
    this.#threads = { count: options.threads ?? 1 };
    const because =
      wanted === "auto" && !available ? ["js, because this host has no WebAssembly"] : [];
    this.#notes = [...because, ...this.#alone()];
  }

  #alone(): readonly string[] {
    const isAlone = this.isJs && this.#threads.count > 1;
    return isAlone ? ["one thread: the js backend has no others"] : [];
  }

  async prepare(plan: Plan, options: PrepareOptions = {}): Promise<CpuExecutable> {
    requirePlan(plan);
    options.signal?.throwIfAborted();
    options.onProgress?.(0, 1);
    const engineOptions = this.engineOptions(options);
    const native = this.native(plan, engineOptions);
    let engine: Engine;
    try {
      engine =
        typeof native === "object"
          ? await this.#fromNative(native, engineOptions)
          : await this.#fromSteps(await decoded(plan), engineOptions);
    } catch (error) {
      if (!this.doesWithout(error)) throw error;
      return this.prepare(plan, options);
    }
    options.signal?.throwIfAborted();
    options.onProgress?.(1, 1);
    return this.prepared(plan, engine, native);
  }

  /** Goes on in JavaScript where `error` says that WebAssembly is forbidden, which is seen only when something is compiled. */
  protected doesWithout(error: unknown): boolean {
    const isForbidden = error instanceof CapabilityError && error.code === "GF5005";
    if (!isForbidden || this.isJs || this.#options.backend === "wasm") return false;
    this.isJs = true;
    this.#notes.push(`js, because ${error.what}`, ...this.#alone());
    return true;
  }

  async #fromNative(program: WasmProgram, options: EngineOptions): Promise<Engine> {
    if (program.prints.length === 0) return startProgram(program, options);
    return startProgram(program, printing(options, await this.#backends.wasm()));
  }

  async #fromSteps(plan: Plan, options: EngineOptions): Promise<Engine> {
    if (this.isJs) return (await this.#backends.js()).jsEngine(plan, options);
    const wasm = await this.#backends.wasm();
    return startProgram(this.programOf(plan, options, wasm), printing(options, wasm), this.crews);
  }

  protected programOf(plan: Plan, options: EngineOptions, wasm: WasmBackend): WasmProgram {
    return this.#threads.count > 1
      ? wasm.share(plan, this.#threads, options)
      : wasm.generate(plan, options);
  }

  /** The other threads, where there are any. */
  protected get crews(): CrewSource | undefined {
    const { team } = this.#threads;
    return typeof team === "object" ? team : undefined;
  }

  protected engineOptions({ onPrint }: PrepareOptions): EngineOptions {
    const { maxBytes, maxFuel, precision } = this.#options;
    return { maxBytes, maxFuel, precision, onPrint };
  }

  /** The plan's own native code, or why it is not used. */
  protected native(plan: Plan, options: EngineOptions): WasmProgram | string | undefined {
    const native = nativeProgram(plan, options, this.nativeFeatures);
    if (typeof native !== "object") return native;
    if (this.isJs) return unused("this is the js backend");
    return this.#threads.count > 1 ? unused("it is for one thread") : native;
  }

  protected prepared(
    plan: Plan,
    engine: Engine,
    native: WasmProgram | string | undefined,
  ): CpuExecutable {
    const refusal = typeof native === "string" ? [native] : [];
    const use = typeof native === "object" ? ["native code from the plan file"] : [];
    return new PreparedPlan(plan, engine, [...this.#notes, ...refusal, ...use], this.checkRun);
  }
}

export const printing = (
  options: EngineOptions,
  { formatPrintLines }: WasmBackend,
): EngineOptions => ({ ...options, formatPrint: formatPrintLines });
