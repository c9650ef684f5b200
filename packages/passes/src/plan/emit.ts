/**
 * emit: the loop level written down as a plan.
 */
import {
  elementCount,
  type Node,
  type Program,
  sizes,
  sourcePlace,
  type ValueId,
} from "@gridfuse/graph";
import {
  irVersion,
  type OrbitReport,
  type Plan,
  type PlanBuffer,
  type PlanDebug,
  type PlanOutput,
  type PlanPort,
  type Step,
  type StepKind,
} from "@gridfuse/plan";
import type { DType } from "@gridfuse/plan/scalar";
import { atStart, PlanBuilder } from "../fuse/builder.ts";
import { CoordinateTable } from "../fuse/coordinates.ts";
import { explainStore } from "../fuse/cost.ts";
import { expandCalls } from "../fuse/expand-calls.ts";
import { type Lowering, Scope } from "../fuse/lower-region.ts";
import { ValueMap } from "../fuse/value-map.ts";
import { accessesOf } from "./accesses.ts";
import { exactResults } from "./exactness.ts";
import { placeBuffers } from "./place.ts";
import { hasTemporaries } from "./temporaries.ts";

export interface LoweredProgram {
  readonly builder: PlanBuilder;
  readonly steps: readonly Step[];
  readonly inputs: readonly PlanPort[];
  readonly outputs: readonly PlanOutput[];
}

/** Lowers a tensor-level program without grids to steps over unplaced buffers. */
export function lowerProgram(
  program: Program,
  loops: { next: number },
  fuel: number,
): LoweredProgram {
  const { table, main } = program;
  const builder = new PlanBuilder();
  const lowering: Lowering = {
    table,
    plan: builder,
    coordinates: new CoordinateTable(),
    places: new ValueMap(table.types.length),
    symbols: new Map(),
    renames: new Map(),
    homes: new ValueMap(table.types.length),
    destinations: new Map(),
    loops,
    fuel,
  };
  const port = (name: string, value: ValueId, kind: "input" | "output"): PlanPort => {
    const { dtype, shape } = table.tensor(value);
    const buffer = builder.newBuffer(kind, dtype, elementCount(shape));
    return { name, dtype, shape: sizes(shape), buffer };
  };
  const inputs = main.params.map((value, i) => {
    const made = port(program.inputs[i] as string, value, "input");
    lowering.places.set(value, atStart(made.buffer));
    return made;
  });
  const exact = exactResults(table, main);
  const scope = new Scope(lowering, main);
  scope.lowerEffects(main);
  const outputs = main.results.map((value, i): PlanOutput => {
    const made = port(program.outputs[i] as string, value, "output");
    return { ...made, exact: exact[i] as boolean };
  });
  // All results of one step find their places.
  main.results.forEach((value, i) => {
    scope.promise(value, atStart((outputs[i] as PlanOutput).buffer));
  });
  main.results.forEach((value, i) => {
    scope.store(value, atStart((outputs[i] as PlanOutput).buffer));
  });
  return { builder, steps: scope.steps, inputs, outputs };
}

export function emitPlan(
  name: string,
  lowered: LoweredProgram,
  steps: readonly Step[],
  debug: Omit<PlanDebug, "origins" | "orbits">,
): Plan {
  const { builder, inputs, outputs } = lowered;
  const { buffers, arenaBytes } = placeBuffers(steps, builder.buffers);
  let lines: PlanDebug["origins"] | undefined;
  let notes: PlanDebug["notes"] | undefined;
  const compact = dropUnusedBuffers(buffers, steps, [...inputs, ...outputs]);
  return {
    ir: irVersion,
    name,
    requirements: { dtypes: dtypesOf(buffers), steps: [...stepKinds(steps)].sort() },
    inputs,
    outputs,
    buffers: compact,
    constants: builder.constants,
    arenaBytes,
    steps: expandCalls(steps),
    debug: {
      ...debug,
      get notes() {
        notes ??= [...debug.notes, ...storeNotes(builder, steps)];
        return notes;
      },
      orbits: orbitsOf(builder, steps),
      get origins() {
        lines ??= sourceLines(builder.origins);
        return lines;
      },
    },
  };
}

/** Lines of steps: reading a stack takes about as long as making the kernel, so only who asks has it done. */
function sourceLines(origins: ReadonlyMap<string, readonly Node[]>): PlanDebug["origins"] {
  const lines: [string, readonly string[]][] = [];
  for (const [step, from] of origins) {
    const files = new Map<string, Set<number>>();
    for (const origin of new Set(from.map((node) => node.origin))) {
      const at = origin === undefined ? undefined : sourcePlace(origin);
      if (at === undefined) continue;
      const seen = files.get(at.file) ?? new Set();
      files.set(at.file, seen.add(at.line));
    }
    const places = [...files].flatMap(([file, seen]) =>
      [...seen].sort((a, b) => a - b).map((line) => `${file}:${line}`),
    );
    if (places.length > 0) lines.push([step, places]);
  }
  return Object.fromEntries(lines);
}

function namesOf(steps: readonly Step[], names: Set<string> = new Set()): Set<string> {
  for (const step of steps) {
    names.add(step.name);
    if (step.kind === "loop" || step.kind === "tile") namesOf(step.body, names);
    if (step.kind === "while") {
      namesOf(step.condition, names);
      namesOf(step.body, names);
    }
    if (step.kind === "branch") for (const branch of step.branches) namesOf(branch, names);
  }
  return names;
}

function storeNotes(builder: PlanBuilder, steps: readonly Step[]): string[] {
  const names = namesOf(steps);
  return [...builder.stored].flatMap(([step, stored]) =>
    names.has(step) ? [`store: "${step}" writes what others read: ${explainStore(stored)}`] : [],
  );
}

function orbitsOf(builder: PlanBuilder, steps: readonly Step[]): Record<string, OrbitReport> {
  if (builder.orbits.size === 0) return {};
  const names = namesOf(steps);
  return Object.fromEntries([...builder.orbits].filter(([step]) => names.has(step)));
}

/** Temporaries that no step mentions shrink to nothing; ids stay. */
function dropUnusedBuffers(
  buffers: readonly PlanBuffer[],
  steps: readonly Step[],
  ports: readonly PlanPort[],
): readonly PlanBuffer[] {
  if (!hasTemporaries(buffers)) return buffers;
  const used = new Set(ports.map(({ buffer }) => buffer));
  for (const step of steps) {
    const { reads, writes } = accessesOf(step);
    for (const buffer of [...reads, ...writes]) used.add(buffer);
  }
  return buffers.map((buffer, id) =>
    used.has(id) || buffer.kind !== "temporary" ? buffer : { ...buffer, length: 0, offset: 0 },
  );
}

const dtypesOf = (buffers: readonly PlanBuffer[]): DType[] =>
  [...new Set(buffers.map(({ dtype }) => dtype))].sort();

function stepKinds(steps: readonly Step[], kinds: Set<StepKind> = new Set()): Set<StepKind> {
  for (const step of steps) {
    kinds.add(step.kind);
    if (step.kind === "loop" || step.kind === "tile") stepKinds(step.body, kinds);
    if (step.kind === "while") {
      stepKinds(step.condition, kinds);
      stepKinds(step.body, kinds);
    }
    if (step.kind === "branch") for (const branch of step.branches) stepKinds(branch, kinds);
  }
  return kinds;
}
