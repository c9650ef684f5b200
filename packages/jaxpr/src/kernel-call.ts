/**
 * `pallas_call` into a `grid` node: blocks, index maps and body become its regions, at the kernel level, just
 * as the front end makes them.
 */
import {
  type BlockMapping,
  type FillMode,
  type GridParams,
  refType,
  type ValueId,
} from "@gridfuse/graph";
import {
  blockShape,
  coordinate,
  coreAt,
  indexMap,
  mappingOf,
  ownAxes,
  uniqueNames,
} from "./block-mapping.ts";
import { Body } from "./body.ts";
import { beginReport, faultsOf, pointMap, requireReports } from "./bounds.ts";
import { malformed } from "./errors.ts";
import type { AvalRef, Eqn, PallasCall, WireBlock } from "./format.ts";
import { clearSemaphores, KernelRegion, ownPrefetch } from "./kernel-region.ts";
import { type Extent, NOTHING } from "./scope.ts";

export function kernelCall(
  body: Body,
  args: readonly ValueId[],
  call: PallasCall,
  eqn: Eqn,
  fill: FillMode,
): readonly ValueId[] {
  const { importing } = body;
  const { ndyn = 0, nindex, nin, nout } = call;
  const dynamic = args.slice(0, ndyn);
  const index = args.slice(ndyn, ndyn + nindex);
  const inputs = args.slice(ndyn + nindex, ndyn + nindex + nin);
  const name = call.name ?? "kernel";
  const grid = axesOf(body, call, dynamic, nindex);
  const axes = grid.filter(isWalked);
  const prefetch = [...index, ...dynamic].map((value) => {
    const { dtype, shape } = body.e.type(value);
    return refType(dtype, shape, "smem");
  });

  // Aliased prefetch operands come as inputs of their own: only those share memory with outputs.
  const extra = (call.aliases ?? []).filter(([from]) => from < nindex);
  const aliases = (call.aliases ?? []).map(([from, to]): readonly [number, number] =>
    from < nindex ? [nin + extra.findIndex(([other]) => other === from), to] : [from - nindex, to],
  );
  const blocks = [
    ...call.blocks.slice(0, nin),
    ...extra.map(([, to]) => call.blocks[nin + to] as WireBlock),
    ...call.blocks.slice(nin),
  ];
  const names = uniqueNames(blocks);
  const mappings = blocks.map((block, i) => mappingOf(body, block, names[i] as string, eqn));
  const maps = blocks.map((block) => indexMap(body, block, grid.map(isWalked), prefetch, call));
  const reports = requireReports(body, eqn);
  if (reports) {
    mappings.push(faultsOf(axes.map(({ size }) => size)));
    maps.push(pointMap(body.scope, axes.length, prefetch));
  }

  const kernel = new KernelRegion(body.scope, false);
  const walked = axes.map(() => kernel.param(coordinate));
  const ids = grid.map((axis) =>
    isWalked(axis)
      ? coreAt(kernel.scope, call, walked[axes.indexOf(axis)] as ValueId)
      : kernel.scope.full("int32", [], 0),
  );
  kernel.firstCore = call.order?.[0];
  const prefetched = prefetch.map((type) => kernel.param(type));
  const refs = mappings.map((mapping) =>
    kernel.param(refType(mapping.dtype, blockShape(mapping), mapping.space)),
  );
  nameAxes(kernel, call, ids, prefetched, nindex);
  const faults = reports ? refs.pop() : undefined;
  if (faults !== undefined) beginReport(kernel, faults);
  const scratch = call.scratch.map((aval) => {
    const type = importing.typeOf(aval);
    return type === undefined ? NOTHING : kernel.allocate("scratch", type);
  });
  clearSemaphores(
    kernel,
    walked,
    scratch.filter(
      (ref, i) => ref !== NOTHING && importing.isSemaphore(call.scratch[i] as AvalRef),
    ),
  );
  const outputs = refs.slice(nin + extra.length);
  const isShared = ([from, to]: readonly [number, number]): boolean =>
    fill !== "hlo" || isWritten(call, from, to);
  const shared = sharedWhole(call, mappings, nin + extra.length).filter(isShared);
  const seen = refs.slice(0, nin).map((ref, i) => {
    const pair = shared.find(([from]) => from === i);
    return pair === undefined ? ref : (outputs[pair[1]] as ValueId);
  });
  new Body(importing, kernel.scope).run(call.kernel, [
    ...prefetched.slice(0, nindex),
    ...seen,
    ...outputs,
    ...scratch,
  ]);
  ownPrefetch(kernel, prefetched, walked, fill);
  kernel.finish();
  const params: GridParams = {
    name,
    axes,
    level: "kernel",
    prefetch: prefetch.length,
    inputs: mappings.slice(0, nin + extra.length),
    outputs: mappings.slice(nin + extra.length),
    scratch: kernel.scratch,
    aliases,
    fill,
    mutated: [],
  };
  if (nout === 0 && (eqn.o?.length ?? 0) > 0) throw malformed(`${name} has no outputs`);
  const operands = [
    ...index,
    ...dynamic,
    ...inputs,
    ...extra.map(([from]) => index[from] as ValueId),
  ];
  const results = body.e.emitAll("grid", operands, params, [kernel.scope.region, ...maps]);
  if (faults !== undefined) importing.faults.push(results[nout] as ValueId);
  return results.slice(0, nout);
}

