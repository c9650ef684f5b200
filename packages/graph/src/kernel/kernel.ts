/**
 * `kernel(name, {grid, inputs, outputs, …}, body)`: a function of tensors that runs its body once at
 * every point of a grid, each time on one block of every array (Pallas's pallas_call).
 *
 * The body is traced when the kernel is made, so its mistakes are reported there; a call appends one
 * `grid` node with a copy.
 */
import { BuildError } from "@gridfuse/plan/errors";
import type { DType } from "@gridfuse/plan/scalar";
import { installMethods } from "../fluent.ts";
import { cloneRegion } from "../ir/clone.ts";
import type { Dim, Shape } from "../ir/types.ts";
import { formatShape, sameShape } from "../ir/types.ts";
import type { FillMode } from "../ir/vocabulary.ts";
import { tensorOf, valueFor } from "../operand.ts";
import { checked, type OptionNames } from "../options.ts";
import { captureOrigin } from "../origin.ts";
import type { Ref } from "../ref.ts";
import { activeScope, located, type Scope, traced } from "../scope.ts";
import type { ArraySpec, ScratchSpec } from "../spec.ts";
import { isTensor, type Operand, type Tensor } from "../tensor.ts";
import type { MayBe, ShapeError, Show } from "../types/shape-types.ts";
import type { GridAxis, KernelBody, KernelDefinition, Semantics } from "./definition.ts";
import type { GridIndex } from "./grid-index.ts";
import { type KernelTemplate, traceKernel } from "./template.ts";

/** Axes by name (the last is fastest), a list of extents, or one extent. */
/** Extent of a grid axis that each call decides. */
export interface CallExtent {
  readonly kind: "upTo";
  readonly most: number;
  readonly count: string;
}

/**
 * An extent that the prefetched int32 scalar `count` holds, at most `most`: a call takes the steps
 * 0 … min(count, most) − 1, and leaves everything else of its outputs as it was (Pallas's dynamic grid).
 *
 * @example
 * ```ts no-run
 * kernel("k", { grid: { i: upTo(64, "blocks") }, prefetch: { blocks: tensor(i32, []) }, … }, …)
 * ```
 */
export const upTo = (most: number, count: string): CallExtent => ({ kind: "upTo", most, count });

export type GridExtent = Dim | CallExtent;
export type Grid = { readonly [axis: string]: GridExtent } | readonly GridExtent[] | number;
export type Arrays = { readonly [name: string]: ArraySpec };
export type Scratches = { readonly [name: string]: ScratchSpec };
type None = Record<never, never>;

/** Coordinates as the body gets them. */
export type GridIds<G extends Grid> = G extends readonly GridExtent[]
  ? { readonly [K in keyof G]: IndexOf<G[K]> }
  : G extends number
    ? readonly [GridIndex]
    : { readonly [K in keyof G]: IndexOf<G[K]> };
/** The coordinate of an axis; its `count` is a tensor where the call decides it. */
export type IndexOf<E> = E extends CallExtent
  ? GridIndex & { readonly count: Tensor<"int32", readonly []> }
  : GridIndex;

type BlockRefs<A> = {
  readonly [K in keyof A]: A[K] extends ArraySpec<infer D, Shape, infer R> ? Ref<D, R> : never;
};
type WholeRefs<A> = {
  readonly [K in keyof A]: A[K] extends {
    readonly dtype: infer D extends DType;
    readonly shape: infer S extends Shape;
  }
    ? Ref<D, S>
    : never;
};
/** Refs as the body gets them: one record. */
export type KernelRefs<I, O, S, P> = BlockRefs<I> & BlockRefs<O> & WholeRefs<S> & WholeRefs<P>;

/**
 * What a kernel is called with: a tensor, or for a scalar a number, for each input. What the types know of
 * it has to fit; what they do not know is checked when the graph is built.
 */
export type KernelInputs<Specs> = { readonly [K in keyof Specs]: Tensor | number };

/** `unknown` for every input that fits or may fit, else the message. */
type InputsFit<Specs, Given> = {
  readonly [K in keyof Given]: K extends keyof Specs
    ? Specs[K] extends ArraySpec<infer D, infer S>
      ? InputFits<K & string, D, S, Given[K]>
      : unknown
    : ShapeError<`there is no input "${K & string}"`>;
};
type InputFits<K extends string, D extends DType, S extends Shape, T> = T extends Tensor
  ? [
      MayBe<S, T["shape"]>,
      T["dtype"] extends D ? true : D extends T["dtype"] ? true : false,
    ] extends [true, true]
    ? unknown
    : ShapeError<`input "${K}" is ${D}${Show<S>}, not ${T["dtype"]}${Show<T["shape"]>}`>
  : unknown;

