/**
 * Scans of contiguous rows. The order leaves no choice along a row, so the lanes of a vector are rows, which go through a
 * transposition, in and out; several such groups at a time hide the latency of one operation behind another.
 *
 * Rows that are whole pages have all their lines in one set of the cache. Of those, two groups go at a time that are half a
 * row apart: one in the second part of its rows, while the next is in the first part of its own.
 */
import { itemSize, type ScanStep } from "@gridfuse/plan";
import { heldType } from "../wasm/held.ts";
import { emitBinary } from "../wasm/scalar-ops.ts";
import { laneShape } from "../wasm/vector-lanes.ts";
import { blockLoop } from "./loops.ts";
import type { Nest } from "./nest.ts";
import { RunningVector } from "./running-vector.ts";
import { Cursor, type Scanned } from "./scan-cursor.ts";

/** Rows that go through together, at most; cuts between workers are multiples of it. */
export const rowsAtOnce = 8;
/** Rows so many bytes apart have all their lines in one set of the cache, where no more than four fit with their results. */
const aliasing = 4096;
const mostAliased = 4;
/** Vectors of a cache line, through which some rows go before the next do. */
const vectorsInLine = 4;

/** The running results of a vector's rows, and how far each row is from the cursor. */
interface Group {
  readonly sum: RunningVector;
  readonly cursor: Cursor;
  readonly distances: readonly number[];
}

/** Writes rows lo ≤ i < hi, which are locals 0 and 1. */
export class RowScans {
  readonly #nest: Nest;
  readonly #scanned: Scanned;
  readonly #cursor: Cursor;
  readonly #done: number;

  constructor(nest: Nest, scanned: Scanned) {
    this.#nest = nest;
    this.#scanned = scanned;
    this.#cursor = new Cursor(nest, scanned, 0);
    this.#done = nest.local("i32");
  }

