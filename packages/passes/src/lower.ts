/**
 * From a graph to a plan: the table of contents of this package.
 */
import {
  censusOf,
  countNodes,
  elementCount,
  type Program,
  type Region,
  type Table,
  walk,
} from "@gridfuse/graph";
import type { Plan } from "@gridfuse/plan";
import { elideCopies } from "./fuse/copies.ts";
import { dropDeadWrites, mergeKernels } from "./fuse/merge-kernels.ts";
import { vectoriseRegion } from "./grid/vectorise-region.ts";
import {
  choosePasses,
  type PassObserver,
  PassRunner,
  type RegionContext,
  type RegionPass,
  requireKnown,
  type StepPass,
} from "./pipeline.ts";
import { boundAccesses } from "./plan/bound.ts";
import { emitPlan, lowerProgram } from "./plan/emit.ts";
import { assignLayouts } from "./plan/layouts.ts";
import { rerollRegion } from "./reroll/reroll.ts";
import { simplifyRegion } from "./simplify/simplify.ts";
import { dischargeRegion } from "./tensor/discharge.ts";
import { tidyLoops } from "./tensor/loops.ts";
import { narrowCaptures } from "./tensor/narrow-captures.ts";
import { narrowWindows } from "./tensor/narrow-windows.ts";
import { settleOrders } from "./tensor/orders.ts";
import { settleNaNs } from "./tensor/settle-nans.ts";
import { tileSteps } from "./tile/tile.ts";
import type { TileBudget } from "./tile/trips.ts";

/** From refs to values in regions, from grids to array axes. */
export const regionPasses: readonly RegionPass[] = [
  {
    name: "discharge",
    level: "kernel",
    required: true,
    removes: "refs",
    run: (region, { table }) => dischargeRegion(table, region),
  },
  {
    name: "re-roll",
    level: "tensor",
    run: (region, { table }) => rerollRegion(table, region),
  },
  {
    name: "canonicalise",
    level: "tensor",
    run: (region, { table }) => simplifyRegion(table, region),
  },
  {
    name: "vectorise-grid",
    level: "tensor",
    required: true,
    removes: "grids",
    run: (region, { table, ...options }) => vectoriseRegion(table, region, options),
  },
  {
    name: "canonicalise again",
    level: "tensor",
    run: (region, { table }) => simplifyRegion(table, region),
  },
  {
    name: "narrow-windows",
    level: "tensor",
    run: (region, { table }) => narrowWindows(table, region),
  },
  {
    name: "settle-orders",
    level: "tensor",
    run: (region, { table }) => settleOrders(table, region),
  },
  {
    name: "narrow-captures",
    level: "tensor",
    run: (region, { table }) => narrowCaptures(table, region),
  },
  {
    name: "tidy-loops",
    level: "tensor",
    run: (region, { table, ...options }) => tidyLoops(table, region, options),
  },
  {
    name: "settle-nans",
    level: "tensor",
    required: true,
    run: (region, { table }) => settleNaNs(table, region),
  },
];

/** What follows `fuse`: steps over buffers that have no place yet. */
export const stepPasses: readonly StepPass[] = [
  { name: "drop-dead-writes", level: "loop", run: (s, { buffers }) => dropDeadWrites(s, buffers) },
  { name: "merge-kernels", level: "loop", run: (s) => mergeKernels(s) },
  { name: "elide-copies", level: "loop", run: (s, { buffers }) => elideCopies(s, buffers) },
  { name: "merge-kernels again", level: "loop", run: (s) => mergeKernels(s) },
  {
    name: "drop-dead-writes again",
    level: "loop",
    run: (s, { buffers }) => dropDeadWrites(s, buffers),
  },
  {
    name: "tile",
    level: "loop",
    after: [
      "drop-dead-writes",
      "merge-kernels",
      "elide-copies",
      "merge-kernels again",
      "drop-dead-writes again",
    ],
    run: (s, { tiles: budget, ...context }) => tileSteps(s, { ...context, budget }),
  },
  {
    name: "assign-layouts",
    level: "loop",
    after: ["tile"],
    run: (s, { buffers, notes }) => assignLayouts(s, buffers, notes),
  },
  {
    name: "bound-accesses",
    level: "plan",
    required: true,
    run: (s, { buffers }) => boundAccesses(s, buffers),
  },
];

export interface LowerOptions extends PassObserver {
  /** Whether float sums over grid axes may change their order. Default true. */
  readonly reassociate?: boolean;
  /** Iterations a `while` may take before the run fails. Default 2³¹−1. */
  readonly fuel?: number;
  /** Bytes of temporaries from which chains of steps run tile by tile, and how much a tile may have. */
  readonly tiles?: TileBudget;
}

/**
 * Lowers a program without named dimensions to a plan. Appends to the program's table.
 *
 * @param names for tests: which passes run, in which order; all of them by default
 */
export function lower(
  program: Program,
  options: LowerOptions = {},
  names?: readonly string[],
): Plan {
  const started = performance.now();
  const { table } = program;
  const context: RegionContext = {
    table,
    reassociate: options.reassociate ?? true,
    loops: { next: 0 },
    axes: [],
    notes: [],
  };
  const runner = new PassRunner(options);
  requireKnown([...regionPasses, ...stepPasses], names);

  const tensors = runner.regions(choosePasses(regionPasses, names), program, context);
  const lowered = runner.fuse("fuse", () =>
    lowerProgram(tensors, context.loops, options.fuel ?? 2 ** 31 - 1),
  );
  const { buffers } = lowered.builder;
  const steps = runner.steps(choosePasses(stepPasses, names), lowered.steps, {
    buffers,
    plan: lowered.builder,
    loops: context.loops,
    notes: context.notes,
    tiles: options.tiles,
  });

  return emitPlan(program.name, lowered, steps, {
    nodesBefore: countNodes(table, program.main),
    nodesAfter: countNodes(table, tensors.main),
    gridPoints: gridPoints(table, program.main),
    axes: context.axes,
    notes: context.notes,
    passes: runner.records,
    compileMs: performance.now() - started,
  });
}

function gridPoints(table: Table, region: Region): number {
  let points = 0;
  if (!censusOf(table, region).ops.has("grid")) return points;
  walk(table, region, (node) => {
    if (node.op === "grid") points += elementCount(node.params.axes.map(({ size }) => size));
  });
  return points;
}
