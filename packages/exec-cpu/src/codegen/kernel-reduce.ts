/**
 * A stage that folds: its values one group after the other, in segments where the plan's order or a search asks for them.
 */
import {
  accumulators,
  type DType,
  isArg,
  isOrdered,
  type Reduction,
  segmentLength,
} from "@gridfuse/plan";
import { argsOf, type ScalarNode } from "@gridfuse/plan/scalar";
import type { Code } from "../wasm/code.ts";
import type { Push } from "../wasm/scalar-ops.ts";
import { ArgFold } from "./arg-fold.ts";
import { ArgSearch } from "./arg-search.ts";
import { BlockFold } from "./block-fold.ts";
import { ChainFold } from "./chain-fold.ts";
import { ExtremeFold, foldsExtremes } from "./extreme-fold.ts";
import { CrossExtremeFold, foldsFloatExtremes, RowExtremeFold } from "./float-extreme-fold.ts";
import { type LoopAxis, type StageForm, spreads } from "./kernel-form.ts";
import type { Mode } from "./kernel-mode.ts";
import { type Block, fullBlock, type LaneAxis, lastBlock, partsOf, scalarBlock } from "./lanes.ts";
import type { Nest } from "./nest.ts";
import type { Program } from "./program.ts";
import type { Accumulator } from "./reductions.ts";
import { quadElement, SlotFold, scalarElement, slotBytes } from "./slot-fold.ts";
import { foldsAsSigned, UnsignedFold } from "./unsigned-fold.ts";

/** What a reduction of a single value runs over. */
export const noAxis: LoopAxis = { axis: -1, extent: 1 };

/** The kernel around a stage. */
export interface Surroundings {
  readonly nest: Nest;
  readonly mode: Mode;
  /** The outer points that lanes run across, where they do. */
  readonly across: Block;
  /** Address of scratch memory. */
  readonly scratch: number;
  /** Says which local holds the reduced index. */
  place(axis: number, local: number): void;
  placeBlocks(lanes: LaneAxis, block: Block): void;
  /** What follows the values of a block. */
  finish(block: Block): void;
}

/** Emits a stage of as many rows as there are reducers, segment by segment in turn. */
export function emitReduction(nest: Nest, reducers: readonly Reducer[]): void {
  const [{ extent, length, local }] = reducers as [Reducer];
  for (const reducer of reducers) reducer.begin();
  const whole = Math.floor(extent / length);
  const only = (count: number, before: Push): void => {
    for (const reducer of reducers) {
      nest.code.append(nest.nested(() => reducer.segment(count)));
      reducer.endSegment(before);
    }
  };
  if (whole === 1) only(length, (code) => code.i32(0));
  if (whole > 1) {
    const before: Push = (code) =>
      code.get(local).i32(Math.log2(segmentLength)).op("i32.shr_u").i32(1).op("i32.sub");
    const inner = nest.nested(() => {
      for (const reducer of reducers) {
        reducer.segment(length);
        reducer.endSegment(before);
      }
    });
    const end = whole * length;
    nest.code.loop().append(inner).get(local).i32(end).op("i32.lt_u").brIf(0).end();
  }
  if (extent % length > 0 || extent === 0) only(extent % length, (code) => code.i32(whole));
  for (const reducer of reducers) reducer.finish();
}

/** What is emitted of the reductions of one stage. */
export class Reducer {
  readonly #around: Surroundings;
  readonly #nest: Nest;
  readonly #stage: StageForm;
  readonly #program: Program;
  readonly #loop: LoopAxis;
  /** Holds the reduced index. */
  readonly local: number;
  /** Values in a segment. */
  readonly length: number;
  /** What holds the results. */
  readonly folds: readonly Accumulator[];

