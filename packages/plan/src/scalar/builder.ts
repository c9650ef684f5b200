/**
 * Builds scalar programs: hash-consing (the same node is never made twice) and nothing else.
 * Folding of constants belongs to `canonicalise`; a builder that rewrites hides what was asked for.
 */
import { type Bits, type ScalarValue, toBits } from "../bits.ts";
import type { DType } from "../dtype.ts";
import type { IndexExpr } from "../index-expr/expr.ts";
import {
  argsOf,
  type BinaryOp,
  type CompareOp,
  type IndexRange,
  type ScalarNode,
  type UnaryOp,
} from "./node.ts";

/** Index of a node in the program under construction. */
export type Scalar = number;

/** A number for each word, so that keys are numbers. */
class Numbering {
  readonly #known = new Map<string, number>();

  of(word: string): number {
    let number = this.#known.get(word);
    if (number === undefined) {
      number = this.#known.size;
      this.#known.set(word, number);
    }
    return number;
  }
}

type TypedOp = "const" | "index" | "load" | "reduced" | "argument" | "convert" | "bitcast";

const opNumbers = new Numbering();
const typedNumbers = new Map<string, Map<DType, number>>();

/** The number of an op whose dtype is no consequence of its operands'. */
function typed(op: TypedOp, dtype: DType): number {
  let numbers = typedNumbers.get(op);
  if (numbers === undefined) {
    numbers = new Map();
    typedNumbers.set(op, numbers);
  }
  let number = numbers.get(dtype);
  if (number === undefined) {
    number = opNumbers.of(`${op} ${dtype}`);
    numbers.set(dtype, number);
  }
  return number;
}

/** A key is an op and three numbers; together they say everything about a node. */
const keyLength = 4;
const smallestTable = 64;

function hash(op: number, x: number, y: number, z: number): number {
  let h = Math.imul(op + 1, 0x9e3779b1) ^ Math.imul(x + 1, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d) ^ Math.imul(y + 1, 0xc2b2ae35);
  h = Math.imul(h ^ (h >>> 13), 0x297a2d39) ^ Math.imul(z + 1, 0x27d4eb2f);
  return h ^ (h >>> 16);
}

/** The operation `node` of other operands, of which it takes the first. */
function withArgs(node: ScalarNode, x: number, y: number, z: number): ScalarNode {
  const { op, dtype } = node;
  const count = argsOf(node).length;
  const args = count === 1 ? [x] : count === 2 ? [x, y] : [x, y, z];
  return { op, dtype, args } as unknown as ScalarNode;
}

const guardText = (guard: readonly IndexRange[]): string =>
  guard.map(({ index, lo, hi }) => `${lo}<=${index.key}<${hi}`).join("&");

/** A program of arguments, constants and operations on them, to be copied into others: what a function expands to. */
export interface Formula {
  /** The arguments, and then everything else. */
  readonly nodes: readonly ScalarNode[];
  readonly keys: readonly number[];
  readonly result: Scalar;
}

export class ScalarBuilder {
  readonly nodes: ScalarNode[] = [];
  /** Open addressing: a node's number + 1 at the first free slot from its hash on; 0 is free. */
  #slots = new Int32Array(smallestTable);
  readonly #keys: number[] = [];
  /** Index expressions and guards, by their text. */
  readonly #texts = new Numbering();

  /** The program `nodes`, all of which differ, to go on with. */
  static from(nodes: readonly ScalarNode[]): ScalarBuilder {
    const builder = new ScalarBuilder();
    for (const node of nodes) builder.#adopt(node);
    return builder;
  }

