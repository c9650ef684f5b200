/** Grid coordinates: int32 scalars that know their axis. */
import { BuildError } from "@gridfuse/plan/errors";
import { eq, minimum } from "../functions/elementwise.ts";
import type { ValueId } from "../ir/table.ts";
import type { Dim } from "../ir/types.ts";
import type { Ref } from "../ref.ts";
import { activeScope, type Scope, traced } from "../scope.ts";
import { Tensor } from "../tensor.ts";
import type { GridAxis } from "./definition.ts";

export class GridIndex extends Tensor<"int32", readonly []> {
  /** Name of the axis. */
  readonly axis: string;
  /** Extent of the axis. */
  readonly size: Dim;
  readonly #count: Ref | undefined;

  /** @internal */
  constructor(scope: Scope, id: ValueId, axis: GridAxis, count?: Ref) {
    super(scope, id);
    this.axis = axis.name;
    this.size = axis.size;
    this.#count = count;
  }

  /**
   * Steps that the call takes along the axis: `size`, or what its prefetched count says.
   * @throws BuildError GF2306 where the size is named
   */
  get count(): number | Tensor<"int32", readonly []> {
    if (this.#count === undefined) return lengthOf(this);
    const ref = this.#count;
    return traced("count", () => {
      const asked = ref.get().reshape([]) as Tensor;
      return minimum(asked, lengthOf(this));
    }) as unknown as Tensor<"int32", readonly []>;
  }

  /** Whether this is the first step along the axis. */
  get isFirst(): Tensor<"bool", readonly []> {
    return traced("isFirst", () => eq(this as Tensor, 0)) as unknown as Tensor<"bool", readonly []>;
  }
  /** Whether this is the last step along the axis. */
  get isLast(): Tensor<"bool", readonly []> {
    return traced("isLast", () => {
      const { count } = this;
      const last = typeof count === "number" ? count - 1 : (count as Tensor).sub(1);
      return eq(this as Tensor, last);
    }) as unknown as Tensor<"bool", readonly []>;
  }
}

function lengthOf({ axis, size }: GridIndex): number {
  if (typeof size === "number") return size;
  throw new BuildError("GF2306", `the size of grid axis "${axis}" is named "${size}"`, {
    help: "use a number for the extent of an axis whose last step matters",
  });
}

interface Coordinates {
  /** Those of axes that `vmap` added come first. */
  readonly all: readonly GridIndex[];
  readonly visible: readonly GridIndex[];
}
const coordinates = new WeakMap<Scope, Coordinates>();

/** Makes the coordinates of a kernel known to `programId`; the first `mapped` stay hidden. */
export function registerGrid(kernel: Scope, all: readonly GridIndex[], mapped: number): void {
  coordinates.set(kernel, { all, visible: all.slice(mapped) });
}

/** Coordinate of any axis of the kernel around, those that `vmap` added included. */
export function programAxis(axis: string): GridIndex {
  const kernel = activeScope()?.kernel();
  const all = kernel === undefined ? undefined : coordinates.get(kernel)?.all;
  return all?.find((id) => id.axis === axis) as GridIndex;
}

function indexOf(name: string, axis: number | string): GridIndex {
  const kernel = activeScope()?.kernel();
  const ids = kernel === undefined ? undefined : coordinates.get(kernel)?.visible;
  if (ids === undefined) {
    throw new BuildError("GF2201", `${name} was called outside of a kernel`, {
      help: "call it in a kernel's body; index maps are given their coordinates",
    });
  }
  const found = typeof axis === "number" ? ids[axis] : ids.find((id) => id.axis === axis);
  if (found !== undefined) return found;
  throw new BuildError("GF2202", `${name}(${JSON.stringify(axis)}): the grid has no such axis`, {
    expected: ids.map((id) => id.axis),
    received: axis,
    help: `axes are ${ids.map((id, i) => `${i} "${id.axis}"`).join(", ") || "none"}`,
  });
}

/** Coordinate of the current grid point along an axis, by name or number. */
export const programId = (axis: number | string): GridIndex =>
  traced("programId", () => indexOf("programId", axis));
/**
 * Extent of a grid axis, by name or number.
 * @throws BuildError GF2306 where only the call knows it: there it is `programId(axis).count`
 */
export const numPrograms = (axis: number | string): number =>
  traced("numPrograms", () => {
    const index = indexOf("numPrograms", axis);
    const { count } = index;
    if (typeof count === "number") return count;
    throw new BuildError(
      "GF2306",
      `the size of grid axis "${index.axis}" is known to a call only`,
      {
        help: `use the tensor programId(${JSON.stringify(axis)}).count`,
      },
    );
  });
