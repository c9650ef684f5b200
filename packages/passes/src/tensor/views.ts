/**
 * Movement as index maps: one description for every op whose result elements are operand elements.
 */
import { definitionOf, type Node, type Shape, sizes, type Table } from "@gridfuse/graph";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import type { Bits } from "@gridfuse/plan/scalar";
import { ValueMap } from "../fuse/value-map.ts";
import { type Kinds, kindsOf, Lists, Words } from "../simplify/key.ts";

export interface ViewForm {
  /** Operand coordinates as functions of the result's (axis d = dimension d of the result). */
  readonly index: readonly IndexExpr[];
  /** Value of elements whose index lies outside the operand; undefined where none can. */
  readonly fill: Bits | undefined;
}

/** Coordinates of a tensor of `shape`: axis d for dimension d. */
export const coordinates = (shape: readonly number[], first = 0): IndexExpr[] =>
  shape.map((extent, d) => ix.axis(first + d, extent));

/** Forms of a table: programs are full of the same few movements. */
class Forms {
  readonly #table: Table;
  readonly #kinds: Kinds;
  /** By node; null for those that are none. */
  readonly #ofNodes: ValueMap<ViewForm | null>;
  /** By the number of what they depend on: what a node does, and the shape of its operand. */
  readonly #forms: ViewForm[] = [];
  readonly #lists = new Lists();
  readonly #words = new Words();

  constructor(table: Table) {
    this.#table = table;
    this.#kinds = kindsOf(table);
    this.#ofNodes = new ValueMap(table.nodes.length);
  }

  of(node: Node): ViewForm | undefined {
    let form = this.#ofNodes.get(node.id);
    if (form === undefined) {
      form = this.#find(node);
      this.#ofNodes.set(node.id, form);
    }
    return form ?? undefined;
  }

  #find(node: Node): ViewForm | null {
    const { indexMap } = definitionOf(node.op);
    if (indexMap === undefined) return null;
    const operand = sizes(this.#table.tensor(node.inputs[0] as number).shape);
    const words = this.#words;
    words.length = 0;
    words.push(this.#kinds.numberOf(node));
    for (let d = 0; d < operand.length; d += 1) words.push(operand[d] as number);
    const number = this.#lists.numberOf(words);
    let form = this.#forms[number];
    if (form === undefined) {
      form = { index: indexOf(this.#table, node, indexMap as IndexMap, operand), fill: undefined };
      this.#forms.push(form);
    }
    return form;
  }
}
const formsIn = new WeakMap<Table, Forms>();

/** The node as an index map of its only operand, or undefined where it is not one. */
export function viewOf(table: Table, node: Node): ViewForm | undefined {
  if (node.op === "view") return { index: node.params.index, fill: node.params.fill };
  let forms = formsIn.get(table);
  if (forms === undefined) {
    forms = new Forms(table);
    formsIn.set(table, forms);
  }
  return forms.of(node);
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
