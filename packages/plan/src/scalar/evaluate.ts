/**
 * The meaning of the scalar language, in plain JS: one node at a time over many lanes.
 *
 * This is the oracle that every code generator is compared with, the constant folder, and the
 * executor of hosts without WebAssembly. A node is dispatched once and then runs a loop over typed
 * arrays, so that it is slow by a factor, not by a complexity.
 */
import { type ScalarValue, toBits } from "../bits.ts";
import { type DType, is64BitInteger } from "../dtype.ts";
import { InternalError } from "../errors.ts";
import { forEachLeaf } from "../index-expr/meaning.ts";
import { type BigLanes, type Lanes, lanes, type NumberLanes, roundLanes } from "./lanes.ts";
import {
  type ArgumentNode,
  argsOf,
  type BinaryNode,
  type IndexNode,
  type LoadNode,
  type ReducedNode,
  type ScalarNode,
  type UnaryNode,
} from "./node.ts";
import { numberArithmetic } from "./ops/arithmetic.ts";
import { applyBinary64, applyUnary64 } from "./ops/arithmetic64.ts";
import { comparisons, fillLanes, selectLanes } from "./ops/choose.ts";
import { bitcastLanes, convertLanes } from "./ops/convert.ts";

/** A node whose value comes from outside the program. */
export type LeafNode = IndexNode | LoadNode | ReducedNode | ArgumentNode;
/** A node whose value is a function of its operands. */
export type InnerNode = Exclude<ScalarNode, LeafNode>;

export const isLeafNode = (node: ScalarNode): node is LeafNode =>
  node.op === "index" || node.op === "load" || node.op === "reduced" || node.op === "argument";

const isUnary = (node: UnaryNode | BinaryNode): node is UnaryNode => node.args.length === 1;

/**
 * One node over n lanes.
 *
 * @param operands the lanes of `node.args`, in order; at least n each
 * @param out where to put the result; may be one of the operands, unless the node is a bitcast or
 *   changes the dtype
 * @throws InternalError GF9101 where the op has no meaning on the operand's dtype
 */
export function applyNode(
  node: InnerNode,
  operands: readonly Lanes[],
  operandDtypes: readonly DType[],
  n: number,
  out: Lanes = lanes(node.dtype, n),
): Lanes {
  const [x, y, z] = operands as readonly [Lanes, Lanes, Lanes];
  const dtype = operandDtypes[0] as DType;
  switch (node.op) {
    case "const":
      fillLanes(node.dtype, node.bits, out, n);
      return out;
    case "select":
    case "rare":
      selectLanes(x as Uint8Array, y, z, out, n);
      return out;
    case "convert":
      convertLanes(x, dtype, out, node.dtype, n);
      return out;
    case "bitcast":
      bitcastLanes(x, dtype, out, node.dtype, n);
      return out;
    case "eq":
    case "ne":
    case "lt":
    case "le":
    case "gt":
    case "ge":
      comparisons[node.op](x, y, out as Uint8Array, n);
      return out;
    default:
      if (!applyArithmetic(node, x, y, dtype, out, n)) {
        throw new InternalError("GF9101", `scalar op ${node.op} has no meaning on ${dtype}`, {
          help: "This is a bug of gridfuse: whatever built the program should have refused it.",
        });
      }
      return out;
  }
}

function applyArithmetic(
  node: UnaryNode | BinaryNode,
  x: Lanes,
  y: Lanes,
  dtype: DType,
  out: Lanes,
  n: number,
): boolean {
  if (is64BitInteger(dtype)) {
    return isUnary(node)
      ? applyUnary64(node.op, x as BigLanes, out as BigLanes, n)
      : applyBinary64(node.op, x as BigLanes, y as BigLanes, out as BigLanes, n);
  }
  const rules = numberArithmetic[dtype];
  if (isUnary(node)) {
    const rule = rules?.unary[node.op];
    if (rule === undefined) return false;
    rule(x as NumberLanes, out as NumberLanes, n);
  } else {
    const rule = rules?.binary[node.op];
    if (rule === undefined) return false;
    rule(x as NumberLanes, y as NumberLanes, out as NumberLanes, n);
  }
  if (dtype === "float16" || dtype === "bfloat16") roundLanes(dtype, out as Float32Array, n);
  return true;
}

