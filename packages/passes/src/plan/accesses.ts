/** Which buffers a step reads and writes. */
import type { KernelStep, Stage, Step, Write } from "@gridfuse/plan";
import type { LoadNode, ScalarNode } from "@gridfuse/plan/scalar";
import { leavesOf } from "../fuse/leaves.ts";

export interface Accesses {
  readonly reads: ReadonlySet<number>;
  readonly writes: ReadonlySet<number>;
}

const known = new WeakMap<Step, Accesses>();

export function accessesOf(step: Step): Accesses {
  let found = known.get(step);
  if (found === undefined) {
    const reads = new Set<number>();
    const writes = new Set<number>();
    if (step.kind === "kernel") collectKernel(step, reads, writes);
    else collect(step, reads, writes);
    found = { reads, writes };
    known.set(step, found);
  }
  return found;
}

export function accessesOfAll(steps: readonly Step[]): Accesses {
  const reads = new Set<number>();
  const writes = new Set<number>();
  for (const step of steps) {
    const own = accessesOf(step);
    for (const buffer of own.reads) reads.add(buffer);
    for (const buffer of own.writes) writes.add(buffer);
  }
  return { reads, writes };
}

function addLoads(nodes: readonly ScalarNode[], reads: Set<number>): void {
  const { loads } = leavesOf(nodes);
  for (let i = 0; i < loads.length; i += 1)
    reads.add((nodes[loads[i] as number] as LoadNode).buffer);
}

export function kernelLoads(kernel: KernelStep): Set<number> {
  const reads = new Set<number>();
  for (const { nodes } of kernel.stages) addLoads(nodes, reads);
  return reads;
}

function collectKernel({ stages }: KernelStep, reads: Set<number>, writes: Set<number>): void {
  for (let s = 0; s < stages.length; s += 1) {
    const stage = stages[s] as Stage;
    addLoads(stage.nodes, reads);
    for (let w = 0; w < stage.writes.length; w += 1) writes.add((stage.writes[w] as Write).buffer);
  }
}

function collect(step: Step, reads: Set<number>, writes: Set<number>): void {
  const all = (steps: readonly Step[]): void => {
    for (const inner of steps) collect(inner, reads, writes);
  };
  switch (step.kind) {
    case "kernel":
      collectKernel(step, reads, writes);
      return;
    case "dot":
      reads.add(step.lhs.buffer).add(step.rhs.buffer);
      if (step.onto === true) reads.add(step.out.buffer);
      writes.add(step.out.buffer);
      return;
    case "sort":
      for (const buffer of step.inputs) reads.add(buffer);
      for (const buffer of step.outputs) writes.add(buffer);
      return;
    case "topk":
      reads.add(step.input);
      writes.add(step.values).add(step.indices);
      return;
    case "scan":
      reads.add(step.input);
      writes.add(step.output);
      return;
    case "scatter":
      addLoads(step.nodes, reads);
      reads.add(step.write.buffer);
      writes.add(step.write.buffer);
      return;
    case "copy":
      reads.add(step.from);
      writes.add(step.to);
      return;
    case "loop":
    case "tile":
      all(step.body);
      return;
    case "while":
      all(step.condition);
      all(step.body);
      reads.add(step.predicate);
      return;
    case "branch":
      reads.add(step.selector);
      for (const branch of step.branches) all(branch);
      return;
    case "print":
      for (const { buffer } of step.operands) reads.add(buffer);
      if (step.mask !== undefined) reads.add(step.mask);
      return;
    default:
      step satisfies never;
  }
}

/** The step with its inner step lists mapped. */
export function mapInner(step: Step, map: (steps: readonly Step[]) => readonly Step[]): Step {
  switch (step.kind) {
    case "loop":
    case "tile":
      return { ...step, body: map(step.body) };
    case "while":
      return { ...step, condition: map(step.condition), body: map(step.body) };
    case "branch":
      return { ...step, branches: step.branches.map(map) };
    default:
      return step;
  }
}
