/**
 * A loop that replaces a window of what it carries writes that window, in the carry's own memory, and
 * leaves the rest where it is. Everything that an iteration reads of its carries is read before any of them is
 * written, so windows may overlap what they were computed from.
 */
import { elementCount, type Node, type Region, sizes, type ValueId } from "@gridfuse/graph";
import type { KernelStep } from "@gridfuse/plan";
import * as ix from "@gridfuse/plan/index-expr";
import { kernelLoads } from "../plan/accesses.ts";
import { coordinates, flatten } from "../tensor/views.ts";
import { atStart, type Place } from "./builder.ts";
import { finishCollapsed } from "./collapse.ts";
import { keepBits } from "./keep-bits.ts";
import type { Scope } from "./lower-region.ts";
import { Puller } from "./pull.ts";
import { KernelBuilder } from "./stage.ts";

/** A `dynamic_update_slice` of a carry. */
export interface WindowWrite {
  readonly carry: Place;
  readonly result: ValueId;
  readonly update: ValueId;
  readonly starts: readonly ValueId[];
}

/** Windows that cover more than this part of a carry are written with the rest of it, in one pass. */
const largestPart = 0.5;

/**
 * The windows whose writing, in order, turns the carry `param` into `value`; undefined where it takes more than
 * that, or where somebody else wants a value on the way.
 */
export function windowsInto(
  scope: Scope,
  region: Region,
  value: ValueId,
  param: ValueId,
  carry: Place,
): WindowWrite[] | undefined {
  const { table } = scope;
  const windows: WindowWrite[] = [];
  let elements = 0;
  let current = value;
  while (current !== param) {
    const node = table.producer(current);
    if (node?.op !== "dynamic_update_slice" || scope.lowering.places.has(current)) return undefined;
    if (countUses(scope, region, current) !== 1) return undefined;
    const [source, update, ...starts] = node.inputs as [ValueId, ValueId, ...ValueId[]];
    elements += elementCount(table.tensor(update).shape);
    windows.unshift({ carry, result: current, update, starts });
    current = scope.renamed(source);
  }
  const whole = elementCount(table.tensor(param).shape);
  return windows.length > 0 && elements > 0 && elements <= whole * largestPart
    ? windows
    : undefined;
}

function countUses({ table }: Scope, { nodes, results }: Region, value: ValueId): number {
  let uses = results.filter((result) => result === value).length;
  for (const id of nodes) {
    for (const input of (table.nodes[id] as Node).inputs) if (input === value) uses += 1;
  }
  return uses;
}

/** Computes what goes into the window, apart from the carries in `taken`, which will be overwritten. */
export function prepareWindow(
  scope: Scope,
  { update }: WindowWrite,
  taken: ReadonlySet<number>,
): void {
  keepApart(scope, update, taken);
}

/** Kernels that write the windows; `taken` are the buffers of all carries that windows are written to. */
export function windowKernels(
  scope: Scope,
  windows: readonly WindowWrite[],
  taken: ReadonlySet<number>,
): KernelStep[] {
  return windows.map((window) => {
    const kernel = windowKernel(scope, window);
    if (![...kernelLoads(kernel)].some((buffer) => taken.has(buffer))) return kernel;
    // Where the window begins is read from what a window overwrites.
    for (const start of window.starts) keepApart(scope, start, taken);
    return windowKernel(scope, window);
  });
}

function keepApart(scope: Scope, given: ValueId, taken: ReadonlySet<number>): void {
  const value = scope.renamed(given);
  if (scope.symbol(value) !== undefined) return;
  const place = scope.materialise(value);
  if (!taken.has(place.buffer)) return;
  const { dtype, shape } = scope.table.tensor(value);
  const spare = atStart(scope.plan.newBuffer("temporary", dtype, elementCount(shape)));
  scope.copy(place, spare, value);
  scope.setPlace(value, spare);
}

function windowKernel(scope: Scope, { carry, result, update, starts }: WindowWrite): KernelStep {
  const { table } = scope;
  const window = sizes(table.tensor(update).shape);
  const whole = sizes(table.tensor(result).shape);
  const kernel = new KernelBuilder(window);
  const puller = new Puller(scope, kernel);
  const at = coordinates(window);
  const first = puller.windowStarts(kernel.final, starts, whole, window);
  const index = at.map((e, d) => ix.add(e, first[d] ?? ix.zero));
  const value = puller.pull(kernel.final, update, at);
  kernel.final.writes.push({
    buffer: carry.buffer,
    dtype: table.tensor(update).dtype,
    index: ix.add(carry.offset, flatten(index, whole)),
    guard: [],
    value,
  });
  const name = scope.plan.name("window");
  scope.noteOrigins(name, result, kernel);
  return keepBits(finishCollapsed(kernel, name));
}
