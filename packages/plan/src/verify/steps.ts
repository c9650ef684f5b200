/** Rules on steps: nesting, loops, and what library steps read and write. */
import type { DType } from "../dtype.ts";
import type { DotStep, Step, StepKind, Strided } from "../plan.ts";
import { type Broken, forEachStep, pointsOf, type Rule, type StepPlace } from "./walk.ts";

const maxDepth = 16;
const maxNodes = 1_000_000;

export const nestingIsShallow: Rule = {
  id: "V15",
  title: "control flow is at most 16 deep and programs have at most 1,000,000 nodes in all",
  step(_step, { path, depth }, broken) {
    if (depth > maxDepth) throw broken(path, `${depth} levels of loops and branches`);
  },
  plan(plan, broken) {
    let nodes = 0;
    for (const step of plan.steps) nodes += nodesIn(step, 0);
    if (nodes > maxNodes) throw broken("steps", `${nodes} scalar nodes`);
  },
};

/** Bodies beyond the allowed depth are left to the rule on steps. */
function nodesIn(step: Step, depth: number): number {
  const inside = (steps: readonly Step[]): number =>
    depth > maxDepth ? 0 : steps.reduce((n, inner) => n + nodesIn(inner, depth + 1), 0);
  switch (step.kind) {
    case "kernel":
      return step.stages.reduce((n, { nodes }) => n + nodes.length, 0);
    case "scatter":
      return step.nodes.length;
    case "loop":
    case "tile":
      return inside(step.body);
    case "while":
      return inside(step.condition) + inside(step.body);
    case "branch":
      return step.branches.reduce((n, branch) => n + inside(branch), 0);
    default:
      return 0;
  }
}

export const loopsAreNamedOnce: Rule = {
  id: "V16",
  title: "nested loops have different numbers; branches exist; a while has fuel",
  step(step, { path, loops }, broken) {
    if ((step.kind === "loop" || step.kind === "tile") && loops.has(step.loop)) {
      throw broken(path, `loop ${step.loop} is also the number of an enclosing loop`);
    }
    if (step.kind === "branch" && step.branches.length === 0) throw broken(path, "no branches");
    if (step.kind === "while" && step.fuel < 1) throw broken(path, "no fuel");
  },
};

export const requirementsAreComplete: Rule = {
  id: "V10",
  title: "requirements name every dtype of a buffer and every kind of step",
  plan(plan, broken) {
    const { dtypes, steps } = plan.requirements;
    const missing = plan.buffers.find(({ dtype }) => !dtypes.includes(dtype));
    if (missing !== undefined) throw broken("requirements.dtypes", `${missing.dtype} is missing`);
    const kinds = new Set<StepKind>();
    forEachStep(plan, ({ kind }) => kinds.add(kind));
    const kind = [...kinds].find((used) => !steps.includes(used));
    if (kind !== undefined) throw broken("requirements.steps", `${kind} is missing`);
  },
};

interface Use {
  readonly name: string;
  readonly buffer: number;
  readonly dtype: DType;
  /** Elements that must be there, from the start. */
  readonly length: number;
  readonly writes?: true;
}

