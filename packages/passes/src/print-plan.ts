/**
 * A plan as text, for people and for diffs: what runs in which order over which memory. It holds nothing that
 * differs between machines or runs (no times, no paths), and one line for each thing that may change alone.
 */
import type { Plan, PlanBuffer, Reduction, Step, Write } from "@gridfuse/plan";
import * as ix from "@gridfuse/plan/index-expr";
import { fromBits, type IndexRange, type LoadNode, type ScalarNode } from "@gridfuse/plan/scalar";
import { counted } from "./counted.ts";

/** How a buffer is called. */
export type BufferNames = (buffer: number) => string;

/** Ports by their names, other buffers by their numbers. */
export function bufferNames({ inputs, outputs, buffers }: Plan): BufferNames {
  const ports = new Map([...inputs, ...outputs].map(({ buffer, name }) => [buffer, name]));
  return (buffer) => ports.get(buffer) ?? anonymous(buffers)(buffer);
}

const anonymous =
  (buffers: readonly PlanBuffer[]): BufferNames =>
  (buffer) =>
    `${(buffers[buffer]?.kind ?? "buffer")[0]}${buffer}`;

/** Header, memory and steps of a plan, one line each. */
export function printPlan(plan: Plan): string {
  const names = bufferNames(plan);
  const { inputs, outputs, buffers, constants, arenaBytes } = plan;
  const port = ({ name, dtype, shape }: Plan["inputs"][number]): string =>
    `${name}: ${dtype}[${shape.join(", ")}]`;
  const temporaries = buffers.flatMap(({ kind, dtype, length, offset }, id) =>
    kind === "temporary" && length > 0
      ? [`  ${names(id)}: ${length} ${dtype} at ${offset ?? "?"}`]
      : [],
  );
  const bytes = constants.reduce((sum, { data }) => sum + data.length, 0);
  return [
    `plan ${plan.name}`,
    ...inputs.map((input) => `input ${port(input)}`),
    ...outputs.map((output) => `output ${port(output)}, ${output.exact ? "exact" : "bounded"}`),
    `constants ${constants.length}, ${bytes} bytes`,
    `arena ${arenaBytes} bytes`,
    ...temporaries,
    ...printSteps(plan.steps, names),
  ].join("\n");
}

/** Steps, one line for each and for each thing they read, compute and write. */
export function printSteps(
  steps: readonly Step[],
  names: BufferNames = (buffer) => `b${buffer}`,
): readonly string[] {
  return steps.flatMap((step) => printStep(step, names));
}

const indent = (lines: readonly string[]): readonly string[] => lines.map((line) => `  ${line}`);
const box = (extents: readonly number[]): string => `[${extents.join(", ")}]`;

