/**
 * Placement against a brute force: the plan is run in thought, step by step, loops several times, and
 * whenever a temporary is read, nobody may have written to its bytes since it was.
 */
import { graph, type Tensor, tensor } from "@gridfuse/graph";
import { f32, itemSize, type Plan, type Step } from "@gridfuse/plan";
import { describe, expect, it } from "vitest";
import { expectNoFaults } from "../../../test/differential/support/property.ts";
import { buildGraph, graphPlans } from "../../../test/differential/support/random-graph.ts";
import { buildKernel, kernelPlans } from "../../../test/differential/support/random-kernel.ts";
import { compile, report } from "../src/index.ts";

interface Touch {
  readonly step: string;
  readonly reads: readonly number[];
  readonly writes: readonly number[];
}

/** What a step without inner steps reads and writes, found by looking at every field. */
function touchOf(step: Exclude<Step, { kind: "loop" | "tile" | "while" | "branch" }>): Touch {
  const { name } = step;
  switch (step.kind) {
    case "kernel": {
      const nodes = step.stages.flatMap((stage) => stage.nodes);
      const reads = nodes.flatMap((node) => (node.op === "load" ? [node.buffer] : []));
      return {
        step: name,
        reads,
        writes: step.stages.flatMap((s) => s.writes.map((w) => w.buffer)),
      };
    }
    case "scatter": {
      const reads = step.nodes.flatMap((node) => (node.op === "load" ? [node.buffer] : []));
      return { step: name, reads: [...reads, step.write.buffer], writes: [step.write.buffer] };
    }
    case "dot":
      return {
        step: name,
        reads: [step.lhs.buffer, step.rhs.buffer],
        writes: [step.out.buffer],
      };
    case "sort":
      return { step: name, reads: step.inputs, writes: step.outputs };
    case "topk":
      return { step: name, reads: [step.input], writes: [step.values, step.indices] };
    case "scan":
      return { step: name, reads: [step.input], writes: [step.output] };
    case "copy":
      return { step: name, reads: [step.from], writes: [step.to] };
    case "print": {
      const mask = step.mask === undefined ? [] : [step.mask];
      return {
        step: name,
        reads: [...step.operands.map(({ buffer }) => buffer), ...mask],
        writes: [],
      };
    }
    default:
      return step satisfies never;
  }
}

/** One course of events: loops take a few trips, `choose` decides branches and ends of whiles. */
function unfold(steps: readonly Step[], choose: (n: number) => number): Touch[] {
  return steps.flatMap((step): Touch[] => {
    const look = (buffer: number): Touch => ({ step: step.name, reads: [buffer], writes: [] });
    switch (step.kind) {
      case "loop":
      case "tile":
        return Array.from({ length: Math.min(step.trips, 3) }, () =>
          unfold(step.body, choose),
        ).flat();
      case "while": {
        const test = () => [...unfold(step.condition, choose), look(step.predicate)];
        const trips = Array.from({ length: choose(3) }, () => [
          ...test(),
          ...unfold(step.body, choose),
        ]);
        return [...trips.flat(), ...test()];
      }
      case "branch":
        return [
          look(step.selector),
          ...unfold(step.branches[choose(step.branches.length)] ?? [], choose),
        ];
      default:
        return [touchOf(step)];
    }
  });
}

/** Temporaries that are overwritten by others, or read while others are written over them. */
function collisions(plan: Plan, choose: (n: number) => number): readonly string[] {
  const span = (id: number): readonly [number, number] => {
    const { kind, dtype, length, offset = 0 } = plan.buffers[id]!;
    return kind === "temporary" ? [offset, offset + length * itemSize(dtype)] : [0, 0];
  };
  const meet = (a: number, b: number): boolean =>
    a !== b && Math.max(span(a)[0], span(b)[0]) < Math.min(span(a)[1], span(b)[1]);
  const lines: string[] = [];
  const written = new Map<number, number>();
  for (const [time, { step, reads, writes }] of unfold(plan.steps, choose).entries()) {
    for (const buffer of reads) {
      const own = written.get(buffer) ?? -1;
      for (const [other, at] of written) {
        if (at > own && meet(buffer, other)) {
          lines.push(`${step} reads buffer ${buffer}, overwritten by buffer ${other}`);
        }
      }
    }
    for (const buffer of writes) {
      for (const other of [...reads, ...writes]) {
        if (meet(buffer, other)) lines.push(`${step} writes buffer ${buffer} over ${other}`);
      }
      written.set(buffer, time);
    }
  }
  return lines;
}

const outside = (plan: Plan): readonly string[] =>
  plan.buffers.flatMap(({ kind, dtype, length, offset = 0 }, id) =>
    kind === "temporary" && offset + length * itemSize(dtype) > plan.arenaBytes
      ? [`buffer ${id} ends beyond the arena`]
      : [],
  );

const courses = [(_: number) => 0, (n: number) => n - 1, (n: number) => n >> 1];
const faultsOf = (plan: Plan): readonly string[] => [
  ...outside(plan),
  ...courses.flatMap((choose) => collisions(plan, choose)),
];

describe("temporaries that are alive together lie apart", () => {
  it("in plans of random graphs", () => {
    expectNoFaults(graphPlans(25), 150, (plan) => faultsOf(compile(buildGraph(plan).program)));
  });
  it("in plans of random kernels", () => {
    expectNoFaults(kernelPlans, 100, (plan) => faultsOf(compile(buildKernel(plan).program)));
  });
});

describe("the arena", () => {
  const sorted = (x: Tensor, times: number): Tensor =>
    times === 0 ? x : sorted((x.sort() as Tensor).neg() as Tensor, times - 1);

  it("does not grow with the length of a chain", () => {
    const bytes = [2, 4, 8].map((times) => {
      const program = graph({ x: tensor(f32, [1024]) }, ({ x }) => sorted(x as Tensor, times));
      return report(compile(program)).peakBytes;
    });
    expect(bytes[2]).toBe(bytes[1]);
    expect(bytes[2]).toBeLessThanOrEqual(2 * 4096);
  });

  it("is empty where everything fuses", () => {
    const program = graph({ x: tensor(f32, [64]) }, ({ x }) => (x as Tensor).exp().neg() as Tensor);
    expect(compile(program).arenaBytes).toBe(0);
  });
});