  constructor(around: Surroundings, stage: StageForm, program: Program) {
    const { nest, mode } = around;
    this.#around = around;
    this.#nest = nest;
    this.#stage = stage;
    this.#program = program;
    const loop = stage.inner[0] ?? noAxis;
    this.#loop = loop;
    this.local = nest.axes.get(loop.axis)?.local ?? nest.local("i32");
    const hasSegments = stage.reductions.some(
      (of) => spreads(stage, of) || (mode === "inner" && isArg(of.op)),
    );
    this.length = hasSegments ? segmentLength : loop.extent;
    const segments = loop.extent === 0 ? 0 : Math.ceil(loop.extent / this.length);
    this.folds = this.#accumulators(loop.extent, segments);
  }

  #accumulators(extent: number, segments: number): readonly Accumulator[] {
    const { nest, mode, across } = this.#around;
    const parts = mode === "outer" ? across.width / across.lanes : 1;
    let { scratch } = this.#around;
    const inSlots = (reduction: Reduction): Accumulator => {
      const element = mode === "outer" ? quadElement : scalarElement(reduction.dtype);
      const at = scratch;
      scratch += slotBytes(parts);
      const isSpread = spreads(this.#stage, reduction);
      return new SlotFold(nest, reduction, element, parts, extent, isSpread, segments, at);
    };
    const onVectors = (reduction: Reduction): Accumulator => {
      if (foldsAsSigned(reduction)) {
        return new UnsignedFold(nest, onVectors({ ...reduction, dtype: "int64" }));
      }
      if (mode === "outer") {
        return foldsFloatExtremes(reduction)
          ? new CrossExtremeFold(nest, reduction, parts)
          : inSlots(reduction);
      }
      if (foldsExtremes(reduction) && nest.lanes === 4) {
        return new ExtremeFold(nest, reduction, extent);
      }
      if (foldsFloatExtremes(reduction)) return new RowExtremeFold(nest, reduction, extent);
      return isOrdered(reduction) && !spreads(this.#stage, reduction)
        ? new ChainFold(nest, reduction)
        : new BlockFold(nest, reduction, extent, segments);
    };
    return this.#stage.reductions.map((reduction): Accumulator => {
      if (isArg(reduction.op)) return this.#places(reduction, extent, parts);
      return mode === "scalar" ? inSlots(reduction) : onVectors(reduction);
    });
  }

  #places(reduction: Reduction, extent: number, parts: number): Accumulator {
    const { nest, mode } = this.#around;
    const { value } = reduction;
    const of: DType = this.#stage.nodes[value]?.dtype ?? "float32";
    if (mode === "inner") {
      return new ArgSearch(nest, reduction, of, extent, (from, test, place) =>
        this.#search(value, from, test, place),
      );
    }
    if (mode === "scalar") return new ArgFold(nest, reduction, of, "scalar", parts);
    return of === "uint64"
      ? new UnsignedFold(nest, new ArgFold(nest, reduction, "int64", "quads", parts), true)
      : new ArgFold(nest, reduction, of, "quads", parts);
  }

  get extent(): number {
    return this.#loop.extent;
  }

  begin(): void {
    this.#nest.code.i32(0).set(this.local);
    for (const fold of this.folds) fold.begin();
  }
  /** `before` pushes how many segments ended earlier. */
  endSegment(before: Push): void {
    for (const fold of this.folds) fold.endSegment(before);
  }
  finish(): void {
    this.#place();
    for (const fold of this.folds) fold.finish();
  }

  #place(): void {
    this.#around.place(this.#loop.axis, this.local);
  }

  /** The next `length` values of the reduced index; the last segment may be cut short. */
  segment(length: number): void {
    this.#place();
    const nest = this.#nest;
    const { mode } = this.#around;
    const [stage, program, folds] = [this.#stage, this.#program, this.folds];
    const [loop, local] = [this.#loop, this.local];
    for (const fold of folds) fold.beginSegment();
    const group = mode === "inner" ? accumulators : 1;
    const accumulate = (block: Block): void => {
      program.emitAll(block);
      for (const [i, { value }] of stage.reductions.entries()) {
        const fold = folds[i] as Accumulator;
        const isFolded = stage.folded?.has(value) && block.valid === block.width;
        if (isFolded && fold.accumulateProducts !== undefined) {
          const [x, y] = argsOf(stage.nodes[value] as ScalarNode) as [number, number];
          fold.accumulateProducts(
            partsOf(block).map((part) => [program.vector(x, part), program.vector(y, part)]),
          );
          continue;
        }
        const values =
          block.width === 1
            ? [program.scalar(value)]
            : partsOf(block).map((part) => program.vector(value, part));
        fold.accumulate(values, block.valid, (code) => code.get(local));
      }
      this.#around.finish(block);
    };
    const across = mode === "outer" ? this.#around.across : scalarBlock;
    const groups = Math.floor(length / group);
    if (groups > 0) {
      const block = mode === "inner" ? fullBlock(group, nest.lanes) : across;
      const inner = nest.nested(() => {
        if (mode === "inner") this.#around.placeBlocks(loop, block);
        accumulate(block);
      });
      const looping = groups > 1 || loop.extent > length;
      if (looping) nest.code.loop();
      nest.code.append(inner).get(local).i32(group).op("i32.add").set(local);
      if (looping) {
        nest.code.get(local);
        // A whole segment ends at the next multiple of its length, whichever it is.
        if (length === segmentLength) nest.code.i32(segmentLength - 1).op("i32.and");
        else nest.code.i32(loop.extent - (length % group)).op("i32.lt_u");
        nest.code.brIf(0).end();
      }
    }
    if (length % group > 0) {
      nest.code.append(
        nest.nested(() => accumulate(lastBlock(loop.extent, length % group, nest.lanes))),
      );
    }
  }

  /**
   * Looks at the values of a node again, group by group from `from` on (a local that holds a multiple of a group): `place`
   * becomes the index of the first that `test` marks, or −1.
   */
  #search(node: number, from: number, test: (value: Push) => void, place: number): void {
    const nest = this.#nest;
    const { code } = nest;
    const [loop, local, program] = [this.#loop, this.local, this.#program];
    const masks = (block: Block): readonly Push[] => {
      program.emitAll(block);
      return partsOf(block).map((part) => () => test(program.vector(node, part)));
    };
    const rest = loop.extent % accumulators;
    const whole = loop.extent - rest;
    code.i32(-1).set(place).get(from).set(local).block();
    if (whole > 0) {
      const group = this.#inBody(() => {
        const block = fullBlock(accumulators, nest.lanes);
        this.#around.placeBlocks(loop, block);
        const parts = masks(block);
        pushAny(nest, parts);
        nest.code.if();
        pushBits(nest, parts);
        nest.code.op("i32.ctz").get(local).op("i32.add").set(place).br(3).end();
      });
      code.get(local).i32(whole).op("i32.lt_u").if().loop().append(group);
      code.get(local).i32(accumulators).op("i32.add").tee(local);
      code.i32(whole).op("i32.lt_u").brIf(0).end().end();
    }
    if (rest > 0) {
      const group = this.#inBody(() => {
        pushBits(nest, masks(lastBlock(loop.extent, rest, nest.lanes)));
        const bits = nest.local("i32");
        nest.code
          .i32(2 ** rest - 1)
          .op("i32.and")
          .tee(bits)
          .if();
        nest.code.get(bits).op("i32.ctz").i32(whole).op("i32.add").set(place).end();
      });
      code.append(group);
    }
    code.end();
  }

  /** The code of `body`, as deep as the values of a segment. */
  #inBody(body: () => void): Code {
    const nest = this.#nest;
    return nest.nested(() => void nest.code.append(nest.nested(body)));
  }
}

function pushAny({ code }: Nest, masks: readonly Push[]): void {
  for (const [part, mask] of masks.entries()) {
    mask(code);
    if (part > 0) code.op("v128.or");
  }
  code.op("v128.any_true");
}

/** Pushes a bit for each lane of all masks, the lowest for the first. */
function pushBits({ code, lanes }: Nest, masks: readonly Push[]): void {
  for (const [part, mask] of masks.entries()) {
    mask(code);
    code.op(lanes === 4 ? "i32x4.bitmask" : "i64x2.bitmask");
    if (part === 0) continue;
    code
      .i32(lanes * part)
      .op("i32.shl")
      .op("i32.or");
  }
}
