/** Ops that executors bring as a whole: sort, top_k, cumulative ops, scatter. */
import { elementCount, type NodeNamed, sizes, type ValueId } from "@gridfuse/graph";
import type { KernelStep, ScanStep, Stage, Write } from "@gridfuse/plan";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import { type IndexRange, math } from "@gridfuse/plan/scalar";
import { coordinates, flatten } from "../tensor/views.ts";
import { atStart, type Place } from "./builder.ts";
import { collapseAxes, finishCollapsed } from "./collapse.ts";
import { keepStageBits } from "./keep-bits.ts";
import type { Scope } from "./lower-region.ts";
import { Puller } from "./pull.ts";
import { rebuildStage } from "./rewrite-stage.ts";
import { KernelBuilder } from "./stage.ts";

interface Split {
  readonly outer: number;
  readonly extent: number;
  readonly inner: number;
}

const product = (extents: readonly number[]): number =>
  extents.reduce((count, extent) => count * extent, 1);

const splitAt = (shape: readonly number[], d: number): Split => ({
  outer: product(shape.slice(0, d)),
  extent: shape[d] as number,
  inner: product(shape.slice(d + 1)),
});

/** A buffer that holds exactly `value`, from its first element on. */
function wholeBuffer(scope: Scope, value: ValueId): number {
  const place = scope.materialise(value);
  const { dtype, shape } = scope.table.tensor(value);
  const length = elementCount(shape);
  const atFirst = place.offset.k === "const" && place.offset.value === 0;
  if (atFirst && scope.plan.buffers[place.buffer]?.length === length) return place.buffer;
  const own = atStart(scope.plan.newBuffer("temporary", dtype, length));
  scope.copy(place, own, value);
  return own.buffer;
}

/** Memory for a whole result; a place inside something larger is filled by a copy afterwards. */
function wholeResult(scope: Scope, value: ValueId): { buffer: number; settle: () => void } {
  const { dtype, shape } = scope.table.tensor(value);
  const length = elementCount(shape);
  const place: Place = scope.allocate(value);
  const atFirst = place.offset.k === "const" && place.offset.value === 0;
  if (atFirst && scope.plan.buffers[place.buffer]?.length === length) {
    return { buffer: place.buffer, settle: () => {} };
  }
  const own = atStart(scope.plan.newBuffer("temporary", dtype, length));
  return { buffer: own.buffer, settle: () => scope.copy(own, place, value) };
}

/** The dimension along which int32 elements are their own places, if there is one. */
function placesAlong(table: Scope["table"], value: ValueId): number | undefined {
  const made = table.producer(value);
  if (made?.op === "iota") return made.params.dtype === "int32" ? made.params.dimension : undefined;
  if (made?.op !== "broadcast_in_dim") return undefined;
  const [source] = made.inputs as readonly [ValueId];
  const along = placesAlong(table, source);
  const dimension = along === undefined ? undefined : made.params.broadcastDimensions[along];
  if (along === undefined || dimension === undefined) return undefined;
  const isWhole = table.tensor(source).shape[along] === table.tensor(value).shape[dimension];
  return isWhole ? dimension : undefined;
}

/** Carried positions are no operand: a sort knows the places that it takes elements from. */
export function lowerSort(scope: Scope, node: NodeNamed<"sort">): void {
  const shape = sizes(scope.table.tensor(node.inputs[0] as ValueId).shape);
  const { dimension, keys } = node.params;
  const isPlaces = (value: ValueId, i: number): boolean =>
    i >= keys && placesAlong(scope.table, value) === dimension;
  const operands = node.inputs.filter((value, i) => !isPlaces(value, i));
  const inputs = operands.map((value) => wholeBuffer(scope, value));
  const sources = node.inputs.map((value, i) =>
    isPlaces(value, i) ? operands.length : operands.indexOf(value),
  );
  const outputs = node.outputs.map((value) => wholeResult(scope, value));
  if (product(shape) === 0) return;
  scope.steps.push({
    kind: "sort",
    name: scope.plan.name("sort"),
    ...splitAt(shape, dimension),
    keys,
    dtypes: operands.map((value) => scope.table.tensor(value).dtype),
    inputs,
    sources,
    outputs: outputs.map(({ buffer }) => buffer),
  });
  for (const { settle } of outputs) settle();
}

