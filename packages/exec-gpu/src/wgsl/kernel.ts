/**
 * A kernel step as dispatches: one for each stage that folds nothing, two or more for one that does.
 *
 * Stages meet only through finished reductions (what a stage writes no later one reads), so they can
 * be shaders of their own, each as parallel as its own domain; dispatches of a pass run in order.
 */
import { bitsDType, type CopyStep, type KernelStep } from "@gridfuse/plan";
import { add, axis, mul } from "@gridfuse/plan/index-expr";
import { ScalarBuilder } from "@gridfuse/plan/scalar";
import type { MemoryLayout } from "../memory.ts";
import { pointsIn } from "./domain.ts";
import { type Dispatch, elementwiseDispatch, type Launches, launchEach } from "./elementwise.ts";
import type { Subnormals } from "./float32.ts";
import { reductionDispatches, Scratch } from "./reduce.ts";
import type { ReducedPlace } from "./stage.ts";

export function kernelLaunches(
  step: KernelStep,
  layout: MemoryLayout,
  subnormals: Subnormals,
): Launches {
  const scratch = new Scratch();
  const dispatches: Dispatch[] = [];
  const reduced: (readonly ReducedPlace[])[] = [];
  const several = step.stages.length > 1;
  for (const [i, stage] of step.stages.entries()) {
    const name = several ? `${step.name} stage ${i}` : step.name;
    const context = { name, outer: step.axes, stage, layout, reduced };
    if (pointsIn(step.axes) === 0) continue;
    if (stage.reductions.length > 0) {
      const made = reductionDispatches(context, scratch, subnormals);
      dispatches.push(...made.dispatches);
      reduced.push(made.reduced);
    } else {
      if (stage.writes.length > 0 && pointsIn(stage.axes) > 0) {
        dispatches.push(elementwiseDispatch(context, subnormals));
      }
      reduced.push([]);
    }
  }
  return launchEach(dispatches, scratch.words);
}

/** A copy is a kernel that moves words; elements of eight bytes are two. */
export function copyAsKernel(step: CopyStep): KernelStep {
  const bits = bitsDType(step.dtype);
  const dtype = bits === "uint64" ? "uint32" : bits;
  const words = bits === "uint64" ? 2 : 1;
  const length = step.length * words;
  const position = axis(0, length);
  const builder = new ScalarBuilder();
  const from = add(mul(step.fromIndex, words), position);
  const value = builder.load(dtype, step.from, from, [], { lo: 0, hi: 0 });
  const index = add(mul(step.toIndex, words), position);
  return {
    kind: "kernel",
    name: step.name,
    axes: [length],
    stages: [
      {
        axes: [],
        nodes: builder.nodes,
        reductions: [],
        writes: [{ buffer: step.to, dtype, index, guard: [], value }],
      },
    ],
  };
}
