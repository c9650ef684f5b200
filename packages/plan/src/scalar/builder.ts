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

const opNumbers = new Numbering();

/** Numbers of an op whose dtype is no consequence of its operands'. */
class TypedNumbering {
  readonly #op: string;
  readonly #known = new Map<DType, number>();

  constructor(op: string) {
    this.#op = op;
  }

  of(dtype: DType): number {
    let number = this.#known.get(dtype);
    if (number === undefined) {
      number = opNumbers.of(`${this.#op} ${dtype}`);
      this.#known.set(dtype, number);
    }
    return number;
  }
}

const constNumbers = new TypedNumbering("const");
const indexNumbers = new TypedNumbering("index");
const loadNumbers = new TypedNumbering("load");
const reducedNumbers = new TypedNumbering("reduced");
const argumentNumbers = new TypedNumbering("argument");
const convertNumbers = new TypedNumbering("convert");
const bitcastNumbers = new TypedNumbering("bitcast");

/** A key is an op and three numbers; together they say everything about a node. */
const keyLength = 4;
const smallestTable = 64;

/** Keys that differ a little get slots that differ; it is asked of every node, mostly before V8 compiles it. */
function hash(op: number, x: number, y: number, z: number): number {
  const h = (((op * 37 + x) * 41 + y) * 43 + z) | 0;
  return h ^ (h >>> 11) ^ (h >>> 21);
}

/** The operation `node` of other operands, of which it takes the first. */
function withArgs(
  { op, dtype }: ScalarNode,
  count: number,
  x: number,
  y: number,
  z: number,
): ScalarNode {
  const args = count === 1 ? [x] : count === 2 ? [x, y] : [x, y, z];
  return { op, dtype, args } as unknown as ScalarNode;
}

const guardText = (guard: readonly IndexRange[]): string =>
  guard.map(({ index, lo, hi }) => `${lo}<=${index.key}<${hi}`).join("&");

/** A program of arguments, constants and operations on them, to be copied into others: what a function expands to. */
export interface Formula {
  /** The arguments, and then everything that the result needs. */
  readonly nodes: readonly ScalarNode[];
  readonly keys: readonly number[];
  /** Operands of each node. */
  readonly counts: Uint8Array;
  readonly result: Scalar;
}

export class ScalarBuilder {
  readonly nodes: ScalarNode[] = [];
  /** Open addressing: a node's number + 1 at the first free slot from its hash on; 0 is free. */
  #slots = new Int32Array(smallestTable);
  readonly #keys: number[] = [];
  readonly #hashes: number[] = [];
  /** What was looked for last: its hash, and the free slot at which the search ended. */
  #hash = 0;
  #free = 0;
  /** Index expressions and guards, by their text. */
  readonly #texts = new Numbering();

  /** The program `nodes`, all of which differ, to go on with. */
  static from(nodes: readonly ScalarNode[]): ScalarBuilder {
    const builder = new ScalarBuilder();
    for (let i = 0; i < nodes.length; i += 1) builder.#adopt(nodes[i] as ScalarNode);
    return builder;
  }

