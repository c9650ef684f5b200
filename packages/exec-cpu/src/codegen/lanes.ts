/**
 * Blocks of lanes along an axis, and what an index looks like from their lanes.
 *
 * What decides between one vector load and four scalar ones is whether the lanes lie at constant distances
 * from lane 0. That follows from residues: a block starts at a multiple of its width, so for every part of
 * an index the residue of its lane-0 value modulo some g is known, and a step that stays below g cannot
 * carry into a division, a remainder or an exclusive or. Where residues say nothing, each lane is
 * substituted and the index algebra has the last word.
 */
import {
  add,
  axis,
  constant,
  gcd,
  type IndexExpr,
  mul,
  sub,
  substituteAxes,
} from "@gridfuse/plan/index-expr";
import type { LaneCount } from "../wasm/vector-lanes.ts";

/** The axis along the lanes. */
export interface LaneAxis {
  readonly axis: number;
  readonly extent: number;
}

/** The lanes that are computed at once. */
export interface Block {
  /** 1 (no vectors) or a multiple of `lanes`. */
  readonly width: number;
  /** Lanes of a vector. */
  readonly lanes: LaneCount;
  /** The first `valid` lanes are points of the domain; the others hold anything and are not stored. */
  readonly valid: number;
  /** Coordinate of lane 0 where it is known; otherwise it is a multiple of `width`. */
  readonly from: number | undefined;
}

export const scalarBlock: Block = { width: 1, lanes: 4, valid: 1, from: undefined };
export const fullBlock = (width: number, lanes: LaneCount = 4): Block => ({
  width,
  lanes,
  valid: width,
  from: undefined,
});
/** The last `count` points of a lane axis of `extent`. */
export const lastBlock = (extent: number, count: number, lanes: LaneCount = 4): Block => ({
  width: Math.ceil(count / lanes) * lanes,
  lanes,
  valid: count,
  from: extent - count,
});
/** The numbers of the vectors of a block. */
export const partsOf = ({ width, lanes }: Block): number[] =>
  (vectors[width / lanes] ??= countTo(width / lanes));

const countTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
const vectors: number[][] = [];

/** The number under which q = coordinate / width of a lane axis is known to index expressions. */
export const blockAxis = (lanes: LaneAxis): number => lanes.axis + 1_000_000;

/** An index at every lane of a block. */
export interface LaneIndex {
  at(lane: number): IndexExpr;
  /** Distance of each lane from lane 0 where all are constant. */
  readonly offsets: readonly number[] | undefined;
  /** What is known of lane 0: it is ≡ residue modulo `modulus` (0: equal to it). */
  readonly start?: { readonly modulus: number; readonly residue: number };
  /** What was found out about each vector of the block (lane-quad.ts), by its first lane. */
  readonly spreads?: (Spread | undefined)[];
}

/** Lanes of a vector at constant distances from the lowest of them, which lies `shift` beyond `from`. */
export interface Spread {
  readonly from: IndexExpr;
  readonly shift: number;
  readonly lanes: readonly number[];
  /** The distance of the highest. */
  readonly reach: number;
  /** Whether each lies one beyond the one before. */
  readonly isRun: boolean;
}

/** @param varyingValue whether e refers to a scalar value that differs between lanes */
export function lanesOf(
  e: IndexExpr,
  lanes: LaneAxis,
  block: Block,
  varyingValue: boolean,
): LaneIndex {
  const view = viewOf(e, lanes, block);
  if (view === undefined) return substituted(e, lanes, block, varyingValue);
  const { offsets } = view;
  return {
    start: view,
    at: (lane) => (offsets[lane] === 0 ? e : add(e, constant(offsets[lane] as number))),
    offsets: varyingValue ? undefined : offsets,
    spreads: [],
  };
}

// ── Residues ────────────────────────────────────────────────────────────────────────────────

/** Lane 0 is ≡ residue modulo `modulus` (0: it is equal); lane l is lane 0 + offsets[l]. */
interface LaneView {
  readonly modulus: number;
  readonly residue: number;
  readonly offsets: readonly number[];
}

const reduce = (x: number, modulus: number): number =>
  modulus === 0 ? x : x - Math.floor(x / modulus) * modulus;