/** Gives the n lanes of a leaf; `lanesSoFar` holds the earlier nodes, for computed indices. */
export type LeafEvaluator = (node: LeafNode, index: number, lanesSoFar: Lanes[]) => Lanes;

/**
 * Evaluates a program; result i holds the lanes of node i.
 *
 * With `roots` only what they need is evaluated, and the slow side of a `rare` only where some lane takes
 * it; the nodes that were left out have no lanes (length 0).
 */
export function evaluateProgram(
  nodes: readonly ScalarNode[],
  n: number,
  leaf: LeafEvaluator,
  roots?: readonly number[],
): Lanes[] {
  const results: Lanes[] = [];
  const evaluate = (index: number): void => {
    const node = nodes[index] as ScalarNode;
    if (isLeafNode(node)) {
      results[index] = leaf(node, index, results);
      return;
    }
    let args = argsOf(node);
    if (node.op === "rare" && roots !== undefined) {
      const [condition, slow, fast] = node.args;
      if ((results[condition] as Uint8Array).includes(1)) demand([slow]);
      else args = [condition, fast, fast];
    }
    const operands = args.map((arg) => results[arg] as Lanes);
    const operandDtypes = args.map((arg) => (nodes[arg] as ScalarNode).dtype);
    results[index] = applyNode(node, operands, operandDtypes, n);
  };
  /** Evaluates what `targets` need and nobody has evaluated yet, in order. */
  const demand = (targets: readonly number[]): void => {
    const needed = new Uint8Array(nodes.length);
    for (const target of targets) needed[target] = 1;
    for (let i = Math.max(...targets); i >= 0; i--) {
      if ((results[i]?.length ?? 0) > 0) needed[i] = 0;
      if (needed[i] === 1) for (const arg of alwaysReads(nodes[i] as ScalarNode)) needed[arg] = 1;
    }
    for (let i = 0; i < needed.length; i++) if (needed[i] === 1) evaluate(i);
  };

  if (roots === undefined) {
    for (let i = 0; i < nodes.length; i++) evaluate(i);
  } else {
    for (const { dtype } of nodes) results.push(lanes(dtype, 0));
    if (roots.length > 0 && n > 0) demand(roots);
  }
  return results;
}

/** The earlier nodes that a node needs, whatever their values: not the slow side of a `rare`. */
function alwaysReads(node: ScalarNode): number[] {
  if (node.op === "rare") return [node.args[0], node.args[2]];
  if (node.op !== "load" && node.op !== "index") return [...argsOf(node)];
  const read: number[] = [];
  const guards = node.op === "load" ? node.guard.map((range) => range.index) : [];
  for (const index of [node.index, ...guards]) {
    forEachLeaf(index, (found) => {
      if (found.k === "value") read.push(found.node);
    });
  }
  return read;
}

/** All nodes at one point, as JS values: boolean, number, or bigint for the 64-bit integers. */
export function evaluateScalar(
  nodes: readonly ScalarNode[],
  leaf: (node: LeafNode, index: number, valuesSoFar: readonly ScalarValue[]) => ScalarValue,
): ScalarValue[] {
  const values: ScalarValue[] = [];
  const valueAt = (node: ScalarNode, from: Lanes): ScalarValue => {
    const value = from[0] as number | bigint;
    return node.dtype === "bool" ? value !== 0 : value;
  };
  evaluateProgram(nodes, 1, (node, index, lanesSoFar) => {
    for (let i = values.length; i < index; i++) {
      values.push(valueAt(nodes[i] as ScalarNode, lanesSoFar[i] as Lanes));
    }
    return splat(node.dtype, leaf(node, index, values), 1);
  }).forEach((result, i) => {
    values[i] = valueAt(nodes[i] as ScalarNode, result);
  });
  return values;
}

/** n lanes of one JS value, rounded or wrapped to `dtype`. */
export function splat(dtype: DType, value: ScalarValue, n: number): Lanes {
  const out = lanes(dtype, n);
  fillLanes(dtype, toBits(dtype, value), out, n);
  return out;
}
