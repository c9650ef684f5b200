/** Runs a plan as compiled C over one memory. */
import type { Plan, PlanBuffer, StorageArray } from "@gridfuse/plan";
import { InternalError, OutOfMemoryError, storageArray } from "@gridfuse/plan/executor";
import {
  copyBytes,
  type Engine,
  type EngineOptions,
  type EngineReport,
  outOfFuel,
} from "../engine.ts";
import { pageBytes } from "../wasm-program.ts";
import type { Compiled, NativeRun } from "./compiler.ts";
import type { CSource } from "./source.ts";

/** A memory that begins with a page, as compiled code may expect of its buffers. */
function allocate(pages: number): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages });
  } catch (cause) {
    const bytes = pages * pageBytes;
    throw new OutOfMemoryError("GF5002", `the host refused a memory of ${bytes} bytes`, {
      received: bytes,
      cause,
      help: "Free memory, dispose of executables that are not needed, or run smaller batches.",
    });
  }
}

export class NativeEngine implements Engine {
  readonly report: EngineReport;
  readonly #plan: Plan;
  readonly #source: CSource;
  readonly #options: EngineOptions;
  readonly #run: NativeRun;
  /** Number of a section of the program, or a function of WebAssembly. */
  readonly #sections: readonly (number | (() => void))[];
  readonly #memory: Uint8Array;
  readonly #views: StorageArray[] = [];
  readonly #print: (step: number) => void;

  /** @throws OutOfMemoryError GF5002 */
  constructor(
    plan: Plan,
    source: CSource,
    { run, notes }: Compiled,
    threads: number,
    options: EngineOptions,
  ) {
    this.#plan = plan;
    this.#source = source;
    this.#options = options;
    this.#run = run;
    const borrowed = source.sections.map((section) =>
      typeof section === "number" ? 0 : section.pages,
    );
    const memory = allocate(Math.max(Math.ceil(source.layout.bytes / pageBytes), ...borrowed));
    this.#memory = new Uint8Array(memory.buffer);
    this.#sections = source.sections.map((section) => {
      if (typeof section === "number") return section;
      const module = new WebAssembly.Module(section.code);
      const { exports } = new WebAssembly.Instance(module, { env: { memory } });
      return exports.run as () => void;
    });
    this.#print = (step) => this.#printStep(step);
    const { arenaBytes } = plan;
    this.report = { backend: "native", arenaBytes, steps: source.steps, threads, notes };
    for (const [i, { constant }] of plan.buffers.entries()) {
      const data = constant === undefined ? undefined : plan.constants[constant]?.data;
      if (data !== undefined) this.#memory.set(data, source.layout.addresses[i]);
    }
  }

  view(buffer: number): StorageArray {
    const { dtype, length } = this.#plan.buffers[buffer] as PlanBuffer;
    const address = this.#source.layout.addresses[buffer] as number;
    this.#views[buffer] ??= storageArray(dtype, this.#memory.buffer, address, length);
    return this.#views[buffer];
  }

  #printStep(index: number): void {
    const step = this.#source.prints[index];
    const { formatPrint, onPrint = (line: string) => console.log(line) } = this.#options;
    if (!step || !formatPrint) {
      throw new InternalError("GF9304", `compiled code prints step ${index}, which nobody can`);
    }
    for (const line of formatPrint(step, (buffer) => this.view(buffer))) onPrint(line, step);
  }

  #runBorrowed(section: () => void): void {
    try {
      section();
    } catch (cause) {
      throw new InternalError("GF9304", `plan "${this.#plan.name}" trapped: ${String(cause)}`, {
        cause,
        help: "This is a bug of gridfuse, or of whatever wrote the plan: please report it.",
      });
    }
  }

  run(
    inputs: readonly StorageArray[],
    outputs: readonly (StorageArray | undefined)[],
  ): StorageArray[] {
    for (const [i, { buffer }] of this.#plan.inputs.entries()) {
      copyBytes(inputs[i] as StorageArray, this.view(buffer));
    }
    const mostFuel = this.#options.maxFuel ?? Number.POSITIVE_INFINITY;
    for (const section of this.#sections) {
      if (typeof section !== "number") {
        this.#runBorrowed(section);
        continue;
      }
      const status = this.#run(this.#memory, mostFuel, this.#print, section);
      const loop = this.#source.whiles[status - 1];
      if (loop !== undefined) throw outOfFuel(loop, Math.min(loop.fuel, mostFuel));
    }
    return this.#plan.outputs.map(({ dtype, buffer }, i) => {
      const view = this.view(buffer);
      const target = outputs[i] ?? storageArray(dtype, view.length);
      copyBytes(view, target);
      return target;
    });
  }
}