// ── Aliases ─────────────────────────────────────────────────────────────────────────────────

/** Pairs of an input and an output that are one memory, as [input, output]; prefetch operands are not among them. */
const pairsOf = ({ aliases = [], nindex }: PallasCall): readonly (readonly [number, number])[] =>
  aliases.flatMap(([from, to]) => (from < nindex ? [] : [[from - nindex, to] as const]));

/** Those that the kernel sees whole: on a TPU it sees one memory twice. */
const sharedWhole = (
  call: PallasCall,
  mappings: readonly BlockMapping[],
  firstOutput: number,
): readonly (readonly [number, number])[] =>
  pairsOf(call).filter(([from, to]) =>
    [mappings[from], mappings[firstOutput + to]].every((mapping) => isWhole(mapping)),
  );

/** Whether only the input of a pair is written: what is written is the output. */
const isWritten = ({ shared = [], nindex }: PallasCall, from: number, to: number): boolean =>
  shared.some(([input, output]) => input === from + nindex && output === to);

/** Not copied in blocks to the kernel's own memory. */
const isWhole = (mapping: BlockMapping | undefined): boolean =>
  mapping?.space === "any" &&
  mapping.block.every((dim, d) => dim.kind === "blocked" && dim.size === mapping.shape[d]);

/**
 * Whether an input and an output are one memory that is cut in two ways: then what one grid point writes
 * another may read. JAX's plain interpreter keeps two arrays; a TPU and its interpret mode have one.
 */
export function sharesBlocks(body: Body, call: PallasCall): boolean {
  return pairsOf(call).some(([from, to]) => {
    const input = call.blocks[from] as WireBlock;
    const output = call.blocks[call.nin + to] as WireBlock;
    const shapes = JSON.stringify(input.shape) === JSON.stringify(output.shape);
    const { importing } = body;
    const mapOf = ({ index_map }: WireBlock): string => {
      const { in: params, out, eqns } = importing.jaxpr(index_map);
      return JSON.stringify([params, out, eqns.map(({ loc: _, ...eqn }) => eqn)]);
    };
    return !shapes || mapOf(input) !== mapOf(output);
  });
}

// ── The grid ────────────────────────────────────────────────────────────────────────────────

/** An axis of one step has one coordinate, 0: the graph need not hear of it. */
const isWalked = ({ size, count }: GridParams["axes"][number]): boolean =>
  size !== 1 || count !== undefined;

function axesOf(
  body: Body,
  call: PallasCall,
  dynamic: readonly ValueId[],
  nindex: number,
): GridParams["axes"] {
  const semantics = call.cp?.dimension_semantics ?? [];
  const skipped = semantics.length === call.grid.length ? 0 : (call.vmapped?.length ?? 0);
  let next = 0;
  return call.grid.map((size, d) => {
    const promise = semanticsOf(semantics[d - skipped]);
    const name = call.grid_names?.[d] ?? `${d}`;
    const promised = promise === undefined ? {} : { semantics: promise };
    if (size !== null) return { name, size, ...promised };
    const at = next++;
    const known = constantOf(body, dynamic[at] as ValueId);
    if (known !== undefined) return { name, size: known, ...promised };
    const most = call.grid_max?.[d];
    if (most == null) throw malformed(`axis ${d} of ${call.name} has no bound`);
    return { name, size: most, count: nindex + at, ...promised };
  });
}

/** Whether some extent is neither known nor bounded. */
export function isUnbounded(body: Body, call: PallasCall, args: readonly ValueId[]): boolean {
  let next = 0;
  return call.grid.some(
    (size, d) =>
      size === null &&
      constantOf(body, args[next++] as ValueId) === undefined &&
      call.grid_max?.[d] == null,
  );
}

function semanticsOf(given: string | null | undefined): "parallel" | "arbitrary" | undefined {
  if (given == null) return undefined;
  return /parallel/i.test(given) ? "parallel" : /arbitrary/i.test(given) ? "arbitrary" : undefined;
}

/** The number that a value surely is. */
function constantOf(body: Body, value: ValueId): number | undefined {
  const node = body.e.table.producer(value);
  return node?.op === "full" ? node.params.bits.lo | 0 : undefined;
}

/** Coordinates as the kernel numbers its axes: those that vmap added are not among them. */
function nameAxes(
  kernel: KernelRegion,
  call: PallasCall,
  ids: readonly ValueId[],
  prefetched: readonly ValueId[],
  nindex: number,
): void {
  let next = 0;
  const extents = call.grid.map(
    (size): Extent => (size === null ? { ref: prefetched[nindex + next++] as ValueId } : size),
  );
  const own = ownAxes(call);
  kernel.ids = own.map((d) => ids[d] as ValueId);
  kernel.extents = own.map((d) => extents[d] as Extent);
  kernel.scope.axes = own.flatMap((d) => {
    const name = call.grid_names?.[d];
    if (name == null) return [];
    return [{ name, index: ids[d] as ValueId, size: call.grid[d] ?? 0, owner: kernel.scope }];
  });
}
