/** Runs a program as one WebAssembly module over one memory. */
import type { StorageArray } from "@gridfuse/plan";
import {
  InternalError,
  OutOfMemoryError,
  PlanInvalid,
  storageArray,
} from "@gridfuse/plan/executor";
import {
  type Crew,
  type CrewSource,
  copyBytes,
  type Engine,
  type EngineOptions,
  type EngineReport,
  outOfFuel,
} from "./engine.ts";
import { checkModule } from "./wasm/inspect.ts";
import { pageBytes, type WasmProgram } from "./wasm-program.ts";

export const hasWasm = (): boolean => typeof WebAssembly === "object";

/** @throws OutOfMemoryError GF5002; PlanInvalid V21 where the program came with a file and is not sound */
export async function startProgram(
  program: WasmProgram,
  options: EngineOptions,
  crews?: CrewSource,
): Promise<Engine> {
  const module = await compile(program.code).catch((cause) => refuse(program, cause));
  return new WasmEngine(program, module, options, crews);
}

/** Like `startProgram`, at once. */
export function startProgramSync(
  program: WasmProgram,
  options: EngineOptions,
  crews?: CrewSource,
): Engine {
  let module: WebAssembly.Module;
  try {
    module = new WebAssembly.Module(program.code);
  } catch (cause) {
    refuse(program, cause);
  }
  return new WasmEngine(program, module, options, crews);
}

function refuse({ isForeign }: WasmProgram, cause: unknown): never {
  if (!isForeign || !(cause instanceof WebAssembly.CompileError)) throw cause;
  throw new PlanInvalid("V21", "WASM.code", `this host refuses it: ${cause.message}`, { cause });
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

function allocate(pages: number, shared: boolean): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared });
  } catch (cause) {
    const bytes = pages * pageBytes;
    throw new OutOfMemoryError("GF5002", `the host refused a memory of ${bytes} bytes`, {
      received: bytes,
      cause,
      help: "Free memory, dispose of executables that are not needed, or run smaller batches.",
    });
  }
}

type Copy = readonly [from: StorageArray, to: StorageArray];

class WasmEngine implements Engine {
  readonly #crew: Crew | undefined;
  readonly #program: WasmProgram;
  readonly #options: EngineOptions;
  readonly #memory: WebAssembly.Memory;
  readonly #run: () => void;
  readonly #views: StorageArray[] = [];
  // The arrays of the latest run, and what is copied for them.
  #inputs: readonly StorageArray[] | undefined;
  #outputs: readonly (StorageArray | undefined)[] | undefined;
  #before: readonly Copy[] = [];
  #after: readonly Copy[] = [];

  constructor(
    program: WasmProgram,
    module: WebAssembly.Module,
    options: EngineOptions,
    crews: CrewSource | undefined,
  ) {
    const { code, pages, constants, codeOf } = program;
    if (program.isForeign) checkModule(code, module, pages);
    this.#program = program;
    this.#options = options;
    this.#memory = allocate(pages, codeOf !== undefined);
    if (codeOf !== undefined) this.#crew = crews?.crew(program, module, this.#memory);
    const env = {
      memory: this.#memory,
      print: (step: number) => this.#print(step),
      fuel: (step: number) => this.#outOfFuel(step),
      ...this.#crew?.imports,
    };
    const { exports } = new WebAssembly.Instance(module, { env });
    this.#run = exports.run as () => void;
    const memory = new Uint8Array(this.#memory.buffer);
    for (const { data, address } of constants) memory.set(data, address);
  }

  get report(): EngineReport {
    const { arenaBytes, steps, notes = [] } = this.#program;
    return { backend: "wasm-simd", arenaBytes, steps, notes, ...this.#crew?.report };
  }

  dispose(): void {
    this.#crew?.dispose();
  }

  view(buffer: number): StorageArray {
    const known = this.#views[buffer];
    if (known !== undefined) return known;
    const { dtype, length, address } = this.#program.place(buffer);
    const view = storageArray(dtype, this.#memory.buffer, address, length);
    this.#views[buffer] = view;
    return view;
  }

  #print(index: number): void {
    const step = this.#program.prints[index];
    const { formatPrint, onPrint = (line: string) => console.log(line) } = this.#options;
    if (!step || !formatPrint) throw this.#broken(`it prints step ${index}, which nobody can`);
    for (const line of formatPrint(step, (buffer) => this.view(buffer))) onPrint(line, step);
  }

  #outOfFuel(index: number): never {
    const loop = this.#program.whiles[index];
    if (loop === undefined) throw this.#broken(`it stops loop ${index}, which there is not`);
    throw outOfFuel(loop, Math.min(loop.fuel, this.#options.maxFuel ?? loop.fuel));
  }

  #broken(how: string, cause?: unknown): InternalError {
    return new InternalError("GF9304", `plan "${this.#program.name}" went wrong: ${how}`, {
      cause,
      help: "This is a bug of gridfuse, or of whatever wrote the plan: please report it.",
    });
  }

  run(
    inputs: readonly StorageArray[],
    outputs: readonly (StorageArray | undefined)[],
  ): StorageArray[] {
    if (inputs !== this.#inputs) {
      this.#inputs = inputs;
      this.#before = this.#program.inputs.map(({ buffer }, i) => [
        inputs[i] as StorageArray,
        this.view(buffer),
      ]);
    }
    for (const [from, to] of this.#before) copyBytes(from, to);
    this.#crew?.begin();
    try {
      this.#run();
      this.#crew?.end();
    } catch (cause) {
      this.#crew?.recover();
      if (cause instanceof WebAssembly.RuntimeError) {
        throw this.#broken(`it trapped: ${cause.message}`, cause);
      }
      throw cause;
    }
    if (outputs !== this.#outputs) {
      this.#outputs = outputs;
      this.#after = this.#program.outputs.map(({ dtype, buffer }, i) => {
        const view = this.view(buffer);
        return [view, outputs[i] ?? storageArray(dtype, view.length)];
      });
    }
    return this.#after.map(([from, to]) => {
      copyBytes(from, to);
      return to;
    });
  }
}
