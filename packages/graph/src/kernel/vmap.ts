/**
 * `vmap(kernel)`: the kernel over a further leading grid axis. The mapped dimension of every array is
 * squeezed out of its block, so body and index maps stay as they are. An input that is not mapped is
 * seen whole by every copy; a mapped prefetched input is seen through a view.
 */
import { BuildError } from "@gridfuse/plan/errors";
import type { Dim, Shape } from "../ir/types.ts";
import { checkedHere, type OptionNames } from "../options.ts";
import { captureOrigin } from "../origin.ts";
import type { Tree } from "../pytree.ts";
import type { Ref } from "../ref.ts";
import { activeScope, located } from "../scope.ts";
import {
  type ArraySpec,
  type Blocking,
  type IndexMap,
  type MapArgument,
  type MapEntry,
  reblocked,
} from "../spec.ts";
import type { Operand, Tensor } from "../tensor.ts";
import type { DTypeOf } from "../types/signatures.ts";
import type { GridAxis, KernelBody, KernelDefinition } from "./definition.ts";
import { programAxis } from "./grid-index.ts";
import { type Arrays, fromDefinition, type Kernel } from "./kernel.ts";
import { mapFunction, type VmapFunctionOptions, vmapFunctionOptions } from "./vmap-function.ts";

/** Where the mapped dimension stands in each array: one place for all, or by name; null is not mapped. */
export type MappedAxes = number | { readonly [name: string]: number | null };

export interface VmapOptions {
  /** 0 for every input where absent; names left out are not mapped. */
  readonly inAxes?: MappedAxes;
  /** 0 for every output where absent. */
  readonly outAxes?: number | { readonly [name: string]: number };
  /** Number of copies: a size or the name of a dim. */
  readonly size: Dim;
  /** Name of the new grid axis. */
  readonly axisName?: string;
}
const vmapOptions: OptionNames<VmapOptions> = {
  ...vmapFunctionOptions,
  size: true,
  axisName: true,
};

/** Results of a mapped function: the same structure, with one more dimension that the types do not say. */
export type Mapped<R> = R extends Operand
  ? Tensor<DTypeOf<R>>
  : { readonly [K in keyof R]: Mapped<R[K]> };

/**
 * A kernel, or a function of tensors, over arrays with one more dimension: every slice of the results is
 * what the original gives for that slice of the arguments.
 *
 * @throws BuildError GF2221 where an axis does not fit or a name is not an input or output
 */
export function vmap<I extends Arrays, O extends Arrays, P extends Arrays>(
  kernel: Kernel<I, O, P>,
  options: VmapOptions,
): Kernel;
export function vmap<R>(
  f: (...given: never[]) => R,
  options?: VmapFunctionOptions,
): (...given: readonly Tree[]) => Mapped<R>;
export function vmap(
  given: Kernel | ((...given: never[]) => unknown),
  options: VmapOptions | VmapFunctionOptions = {},
): unknown {
  if (!("definition" in given)) {
    return mapFunction(
      given,
      checkedHere("vmap", options as VmapFunctionOptions, vmapFunctionOptions),
    );
  }
  const wanted = checkedHere("vmap", options as VmapOptions, vmapOptions);
  return located(captureOrigin("vmap"), activeScope(), () =>
    fromDefinition(mapDefinition(given.definition, wanted)),
  );
}

function mapDefinition(definition: KernelDefinition, options: VmapOptions): KernelDefinition {
  const { name, axes } = definition;
  const axis: GridAxis = { name: freshName(axes, options.axisName ?? "vmap"), size: options.size };
  const place = (names: readonly string[], wanted: MappedAxes | undefined) =>
    mappedAxes(name, names, wanted);
  const inputNames = [...Object.keys(definition.prefetch), ...Object.keys(definition.inputs)];
  const ins = place(inputNames, options.inAxes);
  const outs = place(Object.keys(definition.outputs), options.outAxes);
  const mappedPrefetch = Object.keys(definition.prefetch).filter((key) => ins.get(key) !== null);
  const remap = (specs: Arrays, places: ReadonlyMap<string, number | null>): Arrays =>
    Object.fromEntries(
      Object.entries(specs).map(([key, spec]) => {
        const at = places.get(key) ?? null;
        return [key, mapSpec(definition, key, spec, at, axis, ins)];
      }),
    );
  const prefetch = Object.fromEntries(
    Object.entries(definition.prefetch).map(([key, spec]) => {
      const at = ins.get(key) ?? null;
      if (at === null) return [key, spec];
      return [key, reblocked(spec, insertAt(name, key, spec.shape, at, axis.size), undefined)];
    }),
  );
  return {
    ...definition,
    axes: [axis, ...axes],
    mapped: definition.mapped + 1,
    prefetch,
    inputs: remap(definition.inputs, ins),
    outputs: remap(definition.outputs, outs),
    body: mapBody(definition.body, mappedPrefetch, ins, axis.name),
  };
}