function printStep(step: Step, names: BufferNames): readonly string[] {
  const head = `${step.kind} ${step.name}`;
  const inside = (steps: readonly Step[]): readonly string[] => indent(printSteps(steps, names));
  switch (step.kind) {
    case "kernel":
      return [
        `${head} over ${box(step.axes)}`,
        ...step.stages.flatMap((stage, s) => [
          `  stage ${s} over ${box(stage.axes)}`,
          ...indent(indent(printNodes(stage.nodes, names))),
          ...stage.reductions.map((reduction) => `    ${printReduction(reduction)}`),
          ...stage.writes.map((write) => `    ${printWrite(write, names)}`),
        ]),
      ];
    case "scatter":
      return [
        `${head} ${step.combine} over ${box(step.axes)}`,
        ...indent(printNodes(step.nodes, names)),
        `  ${printWrite(step.write, names)}`,
      ];
    case "dot": {
      const { lhs, rhs, out, batch, m, n, k, dtype, accumulate } = step;
      return [
        `${head} ${names(out.buffer)} ${step.onto === true ? "+=" : "="} ${names(lhs.buffer)} · ${names(rhs.buffer)}, batch ${box(batch)} m ${box(m)} n ${box(n)} k ${box(k)}, ${dtype} in ${accumulate}`,
      ];
    }
    case "sort": {
      const operandOf = (source: number): string =>
        source === step.inputs.length ? "places" : names(step.inputs[source] as number);
      return [
        `${head} ${step.inputs.map(names).join(", ")} → ${step.outputs.map((to, i) => `${names(to)} = ${operandOf(step.sources[i] as number)}`).join(", ")}, ${box([step.outer, step.extent, step.inner])} by ${step.keys}`,
      ];
    }
    case "topk":
      return [
        `${head} ${step.k} of ${names(step.input)} ${box([step.outer, step.extent])} → ${names(step.values)}, ${names(step.indices)}`,
      ];
    case "scan":
      return [
        `${head} ${step.op}${step.reverse ? " from the end" : ""} ${names(step.input)} → ${names(step.output)}, ${box([step.outer, step.extent, step.inner])}`,
      ];
    case "copy":
      return [
        `${head} ${step.length} ${step.dtype}: ${names(step.from)}[${ix.format(step.fromIndex)}] → ${names(step.to)}[${ix.format(step.toIndex)}]`,
      ];
    case "loop":
      return [
        `${head}: ${counted(step.trips, "time")}${step.grid ? ", of a grid" : ""}`,
        ...inside(step.body),
      ];
    case "tile":
      return [
        `${head}: ${counted(step.trips, "tile")}, own ${step.locals.map(names).join(", ") || "nothing"}`,
        ...inside(step.body),
      ];
    case "while":
      return [
        `${head} ${names(step.predicate)}`,
        ...inside(step.condition),
        "do",
        ...inside(step.body),
      ];
    case "branch":
      return [
        `${head} on ${names(step.selector)}`,
        ...step.branches.flatMap((branch, i) => [`  ${i}:`, ...indent(inside(branch))]),
      ];
    case "print":
      return [
        `${head} ${JSON.stringify(step.format)}: ${step.operands.map(({ buffer }) => names(buffer)).join(", ")}`,
      ];
    default:
      return step satisfies never;
  }
}

/** What is read, a line each, and how often each op computes: the order of scalar ops is nobody's matter. */
function printNodes(nodes: readonly ScalarNode[], names: BufferNames): readonly string[] {
  const loads = nodes.flatMap((node) => (node.op === "load" ? [printLoad(node, names)] : []));
  const counts = new Map<string, number>();
  for (const { op, dtype } of nodes) {
    if (op === "load" || op === "const" || op === "argument") continue;
    const name = `${op} ${dtype}`;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  const computes = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    ...[...new Set(loads)],
    ...(computes.length === 0
      ? []
      : [`compute ${computes.map(([name, times]) => `${name} ×${times}`).join(", ")}`]),
  ];
}

// Numbers of nodes shift with every op before them; that a place is computed is what matters.
const place = (index: ix.IndexExpr): string => ix.format(index).replaceAll(/%\d+/g, "computed");

const printGuard = (guard: readonly IndexRange[]): string =>
  guard.length === 0
    ? ""
    : ` where ${guard.map(({ index, lo, hi }) => `${lo} ≤ ${place(index)} < ${hi}`).join(" and ")}`;

function printLoad({ buffer, index, guard, fill, dtype }: LoadNode, names: BufferNames): string {
  const otherwise = guard.length === 0 ? "" : ` else ${String(fromBits(dtype, fill))}`;
  return `read ${names(buffer)}[${place(index)}] ${dtype}${printGuard(guard)}${otherwise}`;
}

const printReduction = ({ op, dtype }: Reduction): string => `reduce ${op} ${dtype}`;

const printWrite = ({ buffer, dtype, index, guard }: Write, names: BufferNames): string =>
  `write ${names(buffer)}[${place(index)}] ${dtype}${printGuard(guard)}`;
