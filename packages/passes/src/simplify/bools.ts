/**
 * Truth values that were numbers for a while. Other languages have no xor of bools, or count with them: converted to
 * integers, combined bit by bit and compared with zero they are bools again, and are computed as such.
 */
import type { Node, NodeNamed, Table, ValueId } from "@gridfuse/graph";
import { fromBits, isInteger } from "@gridfuse/plan/scalar";
import type { Comparison } from "./ranges.ts";
import type { Result, RuleContext } from "./rule.ts";

/** What moves elements without filling gaps. */
const isCarrier = (node: Node): node is Carrier =>
  node.op === "broadcast_in_dim" || node.op === "reshape" || node.op === "transpose";
type Carrier = Node & NodeNamed<"broadcast_in_dim" | "reshape" | "transpose">;
/** Movement between a bool and the integer that it is. */
const mostCarriers = 3;

/** The bool that an integer of 0 or 1 stands for, with what moves it on the way; undefined for others. */
function bottomOf(
  table: Table,
  value: ValueId,
): { readonly bool: ValueId; readonly moves: readonly Carrier[] } | undefined {
  if (!isInteger(table.tensor(value).dtype)) return undefined;
  const moves: Carrier[] = [];
  for (let at = value; ; ) {
    const node = table.producer(at);
    if (node === undefined) return undefined;
    const from = node.inputs[0] as ValueId;
    if (node.op === "convert_element_type") {
      return table.tensor(from).dtype === "bool" ? { bool: from, moves } : undefined;
    }
    if (!isCarrier(node) || moves.length === mostCarriers) return undefined;
    moves.push(node);
    at = from;
  }
}

/** The integer as the bool that it stands for. */
function boolOf({ e }: RuleContext, value: ValueId): ValueId | undefined {
  const node = e.table.producer(value);
  if (node?.op === "full") {
    const { dtype, shape, bits } = node.params;
    if (!isInteger(dtype) || bits.hi !== 0 || bits.lo >>> 0 > 1) return undefined;
    return e.full("bool", shape, bits.lo === 1);
  }
  const found = bottomOf(e.table, value);
  if (found === undefined) return undefined;
  let { bool } = found;
  for (const move of found.moves.toReversed()) bool = e.emit(move.op, [bool], move.params);
  return bool;
}

/** Integers of 0 and 1, bit by bit: the same of bools. */
export function combineBools(context: RuleContext, node: Node, inputs: readonly ValueId[]): Result {
  const { e } = context;
  const [x, y] = inputs as readonly [ValueId, ValueId];
  if (!isInteger(e.dtype(x))) return undefined;
  // Two literals are folded elsewhere, and of one literal alone nothing is won.
  if (bottomOf(e.table, x) === undefined && bottomOf(e.table, y) === undefined) return undefined;
  const a = boolOf(context, x);
  const b = a === undefined ? undefined : boolOf(context, y);
  if (a === undefined || b === undefined) return undefined;
  const both = e.emit((node as NodeNamed<"xor">).op, [a, b], {});
  return [e.convert(both, e.dtype(x))];
}

/** Back to bool: what it was. */
export function convertBack(
  context: RuleContext,
  node: NodeNamed<"convert_element_type">,
  inputs: readonly ValueId[],
): Result {
  const [value] = inputs as readonly [ValueId];
  if (node.params.dtype !== "bool" || bottomOf(context.e.table, value) === undefined) {
    return undefined;
  }
  const bool = boolOf(context, value);
  return bool === undefined ? undefined : [bool];
}

function holds(op: Comparison, a: number, b: number): boolean {
  switch (op) {
    case "eq":
      return a === b;
    case "ne":
      return a !== b;
    case "lt":
      return a < b;
    case "le":
      return a <= b;
    case "gt":
      return a > b;
    case "ge":
      return a >= b;
    default:
      return op satisfies never;
  }
}

/** Compared with a literal it is itself, its opposite, or the same everywhere. */
export function compareBool(
  context: RuleContext,
  node: NodeNamed<Comparison>,
  inputs: readonly ValueId[],
): Result {
  const { e } = context;
  const [x, y] = inputs as readonly [ValueId, ValueId];
  const turned = e.table.producer(x)?.op === "full";
  const [value, other] = turned ? [y, x] : [x, y];
  const literal = e.table.producer(other);
  if (literal?.op !== "full" || bottomOf(e.table, value) === undefined) return undefined;
  const number = Number(fromBits(literal.params.dtype, literal.params.bits));
  const compare = (n: number): boolean =>
    turned ? holds(node.op, number, n) : holds(node.op, n, number);
  const [ofFalse, ofTrue] = [compare(0), compare(1)];
  if (ofFalse === ofTrue) return [e.full("bool", e.shape(value), ofTrue)];
  const bool = boolOf(context, value);
  if (bool === undefined) return undefined;
  return [ofTrue ? bool : e.emit("not", [bool], {})];
}
