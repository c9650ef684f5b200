/** What one interpretation carries along. */
import { type GridParams, InternalError, type Region, type Table } from "@gridfuse/graph";
import type { Environment } from "./environment.ts";
import type { HostTensor } from "./tensor.ts";

export interface InterpretOptions {
  /** Receives the lines of `debug_print`; default `console.log`. */
  readonly onPrint?: (line: string) => void;
  /** Iterations that one run of a `while` may take; default 2^24. */
  readonly fuel?: number;
  /**
   * The order in which a grid's points run, as positions in the row-major list of its points. The meaning is
   * row-major order; another one is for showing that the order of an axis does not matter.
   */
  readonly inlineGridOrder?: (grid: GridParams, points: number) => readonly number[];
}

/** Memory inside a kernel: a block of an array, or scratch. */
export interface RefCell {
  readonly kind: "ref";
  /** Written in place by `set` and `addupdate`. */
  memory: HostTensor;
  /** Has it been written since it was filled? */
  written: boolean;
}

export type Value = HostTensor | RefCell;

export interface Context {
  /** The results of a region for the values of its params. */
  run(region: Region, values: readonly Value[]): readonly Value[];
  readonly table: Table;
  readonly environment: Environment;
  readonly onPrint: (line: string) => void;
  readonly fuel: number;
  readonly inlineGridOrder: InterpretOptions["inlineGridOrder"];
}

export const newRef = (memory: HostTensor): RefCell => ({ kind: "ref", memory, written: false });

export const isRef = (value: Value): value is RefCell => "kind" in value;

/** @throws InternalError GF9501 if the value is a ref: the table is not well formed */
export function asTensor(value: Value | undefined): HostTensor {
  if (value === undefined || isRef(value))
    throw malformed("a ref, or nothing, where a tensor belongs");
  return value;
}

/** @throws InternalError GF9501 if the value is a tensor: the table is not well formed */
export function asRef(value: Value | undefined): RefCell {
  if (value === undefined || !isRef(value))
    throw malformed("a tensor, or nothing, where a ref belongs");
  return value;
}

export const malformed = (what: string): InternalError =>
  new InternalError("GF9501", `the program is malformed: ${what}`, {
    help: "A pass or importer built it wrongly; verify the program after each pass to find which.",
  });
