/**
 * Indices that turn out to lie outside. Reads and writes move such a window inside, as JAX's plain interpreter
 * has it; where `bounds` is "report", every grid point also says where it did so: 1 + the source line of the first such
 * access, in an output of the program's own. What index maps read of prefetched operands is known to whoever calls.
 */
import {
  type BlockMapping,
  newRegion,
  type Region,
  type refType,
  type Shape,
  tensorType,
  type ValueId,
} from "@gridfuse/graph";
import type { Body } from "./body.ts";
import type { Eqn } from "./format.ts";
import type { OpenWindow } from "./open-window.ts";
import type { Scope } from "./scope.ts";

export const FAULTS = "faults";

/** One cell for each grid point, as the last output of a kernel with `sizes` steps along its axes. */
export function faultsOf(sizes: Shape): BlockMapping {
  const block = sizes.map(() => ({ kind: "squeezed" as const }));
  return { name: FAULTS, dtype: "int32", shape: sizes, block, space: "vmem" };
}

/** The block of a point is the point; prefetched operands are not asked. */
export function pointMap(
  around: Scope,
  rank: number,
  prefetch: readonly ReturnType<typeof refType>[],
): Region {
  const region = newRegion();
  const coordinate = tensorType("int32", []);
  for (let d = 0; d < rank; d++) region.results.push(around.table.newParam(region, coordinate));
  for (const type of prefetch) around.table.newParam(region, type);
  return region;
}

/** Whether kernels report; where one is in a loop or a branch, nothing would see it. */
export function requireReports(body: Body, eqn: Eqn): boolean {
  const { reports } = body.importing;
  if (reports && body.scope.parent !== undefined)
    throw body.unsupported(eqn, "a kernel in a loop or a branch, where nothing can report");
  return reports;
}

interface Reporting {
  readonly scope: Scope;
  faults?: ValueId | null | undefined;
}

/** Begins a kernel whose accesses report to `ref`. */
export function beginReport(kernel: Reporting, ref: ValueId): void {
  kernel.faults = ref;
  const { scope } = kernel;
  scope.e.emitAll("set", [ref, scope.full("int32", [], 0)], { transforms: [] });
}

/** Notes the equation that is being read, where `index` is not from 0 to `last`. */
export function reportOutside(body: Body, eqn: Eqn, index: ValueId, last: number): void {
  if (body.importing.reports) reportWhere(body, eqn, isOutside(body, index, last));
}

/** Notes it for a window of which only what `mask` chooses counts; undefined: all of it. */
export function reportOverhang(
  body: Body,
  eqn: Eqn,
  { starts, sizes, shape }: Pick<OpenWindow, "starts" | "sizes" | "shape">,
  mask: ValueId | undefined,
): void {
  if (!body.importing.reports) return;
  const { e } = body;
  const outside = starts.map((start, dimension) => {
    const along = e.emit("iota", [], { dtype: "int32", shape: sizes, dimension });
    const place = e.emit("add", [e.broadcastTo(start, sizes), along], {});
    return isOutside(body, place, (shape[dimension] as number) - 1);
  });
  const chosen = mask === undefined ? [] : [e.reshape(mask, sizes)];
  const somewhere = outside.reduce((a, b) => e.emit("or", [a, b], {}));
  reportWhere(
    body,
    eqn,
    chosen.reduce((a, b) => e.emit("and", [a, b], {}), somewhere),
  );
}

function isOutside({ e, scope }: Body, index: ValueId, last: number): ValueId {
  const ends = [0, last].map((end) => e.broadcastTo(scope.full("int32", [], end), e.shape(index)));
  const below = e.emit("lt", [index, ends[0] as ValueId], {});
  const above = e.emit("gt", [index, ends[1] as ValueId], {});
  return e.emit("or", [below, above], {});
}

function reportWhere(body: Body, eqn: Eqn, found: ValueId): void {
  const { scope, e } = body;
  const { kernel } = scope;
  if (kernel?.faults === null) return;
  if (kernel?.faults === undefined) {
    throw body.unsupported(eqn, "an index that may lie outside, where nothing can report it");
  }
  const ref = scope.reach(kernel.faults, kernel.scope);
  const number = (value: number): ValueId => scope.full("int32", [], value);
  const axes = e.shape(found).map((_, d) => d);
  const any = axes.length === 0 ? found : e.emit("reduce_or", [found], { axes });
  const before = e.emit("get", [ref], { transforms: [] });
  const isFirst = e.emit("eq", [before, number(0)], {});
  const outside = e.emit("and", [isFirst, any], {});
  const after = e.emit("select_n", [outside, before, number(1 + (eqn.loc ?? 0))], {});
  e.emitAll("set", [ref, after], { transforms: [] });
}
