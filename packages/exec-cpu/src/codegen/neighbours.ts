/**
 * Writes of one stage that go to neighbouring places, as the members of an orbit do: fours and pairs of
 * them can be stored as whole vectors after a transposition (access.ts).
 */
import { itemSize } from "@gridfuse/plan";
import { add, constant, type IndexExpr } from "@gridfuse/plan/index-expr";
import { openRanges } from "./access.ts";
import type { StageForm } from "./kernel-form.ts";
import { valuesIn } from "./program-facts.ts";

type Writes = StageForm["writes"];

const placeOf = (index: IndexExpr): number =>
  index.k === "const" ? index.value : index.k === "sum" ? index.constant : 0;

/** What the neighbours of a write share with it; undefined where it must be stored as it stands. */
function familyOf({ index, dtype, guard }: Writes[number]): string | undefined {
  if (itemSize(dtype) !== 4 || openRanges(guard)?.length !== 0 || valuesIn(index).length > 0) {
    return undefined;
  }
  return add(index, constant(-placeOf(index))).key;
}

/**
 * The writes in groups of four, of two, of one. Those of a buffer change places only where all of them are
 * neighbours, so that what was written last to an element stays last.
 */
export function neighbouringWrites(writes: Writes): readonly Writes[] {
  const groups: Writes[number][][] = [];
  for (const buffer of new Set(writes.map((write) => write.buffer))) {
    const own = writes.filter((write) => write.buffer === buffer);
    const families = new Set(own.map(familyOf));
    if (families.size > 1 || families.has(undefined)) groups.push(...own.map((write) => [write]));
    else groups.push(...runsOf(own));
  }
  return groups;
}

function runsOf(family: Writes): Writes[number][][] {
  const sorted = [...family].sort((a, b) => placeOf(a.index) - placeOf(b.index));
  const places = sorted.map(({ index }) => placeOf(index));
  const isRun = (from: number, length: number): boolean =>
    Array.from({ length }, (_, i) => i).every(
      (i) => places[from + i] === (places[from] as number) + i,
    );
  const runs: Writes[number][][] = [];
  for (let i = 0; i < sorted.length; i += runs.at(-1)?.length ?? 1) {
    const length = isRun(i, 4) ? 4 : isRun(i, 2) ? 2 : 1;
    runs.push(sorted.slice(i, i + length));
  }
  return runs;
}
