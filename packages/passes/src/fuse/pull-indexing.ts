/**
 * Pulling through ops that read several operands, or at places that are computed: each element comes from one of them, and what
 * cannot be known to lie inside is guarded.
 */
import type { Node, NodeNamed, Table, ValueId } from "@gridfuse/graph";
import { CompileError } from "@gridfuse/plan";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import { type Bits, bitsDType, type DType, type IndexRange, itemSize } from "@gridfuse/plan/scalar";
import { clampNode, insideNode, mergeGuards, openRanges } from "./guards.ts";
import type { StageBuilder } from "./stage.ts";

/** What pulls values, as it is seen from here. */
export interface Pulling {
  readonly table: Table;
  shapeOf(value: ValueId): readonly number[];
  dtypeOf(value: ValueId): DType;
  /** Node of `stage` that holds element `at` of `value`. */
  pull(
    stage: StageBuilder,
    value: ValueId,
    at: readonly IndexExpr[],
    guard?: readonly IndexRange[],
  ): number;
  /** What an integer is, if that only depends on positions. */
  symbolic(value: ValueId, at: readonly IndexExpr[]): IndexExpr | undefined;
  /** Bool node: every range holds. */
  holds(stage: StageBuilder, ranges: readonly IndexRange[]): number;
}

const zeroBits: Bits = { lo: 0, hi: 0 };

/** Node of `stage` that holds element `at` of what `node` makes. */
export function pullIndexed(
  p: Pulling,
  stage: StageBuilder,
  node: Node,
  at: readonly IndexExpr[],
  guard: readonly IndexRange[],
): number {
  switch (node.op) {
    case "pad":
      return pad(p, stage, node, at, guard);
    case "concatenate":
      return concatenate(p, stage, node, at, guard);
    case "dynamic_slice":
      return dynamicSlice(p, stage, node, at, guard);
    case "dynamic_update_slice":
      return dynamicUpdateSlice(p, stage, node, at, guard);
    case "gather":
      return gather(p, stage, node, at, guard);
    default:
      throw new CompileError("GF3902", `no lowering for "${node.op}"`);
  }
}

function pad(
  p: Pulling,
  stage: StageBuilder,
  node: NodeNamed<"pad">,
  at: readonly IndexExpr[],
  guard: readonly IndexRange[],
): number {
  const [source, padding] = node.inputs as readonly [ValueId, ValueId];
  const shape = p.shapeOf(source);
  const ranges: IndexRange[] = [];
  const index = node.params.config.map(({ lo, interior }, d) => {
    const shifted = ix.add(at[d] as IndexExpr, ix.constant(-lo));
    if (interior === 0) return shifted;
    ranges.push({ index: ix.mod(shifted, interior + 1), lo: 0, hi: 1 });
    return ix.floordiv(shifted, interior + 1);
  });
  ranges.push(...openRanges(index, shape, guard));
  const open = ranges.filter(({ index: e, lo, hi }) => e.lo < lo || e.hi >= hi);
  if (open.length === 0) return p.pull(stage, source, index, guard);
  const element = p.pull(stage, source, index, mergeGuards(guard, open));
  return stage.b.select(p.holds(stage, open), element, p.pull(stage, padding, [], guard));
}

function concatenate(
  p: Pulling,
  stage: StageBuilder,
  node: NodeNamed<"concatenate">,
  at: readonly IndexExpr[],
  guard: readonly IndexRange[],
): number {
  const { dimension } = node.params;
  const position = at[dimension] as IndexExpr;
  let start = 0;
  let result: number | undefined;
  for (const operand of node.inputs) {
    const extent = p.shapeOf(operand)[dimension] as number;
    const end = start + extent;
    if (extent > 0 && position.hi >= start && position.lo < end) {
      const range = { index: position, lo: start, hi: end };
      const open = position.lo < start || position.hi >= end ? [range] : [];
      const index = at.map((e, d) => (d === dimension ? ix.add(e, ix.constant(-start)) : e));
      const element = p.pull(stage, operand, index, mergeGuards(guard, open));
      if (result === undefined) {
        result = element;
      } else {
        const from = stage.b.compare(
          "ge",
          stage.b.index("int32", position),
          stage.b.const("int32", start),
        );
        result = stage.b.select(from, element, result);
      }
    }
    start = end;
  }
  return result ?? stage.b.constBits(p.dtypeOf(node.outputs[0] as ValueId), zeroBits);
}

