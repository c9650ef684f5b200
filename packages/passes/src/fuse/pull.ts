/**
 * fuse and movement, second half: computes an element of a value at given coordinates.
 *
 * Pulling starts at what a kernel writes and walks towards memory. Movement only changes the
 * coordinates; elementwise ops become scalar nodes by the op table's own meaning; a reduction becomes
 * a stage of the kernel if its coordinates are plain axes of the domain; anything that already lies
 * in memory becomes a load. (The idea is Halide's inlining; index maps in place of loop nests are
 * tinygrad's movement ops.)
 */
import {
  definitionOf,
  elementCount,
  type Node,
  type NodeNamed,
  type Table,
  type ValueId,
} from "@gridfuse/graph";
import { CompileError, type ReduceOp } from "@gridfuse/plan";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import {
  type Bits,
  bitsDType,
  type DType,
  type IndexRange,
  isInteger,
  itemSize,
  type ScalarBuilder,
} from "@gridfuse/plan/scalar";
import { symbolicValue, truth } from "../tensor/symbolic.ts";
import { unflatten, type ViewForm, viewOf } from "../tensor/views.ts";
import { indexIn, type Place } from "./builder.ts";
import type { CoordinateTable } from "./coordinates.ts";
import { expand, type Meaning } from "./formulas.ts";
import { clampNode, insideNode, mergeGuards, openRanges } from "./guards.ts";
import { kindOf } from "./op-kinds.ts";
import { foldElements, foldedDims, isShortFold } from "./short-folds.ts";
import { type KernelBuilder, StageBuilder } from "./stage.ts";
import { underGuard } from "./under-guard.ts";

/** What pulling needs to know about the world around a kernel. */
export interface Surroundings {
  readonly table: Table;
  readonly coordinates: CoordinateTable;
  /** Memory of a value, if it has any or must get some; undefined to compute it in place. */
  placeOf(value: ValueId): Place | undefined;
  /** Gives the value memory whatever the plan was. */
  materialise(value: ValueId): Place;
  /** Whether a value has memory already, or is to have it. */
  isStored(value: ValueId): boolean;
  /** Loop counters. */
  symbol(value: ValueId): IndexExpr | undefined;
  /** The value that a region param merely renames. */
  renamed(value: ValueId): ValueId;
}

const noCoordinates: readonly IndexExpr[] = [];
const zeroBits: Bits = { lo: 0, hi: 0 };
/** A full reduction before a broadcast would leave one outer point: only for small arrays. */
const maxSerialReduction = 65536;
/** Outer points per result above which a reduction would be done again and again. */
const maxRepeatedReduction = 1.25;

/** What was proposed as an orbit is none. */
export class OrbitBroken extends Error {}

export class Puller {
  readonly #around: Surroundings;
  readonly #table: Table;
  readonly #coordinates: CoordinateTable;
  readonly #kernel: KernelBuilder;
  readonly #isScatter: boolean;

  /** @param step what is pulled together: a scatter has one long domain if its positions are told as such */
  constructor(around: Surroundings, kernel: KernelBuilder, step: "kernel" | "scatter" = "kernel") {
    this.#around = around;
    this.#table = around.table;
    this.#coordinates = around.coordinates;
    this.#kernel = kernel;
    this.#isScatter = step === "scatter";
    // A scatter has no stages: what is folded lies in memory.
    if (this.#isScatter) kernel.outer = [-1];
  }

  /** Node of `stage` that holds element `at` of `value`; under a guard it matters only where that holds. */
  pull(
    stage: StageBuilder,
    given: ValueId,
    at: readonly IndexExpr[],
    guard: readonly IndexRange[] = [],
  ): number {
    const value = this.#around.renamed(given);
    const node = this.#table.producer(value);
    if (node?.op === "full") return stage.b.constBits(node.params.dtype, node.params.bits);
    const pulled = stage.pulledAt(this.#coordinates.numberOf(at, guard));
    const known = pulled.get(value);
    if (known !== undefined) return known;
    if (this.#kernel.limits.size > 0) this.#count(value);
    const made = this.#compute(stage, node, value, at, guard);
    pulled.set(value, made);
    return made;
  }

  /** @throws OrbitBroken where an orbit turns out to read more than it is made for */
  #count(value: ValueId): void {
    const { limits } = this.#kernel;
    const left = limits.get(value);
    if (left === undefined) return;
    if (left === 0) throw new OrbitBroken();
    limits.set(value, left - 1);
  }

  #shape(value: ValueId): readonly number[] {
    return this.#table.tensor(value).shape as readonly number[];
  }
  #dtype(value: ValueId): DType {
    return this.#table.tensor(value).dtype;
  }

