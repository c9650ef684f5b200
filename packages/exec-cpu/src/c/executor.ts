/**
 * `cpu({ backend: "native" })`: plans as C, compiled by the system's compiler. Loaded only where it is asked for.
 */
import { formatPrintLines, type Plan, type PrepareOptions } from "@gridfuse/plan";
import {
  checkPrepareOptions,
  checkRunOptions,
  decoded,
  requirePlan,
} from "@gridfuse/plan/executor";
import type { CheckRun, CpuExecutable } from "../executable.ts";
import { type CpuOptions, Preparation } from "../prepare.ts";
import { type Compiled, compileC, compileCSync, requireCompiler } from "./compiler.ts";
import { NativeEngine } from "./engine.ts";
import { type CSource, sourceOf } from "./source.ts";

const refused = () => Promise.reject(new RangeError("the native backend has no others"));

/** @throws CapabilityError GF5007; GF5013 where there is no compiler, or none could be used */
export function nativeCpu(options: CpuOptions): NativeCpu {
  requireCompiler();
  return new NativeCpu(options);
}

export class NativeCpu extends Preparation {
  protected override readonly checkRun: CheckRun = checkRunOptions;
  readonly #threadCount: number;

  constructor({ backend: _, ...options }: CpuOptions) {
    super(options, { wasm: refused, js: refused });
    this.#threadCount = options.threads ?? 1;
  }

  /**
   * @throws CapabilityError GF5014 where the compiler fails, GF5013 where it has gone, or where only kept code was to be used;
   *   OutOfMemoryError GF5001, GF5002
   */
  override async prepare(plan: Plan, options: PrepareOptions = {}): Promise<CpuExecutable> {
    requirePlan(plan);
    checkPrepareOptions(options);
    options.signal?.throwIfAborted();
    options.onProgress?.(0, 1);
    const whole = await decoded(plan);
    const source = this.#sourceOf(whole);
    const compiled = await compileC(source.text, options.signal);
    options.onProgress?.(1, 1);
    return this.#start(whole, source, compiled, options);
  }

  /** Like `prepare`, at once. */
  prepareSync(plan: Plan, options: PrepareOptions = {}): CpuExecutable {
    requirePlan(plan);
    checkPrepareOptions(options);
    options.signal?.throwIfAborted();
    const source = this.#sourceOf(plan);
    const compiled = compileCSync(source.text);
    options.onProgress?.(1, 1);
    return this.#start(plan, source, compiled, options);
  }

  #sourceOf(plan: Plan): CSource {
    const { maxBytes, precision } = this.engineOptions({});
    return sourceOf(plan, { maxBytes, precision, threads: this.#threadCount });
  }

  #start(plan: Plan, source: CSource, compiled: Compiled, options: PrepareOptions): CpuExecutable {
    const engineOptions = { ...this.engineOptions(options), formatPrint: formatPrintLines };
    const engine = new NativeEngine(plan, source, compiled, this.#threadCount, engineOptions);
    return this.prepared(plan, engine, undefined);
  }
}
