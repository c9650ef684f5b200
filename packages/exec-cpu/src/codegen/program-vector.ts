/** Nodes of a scalar program on the lanes of a vector. */
import { type DType, itemSize } from "@gridfuse/plan";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import {
  argsOf,
  type BinaryOp,
  type ConstNode,
  type IndexNode,
  type LoadNode,
  type ScalarNode,
} from "@gridfuse/plan/scalar";
import { laneWords } from "../wasm/held.ts";
import type { Push } from "../wasm/scalar-ops.ts";
import { hasLanes, normaliseLanes } from "../wasm/vector-lanes.ts";
import {
  emitShiftBy,
  emitVectorBinary,
  emitVectorBitcast,
  emitVectorCompare,
  emitVectorConvert,
  emitVectorSelect,
  emitVectorShift,
  emitVectorUnary,
  type ShiftOp,
} from "../wasm/vector-ops.ts";
import { pushElement, pushLanes } from "./access.ts";
import { guardQuad, openRanges } from "./guards.ts";
import type { Address, Nest } from "./nest.ts";
import { isBinaryOp, isCompareOp, isShift, isUnaryOp, meaningless } from "./node-kinds.ts";
import type { ProgramView } from "./program-view.ts";
import { pushIndex64 } from "./wide-index.ts";

/** Pushes the lanes of `part` of node number `index`. */
export function pushQuadNode(
  view: ProgramView,
  index: number,
  node: Exclude<ScalarNode, LoadNode>,
  part: number,
): void {
  const { code } = view.nest;
  switch (node.op) {
    case "index":
      pushIndexQuad(view, node, part);
      return;
    case "reduced":
      view.source.reduced(node.stage, node.reduction, part)(code);
      return;
    case "select":
    case "rare": {
      const { args } = node;
      view.vector(args[1], part)(code);
      view.vector(args[2], part)(code);
      view.vector(args[0], part)(code);
      emitVectorSelect(view.nest, node.dtype);
      return;
    }
    case "convert": {
      const x = view.vector(node.args[0], part);
      emitVectorConvert(view.nest, view.node(node.args[0]).dtype, node.dtype, x);
      return;
    }
    case "bitcast": {
      const x = view.vector(node.args[0], part);
      const canonical = view.source.facts.canonical[index] as boolean;
      emitVectorBitcast(view.nest, view.node(node.args[0]).dtype, node.dtype, canonical, x);
      return;
    }
    default:
      if (!pushContracted(view, index, node, part)) pushQuadOp(view, node, part);
  }
}

/** Pushes a sum and the product in it, where they are one instruction; else says that they are not. */
function pushContracted(view: ProgramView, index: number, node: ScalarNode, part: number): boolean {
  const position = view.source.contractions?.get(index);
  if (position === undefined) return false;
  const args = argsOf(node);
  const [product, other] = [args[position], args[1 - position]] as [number, number];
  for (const arg of [...argsOf(view.node(product)), other]) view.vector(arg, part)(view.nest.code);
  view.nest.code.op(node.op === "sub" ? "f32x4.relaxed_nmadd" : "f32x4.relaxed_madd");
  return true;
}

function pushQuadOp(view: ProgramView, node: ScalarNode, part: number): void {
  const nest = view.nest;
  const args = argsOf(node);
  const a = args[0] as number;
  const b = args[1] as number;
  const { dtype } = view.node(a);
  const x = view.vector(a, part);
  if (isDirectFloat(dtype) && (node.op === "abs" || node.op === "neg")) {
    x(nest.code);
    pushSigns(nest, dtype, node.op === "abs");
    nest.code.op(node.op === "abs" ? "v128.and" : "v128.xor");
  } else if (isUnaryOp(node.op)) {
    emitVectorUnary(nest, node.op, dtype, x);
  } else if (isCompareOp(node.op)) {
    emitVectorCompare(nest, node.op, dtype, x, view.vector(b, part));
  } else if (isBinaryOp(node.op)) {
    const { op } = node;
    if (isShift(op) && !view.isVector(b) && itemSize(dtype) >= 4) {
      pushUniformShift(view, op, x, b);
    } else if (isExtremum(op) && isDirectFloat(dtype) && isKnownFloat(view.node(b))) {
      pushExtremum(view, op, a, b, part);
    } else if (isExtremum(op) && isDirectFloat(dtype) && isKnownFloat(view.node(a))) {
      pushExtremum(view, op, b, a, part);
    } else {
      emitVectorBinary(nest, op, dtype, x, view.vector(b, part));
    }
  } else {
    throw meaningless(node.op);
  }
}