export type KernelOutputs<O> = {
  readonly [K in keyof O]: O[K] extends ArraySpec<infer D, infer S> ? Tensor<D, S> : never;
};

export interface KernelOptions<
  G extends Grid,
  I extends Arrays,
  O extends Arrays,
  S extends Scratches,
  P extends Arrays,
> {
  readonly grid: G;
  readonly inputs: I;
  readonly outputs: O;
  /** Memory that lives from the first grid point to the last. */
  readonly scratch?: S;
  /** Inputs that index maps can read; the body sees them whole. */
  readonly prefetch?: P;
  /** Input name → output name: the output starts with the input's contents. */
  readonly aliases?: { readonly [K in keyof I & string]?: keyof O & string };
  /** What each axis promises; checked against what the kernel does, never trusted. */
  readonly dimensionSemantics?: readonly Semantics[] | { readonly [axis: string]: Semantics };
  /** What lies outside an array and in memory that nobody wrote. */
  readonly fill?: FillMode;
}
const kernelOptions: OptionNames<KernelOptions<Grid, Arrays, Arrays, Scratches, Arrays>> = {
  grid: true,
  inputs: true,
  outputs: true,
  scratch: true,
  prefetch: true,
  aliases: true,
  dimensionSemantics: true,
  fill: true,
};

/** A kernel: call it with a record of tensors, or with tensors in order, inside `graph`. */
export interface Kernel<
  I extends Arrays = Arrays,
  O extends Arrays = Arrays,
  P extends Arrays = None,
> {
  <const A extends KernelInputs<P & I>>(inputs: A & InputsFit<P & I, A>): KernelOutputs<O>;
  (...inputs: readonly Tensor[]): KernelOutputs<O>;
  readonly name: string;
  /** Prefetched inputs and inputs, in order: what `graph` needs to trace the kernel alone. */
  readonly inputs: P & I;
  readonly outputs: O;
  /** @internal */
  readonly definition: KernelDefinition;
  /** @internal */
  readonly template: KernelTemplate;
}

/**
 * Makes a kernel.
 *
 * @throws BuildError GF22xx where blocks, index maps, aliases or the body do not fit, naming kernel and operand
 * @example
 * ```ts no-run
 * const double = kernel("double", {
 *   grid: { i: 8 },
 *   inputs: { x: tensor(f32, [1024]).blocks([128], ({ i }) => [i]) },
 *   outputs: { y: tensor(f32, [1024]).blocks([128], ({ i }) => [i]) },
 * }, ({ x, y }) => y.set(x.get().mul(2)));
 * ```
 */
export function kernel<
  const G extends Grid,
  const I extends Arrays,
  const O extends Arrays,
  const S extends Scratches = None,
  const P extends Arrays = None,
>(
  name: string,
  options: KernelOptions<G, I, O, S, P>,
  body: (refs: KernelRefs<I, O, S, P>, ids: GridIds<G>) => unknown,
): Kernel<I, O, P> {
  installMethods();
  const origin = captureOrigin(name);
  return located(origin, activeScope(), () => {
    checked(`kernel "${name}"`, options, kernelOptions);
    const { axes, named } = axesOf(name, options.grid, options.dimensionSemantics);
    return fromDefinition({
      name,
      axes,
      named,
      mapped: 0,
      prefetch: options.prefetch ?? {},
      inputs: options.inputs,
      outputs: options.outputs,
      scratch: options.scratch ?? {},
      aliases: (options.aliases ?? {}) as { readonly [input: string]: string },
      fill: options.fill ?? "hlo",
      body: body as unknown as KernelBody,
    });
  }) as unknown as Kernel<I, O, P>;
}

/** A callable kernel of a definition. */
export function fromDefinition(definition: KernelDefinition): Kernel {
  const template = traceKernel(definition);
  const call = (...given: readonly unknown[]) => callKernel(definition, template, given);
  Object.defineProperty(call, "name", { value: definition.name });
  return Object.assign(call, {
    inputs: { ...definition.prefetch, ...definition.inputs },
    outputs: definition.outputs,
    definition,
    template,
  }) as unknown as Kernel;
}

