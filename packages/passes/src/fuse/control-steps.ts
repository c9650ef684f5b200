/** Structured control flow: loops, `while` and branches, whose regions are lowered in scopes of their own. */
import {
  elementCount,
  type Node,
  type NodeNamed,
  type Region,
  type ValueId,
} from "@gridfuse/graph";
import * as ix from "@gridfuse/plan/index-expr";
import { viewOf } from "../tensor/views.ts";
import { atStart, type Place } from "./builder.ts";
import { finishCollapsed } from "./collapse.ts";
import type { Scope } from "./lower-region.ts";
import { Puller } from "./pull.ts";
import { KernelBuilder } from "./stage.ts";
import { prepareWindow, windowKernels, windowsInto } from "./window-writes.ts";

/** Binds a region's param to an outer value: its memory, or what it is if that costs nothing. */
function bindCapture(scope: Scope, param: ValueId, given: ValueId): void {
  const value = scope.renamed(given);
  const node = scope.table.producer(value);
  if (scope.symbol(value) !== undefined || node?.op === "full" || node?.op === "iota") {
    scope.lowering.renames.set(param, value);
    return;
  }
  if (node !== undefined && viewOf(scope.table, node) !== undefined) {
    const source = scope.renamed(node.inputs[0] as ValueId);
    const isStored = scope.lowering.places.has(source);
    if (isStored || scope.table.producer(source)?.op === "full" || isSpread(scope, node)) {
      if (!isStored && isSpread(scope, node)) scope.materialise(source);
      scope.lowering.renames.set(param, value);
      return;
    }
  }
  scope.lowering.places.set(param, scope.materialise(value));
}

/** Whether the node spreads something smaller over more dimensions. */
function isSpread(scope: Scope, { op, inputs, outputs }: Node): boolean {
  const count = (value: ValueId): number => elementCount(scope.table.tensor(value).shape);
  return op === "broadcast_in_dim" && count(inputs[0] as ValueId) < count(outputs[0] as ValueId);
}

function newCarries(
  scope: Scope,
  region: Region,
  first: number,
  inputs: readonly ValueId[],
): Place[] {
  return inputs.map((value, i) => {
    const { dtype, shape } = scope.table.tensor(value);
    const place = atStart(scope.plan.newBuffer("temporary", dtype, elementCount(shape)));
    scope.copy(scope.materialise(value), place, value);
    scope.lowering.places.set(region.params[first + i] as ValueId, place);
    return place;
  });
}

/** Ends an iteration: the results become the carries. */
function updateCarries(
  scope: Scope,
  inner: Scope,
  region: Region,
  first: number,
  carries: readonly Place[],
  results: readonly ValueId[],
): void {
  const params = region.params.slice(first, first + carries.length);
  const moves: { from: Place; to: Place; value: ValueId }[] = [];
  const windows = results.flatMap((given, i) => {
    const [param, carry] = [params[i] as ValueId, carries[i] as Place];
    return windowsInto(inner, region, inner.renamed(given), param, carry) ?? [];
  });
  const taken = new Set(windows.map(({ carry }) => carry.buffer));
  for (const window of windows) prepareWindow(inner, window, taken);
  results.forEach((given, i) => {
    const value = inner.renamed(given);
    const to = carries[i] as Place;
    if (value === params[i] || taken.has(to.buffer)) return;
    let from = inner.materialise(value);
    if (carries.some(({ buffer }) => buffer === from.buffer)) {
      const { dtype, shape } = scope.table.tensor(value);
      const spare = atStart(scope.plan.newBuffer("temporary", dtype, elementCount(shape)));
      inner.copy(from, spare, value);
      from = spare;
    }
    moves.push({ from, to, value });
  });
  inner.steps.push(...windowKernels(inner, windows, taken));
  for (const { from, to, value } of moves) inner.copy(from, to, value);
}

/** A loop that never runs: carries are what they start as, and nothing is stacked. */
function lowerNoTrips(scope: Scope, { inputs, outputs, params }: NodeNamed<"scan">): void {
  outputs.forEach((value, i) => {
    if (i >= params.carries) scope.allocate(value);
    else scope.setPlace(value, scope.materialise(inputs[i] as ValueId));
  });
}

