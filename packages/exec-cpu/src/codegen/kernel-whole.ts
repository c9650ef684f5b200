/**
 * A long fold of everything, as several kernels: a kernel without outer points is one point, which nobody can share. Its stages
 * become kernels of their own, with results in memory that all threads see: a fold becomes folds of parts that are nodes of
 * the plan's tree over segments, a kernel that puts them together the way that tree does, and what writes becomes elementwise.
 */
import { type DType, isArg, itemSize, type Reduction, type Write } from "@gridfuse/plan";
import {
  add,
  axis,
  constant,
  type IndexExpr,
  mul,
  substituteAxes,
} from "@gridfuse/plan/index-expr";
import type { BinaryOp, ScalarNode } from "@gridfuse/plan/scalar";
import {
  indicesOf,
  type KernelForm,
  type LoopAxis,
  type Rewrite,
  reads,
  rewriteStage,
  type StageForm,
} from "./kernel-form.ts";
import { product } from "./kernel-mode.ts";
import { valuesIn } from "./program-facts.ts";

export interface Whole {
  /** Each is done before the next begins. */
  readonly forms: readonly KernelForm[];
  /** Bytes of the buffers between them; buffer i is number `first` + i. */
  readonly bytes: readonly number[];
}

/** A fold of fewer elements is over before another thread has begun. */
const leastElements = 1 << 17;
/** Elements of a part: whole segments, and a power of two of them, so that a part is a node of the tree. */
const leastPart = 4096;
const mostParts = 64;
/** The axis that counts parts; no kernel has so many others. */
const partAxis = 1000;

/** @param first number of the first buffer that nobody has */
export function wholeOf(form: KernelForm, first: number): Whole | undefined {
  const { outer, stages } = form;
  if (outer.length > 0 || !stages.some(isLong) || !stages.every(mayCut)) return undefined;
  const writer = new PartWriter(first);
  for (const stage of stages) writer.add(stage);
  return writer;
}

const isLong = ({ inner, reductions }: StageForm): boolean =>
  reductions.length > 0 && product(inner) >= leastElements;

const mayCut = (stage: StageForm): boolean =>
  stage.reductions.every(({ op }) => !isArg(op)) &&
  stage.writes.length * stage.reductions.length === 0 &&
  indicesOf(stage).every((e) => valuesIn(e).length === 0);

const nothing = { guard: [], fill: { lo: 0, hi: 0 } } as const;

class PartWriter implements Whole {
  readonly forms: KernelForm[] = [];
  readonly bytes: number[] = [];
  readonly #first: number;
  /** By stage, then by reduction. */
  readonly #results: (readonly number[])[] = [];

  constructor(first: number) {
    this.#first = first;
  }

  #buffer(dtype: DType, length: number): number {
    return this.#first + this.bytes.push(length * itemSize(dtype)) - 1;
  }

  add(given: StageForm): void {
    const stage = { ...given, nodes: given.nodes.map((node) => this.#fromMemory(node)) };
    this.#results.push(stage.reductions.map(({ dtype }) => this.#buffer(dtype, 1)));
    const results = this.#results.at(-1) as readonly number[];
    if (stage.reductions.length === 0) {
      this.forms.push({ outer: stage.inner, stages: [{ ...stage, inner: [] }] });
    } else if (isLong(stage)) {
      this.#addParts(stage, results);
    } else {
      this.forms.push(foldInto(stage, results, constant(0), []));
    }
  }

  /** The result of an earlier stage is read where it was left. */
  #fromMemory(node: ScalarNode): ScalarNode {
    if (node.op !== "reduced") return node;
    const buffer = this.#results[node.stage]?.[node.reduction] as number;
    return { op: "load", dtype: node.dtype, buffer, index: constant(0), ...nothing };
  }

  #addParts(stage: StageForm, results: readonly number[]): void {
    const [loop] = stage.inner as [LoopAxis];
    const length = Math.max(leastPart, 2 ** Math.ceil(Math.log2(loop.extent / mostParts)));
    const [whole, rest] = [Math.floor(loop.extent / length), loop.extent % length];
    const count = whole + (rest > 0 ? 1 : 0);
    const parts = stage.reductions.map(({ dtype }) => this.#buffer(dtype, count));
    const cut = (extent: number, start: IndexExpr): StageForm => {
      const by: IndexExpr[] = [];
      by[loop.axis] = add(start, axis(loop.axis, extent));
      const rewrite: Rewrite = (e) => (reads(e, loop.axis) ? substituteAxes(e, by) : e);
      return { ...rewriteStage(stage, [{ axis: loop.axis, extent }], rewrite), isPart: true };
    };
    const part = axis(partAxis, whole);
    const outer = [{ axis: partAxis, extent: whole }];
    this.forms.push(foldInto(cut(length, mul(part, length)), parts, part, outer));
    if (rest > 0) {
      const last = cut(rest, constant(whole * length));
      this.forms.push(foldInto(last, parts, constant(whole), []));
    }
    this.forms.push({ outer: [], stages: [together(stage.reductions, parts, results, count)] });
  }
}

/** A stage, and one that leaves its results at `index` of a buffer for each. */
function foldInto(
  stage: StageForm,
  buffers: readonly number[],
  index: IndexExpr,
  outer: readonly LoopAxis[],
): KernelForm {
  const nodes = stage.reductions.map(
    ({ dtype }, reduction): ScalarNode => ({ op: "reduced", dtype, stage: 0, reduction }),
  );
  const writes = stage.reductions.map(
    ({ dtype }, k): Write => ({ buffer: buffers[k] as number, dtype, index, guard: [], value: k }),
  );
  return { outer, stages: [stage, { inner: [], nodes, reductions: [], writes }] };
}

/** Puts the results of `count` parts together, in the order of the tree over all segments. */
function together(
  reductions: readonly Reduction[],
  parts: readonly number[],
  results: readonly number[],
  count: number,
): StageForm {
  const nodes: ScalarNode[] = [];
  const writes = reductions.map(({ op, dtype }, k): Write => {
    const tree = (first: number, length: number): number => {
      if (length === 1) {
        const buffer = parts[k] as number;
        return nodes.push({ op: "load", dtype, buffer, index: constant(first), ...nothing }) - 1;
      }
      const left = 2 ** Math.ceil(Math.log2(length) - 1);
      const args = [tree(first, left), tree(first + left, length - left)] as const;
      return nodes.push({ op: op as BinaryOp, dtype, args } as ScalarNode) - 1;
    };
    const value = tree(0, count);
    return { buffer: results[k] as number, dtype, index: constant(0), guard: [], value };
  });
  return { inner: [], nodes, reductions: [], writes };
}
