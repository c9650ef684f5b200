/**
 * fuse and movement, second half: computes an element of a value at given coordinates.
 *
 * Pulling starts at what a kernel writes and walks towards memory. Movement only changes the
 * coordinates; elementwise ops become scalar nodes by the op table's own meaning; a reduction becomes
 * a stage of the kernel if its coordinates are plain axes of the domain; anything that already lies
 * in memory becomes a load. (The idea is Halide's inlining; index maps in place of loop nests are
 * tinygrad's movement ops.)
 */
import { definitionOf, type Node, type NodeNamed, type Table, type ValueId } from "@gridfuse/graph";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import { type Bits, type DType, type IndexRange, isInteger } from "@gridfuse/plan/scalar";
import { symbolicValue, truth } from "../tensor/symbolic.ts";
import { type ViewForm, viewOf } from "../tensor/views.ts";
import { indexIn, type Place } from "./builder.ts";
import type { CoordinateTable } from "./coordinates.ts";
import { expand, type Meaning } from "./formulas.ts";
import { mergeGuards, openRanges } from "./guards.ts";
import { kindOf } from "./op-kinds.ts";
import { positionOf } from "./pull-facts.ts";
import { pullBitcast, pullIndexed, startsOf } from "./pull-indexing.ts";
import { pullReduction, type ReductionPulling } from "./pull-reductions.ts";
import type { KernelBuilder, StageBuilder } from "./stage.ts";
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

/** What was proposed as an orbit is none. */
export class OrbitBroken extends Error {}

export class Puller implements ReductionPulling {
  readonly #around: Surroundings;
  readonly table: Table;
  readonly #coordinates: CoordinateTable;
  readonly kernel: KernelBuilder;
  readonly #isScatter: boolean;

  /** @param step what is pulled together: a scatter has one long domain if its positions are told as such */
  constructor(around: Surroundings, kernel: KernelBuilder, step: "kernel" | "scatter" = "kernel") {
    this.#around = around;
    this.table = around.table;
    this.#coordinates = around.coordinates;
    this.kernel = kernel;
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
    const node = this.table.producer(value);
    if (node?.op === "full") return stage.b.constBits(node.params.dtype, node.params.bits);
    const pulled = stage.pulledAt(this.#coordinates.numberOf(at, guard));
    const known = pulled.get(value);
    if (known !== undefined) return known;
    if (this.kernel.limits.size > 0) this.#count(value);
    const made = this.#compute(stage, node, value, at, guard);
    pulled.set(value, made);
    return made;
  }

  /** @throws OrbitBroken where an orbit turns out to read more than it is made for */
  #count(value: ValueId): void {
    const { limits } = this.kernel;
    const left = limits.get(value);
    if (left === undefined) return;
    if (left === 0) throw new OrbitBroken();
    limits.set(value, left - 1);
  }

  shapeOf(value: ValueId): readonly number[] {
    return this.table.tensor(value).shape as readonly number[];
  }
  dtypeOf(value: ValueId): DType {
    return this.table.tensor(value).dtype;
  }

