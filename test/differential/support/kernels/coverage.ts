/** Which patterns a random kernel shows, so that a test can say that all of them occur. */
import { type Program, walk } from "@gridfuse/graph";
import { report } from "@gridfuse/passes";
import type { Plan, Step } from "@gridfuse/plan";
import * as ix from "@gridfuse/plan/index-expr";
import type { KernelPlan } from "../random-kernel.ts";
import type { StatementPlan } from "./body.ts";

/** How often each pattern occurred. */
export type Coverage = Map<string, number>;

export function count(coverage: Coverage, patterns: Iterable<string>): void {
  for (const pattern of patterns) coverage.set(pattern, (coverage.get(pattern) ?? 0) + 1);
}

/** What was asked for, what the kernel holds, and what became of it. */
export function patternsOf(kernel: KernelPlan, program: Program, plan: Plan): ReadonlySet<string> {
  return new Set([...asked(kernel), ...held(program), ...became(plan)]);
}

function asked(kernel: KernelPlan): readonly string[] {
  const { grid, inputs, outputs, scratch, body, mapped, around, fill, reassociate } = kernel;
  const arrays = [...inputs, ...outputs];
  const patterns = [
    `grid of rank ${grid.length}`,
    `outputs: ${outputs.length}`,
    `fill: ${fill}`,
    ...arrays.flatMap(({ dims }) =>
      dims.flatMap(({ kind, map }) => [`block: ${kind}`, `map: ${map}`]),
    ),
    ...outputs.map(({ ending }) => `ending: ${ending}`),
    ...statementsOf(body).map((what) => `statement: ${what}`),
  ];
  if (outputs.some(({ aliased }) => aliased)) patterns.push("aliased input");
  if (scratch.length > 0) patterns.push("scratch");
  if (mapped) patterns.push("vmapped");
  if (around) patterns.push("arithmetic around the call");
  if (reassociate) patterns.push("reassociated");
  return patterns;
}

const statementsOf = (body: readonly StatementPlan[]): readonly string[] =>
  body.flatMap(({ what, body: inner }) => [what, ...statementsOf(inner)]);

function held({ table, main }: Program): readonly string[] {
  const patterns: string[] = [];
  walk(table, main, (node) => {
    if (node.op === "grid" && hasRaggedEdge(node.params)) patterns.push("ragged edge");
    if (node.op === "scan" || node.op === "while" || node.op === "cond") {
      patterns.push(`control flow: ${node.op}`);
      const inner = node.regions.flatMap(({ nodes }) => nodes.map((id) => table.nodes[id]!.op));
      if (inner.some((op) => op === "scan" || op === "while")) {
        patterns.push(`a loop inside a ${node.op}`);
      }
      if (inner.includes("debug_print")) patterns.push(`a print inside a ${node.op}`);
      if (inner.includes("set") || inner.includes("addupdate")) {
        patterns.push(`a ref written inside a ${node.op}`);
      }
    }
    if (node.op === "get" || node.op === "set" || node.op === "addupdate") {
      const indexers = node.params.transforms.flat();
      const computed = indexers.some(
        (indexer) =>
          (indexer.kind === "slice" && typeof indexer.start !== "number") ||
          (indexer.kind === "int" && typeof indexer.index !== "number"),
      );
      if (computed) patterns.push(`dynamic window: ${node.op}`);
    }
  });
  return patterns;
}

interface Mapped {
  readonly shape: readonly (number | string)[];
  readonly block: readonly { readonly kind: string; readonly size?: number }[];
}

const hasRaggedEdge = (grid: {
  readonly inputs: readonly Mapped[];
  readonly outputs: readonly Mapped[];
}): boolean =>
  [...grid.inputs, ...grid.outputs].some(({ shape, block }) =>
    block.some(
      ({ kind, size = 1 }, d) =>
        kind === "blocked" && size > 0 && (shape[d] as number) % size !== 0,
    ),
  );

function became(plan: Plan): readonly string[] {
  const { axes, gridLoops } = report(plan);
  const patterns = axes
    .filter(({ extent }) => extent > 1)
    .map(({ verdict }) => `verdict: ${verdict}`);
  const verdicts = new Set(patterns);
  if (verdicts.size > 1) patterns.push("several verdicts in one kernel");
  patterns.push(gridLoops === 0 ? "no grid loop" : "a grid loop");
  const visit = (steps: readonly Step[]): void => {
    for (const step of steps) {
      patterns.push(`step: ${step.kind}`);
      if (step.kind === "kernel" && readsComputedPlaces(step)) patterns.push("gathering kernel");
      if (step.kind === "kernel" && step.stages.some(({ reductions }) => reductions.length > 0)) {
        patterns.push("reducing kernel");
      }
      if (step.kind === "loop" || step.kind === "tile") visit(step.body);
      if (step.kind === "while") visit([...step.condition, ...step.body]);
      if (step.kind === "branch") for (const branch of step.branches) visit(branch);
    }
  };
  visit(plan.steps);
  return patterns;
}

function readsComputedPlaces({ stages }: Extract<Step, { kind: "kernel" }>): boolean {
  return stages.some(({ nodes }) =>
    nodes.some((node) => {
      let computed = false;
      if (node.op === "load") {
        ix.forEachLeaf(node.index, (leaf) => {
          if (leaf.k === "value") computed = true;
        });
      }
      return computed;
    }),
  );
}

/** What every run of a few hundred kernels has to show. */
export const expectedPatterns: readonly string[] = [
  ...[1, 2, 3].map((rank) => `grid of rank ${rank}`),
  ...[1, 2, 3].map((outputs) => `outputs: ${outputs}`),
  ...["hlo", "tpu", "zero"].map((fill) => `fill: ${fill}`),
  ...["blocked", "squeezed", "element", "bounded"].map((kind) => `block: ${kind}`),
  "ragged edge",
  "aliased input",
  "scratch",
  "vmapped",
  "arithmetic around the call",
  "reassociated",
  ...["parallel", "reduction", "last", "sequential"].map((verdict) => `verdict: ${verdict}`),
  "several verdicts in one kernel",
  "no grid loop",
  "a grid loop",
  "gathering kernel",
  "reducing kernel",
  ...["scan", "while", "cond"].flatMap((op) => [
    `control flow: ${op}`,
    `a loop inside a ${op}`,
    `a print inside a ${op}`,
    `a ref written inside a ${op}`,
  ]),
  ...["get", "set", "addupdate"].map((op) => `dynamic window: ${op}`),
  ...["kernel", "dot", "sort", "scan", "scatter", "copy", "loop", "tile", "while", "print"].map(
    (kind) => `step: ${kind}`,
  ),
];

/** Coverage as a table, most frequent first. */
export const showCoverage = (coverage: Coverage): string =>
  [...coverage]
    .sort(([, a], [, b]) => b - a)
    .map(([pattern, times]) => `${`${times}`.padStart(6)}  ${pattern}`)
    .join("\n");