export function lowerTopK(scope: Scope, node: NodeNamed<"top_k">): void {
  const source = node.inputs[0] as ValueId;
  const { dtype, shape } = scope.table.tensor(source);
  const { outer, extent } = splitAt(sizes(shape), shape.length - 1);
  const input = wholeBuffer(scope, source);
  const [values, indices] = node.outputs.map((value) => wholeResult(scope, value)) as [
    ReturnType<typeof wholeResult>,
    ReturnType<typeof wholeResult>,
  ];
  if (outer * node.params.k === 0) return;
  scope.steps.push({
    kind: "topk",
    name: scope.plan.name("top_k"),
    outer,
    extent,
    k: node.params.k,
    dtype,
    input,
    values: values.buffer,
    indices: indices.buffer,
  });
  values.settle();
  indices.settle();
}

type Cumulative = NodeNamed<"cumsum" | "cumprod" | "cummax" | "cummin">;
const scanOps: { readonly [K in Cumulative["op"]]: ScanStep["op"] } = {
  cumsum: "add",
  cumprod: "mul",
  cummax: "max",
  cummin: "min",
};

export function lowerCumulative(scope: Scope, node: Cumulative): void {
  const source = node.inputs[0] as ValueId;
  const result = node.outputs[0] as ValueId;
  const { dtype, shape } = scope.table.tensor(source);
  const input = wholeBuffer(scope, source);
  const output = wholeResult(scope, result);
  if (elementCount(shape) === 0) return;
  scope.steps.push({
    kind: "scan",
    name: scope.plan.name(node.op),
    op: scanOps[node.op],
    reverse: node.params.reverse,
    ...splitAt(sizes(shape), node.params.axis),
    dtype,
    input,
    output: output.buffer,
  });
  output.settle();
}

/** No executor knows log(eˣ + eʸ): a loop along the axis whose kernel is spelled in the scalar language. */
export function lowerCumLogSumExp(scope: Scope, node: NodeNamed<"cumlogsumexp">): void {
  const source = node.inputs[0] as ValueId;
  const { dtype, shape } = scope.table.tensor(source);
  const { axis, reverse } = node.params;
  const input = wholeBuffer(scope, source);
  const output = wholeResult(scope, node.outputs[0] as ValueId);
  const { outer, extent, inner } = splitAt(sizes(shape), axis);
  if (outer * extent * inner === 0) return;
  const loop = scope.lowering.loops.next;
  scope.lowering.loops.next += 1;

  const at = (position: IndexExpr): IndexExpr =>
    ix.add(
      ix.mul(ix.axis(0, outer), extent * inner),
      ix.mul(reverse ? ix.sub(ix.constant(extent - 1), position) : position, inner),
      ix.axis(1, inner),
    );
  const step = (position: IndexExpr, combine: boolean): KernelStep => {
    const kernel = new KernelBuilder([outer, inner]);
    const { b, writes } = kernel.final;
    const load = (buffer: number, index: IndexExpr): number =>
      b.load(dtype, buffer, index, [], { lo: 0, hi: 0 });
    const next = load(input, at(position));
    const before = at(ix.add(position, ix.constant(-1)));
    const value = combine ? math.logaddexp(b, load(output.buffer, before), next) : next;
    writes.push({ buffer: output.buffer, dtype, index: at(position), guard: [], value });
    return finishCollapsed(kernel, scope.plan.name(node.op));
  };
  scope.steps.push(step(ix.zero, false));
  if (extent > 1) {
    scope.steps.push({
      kind: "loop",
      name: scope.plan.name(`${node.op}_loop`),
      loop,
      trips: extent - 1,
      grid: false,
      body: [step(ix.add(ix.loop(loop, extent - 1), ix.constant(1)), true)],
    });
  }
  output.settle();
}

