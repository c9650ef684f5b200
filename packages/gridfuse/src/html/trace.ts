/** A compilation with what every pass left behind. */
import { type Graph, type Program, printProgram, walk } from "@gridfuse/graph";
import { type CompileOptions, compile, printSteps } from "@gridfuse/passes";
import type { Plan } from "@gridfuse/plan";

/** A node of a program and the nodes that it takes values from. */
export interface DrawnNode {
  readonly id: number;
  readonly op: string;
  readonly from: readonly number[];
}

export interface PassSnapshot {
  readonly name: string;
  readonly ms: number;
  /** Nodes of the program, or steps once there are any. */
  readonly nodes: number;
  readonly unit: "nodes" | "steps";
  readonly lines: readonly string[];
  /** Absent where the program is too large to be looked at, and for steps. */
  readonly graph?: readonly DrawnNode[];
}

export interface Trace {
  readonly plan: Plan;
  /** What was traced, then what each pass left. */
  readonly snapshots: readonly PassSnapshot[];
}

const maxDrawn = 300;
const maxLines = 3_000;

/** Compiles, without a cache, and keeps what every pass left. */
export function traceCompile(graph: Graph, options: Omit<CompileOptions, "cache"> = {}): Trace {
  const seen: Omit<PassSnapshot, "ms" | "nodes">[] = [];
  const ofProgram = (name: string, program: Program): void => {
    const drawn = drawnNodes(program);
    seen.push({
      name,
      unit: "nodes",
      lines: limited(printProgram(program).split("\n")),
      ...(drawn !== undefined && { graph: drawn }),
    });
  };
  ofProgram("traced", graph.program);
  const plan = compile(graph, {
    ...options,
    afterPass: ofProgram,
    afterSteps: (name, steps) => {
      seen.push({ name, unit: "steps", lines: limited(printSteps(steps)) });
    },
  });
  const { nodesBefore = 0, passes = [] } = plan.debug ?? {};
  return {
    plan,
    snapshots: seen.map((snapshot, i) =>
      i === 0
        ? { ...snapshot, ms: 0, nodes: nodesBefore }
        : { ...snapshot, ms: passes[i - 1]?.ms ?? 0, nodes: passes[i - 1]?.nodes ?? 0 },
    ),
  };
}

const limited = (lines: readonly string[]): readonly string[] =>
  lines.length <= maxLines
    ? lines
    : [...lines.slice(0, maxLines), `… ${lines.length - maxLines} more lines`];

/** All nodes, those of regions included; a region's results go to the node that owns it. */
function drawnNodes({ table, main }: Program): readonly DrawnNode[] | undefined {
  const drawn: DrawnNode[] = [];
  walk(table, main, (node) => {
    const values = [...node.inputs, ...node.regions.flatMap(({ results }) => results)];
    const makers = values.flatMap((value) => table.producer(value)?.id ?? []);
    drawn.push({ id: node.id, op: node.op, from: [...new Set(makers)] });
  });
  return drawn.length <= maxDrawn ? drawn : undefined;
}
