/**
 * Block mappings: a spec's blocking is checked against its array, and its index map is traced into a
 * region over the grid coordinates and the prefetched refs.
 */
import { BuildError } from "@gridfuse/plan/errors";
import { isInteger } from "@gridfuse/plan/scalar";
import { integerScalar } from "../functions/regions.ts";
import type { Window } from "../indexer.ts";
import type { Region, Table, ValueId } from "../ir/table.ts";
import { type Dim, formatShape, refType, type Shape, tensorType } from "../ir/types.ts";
import type { BlockDim, BlockMapping } from "../ir/vocabulary.ts";
import { captureOrigin } from "../origin.ts";
import { Ref } from "../ref.ts";
import { activeScope, located, runIn, Scope } from "../scope.ts";
import type { ArraySpec, MapArgument, MapEntry } from "../spec.ts";
import { isTensor, type Tensor } from "../tensor.ts";
import type { KernelDefinition } from "./definition.ts";
import { GridIndex } from "./grid-index.ts";
import { requireReachable } from "./reach.ts";

export interface MappedBlock {
  readonly mapping: BlockMapping;
  readonly indexMap: Region;
  /** Shape of the ref. */
  readonly refShape: Shape;
}

/** The dimensions of a block that the ref has. */
export const refShapeOf = (block: readonly BlockDim[]): readonly number[] =>
  block.flatMap((dim) => (dim.kind === "squeezed" ? [] : [dim.size]));

/** As messages call an operand: `input "a"`. */
export type Role = "input" | "output" | "prefetch" | "scratch";

export function mapBlock(
  definition: KernelDefinition,
  table: Table,
  role: Role,
  name: string,
  spec: ArraySpec,
): MappedBlock {
  const what = `kernel "${definition.name}": ${role} "${name}"`;
  const origin = spec.blocking?.origin ?? captureOrigin();
  return located(origin, undefined, () => {
    const block = spec.blocking?.block ?? wholeBlock(what, spec.shape);
    requireBlock(what, block, spec.shape);
    const mapping: BlockMapping = {
      name,
      dtype: spec.dtype,
      shape: spec.shape,
      block,
      space: spec.space,
    };
    const indexMap = traceIndexMap(definition, table, what, spec, block);
    return { mapping, indexMap, refShape: refShapeOf(block) };
  });
}

const wholeBlock = (what: string, shape: Shape): readonly BlockDim[] =>
  shape.map((dim, axis) => {
    if (typeof dim === "number") return { kind: "blocked", size: dim };
    throw new BuildError(
      "GF2203",
      `${what}: dim ${axis} is named "${dim}", its block has no size`,
      {
        received: formatShape(shape),
        help: "give it `.blocks(…)` with a number there; blocks have one size for every size of the array",
      },
    );
  });

function requireBlock(what: string, block: readonly BlockDim[], shape: Shape): void {
  const sizes = block.map((dim) => (dim.kind === "squeezed" ? "squeezed" : dim.size));
  const shown = `[${sizes.join(", ")}]`;
  if (block.length !== shape.length) {
    throw new BuildError(
      "GF2204",
      `${what}: block ${shown} for an array of shape ${formatShape(shape)}`,
      {
        expected: `${shape.length} entries`,
        received: `${block.length} entries`,
        help: "give one entry for each dimension; `squeezed` for one that the body should not see",
      },
    );
  }
  for (const [axis, dim] of block.entries()) {
    if (dim.kind === "squeezed") continue;
    const empty = dim.size === 0 && shape[axis] === 0;
    if (!empty && (!Number.isSafeInteger(dim.size) || dim.size < 1)) {
      throw new BuildError("GF2205", `${what}: block size ${dim.size} of dim ${axis}`, {
        expected: "a whole number ≥ 1",
        received: dim.size,
        help: Number.isFinite(dim.size)
          ? "round it, or use 1"
          : "did a division by zero or a missing argument get here?",
      });
    }
    const room = reach(shape[axis] as Dim, dim);
    if (dim.size <= room) continue;
    throw new BuildError(
      "GF2206",
      `${what}: block ${shown} is larger than its array ${formatShape(shape)}`,
      {
        expected: `≤ ${room} in dim ${axis}`,
        received: dim.size,
        help: `use at most ${room} there: Math.min(${dim.size}, ${room})`,
      },
    );
  }
}

/** How many elements the index map can reach in a dimension; unbounded where it has no size yet. */
function reach(dim: Dim, block: BlockDim): number {
  if (typeof dim === "string") return Number.POSITIVE_INFINITY;
  return block.kind === "element" ? dim + block.padding[0] + block.padding[1] : dim;
}