/** The operand is copied, then the updates go in one after the other. */
export function lowerScatter(scope: Scope, node: NodeNamed<"scatter">): void {
  const [operand, indices, updates] = node.inputs as readonly [ValueId, ValueId, ValueId];
  const { dimensions, combine, mode } = node.params;
  const result = node.outputs[0] as ValueId;
  const { dtype } = scope.table.tensor(operand);
  const shape = sizes(scope.table.tensor(operand).shape);
  const domain = sizes(scope.table.tensor(updates).shape);
  const source = scope.materialise(operand);
  const place = scope.allocate(result);
  scope.copy(source, place, result);
  if (product(domain) === 0 || product(shape) === 0) return;

  const kernel = new KernelBuilder(domain);
  const puller = new Puller(scope, kernel, "scatter");
  const { b } = kernel.final;
  const at = coordinates(domain);
  const batchAt = at.filter((_, d) => !dimensions.updateWindowDims.includes(d));
  const windowAt = dimensions.updateWindowDims.map((d) => at[d] as IndexExpr);
  const windowDims = shape
    .map((_, d) => d)
    .filter(
      (d) =>
        !dimensions.insertedWindowDims.includes(d) && !dimensions.operandBatchingDims.includes(d),
    );
  const guard: IndexRange[] = [];
  const index: IndexExpr[] = shape.map((_, d) => {
    const window = windowDims.indexOf(d);
    if (window >= 0) return windowAt[window] as IndexExpr;
    const batch = dimensions.operandBatchingDims.indexOf(d);
    return batch < 0
      ? ix.zero
      : (batchAt[dimensions.scatterIndicesBatchingDims[batch] as number] as IndexExpr);
  });
  dimensions.scatterDimsToOperandDims.forEach((d, i) => {
    const window = windowDims.indexOf(d);
    const size = window < 0 ? 1 : (domain[dimensions.updateWindowDims[window] as number] as number);
    const room = Math.max(0, (shape[d] as number) - size);
    const start = puller.pull(kernel.final, indices, [...batchAt, ix.constant(i)]);
    // One beyond either end marks a window that does not fit; the guard then drops it.
    const margin = mode === "fill" ? 1 : 0;
    const clamped = ix.value(clampInt32(b, start, -margin, room + margin), -margin, room + margin);
    if (mode === "fill") guard.push({ index: clamped, lo: 0, hi: room + 1 });
    index[d] = ix.add(index[d] as IndexExpr, clamped);
  });
  const value = puller.pull(kernel.final, updates, at);
  const rebuilt = rebuildStage(
    {
      axes: domain,
      nodes: b.nodes,
      reductions: [],
      writes: [
        {
          buffer: place.buffer,
          dtype,
          index: ix.add(place.offset, flatten(index, shape)),
          guard,
          value,
        },
      ],
    },
    (e) => e,
  );
  const kept = combine === "set" ? keepStageBits(rebuilt) : rebuilt;
  const name = scope.plan.name(combine === "set" ? "scatter" : `scatter_${combine}`);
  // Neighbouring axes of a kernel merge in row-major order, which is the order of the updates.
  const [stage] = collapseAxes({ kind: "kernel", name, axes: [], stages: [kept] }).stages;
  const { axes, nodes, writes } = stage as Stage;
  scope.steps.push({ kind: "scatter", name, axes, nodes, combine, write: writes[0] as Write });
}

/** clamp(x, lo, hi) as int32; indices of 32 bits and less never need 64. */
function clampInt32(b: KernelBuilder["final"]["b"], x: number, lo: number, hi: number): number {
  const own = b.dtypeOf(x);
  const isWide = own === "int64" || own === "uint64" || own === "uint32";
  const dtype = isWide ? own : "int32";
  const value = b.convert(x, dtype);
  const atMost = b.binary("min", value, b.const(dtype, hi));
  if (own === "uint32" || own === "uint64") return b.convert(atMost, "int32");
  return b.convert(b.binary("max", atMost, b.const(dtype, lo)), "int32");
}
