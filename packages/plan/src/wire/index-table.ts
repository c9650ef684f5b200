/**
 * Index expressions in a file: a table in which every expression stands once, after its operands, as a few
 * integers; the rest of the plan refers to it by position. Bounds and keys are never written: a reader
 * computes them again, so a file cannot claim them.
 *
 * The table has one spelling (rule V9): entries in order of first use, none equal, none unused, each in
 * the form the constructors leave behind. Its size counts expressions as the trees they stand for, because keys
 * and code grow with the tree.
 */
import {
  axis,
  binaryNode,
  constant,
  divisionNode,
  type IndexBinary,
  type IndexExpr,
  type IndexTerm,
  loop,
  sumNode,
  value,
} from "../index-expr/expr.ts";
import type { Wire } from "../msgpack/decode.ts";
import { PlanInvalid, PlanNotCanonical, PlanTooLarge } from "../plan-errors.ts";
import { ByteReader, ByteWriter, signedLimit } from "./bytes.ts";

const tags = {
  const: 0,
  axis: 1,
  loop: 2,
  value: 3,
  sum: 4,
  floordiv: 5,
  mod: 6,
  min: 7,
  max: 8,
  xor: 9,
  and: 10,
} as const satisfies { readonly [K in IndexExpr["k"]]: number };

export const indexLimits = { treeNodes: 4096, totalTreeNodes: 1_000_000 } as const;

export class IndexTableWriter {
  readonly #bytes = new ByteWriter();
  readonly #known = new Map<string, number>();

  /** The position of `e` in the table; operands first. */
  refer(e: IndexExpr): number {
    const known = this.#known.get(e.key);
    if (known !== undefined) return known;
    this.#write(
      e,
      operandsOf(e).map((operand) => this.refer(operand)),
    );
    const position = this.#known.size;
    this.#known.set(e.key, position);
    return position;
  }

  finish(): Uint8Array {
    return this.#bytes.finish();
  }

  #write(e: IndexExpr, operands: readonly number[]): void {
    this.#bytes.natural(tags[e.k]);
    switch (e.k) {
      case "const":
        this.#signed(e.value);
        return;
      case "axis":
        this.#naturals(e.axis, e.hi + 1);
        return;
      case "loop":
        this.#naturals(e.loop, e.hi + 1);
        return;
      case "value":
        this.#naturals(e.node);
        this.#signed(e.lo);
        this.#signed(e.hi);
        return;
      case "sum":
        this.#signed(e.constant);
        this.#naturals(e.terms.length);
        e.terms.forEach(({ factor }, i) => {
          this.#signed(factor);
          this.#naturals(operands[i]!);
        });
        return;
      case "floordiv":
      case "mod":
        this.#naturals(operands[0]!, e.by);
        return;
      case "min":
      case "max":
      case "xor":
      case "and":
        this.#naturals(...operands);
        return;
      default:
        e satisfies never;
    }
  }

  #naturals(...values: readonly number[]): void {
    for (const n of values) {
      if (!Number.isSafeInteger(n) || n < 0) throw beyondRange(n);
      this.#bytes.natural(n);
    }
  }
  #signed(n: number): void {
    if (!Number.isSafeInteger(n) || Math.abs(n) > signedLimit) throw beyondRange(n);
    this.#bytes.signed(n);
  }
}

const beyondRange = (n: number): PlanInvalid =>
  new PlanInvalid("V11", "index", `${n} in an index expression`);

function operandsOf(e: IndexExpr): readonly IndexExpr[] {
  switch (e.k) {
    case "sum":
      return e.terms.map(({ of }) => of);
    case "floordiv":
    case "mod":
      return [e.of];
    case "min":
    case "max":
    case "xor":
    case "and":
      return [e.a, e.b];
    default:
      return [];
  }
}

interface Entry {
  readonly expr: IndexExpr;
  readonly operands: readonly number[];
  readonly treeNodes: number;
}

export class IndexTableReader {
  readonly #entries: Entry[] = [];
  /** Entries before this one have been used, in order. */
  #used = 0;
  #at = 0;