function traceIndexMap(
  definition: KernelDefinition,
  table: Table,
  what: string,
  spec: ArraySpec,
  block: readonly BlockDim[],
): Region {
  const scope = new Scope({
    kind: "index map",
    label: `the index map of ${what}`,
    table,
    parent: activeScope(),
  });
  const idParams = definition.axes.map(({ name }) => scope.param(tensorType("int32", []), name));
  const refs = Object.entries(definition.prefetch).map(
    ([name, { dtype, shape }]) =>
      [
        name,
        new Ref(scope, scope.param(refType(dtype, shape, "smem"), `prefetch "${name}"`)),
      ] as const,
  );
  const known = new Map(refs);
  const ids = definition.axes.map(
    (axis, i) => new GridIndex(scope, idParams[i] as number, axis, known.get(axis.count ?? "")),
  );
  const seen = mapArguments(definition, ids, refs);
  runIn(scope, () => {
    const given = spec.blocking?.map(...seen) ?? block.map(() => 0);
    const entries = Array.isArray(given) ? (given as readonly MapEntry[]) : [given as MapEntry];
    requireRank(what, entries, block);
    scope.region.results.push(
      ...block.flatMap((dim, axis) =>
        entryValues(scope, what, entries[axis] as MapEntry, dim, axis),
      ),
    );
  });
  requireReachable(what, table, scope.region, definition.axes, spec.shape, block);
  return scope.region;
}

function mapArguments(
  definition: KernelDefinition,
  ids: readonly GridIndex[],
  refs: readonly (readonly [string, Ref])[],
): MapArgument[] {
  if (!definition.named) return [...ids, ...refs.map(([, ref]) => ref)] as unknown as MapArgument[];
  const byName = strict("grid axis", Object.fromEntries(ids.map((id) => [id.axis, id])));
  return [byName, strict("prefetch", Object.fromEntries(refs))] as unknown as MapArgument[];
}

/** A record that says what it has when asked for something else. */
export function strict<T extends object>(kind: string, record: T): T {
  return new Proxy(record, {
    get(target, key, receiver) {
      if (typeof key === "symbol" || Object.hasOwn(target, key))
        return Reflect.get(target, key, receiver);
      throw new BuildError("GF2202", `there is no ${kind} "${key}"`, {
        expected: Object.keys(target),
        received: key,
        help: `there is ${
          Object.keys(target)
            .map((name) => `"${name}"`)
            .join(", ") || "none"
        }`,
      });
    },
  });
}

function requireRank(what: string, entries: readonly MapEntry[], block: readonly BlockDim[]): void {
  if (entries.length === block.length) return;
  throw new BuildError(
    "GF2207",
    `${what}: the index map gives ${entries.length} ${entries.length === 1 ? "index" : "indices"} for a block of rank ${block.length}`,
    {
      expected: block.length,
      received: entries.length,
      help: "return one index for each dimension of the array, squeezed ones included",
    },
  );
}

function entryValues(
  scope: Scope,
  what: string,
  entry: MapEntry,
  dim: BlockDim,
  axis: number,
): readonly ValueId[] {
  const where = `${what}: index ${axis} of the index map`;
  if (dim.kind === "bounded") {
    if (!isWindow(entry))
      throw wrongEntry(where, entry, "`ds(start, count)` for a bounded dimension");
    return [integerScalar(scope, where, entry.start), integerScalar(scope, where, entry.size)];
  }
  const fits =
    typeof entry === "number"
      ? Number.isSafeInteger(entry)
      : isTensor(entry) && entry.ndim === 0 && isInteger(entry.dtype);
  if (!fits) throw wrongEntry(where, entry, "a whole number or an integer scalar");
  return [integerScalar(scope, where, entry as number | Tensor)];
}

const isWindow = (entry: MapEntry): entry is Window =>
  typeof entry === "object" && !isTensor(entry) && entry.kind === "window";

function wrongEntry(where: string, entry: unknown, expected: string): BuildError {
  const shown = isTensor(entry) || typeof entry === "number" ? String(entry) : typeof entry;
  return new BuildError("GF2208", `${where} is ${shown}`, {
    expected,
    received: entry,
    help:
      typeof entry === "object" && entry !== null && !isTensor(entry)
        ? "with named grid axes an index map is given one record: write ({ i, j }) => [i, j]"
        : `return ${expected}`,
  });
}
