/**
 * Writes of one stage that go to neighbouring places, as the members of an orbit do: fours and pairs of
 * them can be stored as whole vectors after a transposition (access.ts).
 */
import { itemSize } from "@gridfuse/plan";
import { add, constant, type IndexExpr, sub } from "@gridfuse/plan/index-expr";
import { openRanges } from "./guards.ts";
import type { StageForm } from "./kernel-form.ts";
import { valuesIn } from "./program-facts.ts";

type Writes = StageForm["writes"];

const placeOf = (index: IndexExpr): number =>
  index.k === "const" ? index.value : index.k === "sum" ? index.constant : 0;

/** A write's index without its constant part; undefined where it must be stored as it stands. */
function baseOf({ index, dtype, guard }: Writes[number]): IndexExpr | undefined {
  if (itemSize(dtype) !== 4 || openRanges(guard)?.length !== 0 || valuesIn(index).length > 0) {
    return undefined;
  }
  return add(index, constant(-placeOf(index)));
}

/** Writes whose indices differ by constants. */
interface Family {
  readonly base: IndexExpr;
  readonly writes: Writes[number][];
}

/** Undefined where some write must be stored as it stands. */
function familiesOf(writes: Writes): readonly Family[] | undefined {
  const families = new Map<string, Family>();
  for (const write of writes) {
    const base = baseOf(write);
    if (base === undefined) return undefined;
    const family = families.get(base.key);
    if (family === undefined) families.set(base.key, { base, writes: [write] });
    else family.writes.push(write);
  }
  return [...families.values()];
}

/** Whether no point writes the same element in both. */
function areApart(x: Family, y: Family): boolean {
  const { lo, hi } = sub(x.base, y.base);
  const places = ({ writes }: Family): number[] => writes.map(({ index }) => placeOf(index));
  const [xs, ys] = [places(x), places(y)];
  return lo + Math.min(...xs) - Math.max(...ys) > 0 || hi + Math.max(...xs) - Math.min(...ys) < 0;
}

/**
 * The writes in groups of four, of two, of one. Those of a buffer change places only where all of them are
 * neighbours of each other or apart, so that what was written last to an element stays last.
 */
export function neighbouringWrites(writes: Writes): readonly Writes[] {
  if (writes.length === 1) return [writes];
  const groups: Writes[number][][] = [];
  for (const buffer of new Set(writes.map((write) => write.buffer))) {
    const own = writes.filter((write) => write.buffer === buffer);
    const families = familiesOf(own);
    const mayMove = families?.every((x, i) => families.slice(i + 1).every((y) => areApart(x, y)));
    if (families === undefined || !mayMove) groups.push(...own.map((write) => [write]));
    else groups.push(...families.flatMap((family) => runsOf(family.writes)));
  }
  return groups;
}

function runsOf(family: Writes): Writes[number][][] {
  const sorted = [...family].sort((a, b) => placeOf(a.index) - placeOf(b.index));
  const places = sorted.map(({ index }) => placeOf(index));
  const isRun = (from: number, length: number): boolean => {
    for (let i = 1; i < length; i++) {
      if (places[from + i] !== (places[from] as number) + i) return false;
    }
    return true;
  };
  const runs: Writes[number][][] = [];
  for (let i = 0; i < sorted.length; i += runs.at(-1)?.length ?? 1) {
    const length = isRun(i, 4) ? 4 : isRun(i, 2) ? 2 : 1;
    runs.push(sorted.slice(i, i + length));
  }
  return runs;
}
