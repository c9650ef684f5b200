/**
 * Scalar programs in a file: one flat list of integers a program, each node `op, dtype, …`. They are most of a plan,
 * and a list of small integers is read several times faster than a list of records.
 *
 *   const     lo, hi                   index   expression
 *   load      buffer, expression, fill lo, fill hi, number of guards, (expression, lo, hi)…
 *   reduced   stage, reduction         argument   index
 *   others    their one, two or three operands
 */
import type { DType } from "../dtype.ts";
import type { IndexExpr } from "../index-expr/expr.ts";
import type { Wire } from "../msgpack/decode.ts";
import type { PlanInvalid } from "../plan-errors.ts";
import {
  type BinaryOp,
  binaryOps,
  type CompareOp,
  compareOps,
  type IndexRange,
  type ScalarNode,
  type ScalarOp,
  type UnaryOp,
  unaryOps,
} from "../scalar/node.ts";
import { type Codec, type ReadContext, show, type WriteContext } from "./codec.ts";
import { dtypeVocabulary, opVocabulary } from "./vocabulary.ts";

const unary: ReadonlySet<string> = new Set(unaryOps);
const binary: ReadonlySet<string> = new Set(binaryOps);
const compare: ReadonlySet<string> = new Set(compareOps);

const arity = (op: ScalarOp): 1 | 2 | 3 | undefined => {
  if (unary.has(op) || op === "convert" || op === "bitcast") return 1;
  if (binary.has(op) || compare.has(op)) return 2;
  return op === "select" || op === "rare" ? 3 : undefined;
};

export const nodesCodec: Codec<readonly ScalarNode[]> = {
  write(nodes, context) {
    if (!Array.isArray(nodes)) throw context.place.invalid(`${show(nodes)} is not a list`);
    const wire: number[] = [];
    nodes.forEach((node: ScalarNode, i) => {
      context.place.enter(i);
      writeNode(node, wire, context);
      context.place.leave();
    });
    return wire;
  },
  read(wire, context) {
    if (!Array.isArray(wire)) throw context.place.invalid(`${show(wire)} is not a list`);
    const cursor = new Cursor(wire, context);
    const nodes: ScalarNode[] = [];
    while (!cursor.done) {
      cursor.node = nodes.length;
      nodes.push(readNode(cursor));
    }
    return nodes;
  },
};

// ── Writing ─────────────────────────────────────────────────────────────────────────────────

function writeNode(node: ScalarNode, wire: number[], context: WriteContext): void {
  const { place, indexes } = context;
  if (typeof node !== "object" || node === null) throw place.invalid(`${show(node)} is no node`);
  const op = Object.hasOwn(opVocabulary.codeOf, node.op) ? opVocabulary.codeOf[node.op] : -1;
  const dtype = Object.hasOwn(dtypeVocabulary.codeOf, node.dtype)
    ? dtypeVocabulary.codeOf[node.dtype]
    : -1;
  if (op === -1) throw place.invalid(`unknown op ${show(node.op)}`);
  if (dtype === -1) throw place.invalid(`unknown dtype ${show(node.dtype)}`);
  const start = wire.length;
  wire.push(op, dtype);
  switch (node.op) {
    case "const":
      wire.push(node.bits.lo, node.bits.hi);
      break;
    case "index":
      wire.push(indexes.refer(node.index));
      break;
    case "load":
      wire.push(node.buffer, indexes.refer(node.index), node.fill.lo, node.fill.hi);
      wire.push(node.guard.length);
      for (const { index, lo, hi } of node.guard) wire.push(indexes.refer(index), lo, hi);
      break;
    case "reduced":
      wire.push(node.stage, node.reduction);
      break;
    case "argument":
      wire.push(node.index);
      break;
    default:
      if (node.args.length !== arity(node.op)) {
        throw place.invalid(`${node.op} with ${node.args.length} operands`);
      }
      wire.push(...node.args);
  }
  for (let i = start; i < wire.length; i++) {
    if (!Number.isSafeInteger(wire[i]))
      throw place.invalid(`${show(wire[i])} in ${node.op}`, "V11");
  }
}

