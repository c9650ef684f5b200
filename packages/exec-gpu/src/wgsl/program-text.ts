/**
 * A scalar program as WGSL statements: one `let` a node, in order, and only nodes that are used.
 *
 * The slow side of a `rare` node, with everything that only it uses, goes into an `if`. Which nodes
 * those are is the question which scope is the innermost one around all uses of a node; operands come
 * before their users, so one walk from the end answers it.
 */
import { InternalError, type Write } from "@gridfuse/plan";
import { forEachLeaf, type IndexExpr } from "@gridfuse/plan/index-expr";
import { argsOf, type IndexRange, type LoadNode, type ScalarNode } from "@gridfuse/plan/scalar";
import { type IndexNames, indexText, wrappingIndexText } from "./index-text.ts";
import { binaryText, bitcastText, compareText, convertText, unaryText } from "./op-text.ts";
import { fromBitsText, literal, shaderDType, wgslType } from "./value.ts";

/** What a program reads, by the names of the shader around it. */
export interface ProgramNames {
  axis(axis: number): string;
  /** The bits of element `index` (an `i32` text) of a plan buffer, as a `u32` whose high bits are arbitrary. */
  load(node: LoadNode, index: string): string;
  /** A finished reduction, in the shader's form of its dtype. */
  reduced(stage: number, reduction: number): string;
}

export interface ProgramText {
  readonly lines: readonly string[];
  /** The name that holds node `node`. */
  value(node: number): string;
  readonly indexNames: IndexNames;
}

/** A place where statements go: the top level (undefined) or the slow side of one `rare` node. */
type Scope = number | undefined;

const valueName = (node: number): string => `v${node}`;

/** Writes the nodes that `roots` need. */
export function writeProgram(
  nodes: readonly ScalarNode[],
  roots: readonly number[],
  names: ProgramNames,
): ProgramText {
  const writer = new ProgramWriter(nodes, roots, names);
  return { lines: writer.write(undefined, 0), value: valueName, indexNames: writer.indexNames };
}

/** The nodes whose values an index expression reads. */
export function valuesIn(e: IndexExpr): number[] {
  const found: number[] = [];
  forEachLeaf(e, (leaf) => {
    if (leaf.k === "value") found.push(leaf.node);
  });
  return found;
}

/** The nodes that a write reads: its value, and what its index and guard are computed from. */
export const writeRoots = ({ value, index, guard }: Write): number[] => [
  value,
  ...[index, ...guard.map((range) => range.index)].flatMap(valuesIn),
];

function operandsOf(node: ScalarNode): readonly number[] {
  switch (node.op) {
    case "load":
      return [node.index, ...node.guard.map((range) => range.index)].flatMap(valuesIn);
    case "index":
      return valuesIn(node.index);
    default:
      return argsOf(node);
  }
}

class ProgramWriter {
  readonly indexNames: IndexNames;
  readonly #nodes: readonly ScalarNode[];
  readonly #names: ProgramNames;
  /** Home scope of every used node. */
  readonly #homes = new Map<number, Scope>();