type DirectFloat = "float32" | "float64";

/** Floats that are computed with as they are held. */
const isDirectFloat = (dtype: DType): dtype is DirectFloat =>
  dtype === "float32" || dtype === "float64";

/** A mask of the sign bits or of all others, kept outside the loops: V8 makes it anew for each f32x4.abs. */
function pushSigns(nest: Nest, dtype: DirectFloat, areOthers: boolean): void {
  const word = areOthers ? 0x7fffffff : 0x80000000;
  const low = dtype === "float32" ? word : areOthers ? 0xffffffff : 0;
  const mask = nest.memoised(`s${dtype}${word}`, 0, "v128", () =>
    nest.code.v128([low, word, low, word]),
  );
  nest.code.get(mask);
}

const isExtremum = (op: BinaryOp): op is "min" | "max" => op === "min" || op === "max";

/** The word of a float with its sign. */
const topWord = ({ dtype, bits }: ConstNode): number => (dtype === "float32" ? bits.lo : bits.hi);

const isKnownFloat = (node: ScalarNode): boolean =>
  node.op === "const" && isDirectFloat(node.dtype) && !isNaNBits(node);

function isNaNBits(node: ConstNode): boolean {
  const size = topWord(node) & 0x7fffffff;
  if (node.dtype === "float32") return size > 0x7f800000;
  return size > 0x7ff00000 || (size === 0x7ff00000 && node.bits.lo !== 0);
}

/**
 * The extremum of `x` and an immediate that is no NaN: "y < x ? y : x", one instruction where the full meaning takes
 * seven, gives x where x is NaN, and x again where both are zeros. That is wrong where the immediate is the zero
 * that counts, which adding 0 or setting signs puts right.
 */
function pushExtremum(
  view: ProgramView,
  op: "min" | "max",
  x: number,
  immediate: number,
  part: number,
): void {
  const { nest } = view;
  const node = view.node(immediate) as ConstNode;
  const dtype = node.dtype as DirectFloat;
  const shape = dtype === "float32" ? "f32x4" : "f64x2";
  view.vector(x, part)(nest.code);
  view.vector(immediate, part)(nest.code);
  nest.code.op(`${shape}.${op === "min" ? "pmin" : "pmax"}`);
  if ((topWord(node) & 0x7fffffff) !== 0 || (dtype === "float64" && node.bits.lo !== 0)) return;
  const isNegative = topWord(node) !== 0;
  if (op === "max" && !isNegative) {
    view.vector(immediate, part)(nest.code);
    nest.code.op(`${shape}.add`);
  } else if (op === "min" && isNegative) {
    // What is no more than −0 has its sign anyway.
    pushSigns(nest, dtype, false);
    nest.code.op("v128.or");
  }
}

function pushUniformShift(view: ProgramView, op: ShiftOp, x: Push, amount: number): void {
  const { code } = view.nest;
  const node = view.node(amount);
  const width = 8 * itemSize(node.dtype);
  if (node.op === "const" && node.bits.lo < width && (width < 64 || node.bits.hi === 0)) {
    emitShiftBy(code, op, node.dtype, x, node.bits.lo);
  } else {
    emitVectorShift(code, op, node.dtype, x, view.scalar(amount));
  }
}

