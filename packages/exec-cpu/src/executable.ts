/** A prepared plan: the checks around a run, its life, its report. */
import type {
  Executable,
  ExecutionReport,
  Plan,
  PlanPort,
  RunInputs,
  RunOptions,
  RunOutputs,
  StorageArray,
} from "@gridfuse/plan";
import {
  DisposedError,
  GridfuseError,
  InputError,
  InternalError,
  resolveInputs,
  resolveOutputs,
} from "@gridfuse/plan/executor";
import type { Engine } from "./engine.ts";

export interface CpuExecutable extends Executable {
  /** Like `run`, at once. */
  runSync(inputs: RunInputs, options?: RunOptions): RunOutputs;
  /**
   * The executable's own memory of an input or output, row-major: what is handed to `run` (or as `out`)
   * from here is not copied. Inputs keep their contents from run to run, outputs are overwritten by each;
   * after `dispose` the array is nobody's. Of a plan that is shared between threads, the memory is shared memory.
   *
   * @throws InputError GF1014 where the plan has no input or output of that name
   */
  tensor(name: string): StorageArray;
}

const prepareAgain = { help: "Prepare the plan again." };

/** The arrays of a record that was checked, by its own order of names. */
interface Checked {
  readonly names: readonly string[];
  readonly arrays: readonly StorageArray[];
}

/** Refuses options that `run` does not have. */
export type CheckRun = (options: RunOptions) => void;

/** Undefined where a run has to make arrays for what was not given as one. */
function checked(given: RunInputs | undefined, ports: readonly PlanPort[]): Checked | undefined {
  const names = Object.keys(given ?? {});
  const arrays = Object.values(given ?? {}).filter((value) => ArrayBuffer.isView(value));
  return arrays.length === ports.length ? { names, arrays: arrays as StorageArray[] } : undefined;
}

/** Whether a caller gives just the arrays that were checked the last time; one given away meanwhile is empty. */
function isAgain(known: Checked | undefined, given: RunInputs | undefined): boolean {
  if (known === undefined || given === undefined) return false;
  const { names, arrays } = known;
  let count = 0;
  for (const name in given) {
    const array = arrays[count];
    if (name !== names[count++] || given[name] !== array || array?.byteLength === 0) return false;
  }
  return count === names.length;
}

export class PreparedPlan implements CpuExecutable {
  readonly plan: Plan;
  #engine: Engine | undefined;
  #state: "ready" | "poisoned" | "disposed" = "ready";
  #running = false;
  // The arrays of the latest run, as they were given, and as they are by the order of ports.
  #givenAs: Checked | undefined;
  #wantedAs: Checked | undefined;
  #given: readonly StorageArray[] = [];
  #wanted: readonly (StorageArray | undefined)[] = [];
  #results: readonly StorageArray[] | undefined;
  #named: RunOutputs = {};
  readonly #notes: readonly string[];
  readonly #checkRun: CheckRun | undefined;
  #lastReport: ExecutionReport | undefined;

  constructor(plan: Plan, engine: Engine, notes: readonly string[], checkRun?: CheckRun) {
    this.plan = plan;
    this.#engine = engine;
    this.#notes = notes;
    this.#checkRun = checkRun;
  }

  get state(): "ready" | "poisoned" | "disposed" {
    return this.#state;
  }

  /**
   * Runs the plan. Runs that are asked for while another is under way (from a print callback) wait for it.
   *
   * @throws InputError GF10xx (of options only where `out` is none, or not that of the run before), DisposedError GF5003, KernelTimeoutError GF5010, the reason of `signal`; with threads
   *   CapabilityError GF5011 and WorkerCrashedError GF5012, after which the next run is as any other
   */
  async run(inputs: RunInputs, options: RunOptions = {}): Promise<RunOutputs> {
    while (this.#running) await Promise.resolve();
    return this.runSync(inputs, options);
  }

  runSync(inputs: RunInputs, options: RunOptions = {}): RunOutputs {
    const engine = this.#requireReady();
    options?.signal?.throwIfAborted();
    if (!isAgain(this.#givenAs, inputs)) this.#take(inputs);
    if (!isAgain(this.#wantedAs, options?.out)) this.#want(options);
    this.#running = true;
    let results: readonly StorageArray[];
    try {
      results = engine.run(this.#given, this.#wanted);
    } catch (error) {
      if (error instanceof InternalError) this.#state = "poisoned";
      throw error;
    } finally {
      this.#running = false;
    }
    if (results !== this.#results) {
      this.#results = results;
      const { outputs } = this.plan;
      this.#named = Object.fromEntries(
        results.map((array, i) => [(outputs[i] as PlanPort).name, array]),
      );
    }
    return { ...this.#named };
  }

  #take(inputs: RunInputs): void {
    this.#givenAs = undefined;
    this.#given = resolveInputs(this.plan, inputs);
    this.#givenAs = checked(inputs, this.plan.inputs);
  }

  #want(options: RunOptions): void {
    this.#wantedAs = undefined;
    // Here and not in every run: one with the arrays of the run before costs little besides its work.
    this.#checkRun?.(options);
    const out = options?.out;
    this.#wanted = resolveOutputs(this.plan, out);
    this.#wantedAs = checked(out, this.plan.outputs);
  }

  tensor(name: string): StorageArray {
    const engine = this.#requireReady();
    const ports = [...this.plan.inputs, ...this.plan.outputs];
    const port = ports.find((candidate) => candidate.name === name);
    if (port !== undefined) return engine.view(port.buffer);
    const names = ports.map((known) => known.name);
    throw new InputError("GF1014", `plan "${this.plan.name}" has no input or output "${name}"`, {
      path: name,
      received: name,
      expected: names,
      help: `It has ${names.map((known) => `"${known}"`).join(", ")}.`,
    });
  }

  #requireReady(): Engine {
    if (this.#engine === undefined) {
      throw new DisposedError(
        "GF5003",
        `the executable of plan "${this.plan.name}" was disposed of`,
        prepareAgain,
      );
    }
    if (this.#state === "poisoned") {
      throw new InternalError(
        "GF9305",
        `an earlier run of plan "${this.plan.name}" went wrong`,
        prepareAgain,
      );
    }
    if (this.#running) {
      throw new GridfuseError("GF5004", "runSync was called while a run is under way", {
        help: "Inside a print callback, call run instead: it waits.",
      });
    }
    return this.#engine;
  }

  /** What really runs; after `dispose`, what did. */
  report(): ExecutionReport {
    if (this.#engine === undefined) return this.#lastReport as ExecutionReport;
    const { report } = this.#engine;
    const notes = [...this.#notes, ...report.notes];
    return { executor: "cpu", threads: 1, ...report, notes };
  }

  /** Frees the memory; a second call does nothing. */
  dispose(): void {
    this.#lastReport = this.report();
    this.#engine?.dispose?.();
    this.#engine = undefined;
    this.#state = "disposed";
  }
  [Symbol.dispose](): void {
    this.dispose();
  }
}