/** The buffers of a step that is no program, with what it expects of each. */
function usesOf(step: Step): readonly Use[] {
  switch (step.kind) {
    case "dot":
      return [
        { name: "lhs", buffer: step.lhs.buffer, dtype: step.lhsDType, length: 0 },
        { name: "rhs", buffer: step.rhs.buffer, dtype: step.rhsDType, length: 0 },
        { name: "out", buffer: step.out.buffer, dtype: step.dtype, length: 0, writes: true },
      ];
    case "sort": {
      const length = pointsOf([step.outer, step.extent, step.inner]);
      const { dtypes, inputs, sources, outputs } = step;
      return [
        ...dtypes.map(
          (dtype, i): Use => ({ name: `inputs[${i}]`, buffer: inputs[i]!, dtype, length }),
        ),
        ...sources.map((source, i): Use => {
          const dtype = dtypes[source] ?? "int32";
          return { name: `outputs[${i}]`, buffer: outputs[i]!, dtype, length, writes: true };
        }),
      ];
    }
    case "topk": {
      const { outer, extent, k, dtype, input, values, indices } = step;
      const length = pointsOf([outer, k]);
      return [
        { name: "input", buffer: input, dtype, length: pointsOf([outer, extent]) },
        { name: "values", buffer: values, dtype, length, writes: true },
        { name: "indices", buffer: indices, dtype: "int32", length, writes: true },
      ];
    }
    case "scan": {
      const { dtype, input, output } = step;
      const length = pointsOf([step.outer, step.extent, step.inner]);
      return [
        { name: "input", buffer: input, dtype, length },
        { name: "output", buffer: output, dtype, length, writes: true },
      ];
    }
    case "copy":
      return [
        { name: "from", buffer: step.from, dtype: step.dtype, length: 0 },
        { name: "to", buffer: step.to, dtype: step.dtype, length: 0, writes: true },
      ];
    case "while":
      return [{ name: "predicate", buffer: step.predicate, dtype: "bool", length: 1 }];
    case "branch":
      return [{ name: "selector", buffer: step.selector, dtype: "int32", length: 1 }];
    case "print": {
      const mask: Use[] =
        step.mask === undefined
          ? []
          : [{ name: "mask", buffer: step.mask, dtype: "bool", length: step.batch }];
      const operands = step.operands.map(
        ({ buffer, dtype, shape }, i): Use => ({
          name: `operands[${i}]`,
          buffer,
          dtype,
          length: pointsOf([step.batch, ...shape]),
        }),
      );
      return [...mask, ...operands];
    }
    case "kernel":
    case "scatter":
    case "loop":
    case "tile":
      return [];
    default:
      return step satisfies never;
  }
}

export const stepBuffersFit: Rule = {
  id: "V12",
  title:
    "steps use buffers of the table that hold what they expect, and write only outputs and temporaries",
  step(step, place, broken) {
    const shape = shapeFault(step);
    if (shape !== undefined) throw broken(place.path, shape);
    for (const use of usesOf(step)) checkUse(use, place, broken);
  },
};

function checkUse(use: Use, { plan, path }: StepPlace, broken: Broken): void {
  const { name, buffer, dtype, length, writes } = use;
  const found = plan.buffers[buffer];
  if (found === undefined) throw broken(`${path}.${name}`, `no buffer ${buffer}`);
  if (found.dtype !== dtype) {
    throw broken(`${path}.${name}`, `${dtype} expected, buffer ${buffer} holds ${found.dtype}`);
  }
  if (found.length < length) {
    throw broken(`${path}.${name}`, `${length} elements expected, ${buffer} has ${found.length}`);
  }
  if (writes === true && found.kind !== "output" && found.kind !== "temporary") {
    throw broken(`${path}.${name}`, `writes buffer ${buffer} of kind ${found.kind}`);
  }
}

/** What does not fit within a step by itself. */
function shapeFault(step: Step): string | undefined {
  switch (step.kind) {
    case "dot":
      return dotFault(step);
    case "sort": {
      const { dtypes, inputs, sources, outputs, keys } = step;
      if (inputs.length !== dtypes.length)
        return `${inputs.length} inputs of ${dtypes.length} dtypes`;
      if (outputs.length !== sources.length)
        return `${outputs.length} outputs from ${sources.length} sources`;
      const beyond = sources.find((source) => source > inputs.length);
      if (beyond !== undefined) return `source ${beyond} of ${inputs.length} operands`;
      return keys >= 1 && keys <= dtypes.length ? undefined : `${keys} keys of ${dtypes.length}`;
    }
    case "topk":
      return step.k <= step.extent ? undefined : `top ${step.k} of ${step.extent}`;
    default:
      return undefined;
  }
}

function dotFault(step: DotStep): string | undefined {
  const { batch, m, n, k, lhs, rhs, out, dtype, accumulate } = step;
  if (step.onto === true && dtype !== accumulate) {
    return `sums in ${accumulate} cannot go on from ${dtype}`;
  }
  const fits = (strided: Strided, free: number, contract: number): boolean =>
    strided.batch.length === batch.length &&
    strided.free.length === free &&
    strided.contract.length === contract;
  if (!fits(lhs, m.length, k.length)) return "lhs has not one stride for each axis";
  if (!fits(rhs, n.length, k.length)) return "rhs has not one stride for each axis";
  return fits(out, m.length + n.length, 0) ? undefined : "out has not one stride for each axis";
}