  get #step(): ScanStep {
    return this.#scanned.step;
  }

  /** As many rows at once as there are and as are not in each other's way, then fewer, then one by one. */
  together(): void {
    const nest = this.#nest;
    const { outer, extent, dtype } = this.#step;
    const { lanes } = nest;
    const isAliased = (extent * itemSize(dtype)) % aliasing === 0;
    if (isAliased && outer >= 2 * mostAliased) this.#inTurn(mostAliased);
    for (const count of new Set([isAliased ? mostAliased : rowsAtOnce, lanes])) {
      if (outer < count || (isAliased && count === mostAliased && outer >= 2 * count)) continue;
      blockLoop(nest, 0, count, { local: 1 }, false, () => this.#atOnce(count));
    }
    if (outer % lanes > 0) blockLoop(nest, 0, 1, { local: 1 }, false, () => this.#row());
  }

  oneByOne(): void {
    blockLoop(this.#nest, 0, 1, { local: 1 }, true, () => this.#row());
  }

  #groups(count: number, cursor: Cursor): readonly Group[] {
    const { op, dtype, extent } = this.#step;
    const { lanes } = this.#nest;
    return Array.from({ length: count / lanes }, (_, group) => ({
      sum: new RunningVector(this.#nest, op, dtype),
      cursor,
      distances: Array.from({ length: lanes }, (_, row) => (group * lanes + row) * extent),
    }));
  }

  /** The next `end` vectors of groups, which is a multiple of `step`, as many of them in a round. */
  #walk(
    groups: readonly Group[],
    step: number,
    end: { readonly constant: number } | { readonly local: number },
  ): void {
    const { lanes } = this.#nest;
    const forward = this.#step.reverse ? -lanes : lanes;
    blockLoop(this.#nest, this.#done, step, end, true, () => {
      const cursors = new Set(groups.map((group) => group.cursor));
      const squares = groups.flatMap((group) =>
        Array.from({ length: step }, (_, vector) => ({ group, vector })),
      );
      // Groups that are not in each other's way take turns at every vector, so that none waits for its own sum.
      if (cursors.size > 1) squares.sort((a, b) => a.vector - b.vector);
      for (const { group, vector } of squares) this.#square(group, vector * forward);
      for (const cursor of cursors) cursor.advance(step * forward);
    });
  }

  // ── Rows side by side ─────────────────────────────────────────────────────────────────────

  #atOnce(count: number): void {
    const { code, lanes } = this.#nest;
    const { extent, reverse } = this.#step;
    const groups = this.#groups(count, this.#cursor);
    for (const { sum } of groups) sum.begin();
    this.#cursor.start(0, lanes);
    code.i32(0).set(this.#done);
    const vectors = Math.floor(extent / lanes);
    const inLines = vectors - (vectors % vectorsInLine);
    if (inLines > 0) this.#walk(groups, vectorsInLine, { constant: inLines });
    if (inLines < vectors) this.#walk(groups, 1, { constant: vectors });
    // The last few of each row, one by one.
    const left = extent % lanes;
    if (left === 0) return;
    if (reverse) this.#cursor.advance(lanes - left);
    for (const group of groups) {
      for (const row of group.distances.keys()) this.#tail(group, row, left);
    }
  }

  // ── Rows whose lines are in each other's way ──────────────────────────────────────────────

  /** `count` rows in their second part and the next `count` in their first, as long as there are some. */
  #inTurn(count: number): void {
    const nest = this.#nest;
    const { code, lanes } = nest;
    const [behind, ahead] = [
      this.#groups(count, this.#cursor),
      this.#groups(count, new Cursor(nest, this.#scanned, 1)),
    ];
    const [first] = ahead as [Group, ...Group[]];
    const [split, left] = [nest.local("i32"), nest.local("i32")];
    const vectors = this.#step.extent / lanes;
    const begin = (beyond: number): void => {
      for (const { sum } of ahead) sum.begin();
      first.cursor.start(0, lanes, beyond);
    };
    const follow = (): void => {
      for (const [i, { sum }] of behind.entries()) sum.become((ahead[i] as Group).sum);
      code.get(first.cursor.at).set(this.#cursor.at);
      code.i32(0).set(this.#done).i32(vectors).get(split).op("i32.sub").set(left);
    };
    const pushMore = (rows: number): void =>
      void code.get(0).i32(rows).op("i32.add").get(1).op("i32.le_u");

    pushMore(count);
    code.if();
    begin(0);
    code.i32(this.#firstPart()).set(split).i32(0).set(this.#done);
    this.#walk(ahead, 1, { local: split });
    code.loop();
    follow();
    pushMore(2 * count);
    code.if();
    begin(count);
    this.#walk([...behind, ...ahead], vectorsInLine, { local: left });
    code.get(left).set(split).get(0).i32(count).op("i32.add").set(0).br(1).end();
    this.#walk(behind, 1, { local: left });
    code.get(0).i32(count).op("i32.add").set(0).end().end();
  }

  /** Vectors in the first part of the first rows: about half, but so that what is read at once is half a page apart. */
  #firstPart(): number {
    const { extent, dtype } = this.#step;
    const half = aliasing / 2 / itemSize(dtype);
    const halves = extent / half;
    return (((halves / 2) % 2 === 0 ? halves / 2 + 1 : halves / 2) * half) / this.#nest.lanes;
  }

  // ── Elements ──────────────────────────────────────────────────────────────────────────────

  /** As many elements of as many rows as a vector has lanes, `moved` from the cursor: in, on to the sum and out again. */
  #square({ sum, cursor, distances }: Group, moved: number): void {
    const nest = this.#nest;
    const { reverse } = this.#step;
    const loaded = distances.map((distance) => {
      const local = nest.local("v128");
      cursor.pushVector(distance + moved);
      nest.code.set(local);
      return local;
    });
    const columns = this.#transposed(loaded);
    const order = reverse ? [...columns.keys()].reverse() : [...columns.keys()];
    for (const column of order) sum.take(columns[column] as number);
    for (const [row, local] of this.#transposed(columns).entries()) {
      cursor.storeVector((distances[row] as number) + moved, local);
    }
  }

  #transposed(rows: readonly number[]): readonly number[] {
    const nest = this.#nest;
    const join = (a: number, b: number, order: readonly number[]): number => {
      const local = nest.local("v128");
      nest.code.get(a).get(b).shuffleLanes(order).set(local);
      return local;
    };
    if (nest.lanes === 2) {
      const [a, b] = rows as [number, number];
      return [join(a, b, [0, 1, 4, 5]), join(a, b, [2, 3, 6, 7])];
    }
    const [a, b, c, d] = rows as [number, number, number, number];
    const [low, high] = [
      [0, 4, 1, 5],
      [2, 6, 3, 7],
    ] as const;
    const halves = [low, high].map((order) => [join(a, b, order), join(c, d, order)] as const);
    return halves.flatMap(([x, y]) => [join(x, y, [0, 1, 4, 5]), join(x, y, [2, 3, 6, 7])]);
  }

  /** The last `left` elements of a row whose sum so far is lane `row` of the group's. */
  #tail({ sum, cursor, distances }: Group, row: number, left: number): void {
    const nest = this.#nest;
    const { dtype, reverse } = this.#step;
    const held = nest.local(heldType(dtype));
    sum.push();
    nest.code.lane(`${laneShape(dtype)}.extract_lane`, row);
    // Lanes of bool are masks.
    if (dtype === "bool") nest.code.i32(1).op("i32.and");
    nest.code.set(held);
    for (let i = 0; i < left; i++) {
      this.#next(held, cursor, (distances[row] as number) + (reverse ? left - 1 - i : i));
    }
  }

  /** Takes an element into the sum in local `held`, and writes that there. */
  #next(held: number, cursor: Cursor, distance: number): void {
    const nest = this.#nest;
    const { dtype, op } = this.#step;
    const value = nest.local(heldType(dtype));
    cursor.pushElement(distance);
    nest.code.set(value);
    emitBinary(
      nest.code,
      nest.helpers,
      op,
      dtype,
      (code) => code.get(held),
      (code) => code.get(value),
    );
    nest.code.set(held);
    cursor.storeElement(distance, held);
  }

  /** One row, its sum so far in a local. */
  #row(): void {
    const nest = this.#nest;
    const { extent, dtype, reverse } = this.#step;
    const cursor = this.#cursor;
    const [sum, count] = [nest.local(heldType(dtype)), nest.local("i32")];
    cursor.start(0, 1);
    cursor.pushElement(0);
    nest.code.set(sum);
    cursor.storeElement(0, sum);
    if (extent === 1) return;
    nest.code.i32(1).set(count);
    blockLoop(nest, count, 1, { constant: extent }, true, () => {
      cursor.advance(reverse ? -1 : 1);
      this.#next(sum, cursor, 0);
    });
  }
}
