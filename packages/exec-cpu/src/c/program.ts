/**
 * The nodes of a stage as C statements, once outside of the loop over lanes (what is the same for all of them) and once
 * inside of it.
 *
 * Slow sides of `rare` are branches in a loop that runs where they are needed; small ones are computed always, as the
 * sides of a `select` are.
 */
import { type DType, InternalError, itemSize, type PlanBuffer } from "@gridfuse/plan";
import { forEachLeaf, type IndexExpr } from "@gridfuse/plan/index-expr";
import { argsOf, type IndexRange, type LoadNode, type ScalarNode } from "@gridfuse/plan/scalar";
import type { Contractions } from "../codegen/contract.ts";
import { isBinaryOp, isCompareOp, isUnaryOp, meaningless } from "../codegen/node-kinds.ts";
import { always, analyseProgram, type ProgramFacts, valuesIn } from "../codegen/program-facts.ts";
import { cType, literal, memoryType } from "./c-types.ts";
import { comparableC, type IndexNames, indexC, wrappedC } from "./index-c.ts";
import { binary, bitcast, compare, convert, unary } from "./scalar.ts";

/** Where buffers lie. */
export interface Memory {
  readonly buffers: readonly PlanBuffer[];
  /** A `uint8_t *` in C. */
  address(buffer: number): string;
  /** Elements of `dtype` that may be read before and after the first element of a buffer. */
  readable(buffer: number, dtype: DType): { readonly lo: number; readonly hi: number };
}

/** What a stage's nodes are written for. */
export interface BodyContext {
  readonly memory: Memory;
  readonly nodes: readonly ScalarNode[];
  readonly roots: readonly number[];
  /** The axis that lanes run along. */
  readonly laneAxis: number | undefined;
  readonly contractions: Contractions | undefined;
  /** Slow sides of more nodes than this are branches. */
  readonly largestSide: number;
  /** Whether lanes are loaded with reductions of their own. */
  readonly reducedVaries: boolean;
  reduced(stage: number, reduction: number): string;
}

export class Body implements IndexNames {
  readonly #context: BodyContext;
  readonly #facts: ProgramFacts;
  /** Rares whose slow side is a branch. */
  readonly #branches = new Set<number>();
  readonly #before: string[] = [];
  readonly #inside: string[] = [];