  #adopt(node: ScalarNode): void {
    switch (node.op) {
      case "const":
        this.#insert(constNumbers.of(node.dtype), node.bits.lo | 0, node.bits.hi | 0, 0, node);
        return;
      case "index":
        this.#insert(indexNumbers.of(node.dtype), this.#texts.of(node.index.key), 0, 0, node);
        return;
      case "load": {
        const { dtype, buffer, index, guard, fill } = node;
        const rest = this.#restOf(guard, fill);
        this.#insert(loadNumbers.of(dtype), buffer, this.#texts.of(index.key), rest, node);
        return;
      }
      case "reduced":
        this.#insert(reducedNumbers.of(node.dtype), node.stage, node.reduction, 0, node);
        return;
      case "argument":
        this.#insert(argumentNumbers.of(node.dtype), node.index, 0, 0, node);
        return;
      default: {
        const args: readonly number[] = node.args;
        const op = this.#numberOf(node);
        this.#insert(op, args[0] as number, args[1] ?? 0, args[2] ?? 0, node);
      }
    }
  }

  /** Appends a node that is not there. */
  #insert(op: number, x: number, y: number, z: number, node: ScalarNode): void {
    const h = hash(op, x, y, z);
    const slots = this.#slots;
    const mask = slots.length - 1;
    let slot = h & mask;
    while (slots[slot] !== 0) slot = (slot + 1) & mask;
    this.#hash = h;
    this.#free = slot;
    this.#append(op, x, y, z, node);
  }

  /** What `build` makes of arguments of these dtypes. It must not read memory, nor ask for positions. */
  static formula(
    dtypes: readonly DType[],
    build: (b: ScalarBuilder, args: readonly Scalar[]) => Scalar,
  ): Formula {
    const draft = new ScalarBuilder();
    const result = build(
      draft,
      dtypes.map((dtype, i) => draft.argument(dtype, i)),
    );
    const needed = new Uint8Array(draft.nodes.length).fill(1, 0, dtypes.length);
    needed[result] = 1;
    for (let i = needed.length - 1; i >= 0; i -= 1) {
      if (needed[i] === 1) for (const arg of argsOf(draft.nodes[i] as ScalarNode)) needed[arg] = 1;
    }
    const b = new ScalarBuilder();
    const moved: Scalar[] = [];
    for (const [i, node] of draft.nodes.entries()) {
      if (needed[i] === 0) moved.push(-1);
      else if (node.op === "argument") moved.push(b.argument(node.dtype, node.index));
      else if (node.op === "const") moved.push(b.constBits(node.dtype, node.bits));
      else moved.push(b.again(node, moved));
    }
    const counts = Uint8Array.from(b.nodes, (node) => argsOf(node).length);
    return { nodes: b.nodes, keys: b.#keys, counts, result: moved[result] as Scalar };
  }

  /** The formula of `operands`: the nodes that its function would have made here, in the same order. */
  apply({ nodes, keys, counts, result }: Formula, operands: readonly Scalar[]): Scalar {
    const moved = operands.slice();
    for (let i = operands.length; i < nodes.length; i += 1) {
      const node = nodes[i] as ScalarNode;
      const count = counts[i] as number;
      const at = i * keyLength;
      const op = keys[at] as number;
      let x = keys[at + 1] as number;
      let y = keys[at + 2] as number;
      let z = keys[at + 3] as number;
      if (count > 0) x = moved[x] as number;
      if (count > 1) y = moved[y] as number;
      if (count > 2) z = moved[z] as number;
      const known = this.#find(op, x, y, z);
      if (known >= 0) moved.push(known);
      else if (count === 0) moved.push(this.#append(op, x, y, z, node));
      else moved.push(this.#append(op, x, y, z, withArgs(node, count, x, y, z)));
    }
    return moved[result] as number;
  }

  /** The operation `node` of nodes of this program: those that its own operands have become. */
  again(node: ScalarNode, moved: readonly Scalar[]): Scalar {
    const args = argsOf(node);
    const op = this.#numberOf(node);
    const x = moved[args[0] as number] as number;
    const y = args.length > 1 ? (moved[args[1] as number] as number) : 0;
    const z = args.length > 2 ? (moved[args[2] as number] as number) : 0;
    const known = this.#find(op, x, y, z);
    return known >= 0 ? known : this.#append(op, x, y, z, withArgs(node, args.length, x, y, z));
  }

  /** The number of an operation. */
  #numberOf({ op, dtype }: ScalarNode): number {
    if (op === "convert") return convertNumbers.of(dtype);
    return op === "bitcast" ? bitcastNumbers.of(dtype) : opNumbers.of(op);
  }

  /** What a load says beyond a buffer and an index, as a number; −1 where that is nothing. */
  #restOf(guard: readonly IndexRange[], fill: Bits): number {
    return guard.length === 0 && fill.lo === 0 && fill.hi === 0
      ? -1
      : this.#texts.of(`${guardText(guard)}?${fill.lo}:${fill.hi}`);
  }

  /** The node with this key, or −1. */
  #find(op: number, x: number, y: number, z: number): Scalar {
    const h = hash(op, x, y, z);
    const slots = this.#slots;
    const keys = this.#keys;
    const mask = slots.length - 1;
    let slot = h & mask;
    for (let number = slots[slot] as number; number > 0; number = slots[slot] as number) {
      const at = (number - 1) * keyLength;
      if (keys[at] === op && keys[at + 1] === x && keys[at + 2] === y && keys[at + 3] === z) {
        return number - 1;
      }
      slot = (slot + 1) & mask;
    }
    this.#hash = h;
    this.#free = slot;
    return -1;
  }

  /** Appends what was looked for last and is not there. */
  #append(op: number, x: number, y: number, z: number, node: ScalarNode): Scalar {
    const number = this.nodes.push(node);
    this.#keys.push(op, x, y, z);
    this.#hashes.push(this.#hash);
    if (number * 2 > this.#slots.length) this.#grow();
    else this.#slots[this.#free] = number;
    return number - 1;
  }

  #grow(): void {
    const slots = new Int32Array(this.#slots.length * 4);
    const hashes = this.#hashes;
    const mask = slots.length - 1;
    for (let i = 0; i < hashes.length; i += 1) {
      let slot = (hashes[i] as number) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = i + 1;
    }
    this.#slots = slots;
  }

  dtypeOf(x: Scalar): DType {
    return (this.nodes[x] as ScalarNode).dtype;
  }

  /** An immediate of `dtype`; the value is rounded or wrapped to it. */
  const(dtype: DType, value: ScalarValue): Scalar {
    return this.constBits(dtype, toBits(dtype, value));
  }
  constBits(dtype: DType, bits: Bits): Scalar {
    const op = constNumbers.of(dtype);
    const lo = bits.lo | 0;
    const hi = bits.hi | 0;
    const known = this.#find(op, lo, hi, 0);
    return known >= 0 ? known : this.#append(op, lo, hi, 0, { op: "const", dtype, bits });
  }
  index(dtype: DType, index: IndexExpr): Scalar {
    const op = indexNumbers.of(dtype);
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
    const op = loadNumbers.of(dtype);
    const text = this.#texts.of(index.key);
    const rest = this.#restOf(guard, fill);
    const known = this.#find(op, buffer, text, rest);
    if (known >= 0) return known;
    return this.#append(op, buffer, text, rest, { op: "load", dtype, buffer, index, guard, fill });
  }
  reduced(dtype: DType, stage: number, reduction: number): Scalar {
    const op = reducedNumbers.of(dtype);
    const known = this.#find(op, stage, reduction, 0);
    if (known >= 0) return known;
    return this.#append(op, stage, reduction, 0, { op: "reduced", dtype, stage, reduction });
  }
  argument(dtype: DType, index: number): Scalar {
    const op = argumentNumbers.of(dtype);
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
    const code = convertNumbers.of(dtype);
    const known = this.#find(code, x, 0, 0);
    return known >= 0 ? known : this.#append(code, x, 0, 0, { op: "convert", dtype, args: [x] });
  }
  bitcast(x: Scalar, dtype: DType): Scalar {
    if (this.dtypeOf(x) === dtype) return x;
    const code = bitcastNumbers.of(dtype);
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
