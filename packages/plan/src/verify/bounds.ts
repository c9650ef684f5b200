/**
 * Rule V17: every access lies inside its buffer, or its guards make it so. Index expressions carry intervals
 * over the whole domain; where those reach outside, guards narrow them. A sum is taken apart into
 * multiples of guarded sums: with guards on y+dy−1 and x+dx−1 the offset 16·y+16·dy+x+dx−17 is
 * 16·(y+dy−1) + (x+dx−1), each part bounded by its guard.
 */
import { isInteger } from "../dtype.ts";
import type { IndexExpr, IndexLeaf, IndexTerm } from "../index-expr/expr.ts";
import { forEachLeaf } from "../index-expr/meaning.ts";
import type { PlanInvalid } from "../plan-errors.ts";
import type { IndexRange } from "../scalar/node.ts";
import { type Interval, ProgramIntervals } from "./intervals.ts";
import { type Broken, type Program, pointsOf, type Rule, type StepPlace } from "./walk.ts";

const termsOf = (e: IndexExpr): readonly IndexTerm[] =>
  e.k === "sum" ? e.terms : e.k === "const" ? [] : [{ factor: 1, of: e }];
const constantOf = (e: IndexExpr): number =>
  e.k === "sum" ? e.constant : e.k === "const" ? e.value : 0;

const scaled = ({ lo, hi }: Interval, factor: number): Interval =>
  factor >= 0 ? { lo: lo * factor, hi: hi * factor } : { lo: hi * factor, hi: lo * factor };
const intersect = (a: Interval, b: Interval): Interval => ({
  lo: Math.max(a.lo, b.lo),
  hi: Math.min(a.hi, b.hi),
});

/** What guards together say of one linear form Σ factor·atom, its constant aside. */
interface Narrowing {
  readonly terms: readonly IndexTerm[];
  readonly known: Interval;
}
type Narrowings = ReadonlyMap<string, Narrowing>;

const formKey = (terms: readonly IndexTerm[]): string =>
  terms.map(({ factor, of }) => `${factor}*${of.key}`).join("+");
const shifted = ({ lo, hi }: Interval, by: number): Interval => ({ lo: lo + by, hi: hi + by });

/** Guards that differ by a constant only are joined; the longest forms come first. */
function narrowingsOf(guard: readonly IndexRange[]): Narrowings {
  const inOrder = [...guard].sort((p, q) => termsOf(q.index).length - termsOf(p.index).length);
  const joined = new Map<string, Narrowing>();
  for (const { index, lo, hi } of inOrder) {
    const terms = termsOf(index);
    const known = shifted(intersect({ lo, hi: hi - 1 }, index), -constantOf(index));
    const key = formKey(terms);
    joined.set(key, { terms, known: intersect(known, joined.get(key)?.known ?? known) });
  }
  return joined;
}

/** Values that `e` can take where every guard holds; empty (lo > hi) if it never does. */
export const guardedInterval = (e: IndexExpr, guard: readonly IndexRange[]): Interval =>
  narrowed(e, narrowingsOf(guard));

const neverHolds = ({ index, lo, hi }: IndexRange): boolean =>
  Math.max(index.lo, lo) > Math.min(index.hi, hi - 1);

function narrowed(e: IndexExpr, guard: Narrowings): Interval {
  const own = guard.get(formKey(termsOf(e)));
  const direct = own === undefined ? e : intersect(e, shifted(own.known, constantOf(e)));
  return intersect(direct, structural(e, guard));
}

function structural(e: IndexExpr, guard: Narrowings): Interval {
  switch (e.k) {
    case "sum":
      return narrowedSum(e.terms, e.constant, guard);
    case "floordiv": {
      const { lo, hi } = narrowed(e.of, guard);
      return { lo: Math.floor(lo / e.by), hi: Math.floor(hi / e.by) };
    }
    case "min": {
      const [a, b] = [narrowed(e.a, guard), narrowed(e.b, guard)];
      return { lo: Math.min(a.lo, b.lo), hi: Math.min(a.hi, b.hi) };
    }
    case "max": {
      const [a, b] = [narrowed(e.a, guard), narrowed(e.b, guard)];
      return { lo: Math.max(a.lo, b.lo), hi: Math.max(a.hi, b.hi) };
    }
    default:
      return e;
  }
}

