/**
 * Movement as index maps: one description for every op whose result elements are operand elements.
 */
import { definitionOf, type Node, sizes, type Table } from "@gridfuse/graph";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import type { Bits } from "@gridfuse/plan/scalar";

export interface ViewForm {
  /** Operand coordinates as functions of the result's (axis d = dimension d of the result). */
  readonly index: readonly IndexExpr[];
  /** Value of elements whose index lies outside the operand; undefined where none can. */
  readonly fill: Bits | undefined;
}

/** Coordinates of a tensor of `shape`: axis d for dimension d. */
export const coordinates = (shape: readonly number[], first = 0): IndexExpr[] =>
  shape.map((extent, d) => ix.axis(first + d, extent));

const known = new WeakMap<Node, ViewForm | null>();

/** The node as an index map of its only operand, or undefined where it is not one. */
export function viewOf(table: Table, node: Node): ViewForm | undefined {
  if (node.op !== "view" && definitionOf(node.op).indexMap === undefined) return undefined;
  const cached = known.get(node);
  if (cached !== undefined) return cached ?? undefined;
  const form = makeView(table, node);
  known.set(node, form ?? null);
  return form;
}

function makeView(table: Table, node: Node): ViewForm | undefined {
  if (node.op === "view") return { index: node.params.index, fill: node.params.fill };
  const definition = definitionOf(node.op);
  if (definition.indexMap === undefined) return undefined;
  const result = sizes(table.tensor(node.outputs[0] as number).shape);
  const operand = sizes(table.tensor(node.inputs[0] as number).shape);
  const index = (
    definition.indexMap as (
      at: readonly IndexExpr[],
      operand: readonly number[],
      params: unknown,
      result: readonly number[],
    ) => readonly IndexExpr[]
  )(coordinates(result), operand, node.params, result);
  return { index, fill: undefined };
}

/** Row-major element offset of `at` in an array of `shape`. */
export function flatten(at: readonly IndexExpr[], shape: readonly number[]): IndexExpr {
  let stride = 1;
  const parts: IndexExpr[] = [];
  for (let d = shape.length - 1; d >= 0; d -= 1) {
    parts.push(ix.mul(at[d] as IndexExpr, stride));
    stride *= shape[d] as number;
  }
  return ix.add(...parts);
}

/** Coordinates of the element at a row-major position: the opposite of `flatten`. */
export function unflatten(position: IndexExpr, shape: readonly number[]): IndexExpr[] {
  const at: IndexExpr[] = [];
  let rest = position;
  for (let d = shape.length - 1; d > 0; d -= 1) {
    at[d] = ix.mod(rest, shape[d] as number);
    rest = ix.floordiv(rest, shape[d] as number);
  }
  if (shape.length > 0) at[0] = rest;
  return at;
}
