/** Block specs and index maps of the wire as those of the graph. */
import {
  type BlockDim,
  type BlockMapping,
  newRegion,
  type RefType,
  type Region,
  tensorType,
  type ValueId,
  type ValueType,
} from "@gridfuse/graph";
import { Body } from "./body.ts";
import { malformed } from "./errors.ts";
import type { Eqn, PallasCall, WireBlock, WireBlockDim } from "./format.ts";
import { type Extent, Scope } from "./scope.ts";

/** Type of a grid coordinate. */
export const coordinate: ValueType = tensorType("int32", []);

export const blockShape = ({ block }: BlockMapping): readonly number[] =>
  block.flatMap((dim) => (dim.kind === "squeezed" ? [] : [dim.size]));

export function uniqueNames(blocks: readonly WireBlock[]): readonly string[] {
  const seen = new Map<string, number>();
  return blocks.map(({ origin = "ref" }) => {
    const count = seen.get(origin) ?? 0;
    seen.set(origin, count + 1);
    return count === 0 ? origin : `${origin}#${count}`;
  });
}

export function mappingOf(body: Body, block: WireBlock, name: string, eqn: Eqn): BlockMapping {
  const array = body.importing.typeOf(block.array);
  const ref = body.importing.typeOf(block.ref);
  if (array === undefined || ref === undefined) {
    throw body.unsupported(eqn, `a semaphore as operand "${name}"`);
  }
  return {
    name,
    dtype: array.dtype,
    shape: array.shape,
    block: block.shape.map((dim) => blockDim(body, dim, eqn)),
    space: ref.kind === "ref" ? ref.space : "vmem",
  };
}

function blockDim(body: Body, dim: WireBlockDim, eqn: Eqn): BlockDim {
  switch (dim.k) {
    case "blk":
      return { kind: "blocked", size: dim.n };
    case "sq":
      return { kind: "squeezed" };
    case "el":
      return { kind: "element", size: dim.n, padding: dim.pad ?? [0, 0] };
    case "bs":
      return { kind: "bounded", size: dim.n };
    case "ind":
      throw body.unsupported(eqn, "a block that gathers by indices");
    default:
      throw malformed(`there is no block dimension "${(dim satisfies never as WireBlockDim).k}"`);
  }
}

/** Axes that the kernel counts: all but those that vmap added. */
export const ownAxes = ({ grid, vmapped }: PallasCall): readonly number[] =>
  grid.flatMap((_, d) => (vmapped?.includes(d) === true ? [] : [d]));

/** The core that runs at a coordinate: cores that wait for others run after them. */
export function coreAt(scope: Scope, { order }: PallasCall, at: ValueId): ValueId {
  if (order === undefined || order.every((core, i) => core === i)) return at;
  return order.reduce((chosen, core, i) => {
    const isHere = scope.e.emit("eq", [at, scope.full("int32", [], i)], {});
    return scope.e.emit("select_n", [isHere, chosen, scope.full("int32", [], core)], {});
  }, at);
}

export function indexMap(
  body: Body,
  { index_map }: WireBlock,
  walked: readonly boolean[],
  prefetch: readonly RefType[],
  call: PallasCall,
): Region {
  const scope = new Scope(body.scope.table, undefined, newRegion());
  scope.e.origin = body.e.origin;
  const params = [
    ...walked.map((isParam) => (isParam ? scope.param(coordinate) : scope.full("int32", [], 0))),
    ...prefetch.map((type) => scope.param(type)),
  ];
  for (const [d, isParam] of walked.entries())
    if (isParam) params[d] = coreAt(scope, call, params[d] as ValueId);
  let next = call.nindex;
  const extents = call.grid.map(
    (size): Extent => size ?? { ref: params[walked.length + next++] as ValueId },
  );
  const own = ownAxes(call);
  scope.kernel = {
    scope,
    ids: own.map((d) => params[d] as ValueId),
    extents: own.map((d) => extents[d] as Extent),
    faults: null,
    allocate: () => {
      throw malformed("an index map allocates memory");
    },
  };
  const taken = body.importing.jaxpr(index_map).in.length;
  const results = new Body(body.importing, scope).run(index_map, params.slice(0, taken));
  scope.region.results.push(...results.map((value) => scope.e.convert(value, "int32")));
  return scope.region;
}
