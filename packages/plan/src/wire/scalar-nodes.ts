/**
 * Scalar programs in a file: a string of bytes a program, each node `op, dtype, …`.
 *
 *   const     lo, hi                   index   expression
 *   load      buffer, expression, fill lo, fill hi, number of guards, (expression, lo, hi)…
 *   reduced   stage, reduction         argument   index
 *   others    their one, two or three operands, as distances back from the node
 */
import type { DType } from "../dtype.ts";
import type { IndexExpr } from "../index-expr/expr.ts";
import {
  type BinaryOp,
  binaryOps,
  type CompareOp,
  type IndexRange,
  type ScalarNode,
  type ScalarOp,
  type UnaryOp,
  unaryOps,
} from "../scalar/node.ts";
import { type ByteFault, ByteReader, ByteWriter, signedLimit } from "./bytes.ts";
import { type Codec, inside, Misfit, type ReadContext, show, type WriteContext } from "./codec.ts";
import { dtypeVocabulary, opVocabulary } from "./vocabulary.ts";

const unary: ReadonlySet<string> = new Set(unaryOps);
const binary: ReadonlySet<string> = new Set(binaryOps);
const maxGuards = 64;

export const nodesCodec: Codec<readonly ScalarNode[]> = {
  write(nodes, context) {
    if (!Array.isArray(nodes)) throw new Misfit(`${show(nodes)} is not a list`);
    const writer = new NodeWriter(context);
    nodes.forEach((node: ScalarNode, i) => {
      inside(i, () => writer.write(node, i));
    });
    return writer.bytes.finish();
  },
  read(wire, context) {
    if (wire instanceof Uint8Array) return new NodeReader(wire, context).readAll();
    throw new Misfit(`${show(wire)} is not a program`);
  },
};

// ── Writing ─────────────────────────────────────────────────────────────────────────────────

function arity(op: Exclude<ScalarOp, "const" | "index" | "load" | "reduced" | "argument">): number {
  if (op === "select" || op === "rare") return 3;
  return unary.has(op) || op === "convert" || op === "bitcast" ? 1 : 2;
}

class NodeWriter {
  readonly bytes = new ByteWriter();
  readonly #context: WriteContext;

  constructor(context: WriteContext) {
    this.#context = context;
  }

  write(node: ScalarNode, position: number): void {
    if (typeof node !== "object" || node === null) throw new Misfit(`${show(node)} is no node`);
    const { op, dtype } = node;
    if (!Object.hasOwn(opVocabulary.codeOf, op)) throw new Misfit(`unknown op ${show(op)}`);
    if (!Object.hasOwn(dtypeVocabulary.codeOf, dtype)) {
      throw new Misfit(`unknown dtype ${show(dtype)}`);
    }
    this.#naturals(opVocabulary.codeOf[op], dtypeVocabulary.codeOf[dtype]);
    switch (node.op) {
      case "const":
        this.#naturals(node.bits.lo, node.bits.hi);
        return;
      case "index":
        this.#index(node.index);
        return;
      case "load":
        this.#naturals(node.buffer);
        this.#index(node.index);
        this.#naturals(node.fill.lo, node.fill.hi, node.guard.length);
        for (const { index, lo, hi } of node.guard) {
          this.#index(index);
          this.#signed(lo);
          this.#signed(hi);
        }
        return;
      case "reduced":
        this.#naturals(node.stage, node.reduction);
        return;
      case "argument":
        this.#naturals(node.index);
        return;
      default:
        if (node.args.length !== arity(node.op)) {
          throw new Misfit(`${node.op} with ${node.args.length} operands`);
        }
        for (const arg of node.args) {
          if (!(arg < position)) throw new Misfit(`operand ${arg} is not earlier`, "V15");
          this.#naturals(position - arg);
        }
    }
  }

