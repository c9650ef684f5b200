/** Buffers, constants and step names of the plan under construction. */
import type { Node } from "@gridfuse/graph";
import type { BufferKind, OrbitReport, PlanBuffer, PlanConstant } from "@gridfuse/plan";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import type { DType, StorageArray } from "@gridfuse/plan/scalar";
import type { Stored } from "./cost.ts";

/** Where a value lies: row-major, contiguous, from an element offset that loops may shift. */
export interface Place {
  readonly buffer: number;
  readonly offset: IndexExpr;
}

/** Where element `within` of what lies there is. */
export const indexIn = ({ offset }: Place, within: IndexExpr): IndexExpr =>
  offset === ix.zero ? within : ix.add(offset, within);

export const atStart = (buffer: number): Place => ({ buffer, offset: ix.zero });

export class PlanBuilder {
  readonly buffers: PlanBuffer[] = [];
  readonly constants: PlanConstant[] = [];
  readonly #constantBuffers = new Map<StorageArray, number>();
  readonly #names = new Map<string, number>();
  /** What each step computes, by step name; nobody has looked yet at which lines that comes from. */
  readonly origins: Map<string, readonly Node[]> = new Map();

  /** What kernels over orbits do, by step name. */
  readonly orbits: Map<string, OrbitReport> = new Map();
  /** Why a kernel's result lies in memory although its readers could compute it, by step name. */
  readonly stored: Map<string, Stored> = new Map();

  /**
   * Predicates of `while` steps over independent lanes: the loop goes on while any lane does, and a round leaves
   * lanes alone that are done. So it may go on for some lanes longer than for others.
   */
  readonly laneLoops: Set<number> = new Set();

  newBuffer(kind: BufferKind, dtype: DType, length: number): number {
    return this.buffers.push({ kind, dtype, length }) - 1;
  }

  resize(buffer: number, length: number): void {
    this.buffers[buffer] = { ...(this.buffers[buffer] as PlanBuffer), length };
  }

  /** The buffer of a constant array; the same array is stored once. */
  constant(dtype: DType, data: StorageArray): number {
    let buffer = this.#constantBuffers.get(data);
    if (buffer === undefined) {
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
      const constant = this.constants.push({ dtype, length: data.length, data: bytes }) - 1;
      buffer = this.buffers.push({ kind: "constant", dtype, length: data.length, constant }) - 1;
      this.#constantBuffers.set(data, buffer);
    }
    return buffer;
  }

  /** `base`, or `base_2`, `base_3`… where it is taken. */
  name(base: string): string {
    const count = (this.#names.get(base) ?? 0) + 1;
    this.#names.set(base, count);
    return count === 1 ? base : `${base}_${count}`;
  }
}
