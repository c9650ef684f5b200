/** `gridfuse inspect`: what a plan file holds, and whether it verifies. */
import { counted } from "@gridfuse/passes";
import {
  decodePlan,
  describePlanFile,
  itemSize,
  type Plan,
  type PlanFileDescription,
  type PlanPort,
  type Step,
} from "@gridfuse/plan";
import type { Command } from "../command.ts";
import { exitCodeOf, exitCodes } from "../errors.ts";
import { readBytes } from "../files.ts";
import { byteCount, describeError, errorAsJson, type Terminal, table } from "../terminal.ts";

interface StepLine {
  readonly depth: number;
  readonly kind: Step["kind"];
  readonly name: string;
  readonly size: string;
}

function stepLines(steps: readonly Step[], depth = 0): readonly StepLine[] {
  return steps.flatMap((step) => {
    const line = { depth, kind: step.kind, name: step.name, size: sizeOf(step) };
    return [line, ...bodiesOf(step).flatMap((body) => stepLines(body, depth + 1))];
  });
}

function bodiesOf(step: Step): readonly (readonly Step[])[] {
  switch (step.kind) {
    case "loop":
    case "tile":
      return [step.body];
    case "while":
      return [step.condition, step.body];
    case "branch":
      return step.branches;
    default:
      return [];
  }
}

function sizeOf(step: Step): string {
  const box = (...extents: readonly number[]): string => extents.join("×");
  switch (step.kind) {
    case "kernel": {
      const nodes = step.stages.reduce((n, stage) => n + stage.nodes.length, 0);
      const stages = step.stages.map(({ axes }) => box(...axes) || "1");
      return `${box(...step.axes) || "1"} × (${stages.join(", ")}), ${counted(nodes, "node")}`;
    }
    case "dot":
      return `${box(...step.batch, ...step.m)} · ${box(...step.n)} over ${box(...step.k)}`;
    case "sort":
    case "scan":
      return box(step.outer, step.extent, step.inner);
    case "topk":
      return `${step.k} of ${box(step.outer, step.extent)}`;
    case "scatter":
      return `${box(...step.axes)}, ${step.combine}`;
    case "copy":
      return `${step.length} ${step.dtype}`;
    case "loop":
      return counted(step.trips, "time");
    case "tile":
      return `${counted(step.trips, "tile")}, ${counted(step.locals.length, "local buffer")}`;
    case "while":
      return `fuel ${step.fuel}`;
    case "branch":
      return `${step.branches.length} branches`;
    case "print":
      return JSON.stringify(step.format);
    default:
      return step satisfies never;
  }
}

const portLine = ({ name, dtype, shape }: PlanPort): readonly string[] => [
  name,
  `${dtype}[${shape.join(", ")}]`,
  byteCount(shape.reduce((n, extent) => n * extent, itemSize(dtype))),
];

const constantBytes = (plan: Plan): number =>
  plan.constants.reduce((n, { data }) => n + data.length, 0);

function describe(file: PlanFileDescription, plan: Plan): Record<string, unknown> {
  const { name, ir, inputs, outputs, requirements, arenaBytes, buffers, debug } = plan;
  return {
    ok: true,
    file,
    name,
    ir,
    inputs,
    outputs,
    requirements,
    arenaBytes,
    constantBytes: constantBytes(plan),
    buffers: buffers.length,
    steps: stepLines(plan.steps),
    debug,
  };
}

function printFile(file: PlanFileDescription, { out, style }: Terminal): void {
  out(
    `${style.bold("file")}  container ${file.version}, ${byteCount(file.bytes)}, ${file.producer}`,
  );
  out(`  id ${file.id}`);
  const rows = file.sections.map(({ name, critical, offset, bytes }) => [
    name,
    `@${offset}`,
    byteCount(bytes),
    critical ? "" : "optional",
  ]);
  for (const line of table(rows)) out(line);
}

function printPlan(plan: Plan, { out, style }: Terminal): void {
  out(`${style.bold("plan")}  ${plan.name}, IR ${plan.ir}`);
  out(`${style.bold("inputs")}`);
  for (const line of table(plan.inputs.map(portLine))) out(line);
  out(`${style.bold("outputs")}`);
  const outputs = plan.outputs.map((port) => [...portLine(port), port.exact ? "exact" : "bounded"]);
  for (const line of table(outputs)) out(line);
  const { dtypes, steps } = plan.requirements;
  out(`${style.bold("needs")}  ${steps.join(", ")} on ${dtypes.join(", ")}`);
  out(
    `${style.bold("memory")}  arena ${byteCount(plan.arenaBytes)}, constants ${byteCount(constantBytes(plan))}, ${plan.buffers.length} buffers`,
  );
  const lines = stepLines(plan.steps);
  out(`${style.bold("steps")}  ${lines.length}`);
  const rows = lines.map(({ depth, kind, name, size }) => ["  ".repeat(depth) + kind, name, size]);
  for (const line of table(rows)) out(line);
}

export const command: Command = {
  arguments: ["PLAN"],
  options: {},
  async run(line, terminal) {
    const bytes = readBytes(line.positionals[0]!);
    const file = describePlanFile(bytes);
    let plan: Plan;
    try {
      plan = decodePlan(bytes);
    } catch (error) {
      // The container is whole: what it says is worth showing even though the plan is not sound.
      if (line.flag("json")) {
        terminal.out(JSON.stringify({ ok: false, file, error: errorAsJson(error) }, undefined, 2));
      } else printFile(file, terminal);
      terminal.err(describeError(error, terminal.style));
      return exitCodeOf(error);
    }
    if (line.flag("json")) {
      terminal.out(JSON.stringify(describe(file, plan), undefined, 2));
      return exitCodes.ok;
    }
    printFile(file, terminal);
    printPlan(plan, terminal);
    return exitCodes.ok;
  },
};
