/**
 * Panels of a `dot`: some rows (or columns) of an operand, [k][panel], converted to what sums are held in, or to pairs of 16
 * bits (dot-elements.ts). Elements that follow each other along k are read as vectors and turned by transpositions.
 */
import { type DType, isSigned, itemSize } from "@gridfuse/plan";
import { add, axis, constant, type IndexExpr, substituteAxes } from "@gridfuse/plan/index-expr";
import { heldType } from "../wasm/held.ts";
import { emitConvert } from "../wasm/scalar-ops.ts";
import { hasLanes, laneShape, splat } from "../wasm/vector-lanes.ts";
import { emitVectorConvert } from "../wasm/vector-ops.ts";
import { pushElement, pushLanes } from "./access.ts";
import type { DotElements } from "./dot-elements.ts";
import { isContiguousAlongK } from "./dot-tile.ts";
import { type FlatDot, K, type Operand } from "./flat-dot.ts";
import type { LaneQuad } from "./lane-quad.ts";
import { type Block, fullBlock, type LaneAxis, type LaneIndex, lanesOf, partsOf } from "./lanes.ts";
import { blockLoop } from "./loops.ts";
import type { Nest } from "./nest.ts";

/** A panel's place among the axes of the dot. */
export interface Panel {
  readonly operand: Operand;
  readonly accumulate: DType;
  readonly rounding: FlatDot["rounding"];
  readonly elements: DotElements;
  readonly along: LaneAxis;
  readonly block: Block;
  /** Elements of a step along k: as many as the block has, or more. */
  readonly width: number;
  /** Extent of k. */
  readonly depth: number;
}

/**
 * Writes a panel to `to` plus what local `at` holds, which moves to its end.
 *
 * @param inner the local of k
 */
export function emitPack(nest: Nest, panel: Panel, inner: number, at: number, to: number): void {
  const { operand, elements, block, width, depth } = panel;
  const { lanes, size, perLane } = elements;
  const parts = partsOf({ ...block, width: Math.ceil(block.width / lanes) * lanes });
  const advance = (steps: number): void => {
    nest.code
      .get(at)
      .i32(size * width * steps)
      .op("i32.add")
      .set(at);
  };
  const step = (isLast: boolean): void => {
    for (const part of parts) {
      nest.code.get(at);
      if (perLane === 2) pushTwos(nest, panel, part, isLast);
      else pushQuad(nest, panel, part);
      nest.code.memory("v128.store", to + 16 * part);
    }
    advance(1);
  };
  nest.code.i32(0).set(inner);
  const mayTurn = hasLanes(operand.dtype) || lanes === 2;
  const turned = mayTurn && isContiguousAlongK(operand, depth, elements);
  const square = lanes * perLane;
  const whole = turned ? Math.floor(depth / square) * square : 0;
  if (whole > 0) {
    blockLoop(nest, inner, square, { constant: whole }, true, () => {
      for (const part of parts) packTurned(nest, panel, part, at, to);
      advance(lanes);
    });
  }
  const complete = depth - (depth % perLane);
  if (whole < complete) {
    blockLoop(nest, inner, perLane, { constant: complete }, true, () => step(false));
  }
  if (complete < depth) nest.code.append(nest.nested(() => step(true)));
}

/** As many rows (or columns) as lanes, of as many lanes along k. */
function packTurned(nest: Nest, panel: Panel, part: number, at: number, to: number): void {
  const { operand, elements, along, block, width, depth } = panel;
  const { lanes, size, perLane } = elements;
  const across = lanesOf(operand.index, along, block, false);
  const last = block.valid - 1;
  const read = Array.from({ length: lanes }, (_, lane) => {
    // Beyond the last one that counts, that one again.
    const index = across.at(Math.min(lanes * part + lane, last));
    const local = nest.local("v128");
    if (perLane === 2) {
      pushShorts(nest, { ...operand, index });
      nest.code.set(local);
      return local;
    }
    const quad = lanesOf(index, { axis: K, extent: depth }, fullBlock(lanes, lanes), false);
    pushLanes(nest, operand.dtype, operand.address, { index: quad, first: 0, valid: lanes });
    nest.code.set(local);
    convert(nest, panel, local);
    return local;
  });
  for (const [step, local] of transposed(nest, read).entries()) {
    nest.code.get(at).get(local);
    nest.code.memory("v128.store", to + size * width * step + 16 * part);
  }
}

/** Pushes eight elements that follow each other, as 16 bits. */
function pushShorts(nest: Nest, { dtype, address, index }: Operand): void {
  const size = itemSize(dtype);
  const offset = nest.pushAddress(index, size, address);
  const narrow = isSigned(dtype) ? "v128.load8x8_s" : "v128.load8x8_u";
  nest.code.memory(size === 1 ? narrow : "v128.load", offset);
}

/** Pushes four neighbouring rows (or columns) at this k and the next, which is 0 where this is the last. */
function pushTwos(nest: Nest, panel: Panel, part: number, isLast: boolean): void {
  const { operand, depth } = panel;
  pushQuad(nest, panel, part);
  splat(nest.code, 0xffff).op("v128.and");
  if (isLast) return;
  const by: IndexExpr[] = [];
  by[K] = add(axis(K, depth), constant(1));
  const next = { ...operand, index: substituteAxes(operand.index, by) };
  pushQuad(nest, { ...panel, operand: next }, part);
  nest.code.i32(16).op("i32x4.shl").op("v128.or");
}

/** The columns of a square whose rows are in locals. */
export function transposed(nest: Nest, rows: readonly number[]): readonly number[] {
  const join = (a: number, b: number, order: readonly number[]): number => {
    const local = nest.local("v128");
    nest.code.get(a).get(b).shuffleLanes(order).set(local);
    return local;
  };
  const [a, b, c, d] = rows as [number, number, number?, number?];
  if (c === undefined || d === undefined) {
    return [join(a, b, [0, 1, 4, 5]), join(a, b, [2, 3, 6, 7])];
  }
  const halves = [
    [0, 4, 1, 5],
    [2, 6, 3, 7],
  ].map((order) => [join(a, b, order), join(c, d, order)] as const);
  return halves.flatMap(([x, y]) => [join(x, y, [0, 1, 4, 5]), join(x, y, [2, 3, 6, 7])]);
}

/** Pushes neighbouring rows (or columns) at one k, as lanes of the accumulator. */
function pushQuad(nest: Nest, panel: Panel, part: number): void {
  const { operand, accumulate, elements, along, block } = panel;
  const { dtype, address } = operand;
  const { lanes } = elements;
  const quad = quadOf(lanesOf(operand.index, along, block, false), block, part, lanes);
  if (!hasLanes(dtype) && lanes === 4) {
    pushWideQuad(nest, operand, accumulate, quad);
    return;
  }
  pushLanes(nest, dtype, address, quad);
  const raw = nest.local("v128");
  nest.code.set(raw);
  convert(nest, panel, raw);
  nest.code.get(raw);
}

/** Makes elements in a local what sums are held in, by way of what sums are rounded to. */
function convert(nest: Nest, { operand, accumulate, rounding }: Panel, local: number): void {
  let from = operand.dtype;
  for (const to of rounding === undefined ? [accumulate] : [rounding, accumulate]) {
    if (from === to) continue;
    emitVectorConvert(nest, from, to, (code) => code.get(local));
    nest.code.set(local);
    from = to;
  }
}

/** Lanes of a block that may have fewer: the others lie where they would, or where the last one does. */
function quadOf({ at, offsets }: LaneIndex, block: Block, part: number, lanes: number): LaneQuad {
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
