/**
 * What rules see: the plan, its steps with the loops around them, and its scalar programs with the axes
 * they run over. One walk serves all rules.
 */
import type { KernelStep, Plan, Reduction, ScatterStep, Step, Write } from "../plan.ts";
import { PlanInvalid } from "../plan-errors.ts";
import type { ScalarNode } from "../scalar/node.ts";

/** The place of a step: what surrounds it, and words for errors. */
export interface StepPlace {
  readonly plan: Plan;
  readonly path: string;
  /** Trip counts of the enclosing loops, by loop number. */
  readonly loops: ReadonlyMap<number, number>;
  readonly depth: number;
}

/** A scalar program and what reads its values: a stage of a kernel, or a scatter. */
export interface Program {
  readonly place: StepPlace;
  readonly path: string;
  /** Extents of the outer axes, then the stage's own. */
  readonly axes: readonly number[];
  readonly nodes: readonly ScalarNode[];
  readonly reductions: readonly Reduction[];
  readonly writes: readonly Write[];
  /** Stages of the same kernel that ran before; empty for a scatter. */
  readonly earlier: KernelStep["stages"];
}

/** A numbered property of plans. Hooks are called in plan order; they throw through `broken`. */
export interface Rule {
  readonly id: `V${number}`;
  readonly title: string;
  readonly plan?: (plan: Plan, broken: Broken) => void;
  readonly step?: (step: Step, place: StepPlace, broken: Broken) => void;
  readonly program?: (program: Program, broken: Broken) => void;
}

export type Broken = (path: string, what: string) => PlanInvalid;

export function applyRules(plan: Plan, rules: readonly Rule[]): void {
  const bound = rules.map((rule) => ({
    rule,
    broken: ((path, what) => new PlanInvalid(rule.id, path, what)) as Broken,
  }));
  const ofSteps = bound.filter(({ rule }) => rule.step !== undefined);
  const ofPrograms = bound.filter(({ rule }) => rule.program !== undefined);
  for (const { rule, broken } of bound) rule.plan?.(plan, broken);
  forEachStep(plan, (step, place) => {
    for (const { rule, broken } of ofSteps) rule.step?.(step, place, broken);
    forEachProgram(step, place, (program) => {
      for (const { rule, broken } of ofPrograms) rule.program?.(program, broken);
    });
  });
}

/** Every step, outermost first. Depth is bounded by the caller's rule on nesting, which sees a step before its body. */
export function forEachStep(plan: Plan, visit: (step: Step, place: StepPlace) => void): void {
  const walk = (steps: readonly Step[], path: string, outer: Omit<StepPlace, "path">): void => {
    steps.forEach((step, i) => {
      const place = { ...outer, path: `${path}[${i}]` };
      visit(step, place);
      const inner = { ...outer, depth: outer.depth + 1 };
      switch (step.kind) {
        case "loop":
        case "tile":
          walk(step.body, `${place.path}.body`, {
            ...inner,
            loops: new Map([...outer.loops, [step.loop, step.trips]]),
          });
          break;
        case "while":
          walk(step.condition, `${place.path}.condition`, inner);
          walk(step.body, `${place.path}.body`, inner);
          break;
        case "branch":
          step.branches.forEach((branch, b) => {
            walk(branch, `${place.path}.branches[${b}]`, inner);
          });
          break;
        default:
      }
    });
  };
  walk(plan.steps, "steps", { plan, loops: new Map(), depth: 0 });
}

function forEachProgram(step: Step, place: StepPlace, visit: (program: Program) => void): void {
  if (step.kind === "kernel") visitStages(step, place, visit);
  else if (step.kind === "scatter") visit(scatterProgram(step, place));
}

function visitStages(step: KernelStep, place: StepPlace, visit: (program: Program) => void): void {
  step.stages.forEach((stage, i) => {
    visit({
      place,
      path: `${place.path}.stages[${i}]`,
      axes: [...step.axes, ...stage.axes],
      nodes: stage.nodes,
      reductions: stage.reductions,
      writes: stage.writes,
      earlier: step.stages.slice(0, i),
    });
  });
}

const scatterProgram = (step: ScatterStep, place: StepPlace): Program => ({
  place,
  path: place.path,
  axes: step.axes,
  nodes: step.nodes,
  reductions: [],
  writes: [step.write],
  earlier: [],
});

/** Number of points of a domain; a number beyond 2^53 stays beyond it. */
export const pointsOf = (axes: readonly number[]): number => axes.reduce((n, e) => n * e, 1);
