/** Runs a plan as one WebAssembly module over one memory. */
import {
  formatPrintLines,
  InternalError,
  OutOfMemoryError,
  type Plan,
  type PlanBuffer,
  type PrintStep,
  type StorageArray,
  storageArray,
  type WhileStep,
} from "@gridfuse/plan";
import { type CompiledPlan, compilePlan, pagesOf } from "./codegen/driver.ts";
import {
  copyBytes,
  type Engine,
  type EngineOptions,
  type EngineReport,
  outOfFuel,
} from "./engine.ts";

export const hasWasm = (): boolean => typeof WebAssembly === "object";

/** @throws OutOfMemoryError GF5001, GF5002 */
export async function wasmEngine(plan: Plan, options: EngineOptions): Promise<Engine> {
  const compiled = compilePlan(plan, options);
  return new WasmEngine(plan, compiled, await compile(compiled.bytes), options);
}

/** Up to here compiling at once is quicker than the way through another thread. */
const smallModule = 1 << 16;

async function compile(bytes: Uint8Array<ArrayBuffer>): Promise<WebAssembly.Module> {
  if (bytes.length > smallModule) return WebAssembly.compile(bytes);
  try {
    return new WebAssembly.Module(bytes);
  } catch (error) {
    // Some browsers allow only tiny modules to be compiled at once on their main thread.
    if (error instanceof RangeError) return WebAssembly.compile(bytes);
    throw error;
  }
}

export function wasmEngineSync(plan: Plan, options: EngineOptions): Engine {
  const compiled = compilePlan(plan, options);
  return new WasmEngine(plan, compiled, new WebAssembly.Module(compiled.bytes), options);
}

function allocate(compiled: CompiledPlan): WebAssembly.Memory {
  const pages = pagesOf(compiled.layout);
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages });
  } catch (cause) {
    const { bytes } = compiled.layout;
    throw new OutOfMemoryError("GF5002", `the host refused a memory of ${bytes} bytes`, {
      received: bytes,
      cause,
      help: "Free memory, dispose of executables that are not needed, or run smaller batches.",
    });
  }
}

class WasmEngine implements Engine {
  readonly report: EngineReport;
  readonly #plan: Plan;
  readonly #compiled: CompiledPlan;
  readonly #options: EngineOptions;
  readonly #memory: WebAssembly.Memory;
  readonly #run: () => void;

  constructor(
    plan: Plan,
    compiled: CompiledPlan,
    module: WebAssembly.Module,
    options: EngineOptions,
  ) {
    this.#plan = plan;
    this.#compiled = compiled;
    this.#options = options;
    this.#memory = allocate(compiled);
    const env = {
      memory: this.#memory,
      print: (step: number) => this.#print(compiled.printSteps[step] as PrintStep),
      fuel: (step: number) => {
        const loop = compiled.whileSteps[step] as WhileStep;
        throw outOfFuel(loop, Math.min(loop.fuel, options.maxFuel ?? loop.fuel));
      },
    };
    const { exports } = new WebAssembly.Instance(module, { env });
    this.#run = exports.run as () => void;
    this.report = { backend: "wasm-simd", arenaBytes: plan.arenaBytes, steps: compiled.steps };
    this.#writeConstants();
  }

  #writeConstants(): void {
    const bytes = new Uint8Array(this.#memory.buffer);
    for (const [i, { constant }] of this.#plan.buffers.entries()) {
      const source = constant === undefined ? undefined : this.#plan.constants[constant];
      if (source !== undefined)
        bytes.set(source.data, this.#compiled.layout.addresses[i] as number);
    }
  }

  view(buffer: number): StorageArray {
    const { dtype, length } = this.#plan.buffers[buffer] as PlanBuffer;
    const address = this.#compiled.layout.addresses[buffer] as number;
    return storageArray(dtype, this.#memory.buffer, address, length);
  }

  #print(step: PrintStep): void {
    const print = this.#options.onPrint ?? ((line: string) => console.log(line));
    for (const line of formatPrintLines(step, (buffer) => this.view(buffer))) print(line, step);
  }

  run(
    inputs: readonly StorageArray[],
    outputs: readonly (StorageArray | undefined)[],
  ): StorageArray[] {
    for (const [i, { buffer }] of this.#plan.inputs.entries()) {
      copyBytes(inputs[i] as StorageArray, this.view(buffer));
    }
    try {
      this.#run();
    } catch (cause) {
      if (cause instanceof WebAssembly.RuntimeError) {
        throw new InternalError("GF9304", `plan "${this.#plan.name}" trapped: ${cause.message}`, {
          cause,
          help: "This is a bug of gridfuse, or of whatever wrote the plan: please report it.",
        });
      }
      throw cause;
    }
    return this.#plan.outputs.map(({ dtype, buffer }, i) => {
      const view = this.view(buffer);
      const target = outputs[i] ?? storageArray(dtype, view.length);
      copyBytes(view, target);
      return target;
    });
  }
}
