/** What can be wrong with the compilation of a random kernel. */
import { type Program, printProgram } from "@gridfuse/graph";
import { compareTensors, interpret, type Tolerance } from "@gridfuse/interpret";
import { report } from "@gridfuse/passes";
import type { Plan, PlanOutput } from "@gridfuse/plan";
import { type Coverage, count, patternsOf } from "./kernels/coverage.ts";
import { buildKernel, type KernelPlan } from "./random-kernel.ts";
import { type ComparisonOptions, disagreements, type Inputs, tilesFor } from "./three-way.ts";

/** Where sums were reassociated, on inputs whose sums are mostly exact. */
export function bounded({ dtype }: PlanOutput): Tolerance {
  switch (dtype) {
    case "float16":
    case "bfloat16":
      return { rtol: 2 ** -5, atol: 2 ** -3 };
    case "float32":
      return { rtol: 1e-4, atol: 1e-4 };
    default:
      return { exact: true };
  }
}

/** A report contradicts itself, or the kernel. */
function falseVerdicts(program: Program, plan: Plan, inputs: Inputs): readonly string[] {
  const { axes, gridLoops } = report(plan);
  const sequential = axes.filter(({ verdict }) => verdict === "sequential").length;
  const lines: string[] = [];
  if (gridLoops > 0 && sequential === 0) lines.push(`${gridLoops} grid loops, no sequential axis`);
  if (axes.every(({ verdict }) => verdict === "parallel")) {
    const options = { onPrint: () => {} };
    const backwards = (_: unknown, points: number) =>
      Array.from({ length: points }, (_, i) => points - 1 - i);
    const forth = interpret(program, inputs, options);
    const back = interpret(program, inputs, { ...options, inlineGridOrder: backwards });
    for (const name of program.outputs) {
      const difference = compareTensors(back[name]!, forth[name]!);
      if (difference !== undefined) {
        lines.push(
          `all axes are parallel, but run backwards "${name}" is other`,
          difference.message,
        );
      }
    }
  }
  return lines;
}

/**
 * Lines that say what is wrong, with the kernel printed; empty where nothing is.
 *
 * @param coverage counts the patterns that the kernel shows
 */
export function faultsOfKernel(
  kernel: KernelPlan,
  coverage?: Coverage,
  options: ComparisonOptions = {},
): readonly string[] {
  let printed = "";
  const explain = (lines: readonly string[]): readonly string[] =>
    lines.length === 0 ? [] : [...lines, printed];
  try {
    const { program, inputs } = buildKernel(kernel);
    printed = printProgram(program);
    const plans: Plan[] = [];
    const lines = disagreements(program, inputs, {
      ...tilesFor(kernel.seed),
      ...options,
      reassociate: kernel.reassociate && kernel.style === "tame",
      bounded,
      onPlan: (plan) => {
        plans.push(plan);
        options.onPlan?.(plan);
      },
    });
    const [plan] = plans as [Plan];
    if (coverage !== undefined) count(coverage, patternsOf(kernel, program, plan));
    return explain(lines.length > 0 ? lines : falseVerdicts(program, plan, inputs));
  } catch (error) {
    return [(error as Error).stack ?? String(error), printed];
  }
}