  #index(e: IndexExpr): void {
    this.bytes.natural(this.#context.indexes.refer(e));
  }
  #naturals(...values: readonly number[]): void {
    for (const n of values) {
      if (!Number.isSafeInteger(n) || n < 0) throw new Misfit(`${show(n)} in a node`, "V11");
      this.bytes.natural(n);
    }
  }
  #signed(n: number): void {
    if (!Number.isSafeInteger(n) || Math.abs(n) > signedLimit) {
      throw new Misfit(`${show(n)} in a guard`, "V11");
    }
    this.bytes.signed(n);
  }
}

// ── Reading ─────────────────────────────────────────────────────────────────────────────────

class NodeReader {
  readonly #nodes: ScalarNode[] = [];
  readonly #bytes: ByteReader;
  readonly #context: ReadContext;

  constructor(bytes: Uint8Array, context: ReadContext) {
    this.#context = context;
    this.#bytes = new ByteReader(bytes, (fault: ByteFault) =>
      this.#invalid(`the program is ${fault}`),
    );
  }

  readAll(): readonly ScalarNode[] {
    const { length } = this.#bytes.bytes;
    while (this.#bytes.at < length) this.#nodes.push(this.#node());
    return this.#nodes;
  }

  #node(): ScalarNode {
    const bytes = this.#bytes;
    const opCode = bytes.natural();
    const dtypeCode = bytes.natural();
    const op = opVocabulary.wordOf(opCode);
    const dtype = dtypeVocabulary.wordOf(dtypeCode);
    if (op === undefined) throw this.#invalid(`no op has number ${opCode}`);
    if (dtype === undefined) throw this.#invalid(`no dtype has number ${dtypeCode}`);
    switch (op) {
      case "const":
        return { op, dtype, bits: { lo: this.#word32(), hi: this.#word32() } };
      case "index":
        return { op, dtype, index: this.#index() };
      case "load":
        return this.#load(dtype);
      case "reduced":
        return { op, dtype, stage: bytes.natural(), reduction: bytes.natural() };
      case "argument":
        return { op, dtype, index: bytes.natural() };
      case "select":
      case "rare":
        return { op, dtype, args: [this.#operand(), this.#operand(), this.#operand()] };
      case "convert":
      case "bitcast":
        return { op, dtype, args: [this.#operand()] };
      default:
        return this.#arithmetic(op, dtype);
    }
  }

  #arithmetic(op: UnaryOp | BinaryOp | CompareOp, dtype: DType): ScalarNode {
    if (unary.has(op)) return { op: op as UnaryOp, dtype, args: [this.#operand()] };
    const args = [this.#operand(), this.#operand()] as const;
    if (binary.has(op)) return { op: op as BinaryOp, dtype, args };
    if (dtype !== "bool") throw this.#invalid(`${op} gives bool, not ${dtype}`);
    return { op: op as CompareOp, dtype, args };
  }

  #load(dtype: DType): ScalarNode {
    const buffer = this.#bytes.natural();
    const index = this.#index();
    const fill = { lo: this.#word32(), hi: this.#word32() };
    const count = this.#bytes.natural();
    if (count > maxGuards) throw this.#invalid(`${count} guards, at most ${maxGuards}`, "V11");
    const guard: IndexRange[] = [];
    for (let i = 0; i < count; i++) {
      guard.push({ index: this.#index(), lo: this.#bytes.signed(), hi: this.#bytes.signed() });
    }
    return { op: "load", dtype, buffer, index, guard, fill };
  }

  #operand(): number {
    const distance = this.#bytes.natural();
    const operand = this.#nodes.length - distance;
    if (distance < 1 || operand < 0) throw this.#invalid("an operand is not earlier", "V15");
    return operand;
  }

  #word32(): number {
    const word = this.#bytes.natural();
    if (word > 0xffffffff) throw this.#invalid(`${word} has more than 32 bits`, "V11");
    return word;
  }

  #index(): IndexExpr {
    const position = this.#bytes.natural();
    const expr = this.#context.indexes.resolve(position);
    if (expr === undefined) throw this.#invalid(`no index expression ${position}`);
    return expr;
  }

  #invalid(what: string, rule?: string): unknown {
    return Misfit.within(this.#nodes.length, new Misfit(what, rule));
  }
}
