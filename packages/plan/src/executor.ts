/**
 * The face that every executor shows: plan in, results out.
 */
import type { DType, StorageArray } from "./dtype.ts";
import type { Plan, PrintStep } from "./plan.ts";

/** A tensor in host memory: row-major, in the in-memory form of its dtype. */
export interface HostTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly data: StorageArray;
}

/** What `run` accepts for one input: its elements, a described tensor, or a number where rank is 0. */
export type RunInput = StorageArray | HostTensor | number | bigint | boolean;
export type RunInputs = Readonly<Record<string, RunInput>>;
export type RunOutputs = Record<string, StorageArray>;

export interface PrepareOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (done: number, total: number) => void;
  /** Receives the lines of `debugPrint`; default `console.log`. */
  readonly onPrint?: (line: string, step: PrintStep) => void;
}

export interface RunOptions {
  /** Arrays to write results into; outputs that are not named come back in fresh arrays. */
  readonly out?: Readonly<Record<string, StorageArray>>;
  readonly signal?: AbortSignal;
}

export interface ExecutionReport {
  readonly executor: string;
  /** What really runs, e.g. "wasm-simd", "js", "webgpu SwiftShader". */
  readonly backend: string;
  readonly threads: number;
  readonly arenaBytes: number;
  readonly steps: readonly { readonly name: string; readonly kind: string; readonly how: string }[];
  readonly notes: readonly string[];
}

export interface Executable {
  readonly plan: Plan;
  readonly state: "ready" | "poisoned" | "disposed";
  run(inputs: RunInputs, options?: RunOptions): Promise<RunOutputs>;
  report(): ExecutionReport;
  dispose(): void;
  [Symbol.dispose](): void;
}

export interface Executor {
  readonly name: string;
  prepare(plan: Plan, options?: PrepareOptions): Promise<Executable>;
}