/** An integer scalar as an index in [lo, hi], clamped; symbolic where possible. */
function clampedIndex(
  p: Pulling,
  stage: StageBuilder,
  given: ValueId,
  at: readonly IndexExpr[],
  lo: number,
  hi: number,
  guard: readonly IndexRange[],
): IndexExpr {
  const symbolic = p.symbolic(given, at);
  if (symbolic !== undefined) return ix.clamp(symbolic, lo, hi);
  const { b } = stage;
  const value = p.pull(stage, given, at, guard);
  const dtype = b.dtypeOf(value);
  const clamped = clampNode(b, value, dtype, lo, hi);
  return ix.value(b.convert(clamped, "int32"), lo, hi);
}

/** Where a window of a value of shape `shape` begins: clamped, so that it fits. */
export function startsOf(
  p: Pulling,
  stage: StageBuilder,
  starts: readonly ValueId[],
  shape: readonly number[],
  window: readonly number[],
  guard: readonly IndexRange[],
): IndexExpr[] {
  return starts.map((start, d) => {
    const room = Math.max(0, (shape[d] as number) - (window[d] as number));
    return clampedIndex(p, stage, start, [], 0, room, guard);
  });
}

function dynamicSlice(
  p: Pulling,
  stage: StageBuilder,
  node: NodeNamed<"dynamic_slice">,
  at: readonly IndexExpr[],
  guard: readonly IndexRange[],
): number {
  const [source, ...starts] = node.inputs as [ValueId, ...ValueId[]];
  const offset = startsOf(p, stage, starts, p.shapeOf(source), node.params.sizes, guard);
  const index = at.map((e, d) => ix.add(e, offset[d] as IndexExpr));
  return p.pull(stage, source, index, guard);
}

function dynamicUpdateSlice(
  p: Pulling,
  stage: StageBuilder,
  node: NodeNamed<"dynamic_update_slice">,
  at: readonly IndexExpr[],
  guard: readonly IndexRange[],
): number {
  const [source, update, ...starts] = node.inputs as [ValueId, ValueId, ...ValueId[]];
  const window = p.shapeOf(update);
  const offset = startsOf(p, stage, starts, p.shapeOf(source), window, guard);
  const index = at.map((e, d) => ix.sub(e, offset[d] as IndexExpr));
  const ranges = openRanges(index, window);
  if (ranges.length === 0) return p.pull(stage, update, index, guard);
  const inside = p.holds(stage, ranges);
  const written = p.pull(stage, update, index, mergeGuards(guard, ranges));
  return stage.b.select(inside, written, p.pull(stage, source, at, guard));
}

