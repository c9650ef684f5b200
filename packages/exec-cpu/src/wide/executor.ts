/** `cpu({ simd: "wide" })`: WebAssembly whose vectors V8 joins in pairs, where that was seen to change nothing. */
import { CapabilityError, type Plan, type PrepareOptions, type Step } from "@gridfuse/plan";
import {
  checkPrepareOptions,
  checkRunOptions,
  decoded,
  requirePlan,
  unused,
} from "@gridfuse/plan/executor";
import type { Engine, EngineOptions } from "../engine.ts";
import type { CheckRun, CpuExecutable } from "../executable.ts";
import { type CpuOptions, Preparation, printing, type WasmBackend } from "../prepare.ts";
import * as wasm from "../wasm-backend.ts";
import { startProgramSync } from "../wasm-engine.ts";
import type { WasmProgram } from "../wasm-program.ts";
import { allowJoining, findFault } from "./joined-vectors.ts";

const noJs = (): never => {
  throw new CapabilityError("GF5015", "only WebAssembly has wide SIMD", {
    expected: "wasm",
    help: 'Leave out simd, or use backend "auto" or "wasm".',
  });
};

/** @throws CapabilityError GF5007, GF5015 */
export class WideCpu extends Preparation {
  protected override readonly checkRun: CheckRun = checkRunOptions;

  constructor({ simd: _, ...options }: CpuOptions) {
    super(options, { wasm: async () => wasm, js: async () => noJs() });
    if (this.isJs) noJs();
    allowJoining();
  }

  override async prepare(plan: Plan, options: PrepareOptions = {}): Promise<CpuExecutable> {
    requirePlan(plan);
    checkPrepareOptions(options);
    return super.prepare(await decoded(plan), options);
  }

  /** Like `prepare`, at once. */
  prepareSync(plan: Plan, options: PrepareOptions = {}): CpuExecutable {
    requirePlan(plan);
    checkPrepareOptions(options);
    options.signal?.throwIfAborted();
    const engineOptions = printing(this.engineOptions(options), wasm);
    const program = this.programOf(plan, engineOptions, wasm);
    const engine = startProgramSync(program, engineOptions, this.crews);
    options.onProgress?.(1, 1);
    return this.prepared(plan, engine);
  }

  protected override programOf(
    plan: Plan,
    options: EngineOptions,
    backend: WasmBackend,
  ): WasmProgram {
    const isChecked = hindrance(plan.steps) === undefined;
    return super.programOf(plan, isChecked ? { ...options, simd: "wide" } : options, backend);
  }

  protected override native(): string {
    return unused("it is not wide");
  }

  protected override prepared(plan: Plan, engine: Engine): CpuExecutable {
    const reason = hindrance(plan.steps);
    if (reason !== undefined) return super.prepared(plan, engine, `not wide: ${reason}`);
    const options = this.engineOptions({});
    const plain = startProgramSync(super.programOf(plan, options, wasm), options, this.crews);
    const fault = findFault(plan, engine, plain);
    const [used, other] = fault === undefined ? [engine, plain] : [plain, engine];
    other.dispose?.();
    const note = fault === undefined ? "wide, with the same results" : `not wide: ${fault}`;
    return super.prepared(plan, used, note);
  }
}

/** Why a plan cannot be run on numbers that are anything. */
function hindrance(steps: readonly Step[]): string | undefined {
  for (const step of steps) {
    switch (step.kind) {
      case "print":
        return "it prints";
      case "while":
        return "it has a loop without a known end";
      case "loop":
      case "tile": {
        const found = hindrance(step.body);
        if (found !== undefined) return found;
        break;
      }
      case "branch": {
        const found = hindrance(step.branches.flat());
        if (found !== undefined) return found;
        break;
      }
      default:
    }
  }
  return undefined;
}
