/** A plan as WebAssembly that can be started: the module, where things lie in its memory, what reports say. */
import type { DType, PlanPort, PrintStep, WhileStep } from "@gridfuse/plan";

/** Where a buffer lies. */
export interface Place {
  readonly dtype: DType;
  readonly length: number;
  readonly address: number;
}

/** Constant `index` of the plan, written to `address` before the first run. */
export interface PlacedConstant {
  readonly index: number;
  readonly address: number;
  readonly data: Uint8Array;
}

export interface WasmProgram {
  readonly name: string;
  readonly arenaBytes: number;
  readonly pages: number;
  readonly inputs: readonly PlanPort[];
  readonly outputs: readonly PlanPort[];
  /** Where the buffer of a port, or one that is printed, lies. */
  readonly place: (buffer: number) => Place;
  readonly constants: readonly PlacedConstant[];
  /** Import `print(i)` does step i of these. */
  readonly prints: readonly PrintStep[];
  /** Import `fuel(i)` says that loop i of these ran out. */
  readonly whiles: readonly Pick<WhileStep, "name" | "fuel">[];
  readonly steps: readonly { readonly name: string; readonly kind: string; readonly how: string }[];
  readonly code: Uint8Array<ArrayBuffer>;
  /** The code came with a file: it is looked at before it is run. */
  readonly isForeign: boolean;
  /** For reports. */
  readonly notes?: readonly string[];
  /**
   * Of a program that is shared between threads: the code of worker 1, 2, …, or undefined where it is the same as `code`.
   * Made when workers start, which is after the first run.
   */
  readonly codeOf?: (member: number) => Uint8Array<ArrayBuffer> | undefined;
}

export const pageBytes = 65536;
