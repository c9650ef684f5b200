/**
 * The host's side of an engine, whatever it runs: arrays that go in and come out, lines that are printed, loops that ran out
 * of fuel, memory that is refused, and code of ours that went wrong.
 */
import type { PlanPort, PrintStep, StorageArray, WhileStep } from "@gridfuse/plan";
import {
  InternalError,
  KernelTimeoutError,
  OutOfMemoryError,
  storageArray,
} from "@gridfuse/plan/executor";
import { copyBytes, type Engine, type EngineOptions, type EngineReport } from "./engine.ts";
import type { Place } from "./wasm-program.ts";

/** What the host has to know of a program. */
export interface Hosted {
  readonly name: string;
  readonly inputs: readonly PlanPort[];
  readonly outputs: readonly PlanPort[];
  readonly place: (buffer: number) => Place;
}

/** What `make` gives. @throws OutOfMemoryError GF5002 where the host refuses it */
export function allocated<T>(bytes: number, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    throw new OutOfMemoryError("GF5002", `the host refused a memory of ${bytes} bytes`, {
      received: bytes,
      cause,
      help: "Free memory, dispose of executables that are not needed, or run smaller batches.",
    });
  }
}

interface Copy {
  readonly from: StorageArray;
  readonly to: StorageArray;
}

/** What is in place stays. */
const isNeeded = ({ from, to }: Copy): boolean =>
  from.buffer !== to.buffer || from.byteOffset !== to.byteOffset;

export abstract class HostedEngine implements Engine {
  abstract readonly report: EngineReport;
  protected readonly memory: ArrayBufferLike;
  readonly #program: Hosted;
  readonly #options: EngineOptions;
  readonly #views: StorageArray[] = [];
  // The arrays of the latest run, and what is copied for them.
  #inputs: readonly StorageArray[] | undefined;
  #outputs: readonly (StorageArray | undefined)[] | undefined;
  #before: readonly Copy[] = [];
  #after: readonly Copy[] = [];
  #results: readonly StorageArray[] = [];

  constructor(program: Hosted, memory: ArrayBufferLike, options: EngineOptions) {
    this.#program = program;
    this.memory = memory;
    this.#options = options;
  }

  /** Everything between what is copied in and what is copied out. */
  protected abstract execute(): void;

  view(buffer: number): StorageArray {
    const { dtype, length, address } = this.#program.place(buffer);
    this.#views[buffer] ??= storageArray(dtype, this.memory, address, length);
    return this.#views[buffer];
  }

  /**
   * Both lists are looked at only where they are others than before: an output that is not given is a fresh array of its
   * own list.
   */
  run(
    inputs: readonly StorageArray[],
    outputs: readonly (StorageArray | undefined)[],
  ): readonly StorageArray[] {
    if (inputs !== this.#inputs) this.#bindInputs(inputs);
    for (const { from, to } of this.#before) copyBytes(from, to);
    this.execute();
    if (outputs !== this.#outputs) this.#bindOutputs(outputs);
    for (const { from, to } of this.#after) copyBytes(from, to);
    return this.#results;
  }

  #bindInputs(inputs: readonly StorageArray[]): void {
    this.#inputs = inputs;
    this.#before = this.#program.inputs
      .map(({ buffer }, i) => ({ from: inputs[i] as StorageArray, to: this.view(buffer) }))
      .filter(isNeeded);
  }

  #bindOutputs(outputs: readonly (StorageArray | undefined)[]): void {
    this.#outputs = outputs;
    const copies = this.#program.outputs.map(({ dtype, buffer }, i) => {
      const from = this.view(buffer);
      return { from, to: outputs[i] ?? storageArray(dtype, from.length) };
    });
    this.#results = copies.map(({ to }) => to);
    this.#after = copies.filter(isNeeded);
  }

  /** Prints step `index` of those that the program knows. */
  protected print(step: PrintStep | undefined, index: number): void {
    const { formatPrint, onPrint = (line: string) => console.log(line) } = this.#options;
    if (!step || !formatPrint) throw this.broken(`nobody can print step ${index}`);
    for (const line of formatPrint(step, (buffer) => this.view(buffer))) onPrint(line, step);
  }

  protected outOfFuel({ name, fuel: own }: Pick<WhileStep, "name" | "fuel">): KernelTimeoutError {
    const fuel = Math.min(own, this.#options.maxFuel ?? own);
    return new KernelTimeoutError(
      "GF5010",
      `loop "${name}" did not end within ${fuel} iterations`,
      {
        path: name,
        expected: fuel,
        help: "Its condition never became false: check the loop, or compile it with more fuel.",
      },
    );
  }

  /** What to throw where generated code did what it cannot. */
  protected broken(how: string, cause?: unknown): InternalError {
    return new InternalError("GF9304", `plan "${this.#program.name}" went wrong: ${how}`, {
      cause,
      help: "This is a bug of gridfuse, or of whatever wrote the plan: please report it.",
    });
  }
}
