/**
 * Kernels and scatters by interpretation: a few thousand points at a time, each node a loop over typed
 * arrays. Stages run for a block of outer points before the next block is begun.
 */
import type { KernelStep, ScatterStep, Stage, StorageArray } from "@gridfuse/plan";
import {
  applyNode,
  type BinaryOp,
  evaluateProgram,
  type Lanes,
  type LeafNode,
  lanes,
  loadLanes,
  type ScalarNode,
  storeLanes,
} from "@gridfuse/plan/scalar";
import { gatherLanes, guardLanes, scatterLanes } from "./buffers.ts";
import { type Fold, foldOf } from "./folds.ts";
import { type IndexLanes, indexLanes } from "./index-lanes.ts";

/** Lanes computed at once; a multiple of the segment length of reductions. */
const block = 4096;

export interface JsContext {
  view(buffer: number): StorageArray;
  loop(loop: number): number;
}

const product = (extents: readonly number[]): number => extents.reduce((a, b) => a * b, 1);

/** Points first … first + count − 1 of a row-major domain. */
class Points implements IndexLanes {
  readonly count: number;
  readonly #first: number;
  readonly #extents: readonly number[];
  readonly #context: JsContext;
  values: readonly Lanes[] = [];

  constructor(context: JsContext, extents: readonly number[], first: number, count: number) {
    this.#context = context;
    this.#extents = extents;
    this.#first = first;
    this.count = count;
  }

  axis(axis: number): Float64Array {
    const extent = this.#extents[axis] as number;
    const below = product(this.#extents.slice(axis + 1));
    return Float64Array.from(
      { length: this.count },
      (_, i) => Math.floor((this.#first + i) / below) % extent,
    );
  }
  loop(loop: number): number {
    return this.#context.loop(loop);
  }
  value(node: number): Lanes {
    return this.values[node] as Lanes;
  }
}

/** Lanes of all nodes at some points. */
function evaluate(
  context: JsContext,
  nodes: readonly ScalarNode[],
  points: Points,
  reduced: (stage: number, reduction: number) => Lanes,
): Lanes[] {
  const leaf = (node: LeafNode, _: number, soFar: readonly Lanes[]): Lanes => {
    points.values = soFar;
    switch (node.op) {
      case "index": {
        const values = indexLanes(node.index, points);
        const result = lanes(node.dtype, points.count);
        for (let i = 0; i < points.count; i++) {
          const value = values[i] as number;
          if (result instanceof BigInt64Array || result instanceof BigUint64Array) {
            result[i] = BigInt(value);
          } else {
            result[i] = value;
          }
        }
        return result;
      }
      case "load": {
        const { dtype, buffer, index, guard, fill } = node;
        return gatherLanes(dtype, context.view(buffer), index, guard, fill, points);
      }
      case "reduced":
        return reduced(node.stage, node.reduction);
      case "argument":
        throw new RangeError("an argument node has no meaning inside a kernel");
      default:
        throw node satisfies never;
    }
  };
  const results = evaluateProgram(nodes, points.count, leaf);
  points.values = results;
  return results;
}

/** The lanes of one point each, repeated or cut to the points of a block. */
function spread(of: Lanes, points: number, each: number, first: number, count: number): Lanes {
  const result = of.slice(0, 0).constructor as new (n: number) => Lanes;
  const spreadLanes = new result(count);
  for (let i = 0; i < count; i++) {
    const point = Math.floor((first + i) / each);
    if (point < points) spreadLanes.set(of.subarray(point, point + 1) as never, i);
  }
  return spreadLanes;
}

export function runKernel(context: JsContext, step: KernelStep): void {
  const outer = product(step.axes);
  const widest = Math.max(1, ...step.stages.map(({ axes }) => product(axes)));
  const pointsAtOnce = Math.max(1, Math.floor(block / widest));
  for (let first = 0; first < outer; first += pointsAtOnce) {
    const points = Math.min(pointsAtOnce, outer - first);
    const results: Lanes[][] = [];
    for (const stage of step.stages) {
      results.push(runStage(context, step, stage, first, points, results));
    }
  }
}

/** One stage at some outer points; gives a lane for each of them and each reduction. */
function runStage(
  context: JsContext,
  step: KernelStep,
  stage: Stage,
  first: number,
  points: number,
  earlier: readonly (readonly Lanes[])[],
): Lanes[] {
  const each = product(stage.axes);
  const total = points * each;
  const folds = Array.from({ length: points }, () =>
    stage.reductions.map((reduction) =>
      foldOf(reduction, (stage.nodes[reduction.value] as ScalarNode).dtype, each),
    ),
  );
  for (let start = 0; start < total; start += block) {
    const count = Math.min(block, total - start);
    const here = new Points(context, [...step.axes, ...stage.axes], first * each + start, count);
    const values = evaluate(context, stage.nodes, here, (of, reduction) =>
      spread(earlier[of]?.[reduction] as Lanes, points, each, start, count),
    );
    for (const { buffer, dtype, index, guard, value } of stage.writes) {
      const storage = context.view(buffer);
      scatterLanes(dtype, values[value] as Lanes, storage, index, guard, here);
    }
    addToFolds(stage, folds, values, start, count, each);
  }
  return stage.reductions.map(({ dtype }, i) => {
    const result = lanes(dtype, points);
    for (const [point, fold] of folds.entries()) {
      result.set((fold[i] as Fold).result() as never, point);
    }
    return result;
  });
}

function addToFolds(
  stage: Stage,
  folds: readonly (readonly Fold[])[],
  values: readonly Lanes[],
  start: number,
  count: number,
  each: number,
): void {
  for (let at = 0; at < count; ) {
    const point = Math.floor((start + at) / each);
    const end = Math.min(count, (point + 1) * each - start);
    for (const [i, { value }] of stage.reductions.entries()) {
      folds[point]?.[i]?.add((values[value] as Lanes).subarray(at, end));
    }
    at = end;
  }
}

export function runScatter(context: JsContext, step: ScatterStep): void {
  const total = product(step.axes);
  const { write, combine } = step;
  const storage = context.view(write.buffer);
  for (let start = 0; start < total; start += block) {
    const count = Math.min(block, total - start);
    const points = new Points(context, step.axes, start, count);
    const values = evaluate(context, step.nodes, points, () => lanes("float32", count));
    const value = values[write.value] as Lanes;
    if (combine === "set") {
      scatterLanes(write.dtype, value, storage, write.index, write.guard, points);
      continue;
    }
    const places = indexLanes(write.index, points);
    const holds = guardLanes(write.guard, points);
    for (let i = 0; i < count; i++) {
      if (holds !== undefined && holds[i] === 0) continue;
      const place = places[i] as number;
      const present = loadLanes(write.dtype, storage, place, 1);
      combineLanes(combine, write.dtype, present, value.subarray(i, i + 1), 1);
      storeLanes(write.dtype, present, storage, place, 1);
    }
  }
}

/** into = into ⊕ other, for n lanes. */
export function combineLanes(
  op: BinaryOp,
  dtype: ScalarNode["dtype"],
  into: Lanes,
  other: Lanes,
  n: number,
): void {
  applyNode({ op, dtype, args: [0, 1] }, [into, other], [dtype, dtype], n, into);
}
