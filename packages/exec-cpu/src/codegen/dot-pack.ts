/**
 * Panels of a `dot`: some rows (or columns) of an operand, [k][panel], converted to what sums are held in. Elements
 * that follow each other along k are read as vectors and turned by 4 × 4 transpositions.
 */
import type { DType } from "@gridfuse/plan";
import { heldType } from "../wasm/held.ts";
import { emitConvert } from "../wasm/scalar-ops.ts";
import { hasLanes, laneShape } from "../wasm/vector-lanes.ts";
import { emitVectorConvert } from "../wasm/vector-ops.ts";
import { pushElement, pushLanes } from "./access.ts";
import { isContiguousAlongK } from "./dot-tile.ts";
import { K, type Operand } from "./flat-dot.ts";
import type { LaneQuad } from "./lane-quad.ts";
import { type Block, fullBlock, type LaneAxis, type LaneIndex, lanesOf, partsOf } from "./lanes.ts";
import { blockLoop } from "./loops.ts";
import type { Nest } from "./nest.ts";

const lanes = 4;

/** A panel's place among the axes of the dot. */
export interface Panel {
  readonly operand: Operand;
  readonly accumulate: DType;
  readonly along: LaneAxis;
  readonly block: Block;
  /** Extent of k. */
  readonly depth: number;
}

/**
 * Writes a panel to `to` plus what local `at` holds, which moves to its end.
 *
 * @param inner the local of k
 */
export function emitPack(nest: Nest, panel: Panel, inner: number, at: number, to: number): void {
  const { operand, block, depth } = panel;
  const width = Math.ceil(block.width / lanes) * lanes;
  const advance = (steps: number): void => {
    nest.code
      .get(at)
      .i32(4 * width * steps)
      .op("i32.add")
      .set(at);
  };
  nest.code.i32(0).set(inner);
  const turned = hasLanes(operand.dtype) && isContiguousAlongK(operand, depth);
  const whole = turned ? Math.floor(depth / lanes) * lanes : 0;
  if (whole > 0) {
    blockLoop(nest, inner, lanes, { constant: whole }, true, () => {
      for (const part of partsOf({ ...block, width })) packTurned(nest, panel, part, width, at, to);
      advance(lanes);
    });
  }
  if (whole < depth) {
    blockLoop(nest, inner, 1, { constant: depth }, true, () => {
      for (const part of partsOf({ ...block, width })) {
        nest.code.get(at);
        pushQuad(nest, panel, part);
        nest.code.memory("v128.store", to + 16 * part);
      }
      advance(1);
    });
  }
}

/** Four rows (or columns) of four elements along k. */
function packTurned(
  nest: Nest,
  panel: Panel,
  part: number,
  width: number,
  at: number,
  to: number,
): void {
  const { operand, accumulate, along, block, depth } = panel;
  const across = lanesOf(operand.index, along, block, false);
  const last = block.valid - 1;
  const read = Array.from({ length: lanes }, (_, lane) => {
    // Beyond the last one that counts, that one again.
    const index = across.at(Math.min(lanes * part + lane, last));
    const quad = lanesOf(index, { axis: K, extent: depth }, fullBlock(lanes), false);
    const local = nest.local("v128");
    pushLanes(nest, operand.dtype, operand.address, { index: quad, first: 0, valid: lanes });
    nest.code.set(local);
    if (operand.dtype === accumulate) return local;
    emitVectorConvert(nest, operand.dtype, accumulate, (code) => code.get(local));
    nest.code.set(local);
    return local;
  });
  for (const [step, local] of transposed(nest, read).entries()) {
    nest.code.get(at).get(local);
    nest.code.memory("v128.store", to + 4 * width * step + 16 * part);
  }
}

/** The columns of a square whose rows are in locals. */
export function transposed(nest: Nest, rows: readonly number[]): readonly number[] {
  const join = (a: number, b: number, order: readonly number[]): number => {
    const local = nest.local("v128");
    nest.code.get(a).get(b).shuffleLanes(order).set(local);
    return local;
  };
  const [a, b, c, d] = rows as [number, number, number, number];
  const halves = [
    [0, 4, 1, 5],
    [2, 6, 3, 7],
  ].map((order) => [join(a, b, order), join(c, d, order)] as const);
  return halves.flatMap(([x, y]) => [join(x, y, [0, 1, 4, 5]), join(x, y, [2, 3, 6, 7])]);
}

/** Pushes four neighbouring rows (or columns) at one k, as lanes of the accumulator. */
function pushQuad(nest: Nest, { operand, accumulate, along, block }: Panel, part: number): void {
  const { dtype, address } = operand;
  const quad = quadOf(lanesOf(operand.index, along, block, false), block, part);
  if (!hasLanes(dtype)) {
    pushWideQuad(nest, operand, accumulate, quad);
    return;
  }
  pushLanes(nest, dtype, address, quad);
  if (dtype === accumulate) return;
  const raw = nest.local("v128");
  nest.code.set(raw);
  emitVectorConvert(nest, dtype, accumulate, (code) => code.get(raw));
}

/** Four lanes of a block that may have fewer: the others lie where they would, or where the last one does. */
function quadOf({ at, offsets }: LaneIndex, block: Block, part: number): LaneQuad {
  const first = lanes * part;
  const valid = Math.min(block.valid - first, lanes);
  if (offsets === undefined || offsets.length % lanes === 0) {
    return { index: { at, offsets }, first, valid };
  }
  const last = offsets.length - 1;
  const step = last > 0 && offsets[last] === last ? 1 : 0;
  const padded = Array.from(
    { length: block.width + lanes },
    (_, lane) => offsets[lane] ?? (offsets[last] as number) + step * (lane - last),
  );
  return { index: { at: (lane) => at(Math.min(lane, last)), offsets: padded }, first, valid };
}

/** The same for 64-bit operands, one by one. */
function pushWideQuad(
  nest: Nest,
  { dtype, address }: Operand,
  accumulate: DType,
  { index, first, valid }: LaneQuad,
): void {
  const held = nest.local(heldType(dtype));
  const quad = nest.local("v128");
  nest.code.v128([0, 0, 0, 0]).set(quad);
  for (let lane = 0; lane < valid; lane++) {
    pushElement(nest, dtype, address, index.at(first + lane));
    nest.code.set(held).get(quad);
    emitConvert(nest.code, nest.helpers, dtype, accumulate, (code) => code.get(held));
    nest.code.lane(`${laneShape(accumulate)}.replace_lane`, lane).set(quad);
  }
  nest.code.get(quad);
}
