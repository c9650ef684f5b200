/**
 * assign-layouts: temporaries in which rows lie side by side.
 *
 * A kernel over orbits reads and writes several places of a row at a point. Where these are neighbours, a vector of
 * points would have to be transposed on the way in and out, in every kernel of a network. Rows do not touch each other:
 * where R of them lie side by side, element (row, place) at place · R + row, a vector goes across rows, and neither loads
 * nor stores need a shuffle, whatever the distances are. Only what comes in and goes out is transposed, once each.
 * (XLA calls this layout assignment; libraries for FFTs keep their batches so.)
 *
 * Rows are found in the accesses: of all temporaries that kernels share, each is M · row + (a place below M) once the
 * points of every kernel are taken as (place, row). Nothing but the order of elements and points changes.
 */
import type { KernelStep, PlanBuffer, Stage, Step } from "@gridfuse/plan";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import { collapseAxes } from "../fuse/collapse.ts";
import { rebuildStage } from "../fuse/rewrite-stage.ts";
import { accessesOf } from "./accesses.ts";

/** Vectors have this many lanes, or a part or a multiple of it. */
const lanes = 4;
/** Rows beyond this would be further apart than what a point reads. */
const mostRows = 64;

interface Access {
  readonly buffer: number;
  readonly index: IndexExpr;
}

/** @returns the very same steps where nothing is gained */
export function assignLayouts(
  steps: readonly Step[],
  buffers: readonly PlanBuffer[],
  notes: string[],
): readonly Step[] {
  let result: Step[] | undefined;
  for (const group of groupsOf(steps, buffers)) {
    const turned = turnedGroup(group, buffers);
    if (turned === undefined) continue;
    result ??= steps.slice();
    for (const [at, kernel] of turned.kernels) result[at] = kernel;
    const { rows } = turned;
    notes.push(`layout: ${rows} rows side by side in ${group.temporaries.size} temporaries`);
  }
  return result ?? steps;
}

// ── Who has to agree ────────────────────────────────────────────────────────────────────────

interface Group {
  /** By place among the steps. */
  readonly kernels: ReadonlyMap<number, KernelStep>;
  readonly temporaries: ReadonlySet<number>;
}

const isSimple = (step: Step): step is KernelStep =>
  step.kind === "kernel" &&
  step.axes.length === 0 &&
  step.stages.length === 1 &&
  step.stages[0]?.reductions.length === 0;

const stageOf = (kernel: KernelStep): Stage => kernel.stages[0] as Stage;

/** Whether a point writes several elements of one buffer, as kernels over orbits do. */
function isOverOrbits(step: Step): boolean {
  if (!isSimple(step)) return false;
  const { writes } = stageOf(step);
  return writes.length > 1 && writes[1]?.buffer === writes[0]?.buffer;
}

/** Temporaries that kernels over orbits hand to each other, with all kernels that touch them. */
function groupsOf(steps: readonly Step[], buffers: readonly PlanBuffer[]): readonly Group[] {
  if (!steps.some(isOverOrbits)) return [];
  const users = new Map<number, number[]>();
  for (const [at, step] of steps.entries()) {
    const { reads, writes } = accessesOf(step);
    for (const buffer of new Set([...reads, ...writes])) {
      if (buffers[buffer]?.kind !== "temporary") continue;
      const known = users.get(buffer);
      if (known === undefined) users.set(buffer, [at]);
      else known.push(at);
    }
  }
  const temporariesOf = (step: Step): number[] => {
    const { reads, writes } = accessesOf(step);
    return [...new Set([...reads, ...writes])].filter((buffer) => users.has(buffer));
  };
  const groups: Group[] = [];
  const seen = new Set<number>();
  for (const [first, step] of steps.entries()) {
    if (seen.has(first) || !isOverOrbits(step)) continue;
    const members = new Set([first]);
    const temporaries = new Set<number>();
    for (const at of members) {
      for (const buffer of temporariesOf(steps[at] as Step)) {
        temporaries.add(buffer);
        for (const user of users.get(buffer) as number[]) members.add(user);
      }
    }
    for (const at of members) seen.add(at);
    const kernels = new Map<number, KernelStep>();
    for (const at of members) {
      const member = steps[at] as Step;
      if (isSimple(member)) kernels.set(at, member);
    }
    if (temporaries.size > 0 && kernels.size === members.size)
      groups.push({ kernels, temporaries });
  }
  return groups;
}

