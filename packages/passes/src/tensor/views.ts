/**
 * Movement as index maps: one description for every op whose result elements are operand elements.
 */
import { definitionOf, type Node, type Shape, sizes, type Table } from "@gridfuse/graph";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import type { Bits } from "@gridfuse/plan/scalar";
import { keyOfParams } from "../simplify/key.ts";

export interface ViewForm {
  /** Operand coordinates as functions of the result's (axis d = dimension d of the result). */
  readonly index: readonly IndexExpr[];
  /** Value of elements whose index lies outside the operand; undefined where none can. */
  readonly fill: Bits | undefined;
}

/** Coordinates of a tensor of `shape`: axis d for dimension d. */
export const coordinates = (shape: readonly number[], first = 0): IndexExpr[] =>
  shape.map((extent, d) => ix.axis(first + d, extent));

/** Forms of a table, by node, and by what they depend on: programs are full of the same few movements. */
interface Forms {
  readonly byNode: (ViewForm | undefined)[];
  readonly byText: Map<string, ViewForm>;
}
const formsIn = new WeakMap<Table, Forms>();

function formsOf(table: Table): Forms {
  let forms = formsIn.get(table);
  if (forms === undefined) {
    forms = { byNode: [], byText: new Map() };
    formsIn.set(table, forms);
  }
  return forms;
}

/** The node as an index map of its only operand, or undefined where it is not one. */
export function viewOf(table: Table, node: Node): ViewForm | undefined {
  if (node.op === "view") return { index: node.params.index, fill: node.params.fill };
  const { indexMap } = definitionOf(node.op);
  if (indexMap === undefined) return undefined;
  const { byNode, byText } = formsOf(table);
  let form = byNode[node.id];
  if (form !== undefined) return form;
  const operand = sizes(table.tensor(node.inputs[0] as number).shape);
  const text = `${node.op}${keyOfParams(node.params)} ${operand.join()}`;
  form = byText.get(text);
  if (form === undefined) {
    form = { index: indexOf(table, node, indexMap as IndexMap, operand), fill: undefined };
    byText.set(text, form);
  }
  byNode[node.id] = form;
  return form;
}

type IndexMap = (
  at: readonly IndexExpr[],
  operand: readonly number[],
  params: unknown,
  result: readonly number[],
) => readonly IndexExpr[];

function indexOf(
  table: Table,
  { params, outputs }: Node,
  indexMap: IndexMap,
  operand: readonly number[],
): readonly IndexExpr[] {
  const result = sizes(table.tensor(outputs[0] as number).shape);
  return indexMap(coordinates(result), operand, params, result);
}

/** Whether every coordinate of an array of `shape` is read at its own place. */
export function isStraight(index: readonly IndexExpr[], shape: Shape): boolean {
  for (let d = 0; d < shape.length; d += 1) {
    const e = index[d] as IndexExpr;
    const extent = shape[d] as number;
    const isOwn =
      extent <= 1 ? e.k === "const" && e.value === 0 : e.k === "axis" && e.axis === d && e.lo === 0;
    if (!isOwn || (extent > 1 && e.hi !== extent - 1)) return false;
  }
  return true;
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