  constructor(context: BodyContext) {
    this.#context = context;
    const { nodes, roots, laneAxis, reducedVaries } = context;
    this.#facts = analyseProgram(nodes, roots, {
      levelOf: () => 0,
      laneAxis,
      reducedLevel: 0,
      reducedVaries,
    });
    this.#chooseBranches();
    for (const i of nodes.keys()) {
      if (!this.#facts.used[i] || this.#home(i) !== always) continue;
      const into = this.#facts.varies[i] ? this.#inside : this.#before;
      into.push(...this.#statements(i));
    }
  }

  /** Statements that are the same for all lanes. */
  get before(): string {
    return this.#before.join("\n");
  }
  get inside(): string {
    return this.#inside.join("\n");
  }
  /** Whether the loop has branches in it. */
  get hasBranches(): boolean {
    return [...this.#branches].some((i) => this.#facts.varies[i]);
  }

  axis(axis: number): string {
    return `a${axis}`;
  }

  /** Node i as an expression. */
  value(i: number): string {
    const node = this.#context.nodes[i] as ScalarNode;
    return node.op === "const" ? literal(node.dtype, node.bits) : `v${i}`;
  }

  index(e: IndexExpr): string {
    return indexC(e, this);
  }

  /** An expression for whether all ranges hold; undefined where they do anyway. */
  guard(guard: readonly IndexRange[]): string | undefined {
    const tests = guard.flatMap(({ index, lo, hi }) => [
      ...(index.lo < lo ? [`${comparableC(index, this)} >= ${lo}`] : []),
      ...(index.hi >= hi ? [`${comparableC(index, this)} < ${hi}`] : []),
    ]);
    return tests.length === 0 ? undefined : `(${tests.map((test) => `(${test})`).join(" & ")})`;
  }

  /** The slow side that node i is written into. */
  #home(i: number): number {
    let region = this.#facts.region[i] as number;
    while (region !== always && !this.#branches.has(region)) {
      region = this.#facts.region[region] as number;
    }
    return region;
  }

  #chooseBranches(): void {
    const { nodes } = this.#context;
    const { used, region } = this.#facts;
    const sizes = new Map<number, number>();
    for (const i of nodes.keys()) {
      // What lies in an inner slow side lies in the outer ones too.
      for (let at = region[i] as number; used[i] && at !== always; at = region[at] as number) {
        sizes.set(at, (sizes.get(at) ?? 0) + 1);
      }
    }
    for (const [rare, size] of sizes)
      if (size > this.#context.largestSide) this.#branches.add(rare);
  }

  #statements(i: number): readonly string[] {
    const node = this.#context.nodes[i] as ScalarNode;
    if (node.op === "const") return [];
    const type = cType(node.dtype);
    if (node.op !== "rare" || !this.#branches.has(i)) {
      return [`const ${type} v${i} = ${this.#expression(i, node)};`];
    }
    const [condition, slow, fast] = node.args;
    const side = [...this.#context.nodes.keys()].filter(
      (at) => this.#facts.used[at] && this.#home(at) === i,
    );
    return [
      `${type} v${i} = ${this.value(fast)};`,
      `if (${this.value(condition)}) {`,
      ...side.flatMap((at) => this.#statements(at)),
      `v${i} = ${this.value(slow)};`,
      "}",
    ];
  }

  #expression(i: number, node: Exclude<ScalarNode, { op: "const" }>): string {
    const { nodes } = this.#context;
    switch (node.op) {
      case "index":
        return `(${cType(node.dtype)})${wrappedC(node.index, this, 8 * itemSize(node.dtype))}`;
      case "load":
        return this.#load(node);
      case "reduced":
        return this.#context.reduced(node.stage, node.reduction);
      case "argument":
        throw meaningless(node.op);
      case "select":
      case "rare": {
        const [condition, yes, no] = node.args.map((arg) => this.value(arg));
        return `${condition} ? ${yes} : ${no}`;
      }
      case "convert":
      case "bitcast": {
        const [x] = node.args;
        const from = (nodes[x] as ScalarNode).dtype;
        if (node.op === "convert") return convert(from, node.dtype, this.value(x));
        return bitcast(from, node.dtype, this.#facts.canonical[i] as boolean, this.value(x));
      }
      default: {
        const contracted = this.#contracted(i, node);
        if (contracted !== undefined) return contracted;
        const [x, y] = argsOf(node).map((arg) => this.value(arg)) as [string, string];
        const { dtype } = nodes[argsOf(node)[0] as number] as ScalarNode;
        if (isUnaryOp(node.op)) return unary(node.op, dtype, x);
        if (isBinaryOp(node.op)) return binary(node.op, dtype, x, y);
        if (isCompareOp(node.op)) return compare(node.op, dtype, x, y);
        throw meaningless((node as ScalarNode).op);
      }
    }
  }

  /** A sum that takes in a product, with one rounding for both. */
  #contracted(i: number, node: ScalarNode): string | undefined {
    const position = this.#context.contractions?.get(i);
    if (position === undefined) return undefined;
    const args = argsOf(node);
    const [a, b] = argsOf(this.#context.nodes[args[position] as number] as ScalarNode).map((arg) =>
      this.value(arg),
    );
    const other = this.value(args[1 - position] as number);
    return `gf_fma(${node.op === "sub" ? "-" : ""}${a}, ${b}, ${other})`;
  }

  /** Elements that lie in the memory are read whether their guard holds or not, so that lanes need no branches. */
  #load({ buffer, dtype, index, guard, fill }: LoadNode): string {
    const { memory } = this.#context;
    if (guard.some(({ index: at, lo, hi }) => at.hi < lo || at.lo >= hi)) {
      return literal(dtype, fill);
    }
    const element = this.element(buffer, dtype, index);
    const holds = this.guard(guard);
    if (holds === undefined) return dtype === "bool" ? `${element} != 0` : element;
    const { lo, hi } = memory.readable(buffer, dtype);
    const isSafe = index.lo >= lo && index.hi <= hi;
    const isNeighbourly = isSafe && !readsValues(index);
    if (!isNeighbourly) return `${holds} ? ${element} : ${literal(dtype, fill)}`;
    const type = memoryType(dtype);
    return `({ const ${type} read = ${element}; ${holds} ? read : ${literal(dtype, fill)}; })`;
  }

  /** An lvalue. */
  element(buffer: number, dtype: DType, index: IndexExpr): string {
    return `((${memoryType(dtype)} *)${this.#context.memory.address(buffer)})[${this.index(index)}]`;
  }
}

/** For index expressions that read loop counters alone. */
export const noAxes: IndexNames = {
  axis: () => "0L",
  value: () => {
    throw meaningless("value");
  },
};

function readsValues(e: IndexExpr): boolean {
  return valuesIn(e).length > 0;
}

/** The axes of a list of index expressions. */
export function axesRead(indices: readonly IndexExpr[]): ReadonlySet<number> {
  const found = new Set<number>();
  for (const e of indices) {
    forEachLeaf(e, (leaf) => {
      if (leaf.k === "axis") found.add(leaf.axis);
    });
  }
  return found;
}

/** @throws InternalError GF9303 */
export function missingReduction(stage: number, reduction: number): InternalError {
  return new InternalError("GF9303", `reduction ${reduction} of stage ${stage} is not there`, {
    help: "This is a bug of gridfuse: whatever built the plan should have refused it.",
  });
}
