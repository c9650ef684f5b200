/** Neighbours: loads and stores of 32-bit elements that share their vectors. */
import { add, constant, type IndexExpr } from "@gridfuse/plan/index-expr";
import { type LaneQuad, type Spread, spread } from "./lane-quad.ts";
import type { Address, Nest } from "./nest.ts";

const fixedPart = (e: IndexExpr): number =>
  e.k === "const" ? e.value : e.k === "sum" ? e.constant : 0;

/** A text that is the same for the indices that read the same four places counted from a multiple of 4. */
export function neighbourhood(e: IndexExpr): string {
  const fixed = fixedPart(e);
  return `${add(e, constant(-fixed)).key}+${Math.floor(fixed / 4)}`;
}

/**
 * Pushes four lanes of 32-bit elements that other loads read the neighbours of: out of vectors loaded once,
 * each at a constant multiple of 4. Four vectors are transposed in two rounds, of which loads share the first.
 */
export function pushShared(
  nest: Nest,
  base: Address,
  quad: LaneQuad,
  near: Spread,
  name: string,
): void {
  const { code } = nest;
  const fixed = fixedPart(near.from);
  const dynamic = add(near.from, constant(-fixed));
  const places = near.lanes.map((lane, i) => {
    // A lane beyond the end repeats the first, so that nothing is read for it.
    const place = fixed + near.shift + (i < quad.valid ? lane : (near.lanes[0] as number));
    return { chunk: Math.floor(place / 4), at: place - 4 * Math.floor(place / 4) };
  });
  const chunk = (number: number): number =>
    nest.memoised(`${name} ${dynamic.key} ${number}`, nest.level, "v128", () => {
      code.memory("v128.load", nest.pushAddress(dynamic, 4, base, 4 * number));
    });
  const shuffle = (a: number, b: number, lanes: readonly number[]): void => {
    code.get(a).get(b).shuffleLanes(lanes);
  };
  const [p, q, r, t] = places as [Place, Place, Place, Place];
  const numbers = [...new Set(places.map((place) => place.chunk))];
  /** What several loads want that differ only in what they take the bits for. */
  const once = (shuffled: () => void): void => {
    const lanes = places.map(({ chunk: number, at }) => 4 * number + at);
    const key = `${name} ${dynamic.key} of ${lanes.join()}`;
    code.get(nest.memoised(key, nest.level, "v128", shuffled));
  };
  if (numbers.length <= 2) {
    const [first, second = first] = numbers as [number, number?];
    const lanes = places.map((place) => place.at + (place.chunk === first ? 0 : 4));
    once(() => shuffle(chunk(first), chunk(second), lanes));
    return;
  }
  const pair = (x: Place, y: Place): { readonly local: number; readonly lanes: number[] } => {
    const half = x.at < 2 ? 0 : 2;
    const together = half === (y.at < 2 ? 0 : 2);
    const lanes = together
      ? [half, half + 4, half + 1, half + 5]
      : [x.at, y.at + 4, x.at, y.at + 4];
    const [a, b] = [chunk(x.chunk), chunk(y.chunk)];
    const key = `${name} ${dynamic.key} ${x.chunk}&${y.chunk} ${lanes.join()}`;
    const local = nest.memoised(key, nest.level, "v128", () => shuffle(a, b, lanes));
    return { local, lanes: together ? [2 * (x.at - half), 2 * (y.at - half) + 1] : [0, 1] };
  };
  once(() => {
    const [low, high] = [pair(p, q), pair(r, t)];
    shuffle(low.local, high.local, [...low.lanes, ...high.lanes.map((lane) => lane + 4)]);
  });
}

interface Place {
  readonly chunk: number;
  readonly at: number;
}

/** A store that may be joined with others. */
export interface QuadStore {
  readonly quad: LaneQuad;
  readonly value: () => void;
}

/** How the stores of neighbours follow each other: lane l of store i goes to place lanes[l] + i. */
function runOfStores(nest: Nest, stores: readonly QuadStore[]): Spread | undefined {
  const spreads = stores.map(({ quad }) => (quad.valid === 4 ? spread(nest, quad) : undefined));
  const [first] = spreads;
  if (first === undefined) return undefined;
  const follows = spreads.every(
    (near, i) =>
      near?.lanes.every((lane, l) => lane === first.lanes[l]) &&
      add(near.from, constant(near.shift - first.shift - i - fixedPart(first.from))).key ===
        add(first.from, constant(-fixedPart(first.from))).key,
  );
  return follows ? first : undefined;
}

/**
 * Stores of 32-bit elements of which each goes one place beyond the one before, by shuffles and whole
 * vectors: two that interleave, or four whose lanes lie 4 or more apart, in any order. False where they do not fit.
 */
export function storeNeighbours(nest: Nest, base: Address, stores: readonly QuadStore[]): boolean {
  const { code } = nest;
  const near = runOfStores(nest, stores);
  if (near === undefined) return false;
  const to = (place: number, value: () => void): void => {
    const offset = nest.pushAddress(near.from, 4, base, near.shift + place);
    value();
    code.memory("v128.store", offset);
  };
  const steps = near.lanes.map((lane, l) => lane - (l === 0 ? 0 : (near.lanes[l - 1] as number)));
  const joined = (a: () => void, b: () => void, lanes: readonly number[]): (() => void) => {
    const local = nest.local("v128");
    a();
    b();
    code.shuffleLanes(lanes).set(local);
    return () => code.get(local);
  };
  if (stores.length === 2 && near.lanes[0] === 0 && steps.slice(1).every((step) => step === 2)) {
    const [x, y] = stores.map(({ value }) => value) as [() => void, () => void];
    const halves = [joined(x, y, [0, 4, 1, 5]), joined(x, y, [2, 6, 3, 7])];
    for (const [i, half] of halves.entries()) to(4 * i, half);
    return true;
  }
  const inOrder = [...near.lanes].sort((p, q) => p - q);
  const areFar = inOrder.slice(1).every((lane, i) => lane - (inOrder[i] as number) >= 4);
  if (stores.length !== 4 || !areFar) return false;
  const [x, y, z, w] = stores.map(({ value }) => value) as [
    () => void,
    () => void,
    () => void,
    () => void,
  ];
  for (const half of [0, 2]) {
    const left = joined(x, y, [half, half + 4, half + 1, half + 5]);
    const right = joined(z, w, [half, half + 4, half + 1, half + 5]);
    to(near.lanes[half] as number, joined(left, right, [0, 1, 4, 5]));
    to(near.lanes[half + 1] as number, joined(left, right, [2, 3, 6, 7]));
  }
  return true;
}