function gather(
  p: Pulling,
  stage: StageBuilder,
  node: NodeNamed<"gather">,
  at: readonly IndexExpr[],
  guard: readonly IndexRange[],
): number {
  const { b } = stage;
  const [source, indices] = node.inputs as readonly [ValueId, ValueId];
  const { dimensions, sliceSizes, mode, fill } = node.params;
  const shape = p.shapeOf(source);
  const batchAt = at.filter((_, d) => !dimensions.offsetDims.includes(d));
  const offsetAt = dimensions.offsetDims.map((d) => at[d] as IndexExpr);
  const kept = shape
    .map((_, d) => d)
    .filter(
      (d) =>
        !dimensions.collapsedSliceDims.includes(d) && !dimensions.operandBatchingDims.includes(d),
    );
  const index: IndexExpr[] = shape.map((_, d) => {
    const window = kept.indexOf(d);
    if (window >= 0) return offsetAt[window] as IndexExpr;
    const batch = dimensions.operandBatchingDims.indexOf(d);
    return batch < 0
      ? ix.zero
      : (batchAt[dimensions.startIndicesBatchingDims[batch] as number] as IndexExpr);
  });
  const ranges: IndexRange[] = [];
  let inside: number | undefined;
  dimensions.startIndexMap.forEach((d, i) => {
    const room = (shape[d] as number) - (sliceSizes[d] as number);
    const where = [...batchAt, ix.constant(i)];
    if (mode === "fill") {
      const symbolic = p.symbolic(indices, where);
      if (symbolic !== undefined) {
        if (symbolic.lo < 0 || symbolic.hi > room) {
          ranges.push({ index: symbolic, lo: 0, hi: room + 1 });
        }
        index[d] = ix.add(index[d] as IndexExpr, symbolic);
        return;
      }
      const start = p.pull(stage, indices, where, guard);
      const dtype = b.dtypeOf(start);
      const fits = insideNode(b, start, dtype, room);
      inside = inside === undefined ? fits : b.binary("and", inside, fits);
    }
    const start = clampedIndex(p, stage, indices, where, 0, Math.max(0, room), guard);
    index[d] = ix.add(index[d] as IndexExpr, start);
  });
  const element = elseFill(p, stage, source, index, guard, ranges, fill);
  if (inside === undefined) return element;
  return b.select(inside, element, b.constBits(p.dtypeOf(source), fill));
}

/** Element `index` of `source` where `ranges` hold, else `fill`. */
function elseFill(
  p: Pulling,
  stage: StageBuilder,
  source: ValueId,
  index: readonly IndexExpr[],
  guard: readonly IndexRange[],
  ranges: readonly IndexRange[],
  fill: Bits,
): number {
  if (ranges.length === 0) return p.pull(stage, source, index, guard);
  const element = p.pull(stage, source, index, mergeGuards(guard, ranges));
  const otherwise = stage.b.constBits(p.dtypeOf(source), fill);
  return stage.b.select(p.holds(stage, ranges), element, otherwise);
}

/** A value of another width is put together from several elements, or is a part of one. */
export function pullBitcast(
  p: Pulling,
  stage: StageBuilder,
  node: NodeNamed<"bitcast_convert_type">,
  at: readonly IndexExpr[],
  guard: readonly IndexRange[],
): number {
  const { b } = stage;
  const source = node.inputs[0] as ValueId;
  const from = p.dtypeOf(source);
  const to = node.params.dtype;
  const [fromBytes, toBytes] = [itemSize(from), itemSize(to)];
  if (fromBytes === toBytes) return b.bitcast(p.pull(stage, source, at, guard), to);
  if (fromBytes > toBytes) {
    const whole = bitsDType(from);
    const bits = b.bitcast(p.pull(stage, source, at.slice(0, -1), guard), whole);
    const shift = b.index(whole, ix.mul(at.at(-1) as IndexExpr, toBytes * 8));
    const part = b.binary("shiftRightLogical", bits, shift);
    return b.bitcast(b.convert(part, bitsDType(to)), to);
  }
  const whole = bitsDType(to);
  const count = toBytes / fromBytes;
  let result = b.const(whole, 0);
  for (let i = 0; i < count; i += 1) {
    const part = b.bitcast(p.pull(stage, source, [...at, ix.constant(i)], guard), bitsDType(from));
    const shifted = b.binary(
      "shiftLeft",
      b.convert(part, whole),
      b.const(whole, i * fromBytes * 8),
    );
    result = i === 0 ? b.convert(part, whole) : b.binary("or", result, shifted);
  }
  return b.bitcast(result, to);
}
