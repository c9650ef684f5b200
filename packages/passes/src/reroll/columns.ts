/**
 * How the operands of siblings lie in what came before: in packs, arrays with a lane for each sibling, in an order that
 * an index expression can say.
 */
import type { Node, Table, ValueId } from "@gridfuse/graph";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import type { Bits } from "@gridfuse/plan/scalar";
import { Lists, Words } from "../simplify/key.ts";
import type { Homes } from "./homes.ts";
import { expressionOf as findExpression, isIdentity, isPlain } from "./lanes.ts";

/** Where the operands of all siblings are, sibling after sibling. */
export type Column =
  | { readonly kind: "same"; readonly value: ValueId }
  | { readonly kind: "literals"; readonly bits: readonly Bits[]; readonly like: ValueId }
  | {
      readonly kind: "lanes";
      /** Joined along their lanes, where they are several. */
      readonly packs: readonly Group[];
      /** Lane of sibling `axis 0`; undefined where every sibling has its own. */
      readonly lane: IndexExpr | undefined;
      readonly lanes: readonly number[];
    }
  | {
      readonly kind: "either";
      /** Each sibling takes its lane of one pack or of the other, which may be the same pack with other lanes. */
      readonly packs: readonly [Group, Group];
      readonly isSecond: readonly boolean[];
      /** Lanes in each; undefined where every sibling has its own. */
      readonly lanes: readonly [IndexExpr | undefined, IndexExpr | undefined];
    };
export type Choice = Column & { readonly kind: "either" };

/** Siblings as one op: lane k of the pack is the result of member k. */
export type Proposal = { readonly members: readonly Node[] } & (
  | { readonly kind: "op"; readonly columns: readonly Column[] }
  /** Slices: member k starts at start(k). */
  | { readonly kind: "window"; readonly source: Column; readonly start: readonly IndexExpr[] }
);
export type Group = Proposal & { readonly id: number };

/** Fewer siblings are not worth a pack. */
export const fewest = 2;
/** More lanes than a pack can have. */
export const mostLanes: number = 2 ** 24;
/** A column out of more packs would cost more to put together than it saves. */
const mostPacks = 3;

/** Finds columns; `homes` says where values lie that have been packed so far. */
export class Columns {
  readonly #table: Table;
  readonly #homes: Homes;
  /** Lists of lanes and starts, by which expressions are found. */
  readonly #lists = new Lists();
  readonly #expressions: (IndexExpr | undefined)[] = [];
  readonly #words = new Words();

  constructor(table: Table, homes: Homes) {
    this.#table = table;
    this.#homes = homes;
  }

  /** The column of `values`; undefined where no expression says how they lie. */
  of(values: readonly ValueId[]): Column | undefined {
    const same = this.sameOf(values);
    if (same !== undefined) return same;
    const bits = this.literalBits(values);
    if (bits !== undefined) return { kind: "literals", bits, like: values[0] as ValueId };
    return this.#either(values) ?? this.lanes(values);
  }

  /** One value for all siblings. */
  sameOf(values: readonly ValueId[]): (Column & { kind: "same" }) | undefined {
    const [first] = values as readonly [ValueId];
    return values.every((value) => value === first) ? { kind: "same", value: first } : undefined;
  }

