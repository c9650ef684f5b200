/**
 * Whether an index map leaves its array. Affine maps are decided at the corners of the grid, where
 * they take their extremes; any other map is left to the checked mode.
 */
import { BuildError } from "@gridfuse/plan/errors";
import {
  add,
  affineForm,
  axis,
  constant,
  type IndexExpr,
  mul,
  sub,
} from "@gridfuse/plan/index-expr";
import { fromBits } from "@gridfuse/plan/scalar";
import type { Node, Region, Table, ValueId } from "../ir/table.ts";
import type { Shape } from "../ir/types.ts";
import type { BlockDim } from "../ir/vocabulary.ts";
import type { GridAxis } from "./definition.ts";

/**
 * @throws BuildError GF2212 where a block starts outside the array at some grid point
 */
export function requireReachable(
  what: string,
  table: Table,
  indexMap: Region,
  axes: readonly GridAxis[],
  shape: Shape,
  block: readonly BlockDim[],
): void {
  const extents = axes.map(({ size }) => size);
  if (!extents.every((size) => typeof size === "number" && size > 0)) return;
  let result = 0;
  for (const [i, dim] of block.entries()) {
    const start = affineValue(
      table,
      indexMap.results[result] as ValueId,
      indexMap,
      extents as number[],
    );
    result += dim.kind === "bounded" ? 2 : 1;
    const size = shape[i];
    if (start === undefined || typeof size !== "number") continue;
    const limit = lastIndex(size, dim);
    const wrong = start.hi > limit ? start.hi : start.lo < 0 ? start.lo : undefined;
    if (wrong === undefined) continue;
    const point = cornerOf(start, extents as number[], start.hi > limit);
    const at = axes.map(({ name }, k) => `${name} = ${point[k]}`).join(", ");
    throw new BuildError(
      "GF2212",
      `${what}: the index map gives ${wrong} for dim ${i} at ${at || "the only grid point"}`,
      {
        expected: `0 … ${limit}`,
        received: wrong,
        notes: [`dim ${i} has ${size} elements in ${unitOf(dim)}`],
        help: "shrink the grid (`cdiv(size, block)` steps cover the array), or clamp the index",
      },
    );
  }
}

const unitOf = (dim: BlockDim): string =>
  dim.kind === "blocked" ? `blocks of ${dim.size}` : "steps of one element";

function lastIndex(size: number, dim: BlockDim): number {
  switch (dim.kind) {
    case "blocked":
      return Math.ceil(size / dim.size) - 1;
    case "element":
      return size + dim.padding[0] + dim.padding[1] - 1;
    default:
      return size - 1;
  }
}

/** Grid point at which an affine index is greatest, or least. */
function cornerOf(e: IndexExpr, extents: readonly number[], greatest: boolean): readonly number[] {
  const strides = affineForm(e, extents.length)?.strides ?? [];
  return extents.map((extent, k) =>
    (strides[k] ?? 0) > 0 === greatest && strides[k] !== 0 ? extent - 1 : 0,
  );
}

/** The value as an affine function of the grid coordinates, or undefined. */
function affineValue(
  table: Table,
  value: ValueId,
  region: Region,
  extents: readonly number[],
): IndexExpr | undefined {
  const of = (id: ValueId): IndexExpr | undefined => affineValue(table, id, region, extents);
  const param = region.params.indexOf(value);
  if (param >= 0) return param < extents.length ? axis(param, extents[param] as number) : undefined;
  const node = table.producer(value) as Node;
  const [a, b] = node.inputs.map(of);
  switch (node.op) {
    case "full":
      return constant(Number(fromBits(node.params.dtype, node.params.bits)));
    case "multiple_of":
    case "convert_element_type":
      return a;
    case "neg":
      return a && mul(a, -1);
    case "add":
      return a && b && add(a, b);
    case "sub":
      return a && b && sub(a, b);
    case "mul":
      if (a?.k === "const") return b && mul(b, a.value);
      return b?.k === "const" && a !== undefined ? mul(a, b.value) : undefined;
    default:
      return undefined;
  }
}
