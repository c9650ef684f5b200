/** A region of a grid while it is filled, and what is done in it before everything else. */
import {
  type FillMode,
  type GridParams,
  type Node,
  type RefType,
  refType,
  type ValueId,
  type ValueType,
  writtenRefs,
} from "@gridfuse/graph";
import { alignCaptures, type Extent, type KernelScope, Scope } from "./scope.ts";

type Scratch = GridParams["scratch"][number];

/** A region of a grid while it is filled: its params stand in groups, memory can be added. */
export class KernelRegion implements KernelScope {
  readonly scope: Scope;
  readonly scratch: Scratch[] = [];
  ids: readonly ValueId[] = [];
  extents: readonly Extent[] = [];
  faults: ValueId | undefined;
  firstCore: number | undefined;
  readonly #params: ValueId[] = [];
  readonly #memory: ValueId[] = [];

  /** @param around where its captures come from; without it nothing outside can be reached */
  constructor(around: Scope, captures: boolean) {
    this.scope = new Scope(around.table, captures ? around : undefined);
    this.scope.e.origin = around.e.origin;
    this.scope.kernel = this;
  }

  param(type: ValueType): ValueId {
    const value = this.scope.param(type);
    this.#params.push(value);
    return value;
  }

  allocate(name: string, { dtype, shape, kind, ...rest }: ValueType): ValueId {
    const space = kind === "ref" ? (rest as RefType).space : "vmem";
    const value = this.scope.param(refType(dtype, shape, space));
    this.#memory.push(value);
    this.scratch.push({ name: `${name}${this.scratch.length}`, dtype, shape, space });
    return value;
  }

  /** Brings the params into order; the outer values that the region captures. */
  finish(): readonly ValueId[] {
    const { params } = this.scope.region;
    const { captures } = this.scope;
    params.length = 0;
    params.push(...this.#params, ...this.#memory, ...captures.values());
    return [...captures.keys()];
  }
}

/**
 * Prefetched operands that the kernel writes become memory of its own. In JAX's plain interpreter every grid
 * point finds the operand as it was; on a TPU, what the point before left.
 */
export function ownPrefetch(
  kernel: KernelRegion,
  prefetched: readonly ValueId[],
  ids: readonly ValueId[],
  fill: FillMode,
): void {
  const { region, table } = kernel.scope;
  const written = writtenRefs(table, region);
  const own = new Map(
    prefetched
      .filter((ref) => written.has(ref))
      .map((ref) => [ref, kernel.allocate("prefetch", table.types[ref] as ValueType)]),
  );
  if (own.size === 0) return;
  for (const id of region.nodes) {
    const node = table.nodes[id] as Node;
    if (!node.inputs.some((value) => own.has(value))) continue;
    const inputs = node.inputs.map((value) => own.get(value) ?? value);
    table.nodes[id] = { ...node, inputs } as Node;
  }
  const body = region.nodes.splice(0);
  const copies = (into: Scope, name: (ref: ValueId) => ValueId): void => {
    for (const [from, to] of own) {
      const value = into.e.emit("get", [name(from)], { transforms: [] });
      into.e.emitAll("set", [name(to), value], { transforms: [] });
    }
  };
  if (fill === "hlo") copies(kernel.scope, (ref) => ref);
  else atFirstPoint(kernel, ids, copies);
  region.nodes.push(...body);
}

/** What is done before everything else, once. */
function atFirstPoint(
  { scope }: KernelRegion,
  ids: readonly ValueId[],
  act: (into: Scope, name: (value: ValueId) => ValueId) => void,
): void {
  const { e } = scope;
  if (ids.length === 0) {
    act(scope, (value) => value);
    return;
  }
  const zero = e.full("int32", [], 0);
  const first = ids
    .map((id) => e.emit("eq", [id, zero], {}))
    .reduce((all, at) => e.emit("and", [all, at], {}));
  const [no, yes] = [scope.inside(), scope.inside()];
  act(yes, (value) => yes.capture(value));
  const captures = alignCaptures([no, yes]);
  e.emitAll("cond", [first, ...captures], {}, [no.region, yes.region]);
}

/** Semaphores begin at zero, whatever other memory holds. */
export function clearSemaphores(
  kernel: KernelRegion,
  ids: readonly ValueId[],
  semaphores: readonly ValueId[],
): void {
  if (semaphores.length === 0) return;
  atFirstPoint(kernel, ids, (into, name) => {
    for (const ref of semaphores) {
      const zero = into.full("int16", (into.table.types[ref] as ValueType).shape, 0);
      into.e.emitAll("set", [name(ref), zero], { transforms: [] });
    }
  });
}
