/**
 * A `pallas_call` whose extents nobody bounds, or whose points share memory in ways that blocks do not show: a
 * loop over the points, as JAX's interpreter has it. A kernel of one point holds every array, padded to whole
 * blocks; each trip copies the blocks, runs the body, and copies them back. The passes learn nothing about such
 * a grid, so it is the last resort.
 */
import {
  type RefIndexer as Indexer,
  type PaddingConfig,
  padMapping,
  type TensorType,
  tensorType,
  type ValueId,
} from "@gridfuse/graph";
import { mappingOf, ownAxes, uniqueNames } from "./block-mapping.ts";
import { Body } from "./body.ts";
import { beginReport, requireReports } from "./bounds.ts";
import type { Eqn, PallasCall } from "./format.ts";
import { uninitialised } from "./memory.ts";
import { inKernel } from "./outside.ts";
import { alignCaptures, type KernelScope, NOTHING, type Scope } from "./scope.ts";

interface BlockedArray {
  readonly padding: readonly PaddingConfig[];
  readonly type: TensorType;
  /** Extents of a block, 1 where a dimension is squeezed. */
  readonly window: readonly number[];
  /** What one more of an index moves the block by. */
  readonly unit: readonly number[];
  readonly block: readonly number[];
  readonly indexMap: number;
}

export function steppedCall(
  body: Body,
  args: readonly ValueId[],
  call: PallasCall,
  eqn: Eqn,
): readonly ValueId[] {
  const { ndyn = 0, nindex, nin } = call;
  const dynamic = args.slice(0, ndyn);
  const index = args.slice(ndyn, ndyn + nindex);
  const inputs = args.slice(ndyn + nindex);
  const names = uniqueNames(call.blocks);
  const arrays = call.blocks.map((block, i): BlockedArray => {
    const given = mappingOf(body, block, names[i] as string, eqn);
    const { mapping, padding } = padMapping(given, given.shape as readonly number[]);
    return {
      padding,
      type: tensorType(mapping.dtype, mapping.shape),
      window: mapping.block.map((dim) => (dim.kind === "squeezed" ? 1 : dim.size)),
      unit: mapping.block.map((dim) => (dim.kind === "blocked" ? dim.size : 1)),
      block: mapping.block.flatMap((dim) => (dim.kind === "squeezed" ? [] : [dim.size])),
      indexMap: block.index_map,
    };
  });
  const outputs = arrays.slice(nin);
  const start = arrays.map((array, i) => {
    const alias = call.aliases?.find(([, to]) => i === nin + to)?.[0];
    const source =
      i < nin ? inputs[i] : alias === undefined ? undefined : [...index, ...inputs][alias];
    return padded(body, array, source);
  });
  const shared = body.importing.fill === "hlo" ? [] : (call.aliases ?? []);
  const reports = requireReports(body, eqn);
  const types = outputs.map(({ type }) => type);
  const results = inKernel(
    body,
    call.name ?? "kernel",
    reports ? [...types, fault] : types,
    (inside, refs, reach) => {
      const kernel = inside.scope.kernel as KernelScope;
      const outs = refs.slice(0, outputs.length);
      const faults = refs[outputs.length];
      if (faults !== undefined) beginReport(kernel, faults);
      const copy = (type: TensorType, value: ValueId): ValueId => {
        const ref = kernel.allocate("held", type);
        inside.e.emitAll("set", [ref, value], { transforms: [] });
        return ref;
      };
      for (const [i, out] of outs.entries())
        inside.e.emitAll("set", [out, reach(start[nin + i] as ValueId)], { transforms: [] });
      const state: State = {
        arrays: arrays.map((array, i) => {
          if (i >= nin) return outs[i - nin] as ValueId;
          const pair = shared.find(([from]) => from === nindex + i);
          return pair === undefined
            ? copy(array.type, reach(start[i] as ValueId))
            : (outs[pair[1]] as ValueId);
        }),
        blocks: arrays.map(({ type, block }) =>
          kernel.allocate("block", tensorType(type.dtype, block)),
        ),
        prefetch: index.map((value) => copy(body.e.type(value), reach(value))),
        scratch: call.scratch.map((aval) => {
          const type = body.importing.typeOf(aval);
          return type === undefined ? NOTHING : kernel.allocate("scratch", type);
        }),
        faults,
      };
      runPoints(inside, call, arrays, state, extentsOf(inside, call, dynamic.map(reach)));
    },
  );
  if (reports) body.importing.faults.push(results[outputs.length] as ValueId);
  return outputs.map((output, i) => cropped(body, output, results[i] as ValueId));
}

/** The first fault of all points. */
const fault: TensorType = tensorType("int32", []);

interface State {
  readonly arrays: readonly ValueId[];
  readonly blocks: readonly ValueId[];
  readonly prefetch: readonly ValueId[];
  readonly scratch: readonly ValueId[];
  readonly faults: ValueId | undefined;
}

