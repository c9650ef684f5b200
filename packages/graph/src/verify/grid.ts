/** The regions of a grid: what the body and the index maps are given, and what they give. */
import type { NodeNamed, Region, Table, ValueId } from "../ir/table.ts";
import { type Shape, sameShape, type ValueType } from "../ir/types.ts";
import type { BlockMapping, GridParams } from "../ir/vocabulary.ts";
import type { Violations } from "./violations.ts";

/** A type without the memory space, which is a hint. */
interface Wanted {
  readonly kind: ValueType["kind"];
  readonly dtype: ValueType["dtype"];
  readonly shape: Shape;
}

const coordinate: Wanted = { kind: "tensor", dtype: "int32", shape: [] };

const blockShape = ({ block }: BlockMapping): readonly number[] =>
  block.flatMap((dim) => (dim.kind === "squeezed" ? [] : [dim.size]));

/** Index map results that place a block: one a dimension, and the count of a bounded one. */
const indexCount = ({ block }: BlockMapping): number =>
  block.reduce((count, { kind }) => count + (kind === "bounded" ? 2 : 1), 0);

export function verifyGridRegions(
  table: Table,
  node: NodeNamed<"grid">,
  where: string,
  found: Violations,
): void {
  const { params, regions, inputs } = node;
  const operands = inputs.map((value) => table.types[value] as ValueType);
  const compare = (what: string, values: readonly ValueId[], wanted: readonly Wanted[]): void => {
    const given = values.map((value) => table.types[value] as ValueType);
    const same =
      given.length === wanted.length &&
      wanted.every((type, i) => fits(given[i] as ValueType, type));
    if (!same)
      found.add("grid", where, `${what} are (${list(given)}) instead of (${list(wanted)})`);
  };
  const [body, ...maps] = regions as readonly [Region, ...Region[]];
  const ids = params.axes.map(() => coordinate);
  const prefetched = operands.slice(0, params.prefetch).map((type) => held(params, type));
  const captures = operands.slice(params.prefetch + params.inputs.length);
  const state = stateTypes(params);
  const blocks = params.inputs.map((mapping) => held(params, blockOf(mapping)));
  const mutated = params.mutated.map((i) => blockOf(params.inputs[i] as BlockMapping));
  compare("body params", body.params, [
    ...ids,
    ...prefetched,
    ...blocks,
    ...state,
    ...mutated,
    ...captures,
  ]);
  compare("body results", body.results, params.level === "kernel" ? [] : [...state, ...mutated]);
  for (const [i, mapping] of [...params.inputs, ...params.outputs].entries()) {
    const map = maps[i] as Region;
    const what = `of the index map of "${mapping.name}"`;
    compare(`params ${what}`, map.params, [...ids, ...prefetched]);
    compare(`results ${what}`, map.results, Array(indexCount(mapping)).fill(coordinate));
  }
  if (params.level === "kernel" && params.mutated.length > 0) {
    found.add("grid", where, "mutated inputs are written down at the kernel level");
  }
}

const blockOf = (mapping: BlockMapping): Wanted => ({
  kind: "tensor",
  dtype: mapping.dtype,
  shape: blockShape(mapping),
});

/** As the body has it: a ref at the kernel level, a value at the tensor level. */
const held = ({ level }: GridParams, { dtype, shape }: Wanted): Wanted => ({
  kind: level === "kernel" ? "ref" : "tensor",
  dtype,
  shape,
});

const stateTypes = (params: GridParams): readonly Wanted[] =>
  [
    ...params.outputs.map(blockOf),
    ...params.scratch.map(({ dtype, shape }): Wanted => ({ kind: "tensor", dtype, shape })),
  ].map((type) => held(params, type));

const fits = (given: ValueType, wanted: Wanted): boolean =>
  given.kind === wanted.kind &&
  given.dtype === wanted.dtype &&
  sameShape(given.shape, wanted.shape);

const list = (types: readonly Wanted[]): string =>
  types
    .map(({ kind, dtype, shape }) => `${kind === "ref" ? "ref " : ""}${dtype}[${shape.join(", ")}]`)
    .join(", ");