function narrowedSum(terms: readonly IndexTerm[], constant: number, guard: Narrowings): Interval {
  const rest = new Map(terms.map((term) => [term.of.key, term]));
  let total: Interval = { lo: constant, hi: constant };
  const include = ({ lo, hi }: Interval): void => {
    total = { lo: total.lo + lo, hi: total.hi + hi };
  };
  for (const { terms: part, known } of guard.values()) {
    const factor = takeMultiple(rest, part);
    if (factor !== undefined) include(scaled(known, factor));
  }
  for (const { factor, of } of rest.values()) include(scaled(narrowed(of, guard), factor));
  return total;
}

/** Removes f·part from `rest` for the one f that fits, if any. */
function takeMultiple(
  rest: Map<string, IndexTerm>,
  part: readonly IndexTerm[],
): number | undefined {
  const first = part[0];
  if (first === undefined) return undefined;
  const factor = (rest.get(first.of.key)?.factor ?? 0) / first.factor;
  const fits =
    factor !== 0 &&
    Number.isInteger(factor) &&
    part.every((term) => rest.get(term.of.key)?.factor === factor * term.factor);
  if (!fits) return undefined;
  for (const { of } of part) rest.delete(of.key);
  return factor;
}

// ── Leaves ──────────────────────────────────────────────────────────────────────────────────

interface LeafContext {
  readonly axes: readonly number[];
  readonly loops: ReadonlyMap<number, number>;
  /** Checks a computed index; absent where there is no program. */
  readonly value?: (leaf: IndexLeaf & { k: "value" }) => string | undefined;
}

/** What is wrong with a leaf of `e`, if anything: the range it carries must hold here. */
function leafFault(e: IndexExpr, { axes, loops, value }: LeafContext): string | undefined {
  let fault: string | undefined;
  const check = (leaf: IndexLeaf): void => {
    switch (leaf.k) {
      case "axis":
        if (!(leaf.axis < axes.length)) fault = `axis ${leaf.axis} of ${axes.length}`;
        else if (axes[leaf.axis]! - 1 > leaf.hi) {
          fault = `axis ${leaf.axis} has extent ${axes[leaf.axis]}, not ${leaf.hi + 1}`;
        }
        return;
      case "loop": {
        const trips = loops.get(leaf.loop);
        if (trips === undefined) fault = `loop ${leaf.loop} does not enclose the step`;
        else if (trips - 1 > leaf.hi) {
          fault = `loop ${leaf.loop} runs ${trips} times, not ${leaf.hi + 1}`;
        }
        return;
      }
      case "value":
        fault = value === undefined ? "a computed index without a program" : value(leaf);
        return;
      default:
        leaf satisfies never;
    }
  };
  forEachLeaf(e, (leaf) => {
    if (fault === undefined) check(leaf);
  });
  return fault;
}

// ── The rule ────────────────────────────────────────────────────────────────────────────────

interface Access {
  readonly buffer: number;
  readonly index: IndexExpr;
  readonly guard: readonly IndexRange[];
}

/** Checks one program; expressions that occur again are looked at once. */
class ProgramBounds {
  readonly #program: Program;
  readonly #intervals: ProgramIntervals;
  readonly #broken: Broken;
  readonly #sound = new Set<IndexExpr>();

  constructor(program: Program, constants: Map<number, Interval>, broken: Broken) {
    this.#program = program;
    this.#intervals = new ProgramIntervals(program, constants);
    this.#broken = broken;
  }

  check(): void {
    const { nodes, writes } = this.#program;
    for (let i = 0; i < nodes.length; i++) {
      const node = nodes[i]!;
      if (node.op === "index") this.#leaves(node.index, [], i, "nodes", i);
      else if (node.op === "load") this.#access(node, i, "nodes", i);
    }
    for (let i = 0; i < writes.length; i++) this.#access(writes[i]!, nodes.length, "writes", i);
  }

