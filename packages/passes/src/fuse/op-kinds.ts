/** What a kernel can do with an op. It is asked of every node several times, and depends on the op alone. */
import { definitionOf, type Node, type NodeNamed, type OpName } from "@gridfuse/graph";
import { mostPieces } from "./cost.ts";

/**
 * elementwise  a scalar of its operands' elements at the same place
 * movement     an element of its only operand
 * reduction    a stage of a kernel
 * indexing     elements of its operands, at places that depend on more
 * apart        a step of its own
 */
export type OpKind = "elementwise" | "movement" | "reduction" | "indexing" | "apart";

const kinds = new Map<OpName, OpKind>();

export function kindOf({ op }: Node): OpKind {
  let kind = kinds.get(op);
  if (kind === undefined) {
    kind = findKind(op);
    kinds.set(op, kind);
  }
  return kind;
}

function findKind(op: OpName): OpKind {
  switch (op) {
    case "reduce_sum":
    case "reduce_prod":
    case "reduce_max":
    case "reduce_min":
    case "reduce_and":
    case "reduce_or":
    case "reduce_xor":
    case "argmax":
    case "argmin":
      return "reduction";
    case "view":
      return "movement";
    default: {
      const { scalar, indexMap } = definitionOf(op);
      if (indexMap !== undefined) return "movement";
      if (scalar !== undefined) return "elementwise";
      return indexing.has(op) ? "indexing" : "apart";
    }
  }
}

const indexing: ReadonlySet<OpName> = new Set([
  "full",
  "iota",
  "pad",
  "concatenate",
  "dynamic_slice",
  "dynamic_update_slice",
  "gather",
] as const);

/** Ops whose result a kernel can compute at any point; the others make a step of their own. */
export const isFusable = (node: Node): boolean => kindOf(node) !== "apart";
export const isReduction = (node: Node): boolean => kindOf(node) === "reduction";
export const isMovement = (node: Node): boolean => kindOf(node) === "movement";

/** A concatenation whose pieces no kernel tells apart element by element. */
export const hasManyPieces = (node: Node): node is NodeNamed<"concatenate"> =>
  node.op === "concatenate" && node.inputs.length > mostPieces;
