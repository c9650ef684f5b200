/**
 * Movement as index maps: one description for every op whose result elements are operand elements.
 */
import { definitionOf, type Node, type Shape, sizes, type Table } from "@gridfuse/graph";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import type { Bits } from "@gridfuse/plan/scalar";
import { ValueMap } from "../fuse/value-map.ts";
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

/** Forms of a table, by node (null for none), and by what they depend on: programs are full of the same few movements. */
interface Forms {
  readonly byNode: ValueMap<ViewForm | null>;
  readonly byText: Map<string, ViewForm>;
}
const formsIn = new WeakMap<Table, Forms>();

/** The node as an index map of its only operand, or undefined where it is not one. */
export function viewOf(table: Table, node: Node): ViewForm | undefined {
  if (node.op === "view") return { index: node.params.index, fill: node.params.fill };
  let forms = formsIn.get(table);
  if (forms === undefined) {
    forms = { byNode: new ValueMap(table.nodes.length), byText: new Map() };
    formsIn.set(table, forms);
  }
  let form = forms.byNode.get(node.id);
  if (form === undefined) {
    form = findForm(table, node, forms.byText);
    forms.byNode.set(node.id, form);
  }
  return form ?? undefined;
}

function findForm(table: Table, node: Node, known: Map<string, ViewForm>): ViewForm | null {
  const { indexMap } = definitionOf(node.op);
  if (indexMap === undefined) return null;
  const operand = sizes(table.tensor(node.inputs[0] as number).shape);
  const text = `${node.op}${keyOfParams(node.params)} ${operand.join()}`;
  let form = known.get(text);
  if (form === undefined) {
    form = { index: indexOf(table, node, indexMap as IndexMap, operand), fill: undefined };
    known.set(text, form);
  }
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
