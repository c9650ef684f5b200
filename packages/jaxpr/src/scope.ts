/**
 * Where equations become nodes: one scope a region.
 *
 * Bodies in a jaxpr are closed, but a few things reach through them in JAX without being operands: grid
 * coordinates, and memory that the importer allocates. Those a scope takes in by `reach`: as a param of its
 * region and an operand of the node that owns it.
 */
import {
  type DType,
  Emitter,
  newRegion,
  type Region,
  type ScalarValue,
  type Shape,
  type Table,
  type ValueId,
  type ValueType,
} from "@gridfuse/graph";
import { GivenResults } from "./steps.ts";

/** A variable that stands for nothing here: a token, or a semaphore that nobody reads. */
export const NOTHING: ValueId = -1;

/** A coordinate by the name of its axis, for `axis_index`. */
export interface NamedAxis {
  readonly name: string;
  readonly index: ValueId;
  readonly size: number;
}

/** A number of steps, or the prefetched ref or the value that holds it. */
export type Extent = number | { readonly ref: ValueId } | { readonly value: ValueId };

/** What a kernel's body can ask for: coordinates and memory. */
export interface KernelScope {
  readonly scope: Scope;
  /** Coordinates as `program_id` counts axes. */
  readonly ids: readonly ValueId[];
  readonly extents: readonly Extent[];
  /** Where accesses report that they lie outside; in `scope`. Undefined: nothing can; null: whoever calls sees to it. */
  readonly faults?: ValueId | null | undefined;
  /** The core that runs first, where each point is a core: memory outside of the cores is one for all. */
  readonly firstCore?: number | undefined;
  /** Adds memory that lives for the whole call; its contents are what nobody wrote. */
  allocate(name: string, type: ValueType): ValueId;
}

export class Scope {
  readonly parent: Scope | undefined;
  readonly e: Emitter;
  /** Outer value → param. */
  readonly captures: Map<ValueId, ValueId> = new Map();
  kernel: KernelScope | undefined;
  axes: readonly (NamedAxis & { readonly owner: Scope })[];
  /** By dtype and shape, by value. */
  readonly #fulls: Map<string, Map<ScalarValue | "-0", ValueId>> = new Map();
  readonly #constants: Map<number, ValueId> = new Map();
  readonly given: GivenResults = new GivenResults();

  constructor(table: Table, parent?: Scope, region: Region = newRegion()) {
    this.parent = parent;
    this.e = new Emitter(table, region);
    if (parent !== undefined) this.e.origin = parent.e.origin;
    this.kernel = parent?.kernel;
    this.axes = parent?.axes ?? [];
  }

  get region(): Region {
    return this.e.region;
  }
  get table(): Table {
    return this.e.table;
  }

  inside(): Scope {
    return new Scope(this.table, this);
  }

  param(type: ValueType): ValueId {
    return this.table.newParam(this.region, type);
  }

  /** A value of the scope around, as a param of this one. */
  capture(outer: ValueId): ValueId {
    if (outer === NOTHING) return NOTHING;
    let inner = this.captures.get(outer);
    if (inner === undefined) {
      inner = this.table.newParam(this.region, this.table.types[outer] as ValueType);
      this.captures.set(outer, inner);
    }
    return inner;
  }

  /** A value of `owner`, which is this scope or around it. */
  reach(value: ValueId, owner: Scope): ValueId {
    if (this === owner || this.parent === undefined) return value;
    return this.capture(this.parent.reach(value, owner));
  }

  /** A constant of the dtype; the same node for the same constant. */
  full(dtype: DType, shape: Shape, value: ScalarValue): ValueId {
    const type = `${dtype} ${shapeKey(shape)}`;
    let fulls = this.#fulls.get(type);
    if (fulls === undefined) {
      fulls = new Map();
      this.#fulls.set(type, fulls);
    }
    // To a map −0 is 0.
    const key = value === 0 && Object.is(value, -0) ? "-0" : value;
    let known = fulls.get(key);
    if (known === undefined) {
      known = this.e.full(dtype, shape, value);
      fulls.set(key, known);
    }
    return known;
  }

  constant(i: number, make: () => ValueId): ValueId {
    let known = this.#constants.get(i);
    if (known === undefined) {
      known = make();
      this.#constants.set(i, known);
    }
    return known;
  }
}

const shapeKeys: WeakMap<Shape, string> = new WeakMap();

/** Shapes of a program's types are few and shared. */
function shapeKey(shape: Shape): string {
  let key = shapeKeys.get(shape);
  if (key === undefined) {
    key = shape.join();
    shapeKeys.set(shape, key);
  }
  return key;
}

/** Gives the scopes of one node the same captures in the same order; the outer values. */
export function alignCaptures(scopes: readonly Scope[]): readonly ValueId[] {
  const outers = [...new Set(scopes.flatMap(({ captures }) => [...captures.keys()]))];
  for (const scope of scopes) {
    const { params } = scope.region;
    params.length -= scope.captures.size;
    for (const outer of outers) {
      const type = scope.table.types[outer] as ValueType;
      params.push(scope.captures.get(outer) ?? scope.table.newValue(type));
    }
  }
  return outers;
}
