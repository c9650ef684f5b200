/**
 * Rule V18: tiles may run in any order and at the same time. What a tile writes is its own: a temporary that
 * nobody else mentions, or a part of a buffer that no other tile touches. The proof is one of intervals: every access to
 * such a buffer is o + t·s + r with one o, one s, and 0 ≤ r < s, where t is the tile; or that and a multiple of s times the
 * number of tiles, as rows of a matrix are of which every tile has some columns.
 */
import type { IndexExpr, IndexTerm } from "../index-expr/expr.ts";
import { constant, loop, mul, sub } from "../index-expr/expr.ts";
import type { DotStep, Plan, Step, Strided, TileStep } from "../plan.ts";
import type { IndexRange, ScalarNode } from "../scalar/node.ts";
import { guardedInterval } from "./bounds.ts";
import { type Broken, forEachStep, type Rule, type StepPlace } from "./walk.ts";

/** Elements `index + first … index + last` of a buffer. */
interface Access {
  readonly buffer: number;
  readonly writes: boolean;
  readonly index: IndexExpr;
  readonly guard: readonly IndexRange[];
  readonly first: number;
  readonly last: number;
}

const point = { first: 0, last: 0 };
const whole = (buffer: number, writes: boolean, last: number): Access => ({
  buffer,
  writes,
  index: constant(0),
  guard: [],
  first: 0,
  last,
});

function loadsOf(nodes: readonly ScalarNode[]): Access[] {
  return nodes.flatMap((node): Access[] =>
    node.op === "load" ? [{ ...node, writes: false, ...point }] : [],
  );
}

function stridedAccess(strided: Strided, extents: readonly number[], writes: boolean): Access[] {
  if (extents.includes(0)) return [];
  const strides = [...strided.batch, ...strided.free, ...strided.contract];
  let first = 0;
  let last = 0;
  strides.forEach((stride, i) => {
    const span = stride * (extents[i]! - 1);
    first += Math.min(0, span);
    last += Math.max(0, span);
  });
  return [{ buffer: strided.buffer, writes, index: strided.base, guard: [], first, last }];
}

const dotAccesses = ({ batch, m, n, k, lhs, rhs, out }: DotStep): Access[] => [
  ...stridedAccess(lhs, [...batch, ...m, ...k], false),
  ...stridedAccess(rhs, [...batch, ...n, ...k], false),
  ...stridedAccess(out, [...batch, ...m, ...n], true),
];

/** What the step itself touches; inner steps are visited by themselves. */
function accessesOf(step: Step, { buffers }: Plan): readonly Access[] {
  const all = (buffer: number, writes: boolean): Access =>
    whole(buffer, writes, buffers[buffer]!.length - 1);
  switch (step.kind) {
    case "kernel":
      return step.stages.flatMap(({ nodes, writes }) => [
        ...loadsOf(nodes),
        ...writes.map((write): Access => ({ ...write, writes: true, ...point })),
      ]);
    case "scatter":
      return [...loadsOf(step.nodes), { ...step.write, writes: true, ...point }];
    case "dot":
      return dotAccesses(step);
    case "copy": {
      const span = { guard: [], first: 0, last: step.length - 1 };
      return [
        { buffer: step.from, writes: false, index: step.fromIndex, ...span },
        { buffer: step.to, writes: true, index: step.toIndex, ...span },
      ];
    }
    case "sort":
      return [
        ...step.inputs.map((buffer) => all(buffer, false)),
        ...step.outputs.map((buffer) => all(buffer, true)),
      ];
    case "topk":
      return [all(step.input, false), all(step.values, true), all(step.indices, true)];
    case "scan":
      return [all(step.input, false), all(step.output, true)];
    case "while":
      return [all(step.predicate, false)];
    case "branch":
      return [all(step.selector, false)];
    case "print":
    case "loop":
    case "tile":
      return [];
    default:
      return step satisfies never;
  }
}

const termsOf = (e: IndexExpr): readonly IndexTerm[] =>
  e.k === "sum" ? e.terms : e.k === "const" ? [] : [{ factor: 1, of: e }];

/** An index as o + t·s + r, modulo s·trips: the part of o that outer loops move, and the range of the rest. */
interface Part {
  readonly outer: string;
  readonly lo: number;
  readonly hi: number;
}

/** How far from one tile to the next the index moves by itself. */
const strideOf = ({ index }: Access, tile: number): number =>
  termsOf(index).find(({ of }) => of.k === "loop" && of.loop === tile)?.factor ?? 0;