  #compute(
    stage: StageBuilder,
    node: Node | undefined,
    value: ValueId,
    at: readonly IndexExpr[],
    guard: readonly IndexRange[],
  ): number {
    const symbol = node === undefined ? this.#around.symbol(value) : undefined;
    if (symbol !== undefined) return stage.b.index(this.#dtype(value), symbol);
    if (node?.op === "iota") {
      const { dtype, dimension } = node.params;
      const position = at[dimension] as IndexExpr;
      return isInteger(dtype)
        ? stage.b.index(dtype, position)
        : stage.b.convert(stage.b.index("int32", position), dtype);
    }
    const place = this.#around.placeOf(value);
    if (place !== undefined || node === undefined) {
      return this.#load(
        stage,
        value,
        place ?? this.#around.materialise(value),
        at,
        guard,
        zeroBits,
      );
    }
    return this.#computeNode(stage, node, value, at, guard);
  }

  #load(
    { b }: StageBuilder,
    value: ValueId,
    place: Place,
    at: readonly IndexExpr[],
    guard: readonly IndexRange[],
    fill: Bits,
  ): number {
    const within = this.#coordinates.offsetOf(at, this.#shape(value));
    return b.load(this.#dtype(value), place.buffer, indexIn(place, within), guard, fill);
  }

  #computeNode(
    stage: StageBuilder,
    node: Node,
    value: ValueId,
    at: readonly IndexExpr[],
    guard: readonly IndexRange[],
  ): number {
    switch (kindOf(node)) {
      case "reduction":
        return this.#reduction(stage, node, value, at, guard);
      case "movement":
        return this.#view(stage, node, at, guard);
      case "indexing":
        return this.#indexing(stage, node, at, guard);
      default:
        return node.op === "bitcast_convert_type"
          ? this.#bitcast(stage, node, at, guard)
          : this.#elementwise(stage, node, value, at, guard);
    }
  }

  #indexing(
    stage: StageBuilder,
    node: Node,
    at: readonly IndexExpr[],
    guard: readonly IndexRange[],
  ): number {
    switch (node.op) {
      case "pad":
        return this.#pad(stage, node, at, guard);
      case "concatenate":
        return this.#concatenate(stage, node, at, guard);
      case "dynamic_slice":
        return this.#dynamicSlice(stage, node, at, guard);
      case "dynamic_update_slice":
        return this.#dynamicUpdateSlice(stage, node, at, guard);
      case "gather":
        return this.#gather(stage, node, at, guard);
      default:
        throw new CompileError("GF3902", `no lowering for "${node.op}"`);
    }
  }

  #elementwise(
    stage: StageBuilder,
    node: Node,
    value: ValueId,
    at: readonly IndexExpr[],
    guard: readonly IndexRange[],
  ): number {
    const meaning = definitionOf(node.op).scalar as Meaning | undefined;
    if (meaning === undefined) {
      const place = this.#around.materialise(value);
      return this.#load(stage, value, place, at, guard, zeroBits);
    }
    const chosen = node.op === "select_n" ? this.#chosen(node, at) : undefined;
    if (chosen !== undefined) return this.pull(stage, chosen, at, guard);
    this.#kernel.computed.push(node);
    const { inputs } = node;
    const operands: number[] = [];
    for (let i = 0; i < inputs.length; i += 1) {
      const input = inputs[i] as ValueId;
      const isScalar = this.#table.tensor(input).shape.length === 0;
      operands.push(this.pull(stage, input, isScalar ? noCoordinates : at, guard));
    }
    const position = this.#isScatter
      ? positionOf(stage.b, node.op, operands, this.#dtype(value))
      : undefined;
    if (position !== undefined) return position;
    return expand(stage.b, node.op, meaning, operands, node.params, this.#dtype(value));
  }

  /** The operand that a selection takes, inside an orbit, where the position alone decides that. */
  #chosen(node: NodeNamed<"select_n">, at: readonly IndexExpr[]): ValueId | undefined {
    if (this.#kernel.limits.size === 0) return undefined;
    const { table } = this.#around;
    const [which, ...cases] = node.inputs as [ValueId, ...ValueId[]];
    const where = this.#shape(which).length === 0 ? [] : at;
    if (this.#dtype(which) !== "bool") {
      const index = this.#symbolic(which, where);
      return index?.k === "const" ? cases[index.value] : undefined;
    }
    const holds = truth(table, this.#around.renamed(which), where, (v, p) => this.#symbolic(v, p));
    return holds === undefined ? undefined : cases[Number(holds)];
  }

  // ── Movement ──────────────────────────────────────────────────────────────────────────────

  #view(
    stage: StageBuilder,
    node: Node,
    at: readonly IndexExpr[],
    guard: readonly IndexRange[],
  ): number {
    const view = viewOf(this.#table, node) as ViewForm;
    const source = node.inputs[0] as ValueId;
    const index = underGuard(this.#coordinates.moved(view.index, at), guard);
    if (view.fill === undefined) return this.pull(stage, source, index, guard);
    return this.#guarded(stage, source, index, guard, view.fill);
  }

  /** Element `index` of `source` where it exists, else `fill`. */
  #guarded(
    stage: StageBuilder,
    given: ValueId,
    index: readonly IndexExpr[],
    guard: readonly IndexRange[],
    fill: Bits,
  ): number {
    const source = this.#around.renamed(given);
    const ranges = openRanges(index, this.#shape(source), guard);
    if (ranges.length === 0) return this.pull(stage, source, index, guard);
    const inner = mergeGuards(guard, ranges);
    const node = this.#table.producer(source);
    const place =
      node?.op === "full" || this.#around.symbol(source) !== undefined
        ? undefined
        : this.#around.placeOf(source);
    if (place !== undefined) return this.#load(stage, source, place, index, inner, fill);
    const inside = this.#holds(stage, ranges);
    const element = this.pull(stage, source, index, inner);
    return stage.b.select(inside, element, stage.b.constBits(this.#dtype(source), fill));
  }

  /** Bool node: every range holds. */
  #holds({ b }: StageBuilder, ranges: readonly IndexRange[]): number {
    let all: number | undefined;
    const and = (test: number): void => {
      all = all === undefined ? test : b.binary("and", all, test);
    };
    for (const { index, lo, hi } of ranges) {
      const at = b.index("int32", index);
      if (index.lo < lo) and(b.compare("ge", at, b.const("int32", lo)));
      if (index.hi >= hi) and(b.compare("lt", at, b.const("int32", hi)));
    }
    return all ?? b.const("bool", true);
  }

  #pad(
    stage: StageBuilder,
    node: NodeNamed<"pad">,
    at: readonly IndexExpr[],
    guard: readonly IndexRange[],
  ): number {
    const [source, padding] = node.inputs as readonly [ValueId, ValueId];
    const shape = this.#shape(source);
    const ranges: IndexRange[] = [];
    const index = node.params.config.map(({ lo, interior }, d) => {
      const shifted = ix.add(at[d] as IndexExpr, ix.constant(-lo));
      if (interior === 0) return shifted;
      ranges.push({ index: ix.mod(shifted, interior + 1), lo: 0, hi: 1 });
      return ix.floordiv(shifted, interior + 1);
    });
    ranges.push(...openRanges(index, shape, guard));
    const open = ranges.filter(({ index: e, lo, hi }) => e.lo < lo || e.hi >= hi);
    if (open.length === 0) return this.pull(stage, source, index, guard);
    const element = this.pull(stage, source, index, mergeGuards(guard, open));
    return stage.b.select(this.#holds(stage, open), element, this.pull(stage, padding, [], guard));
  }

  #concatenate(
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
      const extent = this.#shape(operand)[dimension] as number;
      const end = start + extent;
      if (extent > 0 && position.hi >= start && position.lo < end) {
        const range = { index: position, lo: start, hi: end };
        const open = position.lo < start || position.hi >= end ? [range] : [];
        const index = at.map((e, d) => (d === dimension ? ix.add(e, ix.constant(-start)) : e));
        const element = this.pull(stage, operand, index, mergeGuards(guard, open));
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
    return result ?? stage.b.constBits(this.#dtype(node.outputs[0] as ValueId), zeroBits);
  }

  #bitcast(
    stage: StageBuilder,
    node: NodeNamed<"bitcast_convert_type">,
    at: readonly IndexExpr[],
    guard: readonly IndexRange[],
  ): number {
    const { b } = stage;
    const source = node.inputs[0] as ValueId;
    const from = this.#dtype(source);
    const to = node.params.dtype;
    const [fromBytes, toBytes] = [itemSize(from), itemSize(to)];
    if (fromBytes === toBytes) return b.bitcast(this.pull(stage, source, at, guard), to);
    if (fromBytes > toBytes) {
      const whole = bitsDType(from);
      const bits = b.bitcast(this.pull(stage, source, at.slice(0, -1), guard), whole);
      const shift = b.index(whole, ix.mul(at.at(-1) as IndexExpr, toBytes * 8));
      const part = b.binary("shiftRightLogical", bits, shift);
      return b.bitcast(b.convert(part, bitsDType(to)), to);
    }
    const whole = bitsDType(to);
    const count = toBytes / fromBytes;
    let result = b.const(whole, 0);
    for (let i = 0; i < count; i += 1) {
      const part = b.bitcast(
        this.pull(stage, source, [...at, ix.constant(i)], guard),
        bitsDType(from),
      );
      const shifted = b.binary(
        "shiftLeft",
        b.convert(part, whole),
        b.const(whole, i * fromBytes * 8),
      );
      result = i === 0 ? b.convert(part, whole) : b.binary("or", result, shifted);
    }
    return b.bitcast(result, to);
  }

  // ── Computed positions ────────────────────────────────────────────────────────────────────

  /** An integer scalar as an index in [lo, hi], clamped; symbolic where possible. */
  #clampedIndex(
    stage: StageBuilder,
    given: ValueId,
    at: readonly IndexExpr[],
    lo: number,
    hi: number,
    guard: readonly IndexRange[],
  ): IndexExpr {
    const symbolic = this.#symbolic(given, at);
    if (symbolic !== undefined) return ix.clamp(symbolic, lo, hi);
    const { b } = stage;
    const value = this.pull(stage, given, at, guard);
    const dtype = b.dtypeOf(value);
    const clamped = clampNode(b, value, dtype, lo, hi);
    return ix.value(b.convert(clamped, "int32"), lo, hi);
  }

  #symbolic(given: ValueId, at: readonly IndexExpr[]): IndexExpr | undefined {
    const value = this.#around.renamed(given);
    return symbolicValue(this.#table, value, at, (v) =>
      this.#around.symbol(this.#around.renamed(v)),
    );
  }

  #starts(
    stage: StageBuilder,
    starts: readonly ValueId[],
    shape: readonly number[],
    window: readonly number[],
    guard: readonly IndexRange[],
  ): IndexExpr[] {
    return starts.map((start, d) => {
      const room = Math.max(0, (shape[d] as number) - (window[d] as number));
      return this.#clampedIndex(stage, start, [], 0, room, guard);
    });
  }

  #dynamicSlice(
    stage: StageBuilder,
    node: NodeNamed<"dynamic_slice">,
    at: readonly IndexExpr[],
    guard: readonly IndexRange[],
  ): number {
    const [source, ...starts] = node.inputs as [ValueId, ...ValueId[]];
    const offset = this.#starts(stage, starts, this.#shape(source), node.params.sizes, guard);
    const index = at.map((e, d) => ix.add(e, offset[d] as IndexExpr));
    return this.pull(stage, source, index, guard);
  }

  /** Where a window of a value of shape `whole` begins: clamped, so that it fits. */
  windowStarts(
    stage: StageBuilder,
    starts: readonly ValueId[],
    whole: readonly number[],
    window: readonly number[],
  ): readonly IndexExpr[] {
    return this.#starts(stage, starts, whole, window, []);
  }

  #dynamicUpdateSlice(
    stage: StageBuilder,
    node: NodeNamed<"dynamic_update_slice">,
    at: readonly IndexExpr[],
    guard: readonly IndexRange[],
  ): number {
    const [source, update, ...starts] = node.inputs as [ValueId, ValueId, ...ValueId[]];
    const window = this.#shape(update);
    const offset = this.#starts(stage, starts, this.#shape(source), window, guard);
    const index = at.map((e, d) => ix.sub(e, offset[d] as IndexExpr));
    const ranges = openRanges(index, window);
    if (ranges.length === 0) return this.pull(stage, update, index, guard);
    const inside = this.#holds(stage, ranges);
    const written = this.pull(stage, update, index, mergeGuards(guard, ranges));
    return stage.b.select(inside, written, this.pull(stage, source, at, guard));
  }

  #gather(
    stage: StageBuilder,
    node: NodeNamed<"gather">,
    at: readonly IndexExpr[],
    guard: readonly IndexRange[],
  ): number {
    const { b } = stage;
    const [source, indices] = node.inputs as readonly [ValueId, ValueId];
    const { dimensions, sliceSizes, mode, fill } = node.params;
    const shape = this.#shape(source);
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
        const symbolic = this.#symbolic(indices, where);
        if (symbolic !== undefined) {
          if (symbolic.lo < 0 || symbolic.hi > room) {
            ranges.push({ index: symbolic, lo: 0, hi: room + 1 });
          }
          index[d] = ix.add(index[d] as IndexExpr, symbolic);
          return;
        }
        const start = this.pull(stage, indices, where, guard);
        const dtype = b.dtypeOf(start);
        const fits = insideNode(b, start, dtype, room);
        inside = inside === undefined ? fits : b.binary("and", inside, fits);
      }
      const start = this.#clampedIndex(stage, indices, where, 0, Math.max(0, room), guard);
      index[d] = ix.add(index[d] as IndexExpr, start);
    });
    const element = this.#guarded2(stage, source, index, guard, ranges, fill);
    if (inside === undefined) return element;
    return b.select(inside, element, b.constBits(this.#dtype(source), fill));
  }

  #guarded2(
    stage: StageBuilder,
    source: ValueId,
    index: readonly IndexExpr[],
    guard: readonly IndexRange[],
    ranges: readonly IndexRange[],
    fill: Bits,
  ): number {
    if (ranges.length === 0) return this.pull(stage, source, index, guard);
    const element = this.pull(stage, source, index, mergeGuards(guard, ranges));
    const otherwise = stage.b.constBits(this.#dtype(source), fill);
    return stage.b.select(this.#holds(stage, ranges), element, otherwise);
  }

  // ── Reductions ────────────────────────────────────────────────────────────────────────────

  #reduction(
    stage: StageBuilder,
    node: Node,
    value: ValueId,
    at: readonly IndexExpr[],
    guard: readonly IndexRange[],
  ): number {
    const outer = guard.length > 0 ? undefined : axesNamed(at);
    const kernel = this.#kernel;
    const fits = outer !== undefined && this.#agrees(outer, node);
    if (!fits) {
      if (this.#isShort(stage, node, value)) return this.#shortFold(stage, node, at, guard);
      const place = this.#around.materialise(value);
      return this.#load(stage, value, place, at, guard, zeroBits);
    }
    kernel.outer = outer;
    const key = `${value}[${at.map((e) => e.key).join()}]`;
    let known = kernel.reduced.get(key);
    if (known === undefined) {
      known = this.#newStage(node, at);
      kernel.reduced.set(key, known);
    }
    return stage.b.reduced(this.#dtype(value), known.stage, known.reduction);
  }

  #isShort(stage: StageBuilder, node: Node, value: ValueId): boolean {
    if (this.#around.isStored(value)) return false;
    const { domain, outer } = this.#kernel;
    const inner = stage.inner.reduce((count, { extent }) => count * extent, 1);
    const points =
      stage.inner.length === 0 || outer === undefined
        ? elementCount(domain)
        : outer.reduce((count, axis) => count * (domain[axis] as number), inner);
    return isShortFold(this.#table, node, points, (v) => this.#around.isStored(v));
  }

  #shortFold(
    stage: StageBuilder,
    node: Node,
    at: readonly IndexExpr[],
    guard: readonly IndexRange[],
  ): number {
    const source = node.inputs[0] as ValueId;
    const shape = this.#shape(source);
    const folded = foldedDims(node);
    const extents = folded.map((d) => shape[d] as number);
    const elements = Array.from({ length: elementCount(extents) }, (_, i) => {
      const inner = unflatten(ix.constant(i), extents);
      let next = 0;
      const index = shape.map((_, d) => {
        const position = folded.indexOf(d);
        return (position >= 0 ? inner[position] : at[next++]) as IndexExpr;
      });
      return this.pull(stage, source, index, guard);
    });
    this.#kernel.computed.push(node);
    const op = reduceOpOf(node.op) as Exclude<ReduceOp, "argmax" | "argmin">;
    return foldElements(stage.b, op, this.#dtype(node.outputs[0] as ValueId), elements);
  }

  /** Whether a reduction whose place depends on exactly these axes can be a stage of this kernel. */
  #agrees(outer: readonly number[], node: Node): boolean {
    const kernel = this.#kernel;
    if (outer.some((axis) => axis >= kernel.domain.length)) return false;
    if (kernel.outer !== undefined) {
      return kernel.outer.length === outer.length && kernel.outer.every((a) => outer.includes(a));
    }
    const points = outer.reduce((count, axis) => count * (kernel.domain[axis] as number), 1);
    const results = elementCount(this.#shape(node.outputs[0] as ValueId));
    if (points > results * maxRepeatedReduction) return false;
    const all = kernel.domain.reduce((count, extent) => count * extent, 1);
    const work = elementCount(this.#shape(node.inputs[0] as ValueId));
    return points > 1 || all === 1 || work <= maxSerialReduction;
  }

  #newStage(node: Node, at: readonly IndexExpr[]): { stage: number; reduction: number } {
    const source = node.inputs[0] as ValueId;
    const shape = this.#shape(source);
    const folded = foldedDims(node);
    const inner = this.#kernel.newAxes(folded.map((d) => shape[d] as number));
    let next = 0;
    const index = shape.map((_, d) => {
      const position = folded.indexOf(d);
      if (position >= 0) {
        const { axis, extent } = inner[position]!;
        return ix.axis(axis, extent);
      }
      next += 1;
      return at[next - 1] as IndexExpr;
    });
    const stage = new StageBuilder(inner);
    const value = this.pull(stage, source, index);
    this.#kernel.computed.push(node);
    stage.reductions.push({
      op: reduceOpOf(node.op),
      dtype: this.#dtype(node.outputs[0] as ValueId),
      value,
    });
    const added = this.#kernel.addStage(stage);
    return { stage: added.stage, reduction: added.first };
  }
}

const reduceOpOf = (op: Node["op"]): ReduceOp => {
  const ops: { readonly [name: string]: ReduceOp } = {
    reduce_sum: "add",
    reduce_prod: "mul",
    reduce_max: "max",
    reduce_min: "min",
    reduce_and: "and",
    reduce_or: "or",
    reduce_xor: "xor",
    argmax: "argmax",
    argmin: "argmin",
  };
  return ops[op] as ReduceOp;
};

/** Sums and multiples of positions are positions: index expressions, from which axes can be merged. */
function positionOf(
  b: ScalarBuilder,
  op: Node["op"],
  operands: readonly number[],
  dtype: DType,
): number | undefined {
  if (dtype !== "int32" || (op !== "add" && op !== "sub" && op !== "mul")) return undefined;
  const [x, y] = operands.map((operand): IndexExpr | undefined => {
    const node = b.nodes[operand];
    if (node?.op === "index") return node.index;
    return node?.op === "const" ? ix.constant(node.bits.lo | 0) : undefined;
  });
  if (x === undefined || y === undefined) return undefined;
  if (op === "mul" && x.k !== "const" && y.k !== "const") return undefined;
  const position =
    op === "add"
      ? ix.add(x, y)
      : op === "sub"
        ? ix.sub(x, y)
        : y.k === "const"
          ? ix.mul(x, y.value)
          : ix.mul(y, (x as typeof y & { readonly value: number }).value);
  const fits = position.lo >= -(2 ** 31) && position.hi < 2 ** 31;
  return fits && position.k !== "const" ? b.index(dtype, position) : undefined;
}

/** The domain axes that `at` depends on, ascending; undefined where it depends on computed values. */
function axesNamed(at: readonly IndexExpr[]): number[] | undefined {
  const axes = new Set<number>();
  let plain = true;
  for (const e of at) {
    ix.forEachLeaf(e, (leaf) => {
      if (leaf.k === "axis") axes.add(leaf.axis);
      else if (leaf.k === "value") plain = false;
    });
  }
  return plain ? [...axes].sort((p, q) => p - q) : undefined;
}