function viewOf(e: IndexExpr, lanes: LaneAxis, block: Block): LaneView | undefined {
  const still = (modulus: number, residue: number): LaneView => ({
    modulus,
    residue,
    offsets: new Array<number>(block.width).fill(0),
  });
  if (e.k === "const") return still(0, e.value);
  if (!e.key.includes(`a${lanes.axis}:`)) return still(1, 0);
  switch (e.k) {
    case "axis":
      return {
        modulus: block.from === undefined ? block.width : 0,
        residue: block.from ?? 0,
        offsets: countTo(block.width),
      };
    case "sum":
      return viewOfSum(e.terms, e.constant, lanes, block);
    case "floordiv":
    case "mod": {
      const of = viewOf(e.of, lanes, block);
      return of && viewOfDivision(e.k, e.by, of);
    }
    case "xor":
    case "and": {
      if (e.b.k !== "const" || e.b.value >= 2 ** 31) return undefined;
      const of = viewOf(e.a, lanes, block);
      return of && viewOfBits(e.k, e.b.value, of);
    }
    default:
      return undefined;
  }
}

function viewOfSum(
  terms: readonly { readonly factor: number; readonly of: IndexExpr }[],
  fixed: number,
  lanes: LaneAxis,
  block: Block,
): LaneView | undefined {
  let modulus = 0;
  let residue = fixed;
  const offsets = new Array<number>(block.width).fill(0);
  for (const { factor, of } of terms) {
    const view = viewOf(of, lanes, block);
    if (view === undefined) return undefined;
    modulus = gcd(modulus, factor * view.modulus);
    residue += factor * view.residue;
    for (let lane = 0; lane < block.width; lane++) {
      offsets[lane] = (offsets[lane] as number) + factor * (view.offsets[lane] as number);
    }
  }
  return { modulus, residue: reduce(residue, modulus), offsets };
}

function viewOfDivision(k: "floordiv" | "mod", by: number, of: LaneView): LaneView | undefined {
  const { modulus, residue, offsets } = of;
  if (modulus % by === 0) {
    // The quotient's lane-0 value is a multiple of modulus / by, plus what the residue gives.
    const quotient = (offset: number): number => Math.floor((residue + offset) / by);
    const remainder = (offset: number): number => reduce(residue + offset, by);
    const result = k === "floordiv" ? quotient : remainder;
    return {
      modulus: k === "floordiv" ? modulus / by : 0,
      residue: result(0),
      offsets: offsets.map((offset) => result(offset) - result(0)),
    };
  }
  const staysBelow = offsets.every((offset) => residue + offset >= 0 && residue + offset < modulus);
  if (by % modulus !== 0 || !staysBelow) return undefined;
  if (k === "mod") return of;
  return { modulus: 1, residue: 0, offsets: offsets.map(() => 0) };
}

function viewOfBits(k: "xor" | "and", mask: number, of: LaneView): LaneView | undefined {
  const { residue, offsets } = of;
  // Only whole powers of two are blocks of bits.
  const modulus = of.modulus === 0 ? 2 ** 31 : of.modulus & -of.modulus;
  const low = reduce(residue, modulus);
  if (offsets.some((offset) => low + offset < 0 || low + offset >= modulus)) return undefined;
  const lowMask = reduce(mask, modulus);
  const result = (offset: number): number =>
    k === "xor" ? (low + offset) ^ lowMask : (low + offset) & lowMask;
  return {
    modulus,
    residue: result(0),
    offsets: offsets.map((offset) => result(offset) - result(0)),
  };
}

// ── Substitution ────────────────────────────────────────────────────────────────────────────

function substituted(
  e: IndexExpr,
  lanes: LaneAxis,
  { width, from }: Block,
  varyingValue: boolean,
): LaneIndex {
  const start =
    from === undefined
      ? mul(axis(blockAxis(lanes), Math.floor(lanes.extent / width)), width)
      : constant(from);
  const exprs = countTo(width).map((lane) => {
    const by: IndexExpr[] = [];
    by[lanes.axis] = add(start, constant(lane));
    return substituteAxes(e, by);
  });
  const at = (lane: number): IndexExpr => exprs[lane] as IndexExpr;
  if (varyingValue) return { at, offsets: undefined };
  const distances = exprs.map((lane) => sub(lane, at(0)));
  const constantDistances = distances.every((distance) => distance.k === "const");
  return {
    at,
    offsets: constantDistances ? distances.map(({ lo }) => lo) : undefined,
    spreads: [],
  };
}