  #compute(
    stage: StageBuilder,
    node: Node | undefined,
    value: ValueId,
    at: readonly IndexExpr[],
    guard: readonly IndexRange[],
  ): number {
    const symbol = node === undefined ? this.#around.symbol(value) : undefined;
    if (symbol !== undefined) return stage.b.index(this.dtypeOf(value), symbol);
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
    const within = this.#coordinates.offsetOf(at, this.shapeOf(value));
    return b.load(this.dtypeOf(value), place.buffer, indexIn(place, within), guard, fill);
  }

  loadStored(
    stage: StageBuilder,
    value: ValueId,
    at: readonly IndexExpr[],
    guard: readonly IndexRange[],
  ): number {
    return this.#load(stage, value, this.#around.materialise(value), at, guard, zeroBits);
  }

  isStored(value: ValueId): boolean {
    return this.#around.isStored(value);
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
        return pullReduction(this, stage, node, value, at, guard);
      case "movement":
        return this.#view(stage, node, at, guard);
      case "indexing":
        return pullIndexed(this, stage, node, at, guard);
      default:
        return node.op === "bitcast_convert_type"
          ? pullBitcast(this, stage, node, at, guard)
          : this.#elementwise(stage, node, value, at, guard);
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
    if (meaning === undefined) return this.loadStored(stage, value, at, guard);
    const chosen = node.op === "select_n" ? this.#chosen(node, at) : undefined;
    if (chosen !== undefined) return this.pull(stage, chosen, at, guard);
    this.kernel.computed.push(node);
    const operands = this.#operands(stage, node, at, guard);
    const position = this.#isScatter
      ? positionOf(stage.b, node.op, operands, this.dtypeOf(value))
      : undefined;
    if (position !== undefined) return position;
    return expand(stage.b, node.op, meaning, operands, node.params, this.dtypeOf(value));
  }

  #operands(
    stage: StageBuilder,
    { inputs }: Node,
    at: readonly IndexExpr[],
    guard: readonly IndexRange[],
  ): readonly number[] {
    if (inputs.length === 0) return [];
    const x = this.#operand(stage, inputs[0] as ValueId, at, guard);
    if (inputs.length === 1) return [x];
    const y = this.#operand(stage, inputs[1] as ValueId, at, guard);
    if (inputs.length === 2) return [x, y];
    const operands = [x, y];
    for (let i = 2; i < inputs.length; i += 1) {
      operands.push(this.#operand(stage, inputs[i] as ValueId, at, guard));
    }
    return operands;
  }

  /** Scalars meet arrays: they are the same everywhere. */
  #operand(
    stage: StageBuilder,
    input: ValueId,
    at: readonly IndexExpr[],
    guard: readonly IndexRange[],
  ): number {
    const isScalar = this.table.tensor(input).shape.length === 0;
    return this.pull(stage, input, isScalar ? noCoordinates : at, guard);
  }

  /** The operand that a selection takes, inside an orbit, where the position alone decides that. */
  #chosen(node: NodeNamed<"select_n">, at: readonly IndexExpr[]): ValueId | undefined {
    if (this.kernel.limits.size === 0) return undefined;
    const { table } = this.#around;
    const [which, ...cases] = node.inputs as [ValueId, ...ValueId[]];
    const where = this.shapeOf(which).length === 0 ? [] : at;
    if (this.dtypeOf(which) !== "bool") {
      const index = this.symbolic(which, where);
      return index?.k === "const" ? cases[index.value] : undefined;
    }
    const holds = truth(table, this.#around.renamed(which), where, (v, p) => this.symbolic(v, p));
    return holds === undefined ? undefined : cases[Number(holds)];
  }

  // ── Movement ──────────────────────────────────────────────────────────────────────────────

  #view(
    stage: StageBuilder,
    node: Node,
    at: readonly IndexExpr[],
    guard: readonly IndexRange[],
  ): number {
    const view = viewOf(this.table, node) as ViewForm;
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
    const ranges = openRanges(index, this.shapeOf(source), guard);
    if (ranges.length === 0) return this.pull(stage, source, index, guard);
    const inner = mergeGuards(guard, ranges);
    const node = this.table.producer(source);
    const place =
      node?.op === "full" || this.#around.symbol(source) !== undefined
        ? undefined
        : this.#around.placeOf(source);
    if (place !== undefined) return this.#load(stage, source, place, index, inner, fill);
    const inside = this.holds(stage, ranges);
    const element = this.pull(stage, source, index, inner);
    return stage.b.select(inside, element, stage.b.constBits(this.dtypeOf(source), fill));
  }

  /** Bool node: every range holds. */
  holds({ b }: StageBuilder, ranges: readonly IndexRange[]): number {
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

  symbolic(given: ValueId, at: readonly IndexExpr[]): IndexExpr | undefined {
    const value = this.#around.renamed(given);
    return symbolicValue(this.table, value, at, (v) =>
      this.#around.symbol(this.#around.renamed(v)),
    );
  }

  /** Where a window of a value of shape `whole` begins: clamped, so that it fits. */
  windowStarts(
    stage: StageBuilder,
    starts: readonly ValueId[],
    whole: readonly number[],
    window: readonly number[],
  ): readonly IndexExpr[] {
    return startsOf(this, stage, starts, whole, window, []);
  }
}