  /** Lanes of two packs that take turns, each lane of one of the two: a choice, where joined packs would be a copy. */
  #either(values: readonly ValueId[]): Choice | undefined {
    const first = this.#homes.groupOf(values[0] as ValueId);
    if (first === undefined) return undefined;
    let second: Group | undefined;
    const isSecond: boolean[] = [];
    const lanes: number[] = [];
    const seen = new Set<number>();
    for (const value of values) {
      const home = this.#homes.groupOf(value);
      if (home === undefined) return undefined;
      if (home !== first) {
        if (second !== undefined && home !== second) return undefined;
        second = home;
      }
      const lane = this.#homes.laneOf(value);
      seen.add(lane);
      lanes.push(lane);
      isSecond.push(home !== first);
    }
    if (second === undefined || seen.size < lanes.length) return undefined;
    const fewestLanes = Math.min(first.members.length, second.members.length);
    if (lanes.some((lane) => lane >= fewestLanes)) return undefined;
    const packs = [first, second] as const;
    const isWhole = [first, second].every(({ members }) => members.length === lanes.length);
    const own = [undefined, undefined] as const;
    if (isWhole && isIdentity(lanes)) return { kind: "either", packs, isSecond, lanes: own };
    const lane = this.expressionOf(lanes);
    return lane && { kind: "either", packs, isSecond, lanes: [lane, lane] };
  }

  /**
   * Operands of exchanges that turn round from pair to pair: the one in the lower lane and the one in the upper lane,
   * in turns. Where a list of lanes goes up and down with the direction, both of these do not.
   */
  turned(columns: readonly Column[]): readonly [Choice, Choice] | undefined {
    const [a, b] = columns;
    if (columns.length !== 2 || a?.kind !== "lanes" || b?.kind !== "lanes") return undefined;
    const [pack] = a.packs;
    if (pack === undefined || a.packs.length > 1 || b.packs.length > 1 || b.packs[0] !== pack) {
      return undefined;
    }
    if (isPlain(a.lanes) && isPlain(b.lanes)) return undefined;
    const low = a.lanes.map((lane, k) => Math.min(lane, b.lanes[k] as number));
    const high = a.lanes.map((lane, k) => Math.max(lane, b.lanes[k] as number));
    if (!isPlain(low) || !isPlain(high)) return undefined;
    const [lower, upper] = [this.expressionOf(low), this.expressionOf(high)];
    const isSecond = a.lanes.map((lane, k) => lane === high[k]);
    const packs = [pack, pack] as const;
    return [
      { kind: "either", packs, isSecond, lanes: [lower, upper] },
      { kind: "either", packs, isSecond, lanes: [upper, lower] },
    ];
  }

  /** Literals, where all are. */
  literalBits(values: readonly ValueId[]): readonly Bits[] | undefined {
    const bits: Bits[] = [];
    for (const value of values) {
      const node = this.#table.producer(value);
      if (node?.op !== "full") return undefined;
      bits.push(node.params.bits);
    }
    return bits;
  }

  /** Lanes of a few packs, which are joined where they are several. */
  lanes(values: readonly ValueId[]): (Column & { kind: "lanes" }) | undefined {
    const packs: Group[] = [];
    for (const value of values) {
      const home = this.#homes.groupOf(value);
      if (home === undefined) return undefined;
      if (packs.length > 0 && home === packs[packs.length - 1]) continue;
      if (!packs.includes(home)) packs.push(home);
      if (packs.length > mostPacks) return undefined;
    }
    packs.sort((p, q) => p.id - q.id);
    const offsets = new Map<Group, number>();
    let total = 0;
    for (const pack of packs) {
      offsets.set(pack, total);
      total += pack.members.length;
    }
    const lanes = values.map((value) => this.#homes.laneOf(value));
    if (packs.length > 1) {
      for (const [k, value] of values.entries()) {
        lanes[k] += offsets.get(this.#homes.groupOf(value) as Group) as number;
      }
    }
    if (total === lanes.length && isIdentity(lanes)) {
      return { kind: "lanes", packs, lane: undefined, lanes };
    }
    const lane = this.expressionOf(lanes);
    return lane === undefined ? undefined : { kind: "lanes", packs, lane, lanes };
  }

  /** Programs take the same lanes again and again. */
  expressionOf(list: readonly number[]): IndexExpr | undefined {
    const words = this.#words;
    words.length = 0;
    for (let i = 0; i < list.length; i += 1) words.push(list[i] as number);
    const number = this.#lists.numberOf(words);
    if (number === this.#expressions.length) this.#expressions.push(findExpression(list));
    return this.#expressions[number];
  }
}

/** Nodes that put a column together. */
export function columnCost(column: Column): number {
  switch (column.kind) {
    case "same":
      return 0;
    case "literals":
      return isEven(column.bits) ? 3 : 4;
    case "lanes":
      return (column.packs.length > 1 ? 1 : 0) + (column.lane === undefined ? 0 : 1);
    case "either":
      return column.lanes[0] === undefined ? 1 : 2;
    default:
      return column satisfies never;
  }
}

const isEven = (bits: readonly Bits[]): boolean => {
  const [first, second] = bits as readonly [Bits, Bits];
  const step = second.lo - first.lo;
  return bits.every(({ lo }, k) => ((first.lo + k * step - lo) | 0) === 0);
};

/** The groups that a column takes lanes of. */
export const packsOf = (column: Column): readonly Group[] =>
  column.kind === "lanes" || column.kind === "either" ? column.packs : [];

export const columnsOf = (group: Proposal): readonly Column[] =>
  group.kind === "op" ? group.columns : [group.source];

export const groupCost = (group: Proposal): number =>
  1 + columnsOf(group).reduce((total, column) => total + columnCost(column), 0);
