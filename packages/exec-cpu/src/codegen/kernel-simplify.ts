/**
 * What fusion leaves behind where one op's result meets another: truth values that are widened to be compared again, and
 * extrema that are spelled as a comparison and a choice. A node is replaced where it stands, or by one before it, of the
 * same value for all operands, so that numbers stay; what nobody reads any more is not computed.
 */
import { isInteger } from "@gridfuse/plan";
import { argsOf, type ScalarNode, type SelectNode } from "@gridfuse/plan/scalar";

type Nodes = readonly ScalarNode[];

export interface Simplified {
  readonly nodes: Nodes;
  /** The node that stands for node i, where that is another. */
  readonly instead: readonly (number | undefined)[];
}

export function simplified(nodes: Nodes): Simplified {
  const instead: (number | undefined)[] = [];
  let result: ScalarNode[] | undefined;
  for (let i = 0; i < nodes.length; i++) {
    const given = nodes[i] as ScalarNode;
    const node = instead.length > 0 ? renamed(given, instead) : given;
    const other = replacement(result ?? nodes, node);
    if (typeof other === "number") instead[i] = other;
    const kept = typeof other === "object" ? other : node;
    if (kept === given) continue;
    result ??= nodes.slice();
    result[i] = kept;
  }
  return { nodes: result ?? nodes, instead };
}

function renamed(node: ScalarNode, instead: readonly (number | undefined)[]): ScalarNode {
  const args = argsOf(node);
  for (let i = 0; i < args.length; i++) {
    if (instead[args[i] as number] === undefined) continue;
    return { ...node, args: args.map((arg) => instead[arg] ?? arg) } as unknown as ScalarNode;
  }
  return node;
}

function replacement(nodes: Nodes, node: ScalarNode): number | ScalarNode | undefined {
  switch (node.op) {
    case "convert": {
      const truth = truthOf(nodes, node.args[0]);
      if (truth === undefined || node.dtype === "bool") return truth;
      return { op: "convert", dtype: node.dtype, args: [truth] };
    }
    case "eq":
    case "ne":
      return comparedTruth(nodes, node.op, node.args);
    case "select":
      return chosenExtremum(nodes, node);
    default:
      return undefined;
  }
}

/** The bool that an integer is, as 0 or 1. */
function truthOf(nodes: Nodes, x: number): number | undefined {
  const node = nodes[x] as ScalarNode;
  if (node.op !== "convert" || !isInteger(node.dtype)) return undefined;
  const [from] = node.args;
  return (nodes[from] as ScalarNode).dtype === "bool" ? from : undefined;
}

const isZero = ({ op, ...node }: ScalarNode): boolean =>
  op === "const" && "bits" in node && node.bits.lo === 0 && node.bits.hi === 0;

/** An integer that stands for a bool, compared with 0. */
function comparedTruth(
  nodes: Nodes,
  op: "eq" | "ne",
  [a, b]: readonly [number, number],
): number | ScalarNode | undefined {
  const x = isZero(nodes[b] as ScalarNode) ? a : isZero(nodes[a] as ScalarNode) ? b : undefined;
  if (x === undefined) return undefined;
  const truth = truthOf(nodes, x);
  if (truth !== undefined) return op === "ne" ? truth : { op: "not", dtype: "bool", args: [truth] };
  const joined = nodes[x] as ScalarNode;
  if (op === "eq" || (joined.op !== "xor" && joined.op !== "and" && joined.op !== "or")) {
    return undefined;
  }
  const [p, q] = [truthOf(nodes, joined.args[0]), truthOf(nodes, joined.args[1])];
  return p === undefined || q === undefined
    ? undefined
    : { op: joined.op, dtype: "bool", args: [p, q] };
}

/** The lesser or the greater of two integers; of floats it is not: NaNs, and zeros of both signs. */
function chosenExtremum(nodes: Nodes, { dtype, args }: SelectNode): ScalarNode | undefined {
  if (!isInteger(dtype)) return undefined;
  const [which, yes, no] = args;
  const condition = nodes[which] as ScalarNode;
  const { op } = condition;
  if (op !== "lt" && op !== "le" && op !== "gt" && op !== "ge") return undefined;
  const [x, y] = condition.args;
  const isSame = x === yes && y === no;
  if (!isSame && !(x === no && y === yes)) return undefined;
  const isLess = op === "lt" || op === "le";
  return { op: isLess === isSame ? "min" : "max", dtype, args: [x, y] };
}
