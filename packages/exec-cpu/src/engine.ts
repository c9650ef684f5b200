/** What runs a plan: one of the two backends, behind the checks that are common to both. */
import type { PrintStep, StorageArray } from "@gridfuse/plan";
import type { WasmProgram } from "./wasm-program.ts";

export type FormatPrint = (step: PrintStep, getData: (buffer: number) => StorageArray) => string[];

export interface EngineReport {
  readonly backend: "wasm-simd" | "js" | "native";
  readonly arenaBytes: number;
  readonly steps: readonly { readonly name: string; readonly kind: string; readonly how: string }[];
  /** Default 1. */
  readonly threads?: number;
  readonly notes: readonly string[];
}

export interface Engine {
  readonly report: EngineReport;
  /** The engine's own memory of a buffer. */
  view(buffer: number): StorageArray;
  /**
   * @param inputs one array of the right class and length for each input of the plan
   * @param outputs the caller's array for each output, or undefined for a fresh one
   */
  run(
    inputs: readonly StorageArray[],
    outputs: readonly (StorageArray | undefined)[],
  ): readonly StorageArray[];
  dispose?(): void;
}

/** Threads that help with the runs of one program. */
export interface Crew {
  /** Functions that shared programs import. */
  readonly imports: Readonly<Record<string, (count: number) => void>>;
  readonly report: { readonly threads: number; readonly notes: readonly string[] };
  /** Before each run. @throws CapabilityError GF5011, WorkerCrashedError GF5012: what happened since the last one */
  begin(): void;
  /** After each run that ended well. */
  end(): void;
  /** After any other: when it returns, nobody works on the program any more. */
  recover(): void;
  dispose(): void;
}

/** Makes crews of the threads of an executor. */
export interface CrewSource {
  crew(program: WasmProgram, module: WebAssembly.Module, memory: WebAssembly.Memory): Crew;
}

/** Copies whole arrays of one class; bytes, so that NaN payloads survive. */
export function copyBytes(from: StorageArray, to: StorageArray): void {
  new Uint8Array(to.buffer, to.byteOffset, to.byteLength).set(
    new Uint8Array(from.buffer, from.byteOffset, from.byteLength),
  );
}

export interface EngineOptions {
  /** The lines of a print step; needed only where a program prints. */
  readonly formatPrint?: FormatPrint | undefined;
  readonly maxBytes?: number | undefined;
  readonly maxFuel?: number | undefined;
  readonly precision?: "exact" | "fast" | undefined;
  readonly simd?: "wide" | undefined;
  readonly onPrint?: ((line: string, step: PrintStep) => void) | undefined;
}