function axesOf(
  name: string,
  grid: Grid,
  semantics: readonly Semantics[] | { readonly [axis: string]: Semantics } | undefined,
): { readonly axes: readonly GridAxis[]; readonly named: boolean } {
  const named = typeof grid === "object" && !Array.isArray(grid);
  const sizes: readonly (readonly [string, GridExtent])[] = named
    ? Object.entries(grid as { readonly [axis: string]: GridExtent })
    : ([grid].flat() as readonly GridExtent[]).map((size, i) => [`${i}`, size]);
  if (Array.isArray(semantics) && semantics.length !== sizes.length) {
    throw new BuildError(
      "GF2217",
      `kernel "${name}": ${semantics.length} dimension semantics for ${sizes.length} grid axes`,
      {
        expected: sizes.length,
        received: semantics.length,
        help: "give one for each axis, or a record by axis name",
      },
    );
  }
  const promise = (axis: string, i: number): Semantics | undefined =>
    (semantics as { readonly [key: string]: Semantics } | undefined)?.[
      Array.isArray(semantics) ? i : axis
    ];
  const axes = sizes.map(([axis, extent], i): GridAxis => {
    const promised = promise(axis, i);
    return {
      name: axis,
      ...(typeof extent === "object"
        ? { size: extent.most, count: extent.count }
        : { size: extent }),
      ...(promised === undefined ? {} : { semantics: promised }),
    };
  });
  return { axes, named };
}

// ── Calls ───────────────────────────────────────────────────────────────────────────────────

function callKernel(
  definition: KernelDefinition,
  template: KernelTemplate,
  given: readonly unknown[],
): { readonly [name: string]: Tensor } {
  return traced(definition.name, (scope) => {
    const specs = { ...definition.prefetch, ...definition.inputs };
    const inputs = byName(definition.name, Object.keys(specs), given);
    const operands = Object.entries(specs).map(([name, spec]) =>
      requireInput(scope, definition.name, name, spec, inputs[name] as Operand),
    );
    const captures = template.captures.map((handle) => scope.resolve(handle));
    const regions = template.regions.map((region) =>
      cloneRegion(template.table, region, scope.table),
    );
    const outputs = scope.emitter.emitAll(
      "grid",
      [...operands, ...captures],
      template.params,
      regions,
    );
    return Object.fromEntries(
      template.params.outputs.map(({ name }, i) => [name, tensorOf(scope, outputs[i] as number)]),
    );
  });
}

/** The inputs by name, whether they came as one record or in order. */
function byName(
  kernelName: string,
  names: readonly string[],
  given: readonly unknown[],
): { readonly [name: string]: unknown } {
  const [first] = given;
  const isRecord =
    given.length === 1 &&
    typeof first === "object" &&
    first !== null &&
    !isTensor(first) &&
    !Array.isArray(first);
  const inputs = isRecord
    ? (first as { readonly [name: string]: unknown })
    : Object.fromEntries(given.map((value, i) => [names[i] ?? `#${i}`, value]));
  const extra = Object.keys(inputs).filter((name) => !names.includes(name));
  const missing = names.filter((name) => inputs[name] === undefined);
  if (extra.length === 0 && missing.length === 0) return inputs;
  const quote = (list: readonly string[]) => list.map((name) => `"${name}"`).join(", ");
  const parts = [
    ...(missing.length > 0 ? [`misses input ${quote(missing)}`] : []),
    ...(extra.length > 0 ? [`has no input ${quote(extra)}`] : []),
  ];
  throw new BuildError("GF2218", `kernel "${kernelName}" ${parts.join(" and ")}`, {
    expected: names,
    received: Object.keys(inputs),
    help: `call it with { ${names.join(", ")} }`,
  });
}

function requireInput(
  scope: Scope,
  kernelName: string,
  name: string,
  spec: ArraySpec,
  value: Operand,
): number {
  const id = valueFor(
    scope,
    `kernel "${kernelName}": input "${name}"`,
    value,
    isTensor(value) ? undefined : spec.dtype,
  );
  const { dtype, shape } = scope.emitter.type(id);
  if (dtype === spec.dtype && sameShape(shape, spec.shape)) return id;
  const wanted = `${spec.dtype}${formatShape(spec.shape)}`;
  const got = `${dtype}${formatShape(shape)}`;
  throw new BuildError(
    "GF2219",
    `kernel "${kernelName}": input "${name}" is ${got} instead of ${wanted}`,
    {
      path: name,
      expected: wanted,
      received: got,
      help:
        dtype === spec.dtype
          ? "pass an array of that shape, or make the kernel for this one"
          : `convert it: \`.astype("${spec.dtype}")\``,
    },
  );
}