function freshName(axes: readonly GridAxis[], wish: string): string {
  let name = wish;
  for (let i = 2; axes.some((axis) => axis.name === name); i++) name = `${wish}${i}`;
  return name;
}

function mappedAxes(
  kernelName: string,
  names: readonly string[],
  wanted: MappedAxes | undefined,
): ReadonlyMap<string, number | null> {
  if (wanted === undefined || typeof wanted === "number") {
    return new Map(names.map((name) => [name, wanted ?? 0]));
  }
  const unknown = Object.keys(wanted).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw new BuildError("GF2221", `vmap of kernel "${kernelName}": there is no "${unknown}"`, {
      expected: names,
      received: unknown,
      help: `it has ${names.map((name) => `"${name}"`).join(", ")}`,
    });
  }
  return new Map(names.map((name) => [name, wanted[name] ?? null]));
}

function insertAt(kernelName: string, key: string, shape: Shape, at: number, size: Dim): Shape {
  const rank = shape.length + 1;
  const place = at < 0 ? at + rank : at;
  if (Number.isInteger(place) && place >= 0 && place < rank) return shape.toSpliced(place, 0, size);
  throw new BuildError("GF2221", `vmap of kernel "${kernelName}": axis ${at} for "${key}"`, {
    expected: `${-rank} … ${rank - 1}`,
    received: at,
    help: "the axis counts in the shape with the new dimension",
  });
}

function mapSpec(
  definition: KernelDefinition,
  key: string,
  spec: ArraySpec,
  at: number | null,
  axis: GridAxis,
  ins: ReadonlyMap<string, number | null>,
): ArraySpec {
  const block =
    spec.blocking?.block ??
    spec.shape.map((size) => ({ kind: "blocked" as const, size: size as number }));
  const map: IndexMap = spec.blocking?.map ?? (() => block.map(() => 0));
  const origin = spec.blocking?.origin ?? captureOrigin("vmap");
  const inner = (given: readonly MapArgument[]): readonly MapEntry[] => {
    const entries = map(...withoutAxis(definition, given, axis.name, ins));
    return Array.isArray(entries) ? (entries as readonly MapEntry[]) : [entries as MapEntry];
  };
  if (at === null) {
    const blocking: Blocking = { block, map: (...given) => inner(given), origin };
    return reblocked(spec, spec.shape, blocking);
  }
  const shape = insertAt(definition.name, key, spec.shape, at, axis.size);
  const place = at < 0 ? at + shape.length : at;
  const blocking: Blocking = {
    block: block.toSpliced(place, 0, { kind: "squeezed" }),
    map: (...given) => inner(given).toSpliced(place, 0, ownIndex(definition, given, axis.name)),
    origin,
  };
  return reblocked(spec, shape, blocking);
}

/** Coordinate of the new axis among an index map's arguments. */
const ownIndex = (
  { named }: KernelDefinition,
  given: readonly MapArgument[],
  axis: string,
): Tensor => (named ? (given[0] as MapArgument)[axis] : given[0]) as Tensor;

/** Arguments as the kernel's own index map knows them. */
function withoutAxis(
  definition: KernelDefinition,
  given: readonly MapArgument[],
  axis: string,
  ins: ReadonlyMap<string, number | null>,
): MapArgument[] {
  const own = ownIndex(definition, given, axis);
  const names = Object.keys(definition.prefetch);
  const view = (key: string, ref: MapArgument): Ref => viewOf(ref, ins.get(key) ?? null, own);
  if (definition.named) {
    const refs = given[1] as MapArgument;
    const views = Object.fromEntries(
      names.map((key) => [key, view(key, refs[key] as MapArgument)]),
    );
    return [given[0], views] as unknown as MapArgument[];
  }
  const coordinates = given.slice(1, given.length - names.length);
  const refs = given.slice(given.length - names.length);
  return [...coordinates, ...refs.map((ref, i) => view(names[i] as string, ref))] as MapArgument[];
}

/** A whole-array ref with the mapped dimension taken out. */
function viewOf(ref: Ref, at: number | null, own: Tensor): Ref {
  if (at === null) return ref;
  const place = at < 0 ? at + ref.ndim : at;
  return ref.at(...ref.shape.map((_, i) => (i === place ? own : ":")));
}

function mapBody(
  body: KernelBody,
  mappedPrefetch: readonly string[],
  ins: ReadonlyMap<string, number | null>,
  axis: string,
): KernelBody {
  if (mappedPrefetch.length === 0) return body;
  return (refs, ids) => {
    const own = programAxis(axis);
    const views = mappedPrefetch.map(
      (key) => [key, viewOf(refs[key] as Ref, ins.get(key) ?? null, own)] as const,
    );
    return body({ ...refs, ...Object.fromEntries(views) }, ids);
  };
}