// ── Reading ─────────────────────────────────────────────────────────────────────────────────

class Cursor {
  node = 0;
  #at = 0;
  readonly #items: readonly Wire[];
  readonly #context: ReadContext;

  constructor(items: readonly Wire[], context: ReadContext) {
    this.#items = items;
    this.#context = context;
  }

  get done(): boolean {
    return this.#at >= this.#items.length;
  }

  next(): number {
    if (this.#at >= this.#items.length) throw this.invalid("the program is cut off");
    const item = this.#items[this.#at++];
    if (typeof item !== "number" || !Number.isInteger(item)) {
      throw this.invalid(`${show(item)} is not an integer`, "V11");
    }
    return item;
  }

  /** A number that counts or refers to something. */
  natural(): number {
    const item = this.next();
    if (item < 0) throw this.invalid(`${item} is negative`, "V11");
    return item;
  }

  word32(): number {
    const item = this.natural();
    if (item > 0xffffffff) throw this.invalid(`${item} has more than 32 bits`, "V11");
    return item;
  }

  index(): IndexExpr {
    const position = this.next();
    const expr = this.#context.indexes.resolve(position);
    if (expr === undefined) throw this.invalid(`no index expression ${position}`);
    return expr;
  }

  invalid(what: string, rule?: string): PlanInvalid {
    this.#context.place.enter(this.node);
    return this.#context.place.invalid(what, rule);
  }
}

function readNode(cursor: Cursor): ScalarNode {
  const opCode = cursor.next();
  const dtypeCode = cursor.next();
  const op = opVocabulary.wordOf(opCode);
  const dtype = dtypeVocabulary.wordOf(dtypeCode);
  if (op === undefined) throw cursor.invalid(`no op has number ${opCode}`);
  if (dtype === undefined) throw cursor.invalid(`no dtype has number ${dtypeCode}`);
  switch (op) {
    case "const":
      return { op, dtype, bits: { lo: cursor.word32(), hi: cursor.word32() } };
    case "index":
      return { op, dtype, index: cursor.index() };
    case "load":
      return readLoad(cursor, dtype);
    case "reduced":
      return { op, dtype, stage: cursor.natural(), reduction: cursor.natural() };
    case "argument":
      return { op, dtype, index: cursor.natural() };
    case "select":
    case "rare":
      return { op, dtype, args: [cursor.natural(), cursor.natural(), cursor.natural()] };
    case "convert":
    case "bitcast":
      return { op, dtype, args: [cursor.natural()] };
    default:
      return readArithmetic(cursor, op, dtype);
  }
}

function readArithmetic(
  cursor: Cursor,
  op: UnaryOp | BinaryOp | CompareOp,
  dtype: DType,
): ScalarNode {
  if (unary.has(op)) return { op: op as UnaryOp, dtype, args: [cursor.natural()] };
  const args = [cursor.natural(), cursor.natural()] as const;
  if (binary.has(op)) return { op: op as BinaryOp, dtype, args };
  if (dtype !== "bool") throw cursor.invalid(`${op} gives bool, not ${dtype}`);
  return { op: op as CompareOp, dtype, args };
}

function readLoad(cursor: Cursor, dtype: DType): ScalarNode {
  const buffer = cursor.natural();
  const index = cursor.index();
  const fill = { lo: cursor.word32(), hi: cursor.word32() };
  const count = cursor.natural();
  if (count > 64) throw cursor.invalid(`${count} guards, at most 64`, "V11");
  const guard: IndexRange[] = [];
  for (let i = 0; i < count; i++) {
    guard.push({ index: cursor.index(), lo: cursor.next(), hi: cursor.next() });
  }
  return { op: "load", dtype, buffer, index, guard, fill };
}
