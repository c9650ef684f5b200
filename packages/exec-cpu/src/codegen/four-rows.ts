/**
 * Four rows of 32-bit elements as the lanes of a column of vectors, which sort-words.ts and sort-packed.ts sort by a network.
 */
import type { Code } from "../wasm/code.ts";
import type { FunctionBuilder } from "../wasm/module.ts";
import { vectorBytes } from "./network.ts";

export const lanes = 4;

/** `outer · inner` rows of `extent` elements, `inner` elements apart. */
export interface RowsShape {
  readonly outer: number;
  readonly extent: number;
  readonly inner: number;
}

const transposeSteps = [
  [0, 1, [0, 4, 1, 5]],
  [2, 3, [0, 4, 1, 5]],
  [0, 1, [2, 6, 3, 7]],
  [2, 3, [2, 6, 3, 7]],
] as const;

export class FourRows {
  readonly #code: Code;
  readonly #shape: RowsShape;
  /** Byte distance of each lane's row from the operand's start. */
  readonly rows: readonly number[];
  /** The vector that is read or written. */
  readonly column: number;
  readonly #i: number;
  readonly #bits: number;
  readonly #quad: readonly number[];
  readonly #mixed: readonly number[];

  constructor(fn: FunctionBuilder, shape: RowsShape) {
    this.#code = fn.code;
    this.#shape = shape;
    const four = (type: "i32" | "v128"): number[] =>
      Array.from({ length: lanes }, () => fn.local(type));
    this.rows = four("i32");
    [this.#i, this.column] = [fn.local("i32"), fn.local("i32")];
    this.#bits = fn.local("v128");
    [this.#quad, this.#mixed] = [four("v128"), four("v128")];
  }

  /** Finds the rows of group `group`; lanes beyond the last row do that row once more. */
  find(group: number): void {
    const code = this.#code;
    const { outer, extent, inner } = this.#shape;
    const last = outer * inner - 1;
    for (const [lane, row] of this.rows.entries()) {
      code.get(group).i32(lanes).op("i32.mul").i32(lane).op("i32.add").set(row);
      code.get(row).i32(last).get(row).i32(last).op("i32.lt_u").op("select").set(row);
      code
        .get(row)
        .i32(inner)
        .op("i32.div_u")
        .i32(extent * inner * 4)
        .op("i32.mul");
      code.get(row).i32(inner).op("i32.rem_u").i32(4).op("i32.mul").op("i32.add").set(row);
    }
  }

  /** Reads rows of the operand at `from` into the column at `to`; `convert` replaces elements on the stack. */
  read(from: number, to: number, convert: () => void): void {
    const code = this.#code;
    const quad = (): void => {
      for (const [lane, local] of this.#quad.entries()) {
        this.#pushAddress(lane);
        code.memory("v128.load", from).set(local);
      }
      this.#transpose();
      for (const [place, local] of this.#quad.entries()) {
        code.get(this.column).get(local);
        convert();
        code.memory("v128.store", place * vectorBytes);
      }
    };
    this.#overPlaces(to, quad, () => {
      code.get(this.column);
      this.#pushAddress(0);
      if (this.#neighbours) {
        code.memory("v128.load", from);
      } else {
        code.memory("v128.load32_zero", from).set(this.#bits);
        for (let lane = 1; lane < lanes; lane++) {
          this.#pushAddress(lane);
          code.get(this.#bits).memoryLane("v128.load32_lane", from, lane).set(this.#bits);
        }
        code.get(this.#bits);
      }
      convert();
      code.memory("v128.store", 0);
    });
  }

  /** Writes the column at `from` to the rows of the operand at `to`. */
  write(from: number, to: number, convert: () => void): void {
    const code = this.#code;
    const quad = (): void => {
      for (const [place, local] of this.#quad.entries()) {
        code.get(this.column).memory("v128.load", place * vectorBytes);
        convert();
        code.set(local);
      }
      this.#transpose();
      for (const [lane, local] of this.#quad.entries()) {
        this.#pushAddress(lane);
        code.get(local).memory("v128.store", to);
      }
    };
    this.#overPlaces(from, quad, () => {
      if (this.#neighbours) {
        this.#pushAddress(0);
        code.get(this.column).memory("v128.load", 0);
        convert();
        code.memory("v128.store", to);
        return;
      }
      code.get(this.column).memory("v128.load", 0);
      convert();
      code.set(this.#bits);
      for (let lane = 0; lane < lanes; lane++) {
        this.#pushAddress(lane);
        code.get(this.#bits).memoryLane("v128.store32_lane", to, lane);
      }
    });
  }

  /** Where the four rows' elements of one place are one vector. */
  get #neighbours(): boolean {
    return this.#shape.inner % lanes === 0;
  }

  /** Pushes the byte distance of the element of lane `lane` that is being read or written. */
  #pushAddress(lane: number): void {
    this.#code
      .get(this.rows[lane] as number)
      .get(this.#i)
      .op("i32.add");
  }

  /** Runs `quad` for the places that go four at a time, where elements of a row are together, then `single` for the rest. */
  #overPlaces(scratch: number, quad: () => void, single: () => void): void {
    const { extent, inner } = this.#shape;
    const code = this.#code;
    const inQuads = inner === 1 ? extent - (extent % lanes) : 0;
    code.i32(0).set(this.#i).i32(scratch).set(this.column);
    const loop = (places: number, until: number, body: () => void): void => {
      code.loop();
      body();
      code
        .get(this.#i)
        .i32(places * inner * 4)
        .op("i32.add")
        .set(this.#i);
      code
        .get(this.column)
        .i32(places * vectorBytes)
        .op("i32.add")
        .tee(this.column);
      code
        .i32(scratch + until * vectorBytes)
        .op("i32.lt_u")
        .brIf(0)
        .end();
    };
    if (inQuads > 0) loop(lanes, inQuads, quad);
    if (inQuads < extent) loop(1, extent, single);
  }

  /** The four vectors of `#quad` as the rows of a 4 × 4 matrix. */
  #transpose(): void {
    const code = this.#code;
    const [quad, mixed] = [this.#quad, this.#mixed];
    for (const [i, [a, b, picked]] of transposeSteps.entries()) {
      code
        .get(quad[a] as number)
        .get(quad[b] as number)
        .shuffleLanes(picked)
        .set(mixed[i] as number);
    }
    const [low, next, high, highest] = mixed as [number, number, number, number];
    for (const [i, [a, b]] of [
      [low, next],
      [high, highest],
    ].entries()) {
      code
        .get(a as number)
        .get(b as number)
        .shuffleLanes([0, 1, 4, 5])
        .set(quad[2 * i] as number);
      code
        .get(a as number)
        .get(b as number)
        .shuffleLanes([2, 3, 6, 7])
        .set(quad[2 * i + 1] as number);
    }
  }
}