function padded(body: Body, { type, padding }: BlockedArray, source: ValueId | undefined): ValueId {
  if (source === undefined) return uninitialised(body, type.dtype, type.shape);
  if (padding.every(({ lo, hi }) => lo === 0 && hi === 0)) return source;
  return body.e.emit("pad", [source, uninitialised(body, type.dtype, [])], { config: padding });
}

function cropped(body: Body, { type, padding }: BlockedArray, value: ValueId): ValueId {
  if (padding.every(({ lo, hi }) => lo === 0 && hi === 0)) return value;
  return body.e.emit("slice", [value], {
    start: padding.map(({ lo }) => lo),
    limit: padding.map(({ hi }, d) => (type.shape[d] as number) - hi),
    strides: padding.map(() => 1),
  });
}

function extentsOf(
  body: Body,
  { grid }: PallasCall,
  dynamic: readonly ValueId[],
): readonly ValueId[] {
  let next = 0;
  return grid.map((size) =>
    size === null
      ? body.e.convert(body.e.reshape(dynamic[next++] as ValueId, []), "int32")
      : body.full("int32", [], size),
  );
}

function runPoints(
  body: Body,
  call: PallasCall,
  arrays: readonly BlockedArray[],
  state: State,
  extents: readonly ValueId[],
): void {
  const { scope } = body;
  const one = body.full("int32", [], 1);
  const points = extents.reduce((all, n) => body.e.emit("mul", [all, n], {}), one);
  const open = (): readonly [Scope, ValueId] => {
    const inner = scope.inside();
    return [inner, inner.param(tensorType("int32", []))];
  };
  const [condition, tested] = open();
  condition.region.results.push(condition.e.emit("lt", [tested, condition.capture(points)], {}));
  const [inside, flat] = open();
  runPoint(new Body(body.importing, inside), call, arrays, state, extents, flat, scope);
  inside.region.results.push(inside.e.emit("add", [flat, inside.full("int32", [], 1)], {}));
  const captures = alignCaptures([condition, inside]);
  const zero = body.full("int32", [], 0);
  body.e.emitAll("while", [zero, ...captures], { carries: 1 }, [condition.region, inside.region]);
}

function runPoint(
  body: Body,
  call: PallasCall,
  arrays: readonly BlockedArray[],
  state: State,
  extents: readonly ValueId[],
  flat: ValueId,
  outer: Scope,
): void {
  const { scope, e } = body;
  const take = (values: readonly ValueId[]): readonly ValueId[] =>
    values.map((value) => scope.capture(value));
  const sizes = take(extents);
  let rest = flat;
  const ids = sizes
    .toReversed()
    .map((size) => {
      const id = e.emit("rem", [rest, size], {});
      rest = e.emit("div", [rest, size], {});
      return id;
    })
    .reverse();
  const kernel = outer.kernel as KernelScope;
  const own = ownAxes(call);
  scope.kernel = {
    scope,
    ids: own.map((d) => ids[d] as ValueId),
    extents: own.map((d) => ({ value: sizes[d] as ValueId })),
    faults: state.faults && scope.capture(state.faults),
    allocate: (name, type) => scope.reach(kernel.allocate(name, type), kernel.scope),
  };
  scope.axes = own.flatMap((d) => {
    const name = call.grid_names?.[d];
    return name == null ? [] : [{ name, index: ids[d] as ValueId, size: 0, owner: scope }];
  });
  const prefetch = take(state.prefetch);
  const refs = take(state.arrays);
  const blocks = take(state.blocks);
  const windows = arrays.map((array, i) => {
    const starts = startsOf(body, array, [...ids, ...prefetch]);
    const view = viewOf(array);
    const read = e.emit("get", [refs[i] as ValueId, ...starts], { transforms: [view] });
    e.emitAll("set", [blocks[i] as ValueId, e.reshape(read, array.block)], { transforms: [] });
    return { starts, view };
  });
  const scratch = state.scratch.map((ref) => scope.capture(ref));
  body.call(call.kernel, [...prefetch, ...blocks, ...scratch]);
  for (const [i, { starts, view }] of windows.entries()) {
    const block = e.emit("get", [blocks[i] as ValueId], { transforms: [] });
    const written = e.reshape(block, (arrays[i] as BlockedArray).window);
    e.emitAll("set", [refs[i] as ValueId, written, ...starts], { transforms: [view] });
  }
}

/** First element of the block in every dimension. */
function startsOf(
  body: Body,
  { indexMap, unit }: BlockedArray,
  args: readonly ValueId[],
): readonly ValueId[] {
  const taken = body.importing.jaxpr(indexMap).in.length;
  return body.call(indexMap, args.slice(0, taken)).map((index, d) => {
    const number = body.e.convert(index, "int32");
    const step = unit[d] as number;
    return step === 1 ? number : body.e.emit("mul", [number, body.full("int32", [], step)], {});
  });
}

const viewOf = ({ window }: BlockedArray): readonly Indexer[] =>
  window.map((size, d) => ({ kind: "slice", start: { operand: d }, size, stride: 1 }));
