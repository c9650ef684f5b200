/**
 * What became of a graph: a function over the plan and its debug section, for people and for tests.
 */
import {
  type AxisReport,
  itemSize,
  type OrbitReport,
  type Plan,
  type PlanBuffer,
  type Step,
} from "@gridfuse/plan";
import { counted } from "./counted.ts";
import { accessesOf } from "./plan/accesses.ts";
import { forEachLeaf } from "./tile/mentions.ts";
import { defaultBudget } from "./tile/trips.ts";

export interface KernelReport {
  readonly name: string;
  /** Points of the outer and of each stage's own domain. */
  readonly domain: readonly number[];
  readonly stages: number;
  readonly reductions: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly scalarOps: number;
  readonly origins: readonly string[];
  /** Layers of butterflies that the kernel computes at once, where it does. */
  readonly orbit: OrbitReport | undefined;
}

/** A chain that runs tile by tile. */
export interface TileReport {
  readonly name: string;
  /** Tiles, those of the tiles around it included. */
  readonly tiles: number;
  /** Bytes of temporaries that belong to one tile. */
  readonly bytesPerTile: number;
  readonly depth: number;
}

/** Where the temporaries of a plan are: in tiles, or whole. */
export interface TemporariesReport {
  /** Bytes of temporaries alive at once: the arena. */
  readonly peakBytes: number;
  /** The most that belongs to one tile of an outermost tile step. */
  readonly bytesPerTile: number;
  /** Bytes of all temporaries that live outside of tiles. */
  readonly wholeBytes: number;
  /** Whether no temporary is whole but for what is smaller than a tile may be. */
  readonly fitTiles: boolean;
  /** Where not: what is kept, by whom and for whom, where chains were divided, and what is stored that is read twice. */
  readonly reasons: readonly string[];
}

export interface PlanReport {
  readonly name: string;
  readonly gridPoints: number;
  readonly nodesBefore: number;
  readonly nodesAfter: number;
  readonly planKernels: number;
  readonly planSteps: number;
  readonly gridLoops: number;
  /** Arena without inputs and outputs. */
  readonly peakBytes: number;
  readonly constantBytes: number;
  readonly axes: readonly AxisReport[];
  readonly kernels: readonly KernelReport[];
  readonly tiles: readonly TileReport[];
  readonly temporaries: TemporariesReport;
  readonly steps: readonly {
    readonly kind: Step["kind"];
    readonly name: string;
    readonly depth: number;
  }[];
  readonly notes: readonly string[];
  readonly passes: readonly {
    readonly name: string;
    readonly ms: number;
    readonly nodes: number;
  }[];
  readonly compileMs: number | undefined;
  readonly text: string;
}

export function report(plan: Plan): PlanReport {
  const kernels: KernelReport[] = [];
  const steps: { kind: Step["kind"]; name: string; depth: number }[] = [];
  const tiles: TileReport[] = [];
  let gridLoops = 0;
  const visit = (list: readonly Step[], depth: number, around = 1): void => {
    for (const step of list) {
      steps.push({ kind: step.kind, name: step.name, depth });
      switch (step.kind) {
        case "kernel":
          kernels.push(describeKernel(plan, step));
          break;
        case "loop":
          if (step.grid) gridLoops += 1;
          visit(step.body, depth + 1, around);
          break;
        case "tile": {
          const { name, locals } = step;
          const bytesPerTile = bytesOf(plan, locals);
          tiles.push({ name, tiles: around * step.trips, bytesPerTile, depth });
          visit(step.body, depth + 1, around * step.trips);
          break;
        }
        case "while":
          visit(step.condition, depth + 1, around);
          visit(step.body, depth + 1, around);
          break;
        case "branch":
          for (const branch of step.branches) visit(branch, depth + 1, around);
          break;
        default:
      }
    }
  };
  visit(plan.steps, 0);
  const { debug } = plan;
  const facts = {
    name: plan.name,
    gridPoints: debug?.gridPoints ?? 0,
    nodesBefore: debug?.nodesBefore ?? 0,
    nodesAfter: debug?.nodesAfter ?? 0,
    planKernels: kernels.length,
    planSteps: steps.length,
    gridLoops,
    peakBytes: plan.arenaBytes,
    constantBytes: plan.constants.reduce((sum, { data }) => sum + data.byteLength, 0),
    axes: debug?.axes ?? [],
    kernels,
    tiles,
    temporaries: describeTemporaries(plan),
    steps,
    notes: debug?.notes ?? [],
    passes: debug?.passes ?? [],
    compileMs: debug?.compileMs,
  };
  return { ...facts, text: formatReport(plan, facts) };
}

/** Bytes of temporaries from their first offset to their last: those that take turns in one place count once. */
function bytesOf(plan: Plan, temporaries: readonly number[]): number {
  const pieces = temporaries
    .map((id) => plan.buffers[id] as PlanBuffer)
    .filter(({ length }) => length > 0)
    .map(({ offset = 0, length, dtype }) => ({ offset, end: offset + length * itemSize(dtype) }))
    .sort((p, q) => p.offset - q.offset);
  let bytes = 0;
  let reached = 0;
  for (const { offset, end } of pieces) {
    bytes += Math.max(0, end - Math.max(offset, reached));
    reached = Math.max(reached, end);
  }
  return bytes;
}

