/** Small programs, built node by node. */
import {
  type DType,
  Emitter,
  newRegion,
  type Program,
  type Region,
  Table,
  type TensorType,
  tensorType,
  type ValueId,
} from "@gridfuse/graph";

export type Inputs = Readonly<Record<string, readonly [DType, readonly number[]]>>;

/** A program over named inputs; `make` gives the results, which are named y0, y1… */
export function programOf(
  inputs: Inputs,
  make: (e: Emitter, values: Readonly<Record<string, ValueId>>) => readonly ValueId[],
): Program {
  const table = new Table();
  const main = newRegion();
  const e = new Emitter(table, main);
  const values = Object.fromEntries(
    Object.entries(inputs).map(([name, [dtype, shape]]) => [
      name,
      table.newParam(main, tensorType(dtype, shape)),
    ]),
  );
  main.results.push(...make(e, values));
  const outputs = main.results.map((_, i) => `y${i}`);
  return { name: "program", table, main, inputs: Object.keys(inputs), outputs };
}

/** A closed region with params of the given types. */
export function regionOf(
  e: Emitter,
  params: readonly TensorType[],
  make: (inner: Emitter, params: readonly ValueId[]) => readonly ValueId[],
): Region {
  const inner = e.nested();
  const values = params.map((type) => e.table.newParam(inner.region, type));
  inner.region.results.push(...make(inner, values));
  return inner.region;
}

/** Ops of a region, outer before inner. */
export function opsOf(table: Table, region: Region): string[] {
  return region.nodes.flatMap((id) => {
    const node = table.nodes[id]!;
    return [node.op, ...node.regions.flatMap((inner) => opsOf(table, inner))];
  });
}
