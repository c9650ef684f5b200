/**
 * Index expressions in a file: a table in which every expression stands once, after its operands, as a short list
 * of integers; the rest of the plan refers to it by position. Bounds and keys are never written: a reader
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
  type IndexAtom,
  type IndexBinary,
  type IndexExpr,
  type IndexTerm,
  loop,
  sumNode,
  value,
} from "../index-expr/expr.ts";
import type { Wire } from "../msgpack/decode.ts";
import { PlanInvalid, PlanNotCanonical, PlanTooLarge } from "../plan-errors.ts";

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

const binaryOfTag: { readonly [tag: number]: IndexBinary["k"] } = {
  [tags.min]: "min",
  [tags.max]: "max",
  [tags.xor]: "xor",
  [tags.and]: "and",
};

export const indexLimits = { treeNodes: 4096, totalTreeNodes: 1_000_000 } as const;

export class IndexTableWriter {
  readonly entries: (readonly number[])[] = [];
  readonly #known = new Map<string, number>();

  /** The position of `e` in the table; operands first. */
  refer(e: IndexExpr): number {
    const known = this.#known.get(e.key);
    if (known !== undefined) return known;
    const entry = this.#entry(e);
    const position = this.entries.push(entry) - 1;
    this.#known.set(e.key, position);
    return position;
  }

  #entry(e: IndexExpr): readonly number[] {
    switch (e.k) {
      case "const":
        return [tags.const, e.value];
      case "axis":
        return [tags.axis, e.axis, e.hi + 1];
      case "loop":
        return [tags.loop, e.loop, e.hi + 1];
      case "value":
        return [tags.value, e.node, e.lo, e.hi];
      case "sum":
        return [
          tags.sum,
          e.constant,
          ...e.terms.flatMap(({ factor, of }) => [factor, this.refer(of)]),
        ];
      case "floordiv":
      case "mod":
        return [tags[e.k], this.refer(e.of), e.by];
      case "min":
      case "max":
      case "xor":
      case "and":
        return [tags[e.k], this.refer(e.a), this.refer(e.b)];
      default:
        return e satisfies never;
    }
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
    if (!Array.isArray(wire)) throw new PlanInvalid("V10", "index", "the table is not a list");
    const keys = new Set<string>();
    let total = 0;
    for (const item of wire as readonly Wire[]) {
      const entry = this.#read(item);
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
    if (entry !== undefined) this.#use(position);
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

  #read(wire: Wire): Entry {
    if (!Array.isArray(wire) || !wire.every(Number.isSafeInteger)) {
      throw this.#invalid("an entry is not a list of integers");
    }
    const [tag, ...fields] = wire as readonly number[];
    switch (tag) {
      case tags.const:
        return this.#leaf(constant(this.#fields(fields, 1)[0]!), "const");
      case tags.axis:
      case tags.loop: {
        const [number, extent] = this.#fields(fields, 2) as [number, number];
        if (number < 0) throw this.#invalid(`axis or loop number ${number}`);
        return tag === tags.axis
          ? this.#leaf(axis(number, extent), "axis")
          : this.#leaf(loop(number, extent), "loop");
      }
      case tags.value: {
        const [node, lo, hi] = this.#fields(fields, 3) as [number, number, number];
        if (node < 0 || lo > hi) throw this.#invalid("a scalar value with an empty range");
        return this.#leaf(value(node, lo, hi), "value");
      }
      case tags.sum:
        return this.#sum(fields);
      case tags.floordiv:
      case tags.mod:
        return this.#division(tag === tags.mod ? "mod" : "floordiv", this.#fields(fields, 2));
      case tags.min:
      case tags.max:
      case tags.xor:
      case tags.and:
        return this.#binary(binaryOfTag[tag]!, this.#fields(fields, 2));
      default:
        throw this.#invalid(`unknown form ${tag}`);
    }
  }

  #fields(fields: readonly number[], count: number): readonly number[] {
    if (fields.length !== count) {
      throw this.#invalid(`${fields.length} fields where ${count} belong`);
    }
    return fields;
  }

  #leaf(expr: IndexExpr, wanted: IndexExpr["k"]): Entry {
    if (expr.k !== wanted) throw this.#notCanonical(`a ${wanted} of one value is a constant`);
    return { expr, operands: [], treeNodes: 1 };
  }

  #sum([sumConstant, ...pairs]: readonly number[]): Entry {
    if (sumConstant === undefined || pairs.length === 0 || pairs.length % 2 !== 0) {
      throw this.#invalid("a sum is a constant and at least one factor and term");
    }
    const terms: IndexTerm[] = [];
    const operands: number[] = [];
    let treeNodes = 1;
    for (let i = 0; i < pairs.length; i += 2) {
      const factor = pairs[i]!;
      const operand = this.#operand(pairs[i + 1]!);
      const of = operand.expr;
      if (of.k === "sum" || of.k === "const" || factor === 0) {
        throw this.#notCanonical("a sum is flat and its terms are not zero");
      }
      if (i > 0 && !(terms.at(-1)!.of.key < of.key)) {
        throw this.#notCanonical("the terms of a sum are out of order");
      }
      terms.push({ factor, of: of satisfies IndexAtom });
      operands.push(pairs[i + 1]!);
      treeNodes += operand.treeNodes;
    }
    if (terms.length === 1 && terms[0]!.factor === 1 && sumConstant === 0) {
      throw this.#notCanonical("a sum of one term is that term");
    }
    return { expr: sumNode(terms, sumConstant), operands, treeNodes };
  }

  #division(k: "floordiv" | "mod", fields: readonly number[]): Entry {
    const [position, by] = fields as [number, number];
    const { expr, treeNodes } = this.#operand(position);
    if (by < 1) throw this.#invalid(`${k} by ${by}`);
    if (by === 1 || expr.k === "const") throw this.#notCanonical(`${k} that folds`);
    return { expr: divisionNode(k, expr, by), operands: [position], treeNodes: treeNodes + 1 };
  }

  #binary(k: IndexBinary["k"], fields: readonly number[]): Entry {
    const [p, q] = fields as [number, number];
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