export function lowerScan(scope: Scope, node: NodeNamed<"scan">): void {
  const { lowering } = scope;
  const { trips, carries, xs, reverse, grid, name } = node.params;
  if (trips === 0) {
    lowerNoTrips(scope, node);
    return;
  }
  const region = node.regions[0] as Region;
  let id = node.params.loop;
  if (id === undefined) {
    id = lowering.loops.next;
    lowering.loops.next += 1;
  }
  const counter = ix.loop(id, trips);
  const at = reverse ? ix.sub(ix.constant(trips - 1), counter) : counter;
  lowering.symbols.set(region.params[0] as ValueId, at);
  const places = newCarries(scope, region, 1, node.inputs.slice(0, carries));
  node.inputs.slice(carries).forEach((value, j) => {
    const param = region.params[1 + carries + j] as ValueId;
    if (j >= xs) {
      bindCapture(scope, param, value);
      return;
    }
    const { buffer, offset } = scope.materialise(value);
    const size = elementCount(scope.table.tensor(param).shape);
    lowering.places.set(param, { buffer, offset: ix.add(offset, ix.mul(at, size)) });
  });
  const ys = node.outputs.slice(carries).map((value) => scope.allocate(value));

  const inner = scope.within(region);
  inner.lowerEffects(region);
  region.results.slice(carries).forEach((value, j) => {
    const { buffer, offset } = ys[j] as Place;
    const size = elementCount(scope.table.tensor(value).shape);
    inner.store(value, { buffer, offset: ix.add(offset, ix.mul(at, size)) });
  });
  updateCarries(scope, inner, region, 1, places, region.results.slice(0, carries));
  scope.steps.push({
    kind: "loop",
    name: scope.plan.name(name ?? "loop"),
    loop: id,
    trips,
    grid: grid === true,
    body: inner.steps,
  });
  places.forEach((place, i) => {
    scope.setPlace(node.outputs[i] as ValueId, place);
  });
}

export function lowerWhile(scope: Scope, node: NodeNamed<"while">): void {
  const { lowering } = scope;
  const { carries } = node.params;
  const [condition, body] = node.regions as readonly [Region, Region];
  const places = newCarries(scope, body, 0, node.inputs.slice(0, carries));
  places.forEach((place, i) => {
    lowering.places.set(condition.params[i] as ValueId, place);
  });
  node.inputs.slice(carries).forEach((value, j) => {
    bindCapture(scope, condition.params[carries + j] as ValueId, value);
    bindCapture(scope, body.params[carries + j] as ValueId, value);
  });
  const predicate = atStart(scope.plan.newBuffer("temporary", "bool", 1));
  if (node.params.lanes === true) scope.plan.laneLoops.add(predicate.buffer);
  const test = scope.within(condition);
  test.lowerEffects(condition);
  test.store(condition.results[0] as ValueId, predicate);
  const inner = scope.within(body);
  inner.lowerEffects(body);
  updateCarries(scope, inner, body, 0, places, body.results);
  scope.steps.push({
    kind: "while",
    name: scope.plan.name("while"),
    predicate: predicate.buffer,
    condition: test.steps,
    body: inner.steps,
    fuel: lowering.fuel,
  });
  places.forEach((place, i) => {
    scope.setPlace(node.outputs[i] as ValueId, place);
  });
}

export function lowerCond(scope: Scope, node: NodeNamed<"cond">): void {
  const [which, ...operands] = node.inputs as [ValueId, ...ValueId[]];
  const selector = selectorOf(scope, which);
  for (const region of node.regions) {
    operands.forEach((value, i) => {
      bindCapture(scope, region.params[i] as ValueId, value);
    });
  }
  const places = node.outputs.map((value) => scope.allocate(value));
  const branches = node.regions.map((region) => {
    const inner = scope.within(region);
    inner.lowerEffects(region);
    region.results.forEach((value, i) => {
      inner.store(value, places[i] as Place);
    });
    return inner.steps;
  });
  scope.steps.push({ kind: "branch", name: scope.plan.name("branch"), selector, branches });
}

/** The branch number as an int32 buffer. */
function selectorOf(scope: Scope, which: ValueId): number {
  const kernel = new KernelBuilder([]);
  const node = new Puller(scope, kernel).pull(kernel.final, which, []);
  const { b } = kernel.final;
  const clampWide = b.dtypeOf(node) === "int64" || b.dtypeOf(node) === "uint64";
  const narrowed = clampWide ? b.binary("min", node, b.const(b.dtypeOf(node), 2 ** 30)) : node;
  const buffer = scope.plan.newBuffer("temporary", "int32", 1);
  kernel.final.writes.push({
    buffer,
    dtype: "int32",
    index: ix.zero,
    guard: [],
    value: b.convert(narrowed, "int32"),
  });
  scope.steps.push(finishCollapsed(kernel, scope.plan.name("branch_index")));
  return buffer;
}