function partOf(access: Access, tile: TileNumber, stride: number): Part {
  const { index, guard, first, last } = access;
  let rest = sub(index, mul(tile.leaf, stride));
  const moved: string[] = [];
  const all = stride * tile.trips;
  for (const { factor, of } of termsOf(index)) {
    if (of.k === "loop" && of.loop === tile.number) continue;
    const isMultiple = factor % all === 0;
    if (!isMultiple && (of.k !== "loop" || !tile.outer.has(of.loop))) continue;
    rest = sub(rest, mul(of, factor));
    if (!isMultiple) moved.push(`${factor}*${of.key}`);
  }
  const { lo, hi } = guardedInterval(rest, guard);
  return { outer: moved.join("+"), lo: lo + first, hi: hi + last };
}

interface TileNumber {
  readonly number: number;
  readonly trips: number;
  readonly leaf: IndexExpr;
  /** Loops and tiles around it. */
  readonly outer: ReadonlyMap<number, number>;
}

export const tilesAreIndependent: Rule = {
  id: "V18",
  title: "tiles write temporaries of their own, or parts of a buffer that no other tile touches",
  step(step, place, broken) {
    if (step.kind === "tile") checkTile(step, place, broken);
  },
};

function checkTile(step: TileStep, place: StepPlace, broken: Broken): void {
  const { plan, path, loops } = place;
  if (step.trips < 1) throw broken(path, "no tiles");
  const locals = new Set(step.locals);
  for (const buffer of locals) {
    if (plan.buffers[buffer]?.kind !== "temporary") {
      throw broken(path, `buffer ${buffer} is local to a tile, but no temporary`);
    }
  }
  const inside = new Set<Step>();
  const { loop: number, trips } = step;
  const tile = { number, trips, leaf: loop(number, trips), outer: loops };
  const touched = new Map<number, { accesses: Access[]; written: boolean }>();
  visit(step.body, (inner) => {
    inside.add(inner);
    if (inner.kind === "print") throw broken(path, `prints "${inner.name}"`);
    for (const access of accessesOf(inner, plan)) {
      if (locals.has(access.buffer)) continue;
      const known = touched.get(access.buffer) ?? { accesses: [], written: false };
      known.accesses.push(access);
      known.written ||= access.writes;
      touched.set(access.buffer, known);
    }
  });
  for (const [buffer, { accesses, written }] of touched) {
    const { length } = plan.buffers[buffer]!;
    if (written && !areDisjoint(accesses, tile, Math.floor(length / step.trips))) {
      throw broken(path, `tiles are not shown to write different parts of buffer ${buffer}`);
    }
  }
  forEachStep(plan, (other) => {
    if (inside.has(other)) return;
    const shared = mentioned(other, plan).find((buffer) => locals.has(buffer));
    if (shared !== undefined) {
      throw broken(path, `"${other.name}" mentions buffer ${shared}, which is local to a tile`);
    }
  });
}

/** Whether one way to cut the buffer keeps every tile to itself: into `equal` parts, or as accesses suggest. */
function areDisjoint(accesses: readonly Access[], tile: TileNumber, equal: number): boolean {
  const strides = new Set(accesses.map((access) => strideOf(access, tile.number))).add(equal);
  return [...strides].some((stride) => {
    // Accesses of no point (lo > hi) touch nothing.
    const parts = accesses
      .map((access) => partOf(access, tile, stride))
      .filter(({ lo, hi }) => lo <= hi);
    const [first] = parts;
    if (first === undefined) return true;
    const lo = Math.min(...parts.map((part) => part.lo));
    const hi = Math.max(...parts.map((part) => part.hi));
    return parts.every(({ outer }) => outer === first.outer) && hi - lo < stride;
  });
}

const mentioned = (step: Step, plan: Plan): number[] =>
  step.kind === "print"
    ? step.operands.map(({ buffer }) => buffer).concat(step.mask ?? [])
    : accessesOf(step, plan).map(({ buffer }) => buffer);

function visit(steps: readonly Step[], each: (step: Step) => void): void {
  for (const step of steps) {
    each(step);
    switch (step.kind) {
      case "loop":
      case "tile":
        visit(step.body, each);
        break;
      case "while":
        visit(step.condition, each);
        visit(step.body, each);
        break;
      case "branch":
        for (const branch of step.branches) visit(branch, each);
        break;
      default:
    }
  }
}
