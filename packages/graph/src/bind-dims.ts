/** Gives named dims their sizes. */
import { BuildError } from "@gridfuse/plan/errors";
import { cloneRegion } from "./ir/clone.ts";
import { type Node, type Program, Table } from "./ir/table.ts";
import type { Dim, Shape, ValueType } from "./ir/types.ts";
import { captureOrigin } from "./origin.ts";
import { located } from "./scope.ts";

export type DimSizes = { readonly [name: string]: number };

/**
 * The program with sizes in place of the names given; other names stay.
 *
 * @throws BuildError GF2501 where a size is not a whole number ≥ 0, GF2502 where the program has no such dim
 */
export const bindDims = (program: Program, sizes: DimSizes): Program =>
  located(captureOrigin("bindDims"), undefined, () => bind(program, sizes));

function bind(program: Program, sizes: DimSizes): Program {
  const known = dimNames(program);
  for (const [name, size] of Object.entries(sizes)) {
    if (!Number.isSafeInteger(size) || size < 0) {
      throw new BuildError(
        "GF2501",
        `graph "${program.name}": size ${String(size)} for dim "${name}"`,
        {
          path: name,
          expected: "a whole number ≥ 0",
          received: size,
          help: "pass { dimName: size }",
        },
      );
    }
    if (known.includes(name)) continue;
    throw new BuildError("GF2502", `graph "${program.name}" has no dim "${name}"`, {
      path: name,
      expected: known,
      received: name,
      help:
        known.length === 0
          ? "all its dims are numbers"
          : `it has ${known.map((n) => `"${n}"`).join(", ")}`,
    });
  }
  if (Object.keys(sizes).length === 0) return program;
  const bound = (shape: Shape): Shape =>
    shape.map((dim): Dim => (typeof dim === "string" ? (sizes[dim] ?? dim) : dim));
  const table = new Table();
  const main = cloneRegion(program.table, program.main, table, new Map(), {
    type: (type): ValueType => ({ ...type, shape: bound(type.shape) }),
    params: (node) => bindParams(node, bound),
  });
  return { ...program, table, main };
}

/** Names of the dims that have no size yet, in order of first appearance. */
export function dimNames(program: Program): readonly string[] {
  const names = new Set<string>();
  const { types } = program.table;
  for (let i = 0; i < types.length; i += 1) {
    const { shape } = types[i] as ValueType;
    for (let d = 0; d < shape.length; d += 1) {
      const dim = shape[d] as Dim;
      if (typeof dim === "string") names.add(dim);
    }
  }
  return [...names];
}

/** Shapes stand in a few params only; everywhere else a dim is already a number. */
function bindParams(node: Node, bind: (shape: Shape) => Shape): Node["params"] {
  switch (node.op) {
    case "full":
    case "iota":
    case "constant":
    case "broadcast_in_dim":
    case "reshape":
      return { ...node.params, shape: bind(node.params.shape) };
    case "grid": {
      const { axes, inputs, outputs } = node.params;
      return {
        ...node.params,
        axes: axes.map((axis) => ({ ...axis, size: bind([axis.size])[0] as Dim })),
        inputs: inputs.map((mapping) => ({ ...mapping, shape: bind(mapping.shape) })),
        outputs: outputs.map((mapping) => ({ ...mapping, shape: bind(mapping.shape) })),
      };
    }
    default:
      return node.params;
  }
}
