/** Nodes of a scalar program on four lanes. */
import { itemSize } from "@gridfuse/plan";
import {
  argsOf,
  type BinaryOp,
  type ConstNode,
  type IndexNode,
  type LoadNode,
  type ScalarNode,
} from "@gridfuse/plan/scalar";
import { laneWord } from "../wasm/held.ts";
import type { Push } from "../wasm/scalar-ops.ts";
import {
  emitVectorBinary,
  emitVectorBitcast,
  emitVectorCompare,
  emitVectorConvert,
  emitVectorShift,
  emitVectorUnary,
  normaliseLanes,
  type ShiftOp,
} from "../wasm/vector-ops.ts";
import { guardQuad, openRanges, pushElement, pushLanes } from "./access.ts";
import type { Address, Nest } from "./nest.ts";
import { isBinaryOp, isCompareOp, isShift, isUnaryOp, meaningless } from "./node-kinds.ts";
import type { ProgramView } from "./program.ts";

/** Pushes lanes 4·part … 4·part + 3 of node number `index`. */
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
      const [condition, yes, no] = node.args;
      for (const arg of [yes, no, condition]) view.vector(arg, part)(code);
      code.op("v128.bitselect");
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
  const [a, b] = argsOf(node) as readonly [number, number];
  const { dtype } = view.node(a);
  const x = view.vector(a, part);
  if (dtype === "float32" && (node.op === "abs" || node.op === "neg")) {
    x(nest.code);
    pushSignWord(nest, node.op === "abs" ? 0x7fffffff : -0x80000000);
    nest.code.op(node.op === "abs" ? "v128.and" : "v128.xor");
  } else if (isUnaryOp(node.op)) {
    emitVectorUnary(nest, node.op, dtype, x);
  } else if (isCompareOp(node.op)) {
    emitVectorCompare(nest, node.op, dtype, x, view.vector(b, part));
  } else if (isBinaryOp(node.op)) {
    if (isShift(node.op) && !view.isVector(b) && itemSize(dtype) === 4) {
      pushUniformShift(view, node.op, x, b);
    } else if (isExtremum(node.op) && isKnownFloat(view.node(b))) {
      pushExtremum(view, node.op, a, b, part);
    } else if (isExtremum(node.op) && isKnownFloat(view.node(a))) {
      pushExtremum(view, node.op, b, a, part);
    } else {
      emitVectorBinary(nest, node.op, dtype, x, view.vector(b, part));
    }
  } else {
    throw meaningless(node.op);
  }
}

/** A mask of the sign bits or of all others, kept outside the loops: V8 makes it anew for each f32x4.abs. */
function pushSignWord(nest: Nest, word: number): void {
  const mask = nest.memoised(`s${word}`, 0, "v128", () => nest.code.v128([word, word, word, word]));
  nest.code.get(mask);
}

const isExtremum = (op: BinaryOp): op is "min" | "max" => op === "min" || op === "max";

const isKnownFloat = (node: ScalarNode): boolean =>
  node.op === "const" && node.dtype === "float32" && (node.bits.lo & 0x7fffffff) <= 0x7f800000;

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
  view.vector(x, part)(nest.code);
  view.vector(immediate, part)(nest.code);
  nest.code.op(op === "min" ? "f32x4.pmin" : "f32x4.pmax");
  const zero = (view.node(immediate) as ConstNode).bits.lo;
  if (op === "max" && zero === 0) {
    view.vector(immediate, part)(nest.code);
    nest.code.op("f32x4.add");
  } else if (op === "min" && zero === 0x80000000) {
    // What is no more than −0 has its sign anyway.
    pushSignWord(nest, -0x80000000);
    nest.code.op("v128.or");
  }
}

function pushUniformShift(view: ProgramView, op: ShiftOp, x: Push, amount: number): void {
  const { code } = view.nest;
  const node = view.node(amount);
  if (node.op === "const" && node.bits.lo < 32) {
    x(code);
    code.i32(node.bits.lo);
    code.op(
      op === "shiftLeft" ? "i32x4.shl" : op === "shiftRightLogical" ? "i32x4.shr_u" : "i32x4.shr_s",
    );
  } else {
    emitVectorShift(code, op, x, view.scalar(amount));
  }
}

function pushIndexQuad(view: ProgramView, { index, dtype }: IndexNode, part: number): void {
  const nest = view.nest;
  const lanes = view.laneIndex(index);
  const first = 4 * part;
  if (lanes.offsets !== undefined) {
    nest.pushIndex(lanes.at(0));
    nest.code.op("i32x4.splat");
    const [a, b, c, d] = lanes.offsets.slice(first, first + 4) as [number, number, number, number];
    const words = `${a},${b},${c},${d}`;
    const steps = nest.memoised(`o${words}`, 0, "v128", () => nest.code.v128([a, b, c, d]));
    nest.code.get(steps).op("i32x4.add");
    normaliseLanes(nest.code, dtype);
    return;
  }
  for (let lane = first; lane < first + 4; lane++) {
    nest.lane = lane;
    nest.pushIndex(lanes.at(lane));
    if (lane === first) nest.code.op("i32x4.splat");
    else nest.code.lane("i32x4.replace_lane", lane - first);
  }
  nest.lane = 0;
  normaliseLanes(nest.code, dtype);
}

/** Sets `result` to four lanes of a load. */
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
  const fill = laneWord(node.dtype, node.fill);
  nest.code.v128([fill, fill, fill, fill]).set(result);
  if (open === undefined) return;
  guardQuad(nest, view.quadGuard(open, part), pushWhole, (lane) => {
    const { code } = nest;
    const index = quad.index.at(quad.first + lane);
    if (node.dtype === "bool") {
      code.get(result).i32(0);
      pushElement(nest, "bool", base, index);
      code.i32(0).op("i32.ne").op("i32.sub").lane("i32x4.replace_lane", lane);
    } else if (itemSize(node.dtype) < 4) {
      code.get(result);
      pushElement(nest, node.dtype, base, index);
      code.lane("i32x4.replace_lane", lane);
    } else {
      const offset = nest.pushAddress(index, 4, base);
      code.get(result).memoryLane("v128.load32_lane", offset, lane);
    }
    code.set(result);
  });
}