// ── Whether it is possible, and pays ────────────────────────────────────────────────────────

interface Turned {
  readonly kernels: ReadonlyMap<number, KernelStep>;
  readonly rows: number;
}

function turnedGroup(group: Group, buffers: readonly PlanBuffer[]): Turned | undefined {
  const { kernels, temporaries } = group;
  const sizes = [
    ...[...temporaries].map((buffer) => (buffers[buffer] as PlanBuffer).length),
    ...[...kernels.values()].map((kernel) => stageOf(kernel).axes[0] ?? 1),
  ];
  for (let rows = Math.min(mostRows, ...sizes); rows >= lanes; rows -= 1) {
    if (rows % lanes !== 0 || sizes.some((size) => size % rows !== 0)) continue;
    const turned = new Map<number, KernelStep>();
    let [before, after] = [0, 0];
    for (const [at, kernel] of kernels) {
      const made = turnedKernel(kernel, rows, temporaries, buffers);
      if (made === undefined) break;
      turned.set(at, collapseAxes(made));
      before += countScattered(stageOf(kernel));
      after += countScattered(stageOf(made));
    }
    if (turned.size === kernels.size)
      return after * 2 <= before ? { kernels: turned, rows } : undefined;
  }
  return undefined;
}

/** How often four points in a row touch other elements than four in a row, or one and the same. */
function countScattered(stage: Stage): number {
  const last = stage.axes.length - 1;
  const lane = (index: IndexExpr, at: number): number =>
    ix.evaluate(index, {
      axis: (axis) => (axis === last ? at : 0),
      loop: () => 0,
      value: () => 0,
    });
  let count = 0;
  for (const { index } of accessesIn(stage)) {
    const step = lane(index, 1) - lane(index, 0);
    const isEven =
      lane(index, 2) - lane(index, 1) === step && lane(index, 3) - lane(index, 2) === step;
    if (!isEven || step > 1 || step < 0) count += 1;
  }
  return count * stage.axes.reduce((points, extent) => points * extent, 1);
}

function accessesIn({ nodes, writes }: Stage): readonly Access[] {
  return [...nodes.flatMap((node) => (node.op === "load" ? [node] : [])), ...writes];
}

// ── Turning ─────────────────────────────────────────────────────────────────────────────────

/** The kernel with its points as (…, row), and `temporaries` as (place, row); undefined where that cannot be. */
function turnedKernel(
  kernel: KernelStep,
  rows: number,
  temporaries: ReadonlySet<number>,
  buffers: readonly PlanBuffer[],
): KernelStep | undefined {
  const given = stageOf(kernel);
  const [first = 1, ...rest] = given.axes;
  const points = first / rows;
  const axes = [points, ...rest, rows];
  const row = ix.axis(axes.length - 1, rows);
  const by = [
    ix.add(ix.mul(row, points), ix.axis(0, points)),
    ...rest.map((extent, i) => ix.axis(i + 1, extent)),
  ];
  const stage = rebuildStage(given, (e) => ix.substituteAxes(e, by), axes);
  /** The index with rows side by side. */
  const turned = ({ buffer, index }: Access): IndexExpr | undefined => {
    const places = (buffers[buffer] as PlanBuffer).length / rows;
    const place = ix.sub(index, ix.mul(row, places));
    const isPlace = place.lo >= 0 && place.hi < places && !ix.axesOf(place).has(axes.length - 1);
    return isPlace ? ix.add(ix.mul(place, rows), row) : undefined;
  };
  let isPossible = true;
  const moved = <A extends Access>(access: A): A => {
    if (!temporaries.has(access.buffer)) return access;
    const index = turned(access);
    if (index === undefined) isPossible = false;
    return index === undefined ? access : { ...access, index };
  };
  const nodes = stage.nodes.map((node) => (node.op === "load" ? moved(node) : node));
  const writes = stage.writes.map(moved);
  return isPossible ? { ...kernel, stages: [{ ...stage, nodes, writes }] } : undefined;
}