  constructor(nodes: readonly ScalarNode[], roots: readonly number[], names: ProgramNames) {
    this.#nodes = nodes;
    this.#names = names;
    this.indexNames = {
      axis: (axis) => names.axis(axis),
      value: (node) => this.#asIndex(node),
    };
    for (const root of roots) this.#homes.set(root, undefined);
    for (let i = nodes.length - 1; i >= 0; i--) {
      if (this.#homes.has(i)) this.#placeOperands(i, nodes[i] as ScalarNode);
    }
  }

  #placeOperands(user: number, node: ScalarNode): void {
    const home = this.#homes.get(user);
    operandsOf(node).forEach((operand, position) => {
      const use = node.op === "rare" && position === 1 ? user : home;
      this.#homes.set(
        operand,
        this.#homes.has(operand) ? this.#around(this.#homes.get(operand), use) : use,
      );
    });
  }

  /** The innermost scope around both. */
  #around(a: Scope, b: Scope): Scope {
    const chain = new Set<Scope>();
    for (let at = a; ; at = this.#homes.get(at)) {
      chain.add(at);
      if (at === undefined) break;
    }
    let at = b;
    while (!chain.has(at)) at = at === undefined ? undefined : this.#homes.get(at);
    return at;
  }

  write(scope: Scope, depth: number): string[] {
    const indent = "  ".repeat(depth);
    const lines: string[] = [];
    const end = scope ?? this.#nodes.length;
    for (let i = 0; i < end; i++) {
      if (!this.#homes.has(i) || this.#homes.get(i) !== scope) continue;
      for (const line of this.#statement(i, this.#nodes[i] as ScalarNode))
        lines.push(indent + line);
    }
    return lines;
  }

  #statement(index: number, node: ScalarNode): string[] {
    const name = valueName(index);
    if (node.op === "rare") {
      const [condition, slow, fast] = node.args;
      return [
        `var ${name} = ${valueName(fast)};`,
        `if (${valueName(condition)}) {`,
        ...this.write(index, 1),
        `  ${name} = ${valueName(slow)};`,
        "}",
      ];
    }
    if (node.op === "load") {
      const guard = guardText(node.guard, this.indexNames);
      if (guard !== undefined) {
        const dtype = shaderDType(node.dtype);
        return [
          `var ${name}: ${wgslType(dtype)} = ${literal(dtype, node.fill)};`,
          `if (${guard}) {`,
          `  ${name} = ${this.#load(node)};`,
          "}",
        ];
      }
    }
    return [`let ${name} = ${this.#expression(node)};`];
  }

  #load(node: LoadNode): string {
    const bits = this.#names.load(node, indexText(node.index, this.indexNames));
    return fromBitsText(shaderDType(node.dtype), bits);
  }

  #expression(node: ScalarNode): string {
    const dtype = shaderDType(node.dtype);
    const [x, y, z] = argsOf(node).map(valueName) as [string, string, string];
    const operand = (): ReturnType<typeof shaderDType> =>
      shaderDType((this.#nodes[argsOf(node)[0] as number] as ScalarNode).dtype);
    switch (node.op) {
      case "const":
        return literal(dtype, node.bits);
      case "index":
        return this.#indexNode(node.index, dtype);
      case "load":
        return this.#load(node);
      case "reduced":
        return this.#names.reduced(node.stage, node.reduction);
      case "select":
      case "rare":
        return `select(${z}, ${y}, ${x})`;
      case "convert":
        return convertText(operand(), dtype, x);
      case "bitcast":
        return bitcastText(operand(), dtype, x);
      case "eq":
      case "ne":
      case "lt":
      case "le":
      case "gt":
      case "ge":
        return compareText(node.op, operand(), x, y);
      case "argument":
        throw new InternalError("GF9201", "an argument node outside a combiner");
      default:
        return node.args.length === 1
          ? unaryText((node as { op: Parameters<typeof unaryText>[0] }).op, dtype, x)
          : binaryText((node as { op: Parameters<typeof binaryText>[0] }).op, dtype, x, y);
    }
  }

  #indexNode(index: IndexExpr, dtype: ReturnType<typeof shaderDType>): string {
    const text = wrappingIndexText(index, this.indexNames);
    return convertText("int32", dtype, text);
  }

  #asIndex(node: number): string {
    const dtype = shaderDType((this.#nodes[node] as ScalarNode).dtype);
    return convertText(dtype, "int32", valueName(node));
  }
}

/** A `bool` expression that holds where every range does; undefined where all are known to hold. */
export function guardText(guard: readonly IndexRange[], names: IndexNames): string | undefined {
  const tests: string[] = [];
  for (const { index, lo, hi } of guard) {
    if (index.lo >= hi || index.hi < lo) return "false";
    if (index.lo < lo) tests.push(`${indexText(index, names)} >= ${lo}i`);
    if (index.hi >= hi) tests.push(`${indexText(index, names)} < ${hi}i`);
  }
  return tests.length === 0 ? undefined : tests.join(" && ");
}
