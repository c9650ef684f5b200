/** Kernel calls built by hand and run: a grid node with its regions, and nothing around it. */
import {
  type BlockDim,
  type BlockMapping,
  type DType,
  Emitter,
  type FillMode,
  newRegion,
  type RefTransforms,
  type Region,
  refType,
  Table,
  tensorType,
  type ValueId,
} from "@gridfuse/graph";
import { type HostTensor, type InterpretOptions, interpretRegion } from "../../src/index.ts";

/** An index map; without one the block numbers are all 0. */
export type IndexMap = (
  e: Emitter,
  ids: readonly ValueId[],
  prefetch: readonly ValueId[],
) => readonly ValueId[];

export interface ArraySpec {
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly block: readonly BlockDim[];
  readonly map?: IndexMap;
}

export interface KernelValues {
  readonly ids: readonly ValueId[];
  readonly prefetch: readonly ValueId[];
  readonly inputs: readonly ValueId[];
  readonly outputs: readonly ValueId[];
  readonly scratch: readonly ValueId[];
  readonly mutated: readonly ValueId[];
  readonly captures: readonly ValueId[];
}

export interface KernelSpec {
  readonly axes: readonly number[];
  readonly prefetch?: readonly HostTensor[];
  readonly inputs?: readonly (Omit<ArraySpec, "dtype" | "shape"> & {
    readonly array: HostTensor;
  })[];
  readonly outputs: readonly ArraySpec[];
  readonly scratch?: readonly (readonly [DType, readonly number[]])[];
  readonly captures?: readonly HostTensor[];
  readonly aliases?: readonly (readonly [number, number])[];
  readonly mutated?: readonly number[];
  readonly fill?: FillMode;
  /** kernel: works on refs. tensor: gives the new values of outputs, scratch and mutated inputs. */
  readonly level?: "kernel" | "tensor";
  readonly body: KernelBody | TensorBody;
}

type KernelBody = (e: Emitter, values: KernelValues) => void;
type TensorBody = (e: Emitter, values: KernelValues) => readonly ValueId[];

export const blocked = (...sizes: readonly number[]): BlockDim[] =>
  sizes.map((size) => ({ kind: "blocked", size }));
export const squeezed: BlockDim = { kind: "squeezed" };

/** The whole ref. */
export const whole = (...sizes: readonly number[]): RefTransforms =>
  sizes.length === 0 ? [] : [sizes.map((size) => ({ kind: "slice", start: 0, size, stride: 1 }))];

export const read = (e: Emitter, ref: ValueId): ValueId =>
  e.emit("get", [ref], { transforms: whole(...(e.table.types[ref]!.shape as number[])) });

export const write = (e: Emitter, ref: ValueId, value: ValueId): void => {
  const transforms = whole(...(e.table.types[ref]!.shape as number[]));
  e.emitAll("set", [ref, value], { transforms });
};

export const int = (e: Emitter, value: number): ValueId => e.full("int32", [], value);

/** Runs `then` where `condition` (a bool scalar) holds; `refs` are what it works on. */
export function when(
  e: Emitter,
  condition: ValueId,
  refs: readonly ValueId[],
  then: (e: Emitter, refs: readonly ValueId[]) => void,
): void {
  const branch = (body: (e: Emitter, refs: readonly ValueId[]) => void): Region => {
    const inner = e.nested();
    const params = refs.map((ref) => e.table.newParam(inner.region, e.table.types[ref]!));
    body(inner, params);
    return inner.region;
  };
  e.emitAll("cond", [condition, ...refs], {}, [branch(() => {}), branch(then)]);
}

const zeroMap =
  (block: readonly BlockDim[]): IndexMap =>
  (e) =>
    block.flatMap((dim) => (dim.kind === "bounded" ? [int(e, 0), int(e, dim.size)] : [int(e, 0)]));

/** Runs the kernel; gives the outputs' arrays. */
export function runKernel(spec: KernelSpec, options: InterpretOptions = {}): readonly HostTensor[] {
  const { prefetch = [], inputs = [], outputs, scratch = [], captures = [], mutated = [] } = spec;
  const level = spec.level ?? "kernel";
  const table = new Table();
  const main = new Emitter(table, newRegion());
  const operands = [...prefetch, ...inputs.map(({ array }) => array), ...captures];
  const values = operands.map(({ dtype, shape }) =>
    table.newParam(main.region, tensorType(dtype, shape)),
  );

  const param = (region: Region, dtype: DType, shape: readonly number[]) =>
    table.newParam(
      region,
      level === "kernel" ? refType(dtype, shape, "any") : tensorType(dtype, shape),
    );
  const idsOf = (region: Region) =>
    spec.axes.map(() => table.newParam(region, tensorType("int32", [])));
  const prefetchOf = (region: Region) =>
    prefetch.map(({ dtype, shape }) => param(region, dtype, shape));

  const mapping = (
    name: string,
    { dtype, shape, block }: Omit<ArraySpec, "map">,
  ): BlockMapping => ({
    name,
    dtype,
    shape,
    block,
    space: "any",
  });
  const inputMappings = inputs.map(({ array: { dtype, shape }, block }, i) =>
    mapping(`in${i}`, { dtype, shape, block }),
  );
  const outputMappings = outputs.map((output, i) => mapping(`out${i}`, output));
  const blockParam = (region: Region) => (of: BlockMapping) =>
    param(
      region,
      of.dtype,
      of.block.flatMap((dim) => (dim.kind === "squeezed" ? [] : [dim.size])),
    );

  const body = new Emitter(table, newRegion());
  const results = (spec.body as TensorBody | (() => undefined))(body, {
    ids: idsOf(body.region),
    prefetch: prefetchOf(body.region),
    inputs: inputMappings.map(blockParam(body.region)),
    outputs: outputMappings.map(blockParam(body.region)),
    scratch: scratch.map(([dtype, shape]) => param(body.region, dtype, shape)),
    mutated: mutated.map((input) => blockParam(body.region)(inputMappings[input]!)),
    captures: captures.map(({ dtype, shape }) =>
      table.newParam(body.region, tensorType(dtype, shape)),
    ),
  });
  body.region.results.push(...(results ?? []));

  const maps = [...inputs, ...outputs].map(({ map, block }) => {
    const e = new Emitter(table, newRegion());
    const ids = idsOf(e.region);
    e.region.results.push(...(map ?? zeroMap(block))(e, ids, prefetchOf(e.region)));
    return e.region;
  });
  const params = {
    name: "kernel",
    axes: spec.axes.map((size, i) => ({ name: `axis${i}`, size })),
    level,
    prefetch: prefetch.length,
    inputs: inputMappings,
    outputs: outputMappings,
    scratch: scratch.map(([dtype, shape], i) => ({
      name: `scratch${i}`,
      dtype,
      shape,
      space: "any" as const,
    })),
    aliases: spec.aliases ?? [],
    fill: spec.fill ?? ("hlo" as const),
    mutated,
  };
  main.region.results.push(...main.emitAll("grid", values, params, [body.region, ...maps]));
  return interpretRegion(table, main.region, operands, options) as readonly HostTensor[];
}