  constructor(wire: Wire) {
    if (!(wire instanceof Uint8Array)) throw this.#invalid("the table is not a string of bytes");
    const bytes = new ByteReader(wire, (fault) => this.#invalid(`the table is ${fault}`));
    const keys = new Set<string>();
    let total = 0;
    while (bytes.at < wire.length) {
      const entry = this.#read(bytes);
      const { key, lo, hi } = entry.expr;
      if (!Number.isSafeInteger(lo) || !Number.isSafeInteger(hi)) {
        throw this.#invalid("the expression may exceed 2^53", "V11");
      }
      total += entry.treeNodes;
      if (entry.treeNodes > indexLimits.treeNodes || total > indexLimits.totalTreeNodes) {
        throw new PlanTooLarge(this.#place(), `index expressions of ${total} nodes`);
      }
      if (keys.has(key)) throw this.#notCanonical("the expression stands in the table twice");
      keys.add(key);
      this.#entries.push(entry);
      this.#at++;
    }
  }

  /** The expression at `position`, which a record refers to. */
  resolve(position: number): IndexExpr | undefined {
    const entry = this.#entries[position];
    if (entry !== undefined && position >= this.#used) this.#use(position);
    return entry?.expr;
  }

  /** To be called when every record is read. */
  finish(): void {
    this.#at = this.#used;
    if (this.#used < this.#entries.length) throw this.#notCanonical("the expression is not used");
  }

  /** First uses must come in table order, as the writer's did. */
  #use(position: number): void {
    if (position < this.#used) return;
    for (const operand of this.#entries[position]!.operands) this.#use(operand);
    if (position !== this.#used) {
      this.#at = position;
      throw this.#notCanonical("the table is not in order of first use");
    }
    this.#used++;
  }

  #read(bytes: ByteReader): Entry {
    const tag = bytes.natural();
    switch (tag) {
      case tags.const:
        return this.#leaf(constant(bytes.signed()), "const");
      case tags.axis:
        return this.#leaf(axis(bytes.natural(), bytes.natural()), "axis");
      case tags.loop:
        return this.#leaf(loop(bytes.natural(), bytes.natural()), "loop");
      case tags.value:
        return this.#value(bytes.natural(), bytes.signed(), bytes.signed());
      case tags.sum:
        return this.#sum(bytes);
      case tags.floordiv:
        return this.#division("floordiv", bytes.natural(), bytes.natural());
      case tags.mod:
        return this.#division("mod", bytes.natural(), bytes.natural());
      case tags.min:
        return this.#binary("min", bytes.natural(), bytes.natural());
      case tags.max:
        return this.#binary("max", bytes.natural(), bytes.natural());
      case tags.xor:
        return this.#binary("xor", bytes.natural(), bytes.natural());
      case tags.and:
        return this.#binary("and", bytes.natural(), bytes.natural());
      default:
        throw this.#invalid(`unknown form ${tag}`);
    }
  }

  #leaf(expr: IndexExpr, wanted: IndexExpr["k"]): Entry {
    if (expr.k !== wanted) throw this.#notCanonical(`a ${wanted} of one value is a constant`);
    return { expr, operands: [], treeNodes: 1 };
  }

  #value(node: number, lo: number, hi: number): Entry {
    if (lo > hi) throw this.#invalid("a scalar value with an empty range");
    return this.#leaf(value(node, lo, hi), "value");
  }

  #sum(bytes: ByteReader): Entry {
    const sumConstant = bytes.signed();
    const count = bytes.natural();
    if (count === 0) throw this.#notCanonical("a sum without terms");
    const terms: IndexTerm[] = [];
    const operands: number[] = [];
    let treeNodes = 1;
    for (let i = 0; i < count; i++) {
      const factor = bytes.signed();
      const position = bytes.natural();
      const operand = this.#operand(position);
      const of = operand.expr;
      if (of.k === "sum" || of.k === "const" || factor === 0) {
        throw this.#notCanonical("a sum is flat and its terms are not zero");
      }
      if (i > 0 && !(terms[i - 1]!.of.key < of.key)) {
        throw this.#notCanonical("the terms of a sum are out of order");
      }
      terms.push({ factor, of });
      operands.push(position);
      treeNodes += operand.treeNodes;
    }
    if (count === 1 && terms[0]!.factor === 1 && sumConstant === 0) {
      throw this.#notCanonical("a sum of one term is that term");
    }
    return { expr: sumNode(terms, sumConstant), operands, treeNodes };
  }

  #division(k: "floordiv" | "mod", position: number, by: number): Entry {
    const { expr, treeNodes } = this.#operand(position);
    if (by < 1) throw this.#invalid(`${k} by ${by}`);
    if (by === 1 || expr.k === "const") throw this.#notCanonical(`${k} that folds`);
    return { expr: divisionNode(k, expr, by), operands: [position], treeNodes: treeNodes + 1 };
  }

  #binary(k: IndexBinary["k"], p: number, q: number): Entry {
    const a = this.#operand(p);
    const b = this.#operand(q);
    if (a.expr.k === "const") throw this.#notCanonical(`${k} with a constant on the left`);
    if ((k === "xor" || k === "and") && (a.expr.lo < 0 || b.expr.lo < 0)) {
      throw this.#invalid(`${k} of an operand that may be negative`, "V17");
    }
    return {
      expr: binaryNode(k, a.expr, b.expr),
      operands: [p, q],
      treeNodes: a.treeNodes + b.treeNodes + 1,
    };
  }

  #operand(position: number): Entry {
    const entry = this.#entries[position];
    if (entry === undefined) throw this.#invalid(`operand ${position} is not an earlier entry`);
    return entry;
  }

  #place(): string {
    return `index[${this.#at}]`;
  }
  #invalid(what: string, rule = "V10"): PlanInvalid {
    return new PlanInvalid(rule, this.#place(), what);
  }
  #notCanonical(what: string): PlanNotCanonical {
    return new PlanNotCanonical(this.#place(), what);
  }
}