  /** The error for item `i` of `list`; its place is put into words only here. */
  #fault(list: "nodes" | "writes", i: number, what: string): PlanInvalid {
    return this.#broken(`${this.#program.path}.${list}[${i}]`, what);
  }

  #access(
    { buffer, index, guard }: Access,
    before: number,
    list: "nodes" | "writes",
    i: number,
  ): void {
    for (const range of guard) this.#leaves(range.index, [], before, list, i);
    this.#leaves(index, guard, before, list, i);
    const { length } = this.#program.place.plan.buffers[buffer]!;
    if (index.lo >= 0 && index.hi < length) return;
    const { lo, hi } = guardedInterval(index, guard);
    if (lo > hi || (lo >= 0 && hi < length)) return;
    if (guard.some(neverHolds) || pointsOf(this.#program.axes) === 0) return;
    const verb = list === "nodes" ? "reads" : "writes";
    throw this.#fault(
      list,
      i,
      `${verb} elements ${lo}…${hi} of buffer ${buffer}, which has ${length}, as far as can be proven`,
    );
  }

  #leaves(
    e: IndexExpr,
    guard: readonly IndexRange[],
    before: number,
    list: "nodes" | "writes",
    i: number,
  ): void {
    if (this.#sound.has(e)) return;
    const { axes, place } = this.#program;
    let usesValues = false;
    const value = (leaf: IndexLeaf & { k: "value" }): string | undefined => {
      usesValues = true;
      return this.#valueFault(leaf, guard, before);
    };
    const fault = leafFault(e, { axes, loops: place.loops, value });
    if (fault !== undefined) throw this.#fault(list, i, fault);
    if (!usesValues) this.#sound.add(e);
  }

  /** The range that a computed index carries must follow from its program, or from the guards on it. */
  #valueFault(
    { node, lo, hi }: IndexLeaf & { k: "value" },
    guard: readonly IndexRange[],
    before: number,
  ): string | undefined {
    if (!(node < before)) return `index from node ${node}, which is not earlier`;
    const { dtype } = this.#program.nodes[node]!;
    if (dtype !== "bool" && !isInteger(dtype)) return `index from node ${node} of dtype ${dtype}`;
    const known = guard
      .filter(({ index }) => index.k === "value" && index.node === node)
      .reduce<Interval>(
        (so, range) => intersect(so, { lo: range.lo, hi: range.hi - 1 }),
        this.#intervals.of(node),
      );
    if (known.lo > known.hi || (lo <= known.lo && known.hi <= hi)) return undefined;
    return `node ${node} may be ${known.lo}…${known.hi}, the index says ${lo}…${hi}`;
  }
}

function checkIndexInBuffer(
  { plan, path, loops }: StepPlace,
  broken: Broken,
  access: { buffer: number; index: IndexExpr; first: number; last: number; what: string },
): void {
  const { buffer, index, first, last, what } = access;
  const fault = leafFault(index, { axes: [], loops });
  if (fault !== undefined) throw broken(`${path}.${what}`, fault);
  const { length } = plan.buffers[buffer]!;
  const lo = index.lo + first;
  const hi = index.hi + last;
  if (lo >= 0 && hi < length) return;
  throw broken(
    `${path}.${what}`,
    `touches elements ${lo}…${hi} of buffer ${buffer}, which has ${length}`,
  );
}

/** Least and greatest Σ stride·coordinate over a box; undefined for an empty one. */
function reach(
  strides: readonly number[],
  extents: readonly number[],
): { first: number; last: number } | undefined {
  if (extents.includes(0)) return undefined;
  let first = 0;
  let last = 0;
  strides.forEach((stride, i) => {
    const span = stride * (extents[i]! - 1);
    first += Math.min(0, span);
    last += Math.max(0, span);
  });
  return { first, last };
}

export const accessesInBounds: Rule = {
  id: "V17",
  title: "every access is proven to lie inside its buffer",
  program(program, broken) {
    new ProgramBounds(program, constantsOf(program), broken).check();
  },
  step(step, place, broken) {
    if (step.kind === "copy") {
      if (step.length === 0) return;
      const span = { first: 0, last: step.length - 1 };
      const { from, fromIndex, to, toIndex } = step;
      checkIndexInBuffer(place, broken, { ...span, buffer: from, index: fromIndex, what: "from" });
      checkIndexInBuffer(place, broken, { ...span, buffer: to, index: toIndex, what: "to" });
    } else if (step.kind === "dot") {
      const { batch, m, n, k } = step;
      const operands = [
        { what: "lhs", strided: step.lhs, extents: [...batch, ...m, ...k] },
        { what: "rhs", strided: step.rhs, extents: [...batch, ...n, ...k] },
        { what: "out", strided: step.out, extents: [...batch, ...m, ...n] },
      ];
      for (const { what, strided, extents } of operands) {
        const { buffer, base: index } = strided;
        const strides = [...strided.batch, ...strided.free, ...strided.contract];
        const span = reach(strides, extents);
        if (span !== undefined) checkIndexInBuffer(place, broken, { buffer, index, what, ...span });
      }
    }
  },
};

/** Extremes of constant buffers, kept as long as the plan they belong to. */
const constantIntervals = new WeakMap<object, Map<number, Interval>>();

function constantsOf({ place: { plan } }: Program): Map<number, Interval> {
  const known = constantIntervals.get(plan);
  if (known !== undefined) return known;
  const made = new Map<number, Interval>();
  constantIntervals.set(plan, made);
  return made;
}