function pushIndexQuad(view: ProgramView, { index, dtype }: IndexNode, part: number): void {
  const nest = view.nest;
  if (!hasLanes(dtype)) {
    pushWideIndices(view, index, part);
    return;
  }
  const lanes = view.laneIndex(index);
  const first = nest.lanes * part;
  if (lanes.offsets !== undefined) {
    nest.pushIndex(lanes.at(0));
    nest.code.op("i32x4.splat");
    const [a, b, c = 0, d = 0] = lanes.offsets.slice(first, first + nest.lanes) as [number, number];
    const words = `${a},${b},${c},${d}`;
    const steps = nest.memoised(`o${words}`, 0, "v128", () => nest.code.v128([a, b, c, d]));
    nest.code.get(steps).op("i32x4.add");
    normaliseLanes(nest.code, dtype);
    return;
  }
  for (let lane = first; lane < first + nest.lanes; lane++) {
    nest.lane = lane;
    nest.pushIndex(lanes.at(lane));
    if (lane === first) nest.code.op("i32x4.splat");
    else nest.code.lane("i32x4.replace_lane", lane - first);
  }
  nest.lane = 0;
  normaliseLanes(nest.code, dtype);
}

/** The upper word of an integer. */
const upper = (x: number): number => Math.floor(x / 2 ** 32);

/** Two 64-bit indices: where lanes lie at constant distances, one and the distances. */
function pushWideIndices(view: ProgramView, index: IndexExpr, part: number): void {
  const nest = view.nest;
  const lanes = view.laneIndex(index);
  const first = 2 * part;
  if (lanes.offsets !== undefined) {
    const [a, b] = lanes.offsets.slice(first, first + 2) as [number, number];
    pushIndex64(nest, lanes.at(0));
    nest.code.op("i64x2.splat");
    const steps = nest.memoised(`o${a},${b}:`, 0, "v128", () => {
      nest.code.v128([a, upper(a), b, upper(b)]);
    });
    nest.code.get(steps).op("i64x2.add");
    return;
  }
  for (let lane = first; lane < first + 2; lane++) {
    nest.lane = lane;
    pushIndex64(nest, lanes.at(lane));
    if (lane === first) nest.code.op("i64x2.splat");
    else nest.code.lane("i64x2.replace_lane", 1);
  }
  nest.lane = 0;
}

/** Sets `result` to the lanes of a load. */
export function emitQuadLoad(
  view: ProgramView,
  node: LoadNode,
  part: number,
  result: number,
): void {
  const nest = view.nest;
  const base = view.source.addresses[node.buffer] as Address;
  const quad = view.quad(node.index, part);
  const open = openRanges(node.guard);
  const shared = open?.length === 0 ? view.sharedVectors(node) : undefined;
  const pushWhole = (): void => {
    pushLanes(nest, node.dtype, base, quad, shared);
    nest.code.set(result);
  };
  if (open !== undefined && open.length === 0) {
    pushWhole();
    return;
  }
  nest.code.v128(laneWords(node.dtype, node.fill)).set(result);
  if (open === undefined) return;
  guardQuad(nest, view.quadGuard(open, part), pushWhole, (lane) => {
    const { code } = nest;
    const index = quad.index.at(quad.first + lane);
    if (node.dtype === "bool") {
      const isPair = nest.lanes === 2;
      code.get(result).i32(0);
      pushElement(nest, "bool", base, index);
      code.i32(0).op("i32.ne").op("i32.sub");
      if (isPair) code.op("i64.extend_i32_s");
      code.lane(isPair ? "i64x2.replace_lane" : "i32x4.replace_lane", lane);
    } else if (itemSize(node.dtype) < 4) {
      code.get(result);
      pushElement(nest, node.dtype, base, index);
      code.lane("i32x4.replace_lane", lane);
    } else {
      const size = itemSize(node.dtype);
      const offset = nest.pushAddress(index, size, base);
      code.get(result);
      code.memoryLane(size === 4 ? "v128.load32_lane" : "v128.load64_lane", offset, lane);
    }
    code.set(result);
  });
}
