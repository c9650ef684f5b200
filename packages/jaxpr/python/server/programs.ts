/**
 * Programs by key: imported, compiled and prepared once, then only run. Memory that a program runs in is given back
 * when others need it; what it was made of stays a while longer.
 */
import { type CpuExecutable, type CpuExecutor, cpuSync } from "@gridfuse/exec-cpu";
import { type ImportOptions, importProgram } from "@gridfuse/jaxpr";
import { compile, report } from "@gridfuse/passes";
import type { Plan, StorageArray } from "@gridfuse/plan";
import type { PlanStore } from "./plan-store.ts";
import type { Place, SharedFiles } from "./shared-files.ts";

/** What the client is told of a program. */
export interface Loaded {
  readonly id: number;
  readonly from: "memory" | "disk" | "program";
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly ms: Readonly<Record<string, number>>;
  readonly steps: number;
}

/** A program that is ready, with the arrays that it runs on. */
export interface Running {
  readonly executable: CpuExecutable;
  readonly inputs: readonly (readonly [name: string, array: StorageArray])[];
  readonly outputs: readonly (readonly [name: string, array: StorageArray])[];
  readonly given: Readonly<Record<string, StorageArray>>;
  readonly wanted: Readonly<Record<string, StorageArray>>;
  readonly bytes: number;
}

interface Entry {
  readonly id: number;
  readonly plan: Plan;
  readonly steps: number;
  running: Running | undefined;
}

/** V8 reserves ten gigabytes of addresses around each WebAssembly memory, and has one terabyte of them. */
const MOST_RUNNING = 48;
const MOST_BYTES = 2 ** 31;

export class Programs {
  readonly #files: SharedFiles;
  readonly #store: PlanStore;
  /** XLA's CPU backend rounds a product and the sum it goes into once. */
  readonly #executor: CpuExecutor = cpuSync({ precision: "fast" });
  readonly #byKey: Map<string, Entry> = new Map();
  readonly #byId: Entry[] = [];
  /** Most recently used last. */
  readonly #running: Set<Entry> = new Set();
  /** How the first program came to be. */
  kind: "found" | "made" | undefined;
  /** What the programs that run print. */
  readonly printed: string[] = [];

  constructor(files: SharedFiles, store: PlanStore) {
    this.#files = files;
    this.#store = store;
  }

  /** A program of that key, if it was compiled before, by this process or another one. */
  find(key: string): Loaded | undefined {
    const known = this.#byKey.get(key);
    if (known !== undefined) return this.#describe(known, "memory", {});
    const started = performance.now();
    const plan = this.#store.get(key);
    if (plan === undefined) return undefined;
    const read = performance.now();
    let entry: Entry;
    try {
      entry = this.#enter(key, plan, 0);
    } catch {
      return undefined;
    }
    this.kind ??= "found";
    const ms = { read: read - started, prepare: performance.now() - read };
    return this.#describe(entry, "disk", ms);
  }

  /** @throws BuildError, CompileError, OutOfMemoryError */
  load(key: string, bytes: Uint8Array, mode: ImportOptions, keep: boolean): Loaded {
    const t0 = performance.now();
    const program = importProgram(bytes, mode);
    const t1 = performance.now();
    const plan = compile(program);
    const t2 = performance.now();
    const entry = this.#enter(key, plan, plan.steps.length);
    const t3 = performance.now();
    if (keep) this.#store.put(key, plan);
    this.kind ??= "made";
    return this.#describe(entry, "program", {
      import: t1 - t0,
      compile: t2 - t1,
      prepare: t3 - t2,
    });
  }

  run(id: number, inputs: readonly Place[], outputs: readonly Place[]): void {
    const running = this.running(id);
    for (let i = 0; i < inputs.length; i++) {
      this.#files.read(inputs[i] as Place, (running.inputs[i] as Running["inputs"][0])[1]);
    }
    running.executable.runSync(running.given, { out: running.wanted });
    for (let i = 0; i < outputs.length; i++) {
      this.#files.write(outputs[i] as Place, (running.outputs[i] as Running["outputs"][0])[1]);
    }
  }

  /** A program, made ready again if others needed its memory. */
  running(id: number): Running {
    const entry = this.#byId[id];
    if (entry === undefined) throw new Error(`there is no program ${id}`);
    return this.#start(entry);
  }

  /** What became of a program, for people. */
  explain(id: number): string {
    const entry = this.#byId[id];
    return entry === undefined ? "" : report(entry.plan).text;
  }

  #enter(key: string, plan: Plan, steps: number): Entry {
    const entry: Entry = { id: this.#byId.length, plan, steps, running: undefined };
    this.#start(entry);
    this.#byId.push(entry);
    this.#byKey.set(key, entry);
    return entry;
  }

  #start(entry: Entry): Running {
    if (entry.running !== undefined) {
      if (this.#running.size > 1) {
        this.#running.delete(entry);
        this.#running.add(entry);
      }
      return entry.running;
    }
    const { plan } = entry;
    this.#makeRoom();
    const executable = this.#executor.prepareSync(plan, {
      onPrint: (line) => this.printed.push(line),
    });
    const named = (ports: Plan["inputs"]) =>
      ports.map(({ name }): readonly [string, StorageArray] => [name, executable.tensor(name)]);
    const inputs = named(plan.inputs);
    const outputs = named(plan.outputs);
    const arrays = [...inputs, ...outputs].map(([, array]) => array.byteLength);
    entry.running = {
      executable,
      inputs,
      outputs,
      given: Object.fromEntries(inputs),
      wanted: Object.fromEntries(outputs),
      bytes: arrays.reduce((sum, size) => sum + size, plan.arenaBytes),
    };
    this.#running.add(entry);
    return entry.running;
  }

  #makeRoom(): void {
    let bytes = 0;
    for (const { running } of this.#running) bytes += running?.bytes ?? 0;
    for (const entry of this.#running) {
      if (this.#running.size < MOST_RUNNING && bytes < MOST_BYTES) return;
      bytes -= entry.running?.bytes ?? 0;
      entry.running?.executable.dispose();
      entry.running = undefined;
      this.#running.delete(entry);
    }
  }

  #describe(entry: Entry, from: Loaded["from"], ms: Loaded["ms"]): Loaded {
    const { inputs, outputs } = this.#start(entry);
    return {
      id: entry.id,
      from,
      inputs: inputs.map(([, array]) => array.byteLength),
      outputs: outputs.map(([, array]) => array.byteLength),
      ms,
      steps: entry.steps,
    };
  }
}