  #adopt(node: ScalarNode): void {
    switch (node.op) {
      case "const":
        this.#append(typed("const", node.dtype), node.bits.lo | 0, node.bits.hi | 0, 0, node);
        return;
      case "index":
        this.#append(typed("index", node.dtype), this.#texts.of(node.index.key), 0, 0, node);
        return;
      case "load": {
        const { dtype, buffer, index, guard, fill } = node;
        const rest = this.#restOf(guard, fill);
        this.#append(typed("load", dtype), buffer, this.#texts.of(index.key), rest, node);
        return;
      }
      case "reduced":
        this.#append(typed("reduced", node.dtype), node.stage, node.reduction, 0, node);
        return;
      case "argument":
        this.#append(typed("argument", node.dtype), node.index, 0, 0, node);
        return;
      case "convert":
      case "bitcast":
        this.#append(typed(node.op, node.dtype), node.args[0], 0, 0, node);
        return;
      default: {
        const [x, y = 0, z = 0] = node.args as readonly number[];
        this.#append(opNumbers.of(node.op), x as number, y, z, node);
      }
    }
  }

  /** What `build` makes of arguments of these dtypes. It must not read memory, nor ask for positions. */
  static formula(
    dtypes: readonly DType[],
    build: (b: ScalarBuilder, args: readonly Scalar[]) => Scalar,
  ): Formula {
    const b = new ScalarBuilder();
    const result = build(
      b,
      dtypes.map((dtype, i) => b.argument(dtype, i)),
    );
    return { nodes: b.nodes, keys: b.#keys, result };
  }

  /** The formula of `operands`: the nodes that its function would have made here, in the same order. */
  apply({ nodes, keys, result }: Formula, operands: readonly Scalar[]): Scalar {
    const moved = operands.slice();
    for (let i = operands.length; i < nodes.length; i += 1) {
      const node = nodes[i] as ScalarNode;
      const at = i * keyLength;
      const op = keys[at] as number;
      const args = argsOf(node);
      if (args.length === 0) {
        const [x, y] = [keys[at + 1] as number, keys[at + 2] as number];
        const known = this.#find(op, x, y, 0);
        moved.push(known >= 0 ? known : this.#append(op, x, y, 0, node));
      } else {
        const x = moved[args[0] as number] as number;
        const y = args.length > 1 ? (moved[args[1] as number] as number) : 0;
        const z = args.length > 2 ? (moved[args[2] as number] as number) : 0;
        const known = this.#find(op, x, y, z);
        moved.push(known >= 0 ? known : this.#append(op, x, y, z, withArgs(node, x, y, z)));
      }
    }
    return moved[result] as number;
  }

  /** What a load says beyond a buffer and an index, as a number; −1 where that is nothing. */
  #restOf(guard: readonly IndexRange[], fill: Bits): number {
    return guard.length === 0 && fill.lo === 0 && fill.hi === 0
      ? -1
      : this.#texts.of(`${guardText(guard)}?${fill.lo}:${fill.hi}`);
  }

  /** The node with this key, or −1. */
  #find(op: number, x: number, y: number, z: number): Scalar {
    const mask = this.#slots.length - 1;
    const keys = this.#keys;
    for (let slot = hash(op, x, y, z) & mask; ; slot = (slot + 1) & mask) {
      const index = (this.#slots[slot] as number) - 1;
      if (index < 0) return -1;
      const at = index * keyLength;
      if (keys[at] === op && keys[at + 1] === x && keys[at + 2] === y && keys[at + 3] === z) {
        return index;
      }
    }
  }

  #append(op: number, x: number, y: number, z: number, node: ScalarNode): Scalar {
    const index = this.nodes.push(node) - 1;
    this.#keys.push(op, x, y, z);
    if (this.nodes.length * 2 > this.#slots.length) this.#grow();
    else this.#place(index);
    return index;
  }

  #place(index: number): void {
    const keys = this.#keys;
    const at = index * keyLength;
    const mask = this.#slots.length - 1;
    let slot =
      hash(
        keys[at] as number,
        keys[at + 1] as number,
        keys[at + 2] as number,
        keys[at + 3] as number,
      ) & mask;
    while (this.#slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#slots[slot] = index + 1;
  }

  #grow(): void {
    this.#slots = new Int32Array(this.#slots.length * 4);
    for (let index = 0; index < this.nodes.length; index += 1) this.#place(index);
  }

  dtypeOf(x: Scalar): DType {
    return (this.nodes[x] as ScalarNode).dtype;
  }

  /** An immediate of `dtype`; the value is rounded or wrapped to it. */
  const(dtype: DType, value: ScalarValue): Scalar {
    return this.constBits(dtype, toBits(dtype, value));
  }
  constBits(dtype: DType, bits: Bits): Scalar {
    const op = typed("const", dtype);
    const [lo, hi] = [bits.lo | 0, bits.hi | 0];
    const known = this.#find(op, lo, hi, 0);
    return known >= 0 ? known : this.#append(op, lo, hi, 0, { op: "const", dtype, bits });
  }
  index(dtype: DType, index: IndexExpr): Scalar {
    const op = typed("index", dtype);
    const text = this.#texts.of(index.key);
    const known = this.#find(op, text, 0, 0);
    return known >= 0 ? known : this.#append(op, text, 0, 0, { op: "index", dtype, index });
  }
  load(
    dtype: DType,
    buffer: number,
    index: IndexExpr,
    guard: readonly IndexRange[],
    fill: Bits,
  ): Scalar {
    const op = typed("load", dtype);
    const text = this.#texts.of(index.key);
    const rest = this.#restOf(guard, fill);
    const known = this.#find(op, buffer, text, rest);
    if (known >= 0) return known;
    return this.#append(op, buffer, text, rest, { op: "load", dtype, buffer, index, guard, fill });
  }
  reduced(dtype: DType, stage: number, reduction: number): Scalar {
    const op = typed("reduced", dtype);
    const known = this.#find(op, stage, reduction, 0);
    if (known >= 0) return known;
    return this.#append(op, stage, reduction, 0, { op: "reduced", dtype, stage, reduction });
  }
  argument(dtype: DType, index: number): Scalar {
    const op = typed("argument", dtype);
    const known = this.#find(op, index, 0, 0);
    return known >= 0 ? known : this.#append(op, index, 0, 0, { op: "argument", dtype, index });
  }
  unary(op: UnaryOp, x: Scalar): Scalar {
    const code = opNumbers.of(op);
    const known = this.#find(code, x, 0, 0);
    if (known >= 0) return known;
    return this.#append(code, x, 0, 0, { op, dtype: this.dtypeOf(x), args: [x] });
  }
  binary(op: BinaryOp, x: Scalar, y: Scalar): Scalar {
    const code = opNumbers.of(op);
    const known = this.#find(code, x, y, 0);
    if (known >= 0) return known;
    return this.#append(code, x, y, 0, { op, dtype: this.dtypeOf(x), args: [x, y] });
  }
  compare(op: CompareOp, x: Scalar, y: Scalar): Scalar {
    const code = opNumbers.of(op);
    const known = this.#find(code, x, y, 0);
    return known >= 0 ? known : this.#append(code, x, y, 0, { op, dtype: "bool", args: [x, y] });
  }
  select(condition: Scalar, onTrue: Scalar, onFalse: Scalar): Scalar {
    return this.#choose("select", condition, onTrue, onFalse);
  }
  rare(condition: Scalar, slow: Scalar, fast: Scalar): Scalar {
    return this.#choose("rare", condition, slow, fast);
  }
  #choose(op: "select" | "rare", condition: Scalar, x: Scalar, y: Scalar): Scalar {
    const code = opNumbers.of(op);
    const known = this.#find(code, condition, x, y);
    if (known >= 0) return known;
    const dtype = this.dtypeOf(x);
    return this.#append(code, condition, x, y, { op, dtype, args: [condition, x, y] });
  }
  convert(x: Scalar, dtype: DType): Scalar {
    if (this.dtypeOf(x) === dtype) return x;
    const code = typed("convert", dtype);
    const known = this.#find(code, x, 0, 0);
    return known >= 0 ? known : this.#append(code, x, 0, 0, { op: "convert", dtype, args: [x] });
  }
  bitcast(x: Scalar, dtype: DType): Scalar {
    if (this.dtypeOf(x) === dtype) return x;
    const code = typed("bitcast", dtype);
    const known = this.#find(code, x, 0, 0);
    return known >= 0 ? known : this.#append(code, x, 0, 0, { op: "bitcast", dtype, args: [x] });
  }

  // Shorthands that read like the formula they come from.
  add(x: Scalar, y: Scalar): Scalar {
    return this.binary("add", x, y);
  }
  sub(x: Scalar, y: Scalar): Scalar {
    return this.binary("sub", x, y);
  }
  mul(x: Scalar, y: Scalar): Scalar {
    return this.binary("mul", x, y);
  }
  div(x: Scalar, y: Scalar): Scalar {
    return this.binary("div", x, y);
  }
  neg(x: Scalar): Scalar {
    return this.unary("neg", x);
  }
  abs(x: Scalar): Scalar {
    return this.unary("abs", x);
  }
}
