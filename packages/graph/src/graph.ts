/**
 * `graph(inputs, f)`: traces a function of tensors into a program and holds it for people: printing,
 * walking, exporting. Passes read the dense `program`.
 */
import { BuildError } from "@gridfuse/plan/errors";
import { bindDims, type DimSizes, dimNames } from "./bind-dims.ts";
import { toDot } from "./export/dot.ts";
import { toMermaid } from "./export/mermaid.ts";
import { type ModelExplorerGraphs, toModelExplorer } from "./export/model-explorer.ts";
import { installMethods } from "./fluent.ts";
import { requireDims } from "./functions/create.ts";
import { type GraphologyGraph, graphologyOf, programOf } from "./graphology.ts";
import { structuralHash } from "./hash.ts";
import { type Node, newRegion, type Program, Table, walk } from "./ir/table.ts";
import { tensorType } from "./ir/types.ts";
import { tensorOf, valueFor } from "./operand.ts";
import { checkedHere, type OptionNames } from "./options.ts";
import { captureOrigin } from "./origin.ts";
import { printProgram } from "./print.ts";
import { atOnce, located, runIn, Scope } from "./scope.ts";
import type { ArraySpec } from "./spec.ts";
import { isTensor, type Operand, type Tensor } from "./tensor.ts";

export type GraphInputs = { readonly [name: string]: ArraySpec } | readonly ArraySpec[];
export type GraphOutputs = Operand | readonly Operand[] | { readonly [name: string]: Operand };

/** The tensors that the function gets: a record for a record, a list for a list. */
export type GraphTensors<I> = {
  readonly [K in keyof I]: I[K] extends ArraySpec<infer D, infer S> ? Tensor<D, S> : never;
};

export interface GraphOptions {
  readonly name?: string;
}
const graphOptions: OptionNames<GraphOptions> = { name: true };

/** A traced program, for people. */
export class Graph {
  /** The dense form that passes read. */
  readonly program: Program;
  private view: GraphologyGraph | undefined;

  constructor(program: Program) {
    this.program = program;
  }

  /** A graph that was built or changed with graphology. */
  static fromGraphology(graph: GraphologyGraph): Graph {
    return new Graph(programOf(graph));
  }

  get name(): string {
    return this.program.name;
  }

  /** Every node, those of regions inside included, outer before inner. */
  nodes(): readonly Node[] {
    const nodes: Node[] = [];
    walk(this.program.table, this.program.main, (node) => {
      nodes.push(node);
    });
    return nodes;
  }

  /** The graphology view; made when first asked for. Changing it does not change the program. */
  get graphology(): GraphologyGraph {
    this.view ??= graphologyOf(this.program);
    return this.view;
  }

  /** Names of the dims that have no size yet. */
  get dims(): readonly string[] {
    return dimNames(this.program);
  }
  /** The same graph with sizes in place of names. @throws BuildError GF2501, GF2502 */
  bindDims(sizes: DimSizes): Graph {
    return new Graph(bindDims(this.program, sizes));
  }

  /** Equal for graphs that say the same under other names. */
  structuralHash(): string {
    return structuralHash(this.program);
  }

  /** Readable text, one line a node. */
  toString(): string {
    return printProgram(this.program);
  }
  /** Graphviz. */
  toDot(): string {
    return toDot(this.program);
  }
  /** A Mermaid flow chart. */
  toMermaid(): string {
    return toMermaid(this.program);
  }
  /** JSON for Model Explorer. */
  toModelExplorer(): ModelExplorerGraphs {
    return toModelExplorer(this.program);
  }
}

/**
 * Traces `f` on tensors described by `inputs`. A single returned tensor is the output "out"; lists are
 * numbered.
 *
 * @throws BuildError GF20xx–GF24xx with the line of the call at fault
 */
export function graph<const I extends GraphInputs>(
  inputs: I,
  f: (tensors: GraphTensors<I>) => GraphOutputs,
  options: GraphOptions = {},
): Graph {
  installMethods();
  const { name: given } = checkedHere("graph", options, graphOptions);
  const origin = captureOrigin(given);
  return located(origin, undefined, () => {
    requireTraceable(inputs, f);
    const name = given ?? (f.name || "graph");
    return new Graph(traceProgram(name, inputs, f as never));
  });
}

function requireTraceable(inputs: unknown, f: unknown): void {
  if (typeof inputs === "object" && inputs !== null && typeof f === "function") return;
  const misses =
    typeof inputs === "function"
      ? "graph was given no inputs"
      : "graph takes inputs and a function of them";
  throw new BuildError("GF2007", misses, {
    expected: "graph(inputs, f)",
    received: [typeof inputs, typeof f],
    help: "write graph({ x: tensor(f32, [8]) }, ({ x }) => x.mul(2)); for a kernel alone graph(kernel.inputs, kernel)",
  });
}

function traceProgram(
  name: string,
  inputs: GraphInputs,
  f: (tensors: unknown) => GraphOutputs,
): Program {
  const scope = new Scope({
    kind: "graph",
    label: `graph "${name}"`,
    table: new Table(),
    region: newRegion(),
  });
  const tensors = Object.entries(inputs as { readonly [name: string]: ArraySpec }).map(
    ([key, spec]) => [key, inputTensor(scope, name, key, spec)] as const,
  );
  const given = Array.isArray(inputs) ? tensors.map(([, t]) => t) : Object.fromEntries(tensors);
  const outputs = runIn(scope, () => {
    const named = outputEntries(atOnce(scope, f(given)));
    scope.region.results.push(
      ...named.map(([key, value]) => valueFor(scope, `output "${key}"`, value)),
    );
    return named.map(([key]) => key);
  });
  return {
    name,
    table: scope.table,
    main: scope.region,
    inputs: tensors.map(([key]) => key),
    outputs,
  };
}

function inputTensor(scope: Scope, name: string, key: string, spec: ArraySpec): Tensor {
  if ((spec as { readonly kind?: unknown } | undefined)?.kind !== "array") {
    throw new BuildError("GF2005", `graph "${name}": input "${key}" is not described`, {
      path: key,
      received: spec,
      help: "describe it with `tensor(dtype, shape)`",
    });
  }
  const shape = requireDims(`graph "${name}": input "${key}"`, spec.shape);
  return tensorOf(scope, scope.param(tensorType(spec.dtype, shape), key));
}

function outputEntries(outputs: GraphOutputs): readonly (readonly [string, Operand])[] {
  if (typeof outputs !== "object" || outputs === null || isTensor(outputs)) {
    if (outputs === undefined || outputs === null) {
      throw new BuildError("GF2006", "the function given to graph returns nothing", {
        help: "return a tensor, or a record of tensors",
      });
    }
    return [["out", outputs as Operand]];
  }
  const entries = Object.entries(outputs as { readonly [name: string]: Operand });
  if (entries.length > 0) return entries;
  throw new BuildError("GF2006", "the function given to graph returns no outputs", {
    help: "return a tensor, or a record of tensors",
  });
}