function describeTemporaries(plan: Plan): TemporariesReport {
  const outermost = plan.steps.flatMap((step) => (step.kind === "tile" ? [step] : []));
  const local = new Set(outermost.flatMap(({ locals }) => locals));
  const whole = plan.buffers.flatMap(({ kind }, id) =>
    kind === "temporary" && !local.has(id) ? [id] : [],
  );
  const bytesPerTile = Math.max(0, ...outermost.map(({ locals }) => bytesOf(plan, locals)));
  const wholeBytes = bytesOf(plan, whole);
  const fitTiles = Math.max(wholeBytes, bytesPerTile) <= defaultBudget.bytes;
  return {
    peakBytes: plan.arenaBytes,
    bytesPerTile,
    wholeBytes,
    fitTiles,
    reasons: fitTiles ? [] : [...keptBy(plan), ...reasonsFor(plan, new Set(whole))],
  };
}

/** Temporaries that are a good part of a tile's budget: who makes them, and who reads them last. */
function keptBy({ steps, buffers }: Plan): readonly string[] {
  const makers = new Map<number, string>();
  const readers = new Map<number, string>();
  forEachLeaf(steps, (step) => {
    const { reads, writes } = accessesOf(step);
    for (const buffer of reads) readers.set(buffer, step.name);
    for (const buffer of writes) if (!makers.has(buffer)) makers.set(buffer, step.name);
  });
  return buffers
    .flatMap(({ kind, dtype, length }, id) => {
      const bytes = length * itemSize(dtype);
      return kind === "temporary" && bytes >= defaultBudget.bytes / 4 ? [{ id, bytes }] : [];
    })
    .sort((p, q) => q.bytes - p.bytes || p.id - q.id)
    .slice(0, mostKept)
    .map(
      ({ id, bytes }) =>
        `kept: ${formatBytes(bytes)} that "${makers.get(id)}" makes, until "${readers.get(id)}" has read it`,
    );
}

const mostKept = 4;

/** Why chains were divided, and why steps outside of tiles write what other steps could compute themselves. */
function reasonsFor(plan: Plan, whole: ReadonlySet<number>): readonly string[] {
  const writers = plan.steps.flatMap((step) =>
    step.kind === "kernel" &&
    step.stages.some(({ writes }) => writes.some(({ buffer }) => whole.has(buffer)))
      ? [`store: "${step.name}" `]
      : [],
  );
  return (plan.debug?.notes ?? []).filter(
    (note) => note.startsWith("tile: ") || writers.some((writer) => note.startsWith(writer)),
  );
}

function describeKernel(plan: Plan, step: Extract<Step, { kind: "kernel" }>): KernelReport {
  const reads = new Set<number>();
  const writes = new Set<number>();
  let scalarOps = 0;
  let reductions = 0;
  for (const stage of step.stages) {
    reductions += stage.reductions.length;
    for (const node of stage.nodes) {
      if (node.op === "load") reads.add(node.buffer);
      else if (node.op !== "const" && node.op !== "index" && node.op !== "reduced") scalarOps += 1;
    }
    for (const write of stage.writes) writes.add(write.buffer);
  }
  return {
    name: step.name,
    domain: [...step.axes, ...(step.stages.at(-1)?.axes ?? [])],
    stages: step.stages.length,
    reductions,
    inputs: reads.size,
    outputs: writes.size,
    scalarOps,
    origins: plan.debug?.origins[step.name] ?? [],
    orbit: plan.debug?.orbits?.[step.name],
  };
}

function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1024 ** 2) return `${(bytes / 1024).toFixed(1)} KiB`;
  return `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
}

function formatReport(plan: Plan, facts: Omit<PlanReport, "text">): string {
  const lines = [
    `plan "${plan.name}"`,
    `  ${counted(facts.gridPoints, "grid point")}, ${counted(facts.nodesBefore, "node")} → ${counted(facts.nodesAfter, "node")} → ${counted(facts.planSteps, "step")} (${counted(facts.planKernels, "kernel")}, ${counted(facts.gridLoops, "grid loop")})`,
    `  arena ${formatBytes(facts.peakBytes)}, constants ${formatBytes(facts.constantBytes)}`,
  ];
  for (const { kernel, axis, extent, verdict, reason } of facts.axes) {
    lines.push(`  axis ${kernel}.${axis} (${extent}): ${verdict} — ${reason}`);
  }
  const byName = new Map(facts.kernels.map((kernel) => [kernel.name, kernel]));
  const byTile = new Map(facts.tiles.map((tile) => [tile.name, tile]));
  for (const { kind, name, depth } of facts.steps) {
    const pad = "  ".repeat(depth + 1);
    const kernel = byName.get(name);
    const detail =
      kernel === undefined
        ? ""
        : ` over [${kernel.domain.join(", ")}]: ${counted(kernel.scalarOps, "scalar op")}, ${counted(kernel.reductions, "reduction")}, ${kernel.inputs} in, ${kernel.outputs} out`;
    const tile = byTile.get(name);
    const cut =
      tile === undefined
        ? ""
        : `: ${counted(tile.tiles, "tile")} of ${formatBytes(tile.bytesPerTile)}`;
    const orbit =
      kernel?.orbit === undefined
        ? ""
        : `; ${counted(kernel.orbit.layers, "layer")} over orbits of ${kernel.orbit.deltas.join(", ")}`;
    const from =
      kernel !== undefined && kernel.origins.length > 0 ? `  (${kernel.origins.join(", ")})` : "";
    lines.push(`${pad}${kind} ${name}${detail}${orbit}${cut}${from}`);
  }
  for (const { name, dtype, shape, exact } of plan.outputs) {
    lines.push(`  output ${name}: ${dtype}[${shape.join(", ")}], ${exact ? "exact" : "bounded"}`);
  }
  for (const note of facts.notes) lines.push(`  note: ${note}`);
  return lines.join("\n");
}
