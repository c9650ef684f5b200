/**
 * What code generation needs to know of a scalar program before it writes any: which nodes are needed,
 * at which loop level each can be computed, which differ between the lanes of a vector, and which are
 * needed only on the slow side of a `rare`.
 */
import { isFloat } from "@gridfuse/plan";
import { forEachLeaf, type IndexExpr } from "@gridfuse/plan/index-expr";
import { argsOf, type IndexRange, type ScalarNode } from "@gridfuse/plan/scalar";

/** The region of nodes that are always computed. */
export const always = -1;

export interface ProgramFacts {
  readonly used: readonly boolean[];
  /** `always`, or the innermost `rare` node on whose slow side alone the node is needed. */
  readonly region: readonly number[];
  /** Loop level at which the node is computed. */
  readonly level: readonly number[];
  /** Whether the value differs between lanes. */
  readonly varies: readonly boolean[];
  /** Whether a NaN in it may come from arithmetic, so that its bits mean nothing. */
  readonly computed: readonly boolean[];
  /** Of a bitcast: whether such a NaN must become the canonical one first. */
  readonly canonical: readonly boolean[];
  /** Uses as an operand of another node; Infinity where something else holds on to the node. */
  readonly uses: readonly number[];
}

export interface ProgramContext {
  /** Level of an index expression; value leaves have the levels found so far. */
  levelOf(e: IndexExpr): number;
  /** The axis that runs along the lanes. */
  readonly laneAxis: number | undefined;
  readonly reducedLevel: number;
  readonly reducedVaries: boolean;
}

const none: readonly never[] = [];

/** The nodes that the value leaves of e name. */
export function valuesIn(e: IndexExpr): readonly number[] {
  if (!e.key.includes("v")) return none;
  const found: number[] = [];
  forEachLeaf(e, (leaf) => {
    if (leaf.k === "value") found.push(leaf.node);
  });
  return found;
}

const indicesOfNode = (node: ScalarNode): readonly IndexExpr[] => {
  if (node.op !== "load") return node.op === "index" ? [node.index] : none;
  if (node.guard.length === 0) return [node.index];
  return [node.index, ...node.guard.map((range: IndexRange) => range.index)];
};

export function analyseProgram(
  nodes: readonly ScalarNode[],
  roots: readonly number[],
  context: ProgramContext,
  /** Filled in while walking, so that `context.levelOf` can answer for value leaves. */
  level: number[] = [],
): ProgramFacts {
  const { used, region, uses } = analyseUses(nodes, roots);
  const varies: boolean[] = [];
  const computed: boolean[] = [];
  const canonical: boolean[] = [];
  const onLanes = `a${context.laneAxis}:`;
  const indexVaries = (e: IndexExpr): boolean => {
    if (e.key.includes(onLanes)) return true;
    for (const value of valuesIn(e)) if (varies[value]) return true;
    return false;
  };
  // This is done once for every program, so before V8 has compiled it: loops count, and call little.
  for (let i = 0; i < nodes.length; i++) {
    const node = nodes[i] as ScalarNode;
    computed[i] = mayBeComputed(node, computed);
    canonical[i] = false;
    if (node.op === "reduced") {
      level[i] = context.reducedLevel;
      varies[i] = context.reducedVaries;
      continue;
    }
    let deepest = 0;
    let differs = false;
    if (node.op === "load" || node.op === "index") {
      const indices = indicesOfNode(node);
      for (let k = 0; k < indices.length; k++) {
        const e = indices[k] as IndexExpr;
        const own = context.levelOf(e);
        if (own > deepest) deepest = own;
        differs ||= indexVaries(e);
      }
    } else {
      const args = argsOf(node);
      for (let k = 0; k < args.length; k++) {
        const arg = args[k] as number;
        if ((level[arg] as number) > deepest) deepest = level[arg] as number;
        differs ||= varies[arg] as boolean;
      }
      if (node.op === "bitcast" && computed[node.args[0]]) {
        canonical[i] = showsBits(nodes, i, node.args[0], roots);
      }
    }
    level[i] = deepest;
    varies[i] = differs;
  }
  // What only a slow side needs is computed where that `rare` is.
  for (let i = nodes.length - 1; i >= 0; i--) {
    const rare = region[i] as number;
    if (rare !== always) level[i] = level[rare] as number;
  }
  return { used, region, level, varies, computed, canonical, uses };
}

