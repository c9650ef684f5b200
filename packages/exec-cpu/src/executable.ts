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

type Arrays = readonly (StorageArray | undefined)[];

/** Whether a caller gives just the arrays that were checked the last time; one given away meanwhile is empty. */
function isAgain(
  ports: readonly PlanPort[],
  known: Arrays | undefined,
  given: RunInputs | undefined,
): boolean {
  if (known === undefined || given === undefined) return false;
  if (Object.keys(given).length !== ports.length) return false;
  for (let i = 0; i < ports.length; i++) {
    const array = known[i];
    if (!array?.byteLength || array !== given[(ports[i] as PlanPort).name]) return false;
  }
  return true;
}

export class PreparedPlan implements CpuExecutable {
  readonly plan: Plan;
  #engine: Engine | undefined;
  #state: "ready" | "poisoned" | "disposed" = "ready";
  #running = false;
  // The arrays of the latest run.
  #given: readonly StorageArray[] | undefined;
  #wanted: Arrays | undefined;
  readonly #notes: readonly string[];
  #lastReport: ExecutionReport | undefined;

  constructor(plan: Plan, engine: Engine, notes: readonly string[]) {
    this.plan = plan;
    this.#engine = engine;
    this.#notes = notes;
  }

  get state(): "ready" | "poisoned" | "disposed" {
    return this.#state;
  }

  /**
   * Runs the plan. Runs that are asked for while another is under way (from a print callback) wait for it.
   *
   * @throws InputError GF10xx, DisposedError GF5003, KernelTimeoutError GF5010, the reason of `signal`; with threads
   *   CapabilityError GF5011 and WorkerCrashedError GF5012, after which the next run is as any other
   */
  async run(inputs: RunInputs, options: RunOptions = {}): Promise<RunOutputs> {
    while (this.#running) await Promise.resolve();
    return this.runSync(inputs, options);
  }

  runSync(inputs: RunInputs, options: RunOptions = {}): RunOutputs {
    const engine = this.#requireReady();
    options.signal?.throwIfAborted();
    const { plan } = this;
    if (!isAgain(plan.inputs, this.#given, inputs)) this.#given = resolveInputs(plan, inputs);
    if (!isAgain(plan.outputs, this.#wanted, options.out)) {
      this.#wanted = resolveOutputs(plan, options.out);
    }
    this.#running = true;
    let results: StorageArray[];
    try {
      results = engine.run(this.#given as readonly StorageArray[], this.#wanted as Arrays);
    } catch (error) {
      if (error instanceof InternalError) this.#state = "poisoned";
      throw error;
    } finally {
      this.#running = false;
    }
    const named: Record<string, StorageArray> = {};
    for (let i = 0; i < results.length; i++) {
      named[(plan.outputs[i] as PlanPort).name] = results[i] as StorageArray;
    }
    return named;
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