function mayBeComputed(node: ScalarNode, computed: readonly boolean[]): boolean {
  switch (node.op) {
    case "const":
    case "index":
    case "load":
    case "bitcast":
      return false;
    case "select":
    case "rare":
      return (computed[node.args[1]] as boolean) || (computed[node.args[2]] as boolean);
    default:
      return true;
  }
}

function analyseUses(
  nodes: readonly ScalarNode[],
  roots: readonly number[],
): Pick<ProgramFacts, "used" | "region" | "uses"> {
  const used = new Array<boolean>(nodes.length).fill(false);
  const region = new Array<number>(nodes.length).fill(always);
  const uses = new Array<number>(nodes.length).fill(0);

  const enclosing = (rare: number): number => region[rare] as number;
  /** Regions nest, and an enclosing `rare` has the higher number. */
  const common = (a: number, b: number): number => {
    while (a !== b) {
      if (a === always || b === always) return always;
      if (a < b) a = enclosing(a);
      else b = enclosing(b);
    }
    return a;
  };
  const use = (node: number, from: number): void => {
    region[node] = used[node] ? common(region[node] as number, from) : from;
    used[node] = true;
  };

  for (const root of roots) {
    use(root, always);
    uses[root] = Number.POSITIVE_INFINITY;
  }
  for (let i = nodes.length - 1; i >= 0; i--) {
    if (!used[i]) continue;
    const node = nodes[i] as ScalarNode;
    const here = region[i] as number;
    if (node.op === "load" || node.op === "index") {
      for (const index of indicesOfNode(node)) {
        for (const value of valuesIn(index)) {
          use(value, here);
          uses[value] = Number.POSITIVE_INFINITY;
        }
      }
      continue;
    }
    const args = argsOf(node);
    for (let k = 0; k < args.length; k++) {
      const arg = args[k] as number;
      use(arg, node.op === "rare" && k === 1 ? i : here);
      uses[arg] = (uses[arg] as number) + 1;
    }
  }
  return { used, region, uses };
}

/**
 * Whether the bits that bitcast `cast` gives for a NaN `x` can reach a result. Most often they cannot:
 * an expansion takes a float apart, but joins what it made of the parts to the float itself by
 * arithmetic, which is NaN whatever the parts are.
 */
function showsBits(
  nodes: readonly ScalarNode[],
  cast: number,
  x: number,
  roots: readonly number[],
): boolean {
  const { op } = nodes[x] as ScalarNode;
  // A choice may hand on the NaN of a load, whose bits mean something.
  if (op === "select" || op === "rare") return true;
  /** Nodes that are NaN, as arithmetic makes it, where x is. */
  const isNaNToo = new Set([x]);
  /** Other nodes that the bits may change. */
  const changed = new Set([cast]);
  for (let i = x + 1; i < nodes.length; i++) {
    const node = nodes[i] as ScalarNode;
    if (keepsNaN(nodes, node, isNaNToo)) isNaNToo.add(i);
    else if (argsOf(node).some((arg) => changed.has(arg))) changed.add(i);
    else if (indicesOfNode(node).some((e) => valuesIn(e).some((at) => changed.has(at))))
      return true;
  }
  return roots.some((root) => changed.has(root));
}

function keepsNaN(
  nodes: readonly ScalarNode[],
  node: ScalarNode,
  nans: ReadonlySet<number>,
): boolean {
  if (!isFloat(node.dtype)) return false;
  switch (node.op) {
    case "const":
    case "index":
    case "load":
    case "reduced":
    case "argument":
    case "bitcast":
      return false;
    case "select":
    case "rare":
      return nans.has(node.args[1]) && nans.has(node.args[2]);
    case "convert":
      return isFloat((nodes[node.args[0]] as ScalarNode).dtype) && nans.has(node.args[0]);
    default:
      return argsOf(node).some((arg) => nans.has(arg));
  }
}
