/**
 * Descriptions of arrays before there are any: dtype, shape, and for kernels how a grid point sees
 * them. `tensor(f32, [m, n])` is a whole array, `.blocks(…)` cuts it; `vmem`, `smem` and `anywhere`
 * describe scratch memory.
 */
import { BuildError } from "@gridfuse/plan/errors";
import { type DType, dtypes, isDType, shortName } from "@gridfuse/plan/scalar";
import type { Window } from "./indexer.ts";
import type { Origin } from "./ir/table.ts";
import type { Dim, MemorySpace, Shape } from "./ir/types.ts";
import type { BlockDim } from "./ir/vocabulary.ts";
import { checkedHere, type OptionNames } from "./options.ts";
import { captureOrigin, sourceLocation } from "./origin.ts";
import type { Ref } from "./ref.ts";
import type { Tensor } from "./tensor.ts";

/** The index map gives the element; the dimension does not appear in the ref. */
export const squeezed: Squeezed = { kind: "squeezed" };
export interface Squeezed {
  readonly kind: "squeezed";
}

export interface ElementBlock<N extends number> {
  readonly kind: "element";
  readonly size: N;
  readonly padding: readonly [number, number];
}
export interface ElementOptions {
  readonly padding?: readonly [number, number];
}
const elementOptions: OptionNames<ElementOptions> = { padding: true };
/** The index map gives the first element; `padding` elements lie virtually before and after the array. */
export const element = <const N extends number>(
  size: N,
  options: ElementOptions = {},
): ElementBlock<N> => {
  const { padding = [0, 0] } = checkedHere("element", options, elementOptions);
  return { kind: "element", size, padding };
};

export interface BoundedBlock<N extends number> {
  readonly kind: "bounded";
  readonly size: N;
}
/** The index map gives `ds(start, count)` with count ≤ size; the rest is not part of the block. */
export const bounded = <const N extends number>(size: N): BoundedBlock<N> => ({
  kind: "bounded",
  size,
});

export type BlockEntry = number | Squeezed | ElementBlock<number> | BoundedBlock<number>;
export type BlockShape = readonly BlockEntry[];

/** Shape of the ref that a block gives. */
export type RefShape<B extends BlockShape, Done extends Shape = readonly []> = B extends readonly [
  infer First,
  ...infer Rest extends BlockShape,
]
  ? RefShape<
      Rest,
      First extends Squeezed
        ? Done
        : First extends { readonly size: infer N extends number }
          ? readonly [...Done, N]
          : First extends number
            ? readonly [...Done, First]
            : Done
    >
  : number extends B["length"]
    ? Shape
    : Done;

/** A grid coordinate in an index map. */
type MapIndex = Tensor<"int32", readonly []>;
/**
 * What an index map is given: with named axes one record of coordinates and then one of prefetched
 * refs; with a list of axes the coordinates and then the refs, one by one.
 */
export type MapArgument = MapIndex & Ref & { readonly [name: string]: MapIndex & Ref };
export type MapEntry = number | Tensor | Window;
export type IndexMap = (...given: MapArgument[]) => MapEntry | readonly MapEntry[];

export interface Blocking {
  readonly block: readonly BlockDim[];
  readonly map: IndexMap;
  readonly origin: Origin;
}

/** An array as a graph or kernel takes it. `R` is the shape of the ref that a kernel sees. */
export interface ArraySpec<
  D extends DType = DType,
  S extends Shape = Shape,
  R extends Shape = Shape,
> {
  readonly kind: "array";
  readonly dtype: D;
  readonly shape: S;
  readonly space: MemorySpace;
  readonly blocking: Blocking | undefined;
  /** Type only: the ref's shape. */
  readonly ref?: R;
  /**
   * Cuts the array into blocks. The index map says which block a grid point sees: block numbers
   * (`number` entries) or elements (`squeezed`, `element`, `bounded`), one a dimension.
   */
  blocks<const B extends BlockShape>(
    shape: B & SameLength<B, S>,
    map?: IndexMap,
  ): ArraySpec<D, S, RefShape<B>>;
}

/** `unknown` where block and array have the same rank. */
type SameLength<B extends BlockShape, S extends Shape> = number extends S["length"] | B["length"]
  ? unknown
  : B["length"] extends S["length"]
    ? unknown
    : BlockError<`block of rank ${B["length"]} for an array of rank ${S["length"]}`>;
declare const message: unique symbol;
interface BlockError<Text extends string> {
  readonly [message]: Text;
}

export interface TensorOptions {
  /** Where a kernel sees it. A hint, except that `any` and `hbm` are never cut into blocks. */
  readonly space?: MemorySpace;
}
const tensorOptions: OptionNames<TensorOptions> = { space: true };

/** Describes an array; dims are sizes, or names bound at `compile`. */
export function tensor<D extends DType, const S extends Shape>(
  dtype: D,
  shape: S,
  options: TensorOptions = {},
): ArraySpec<D, S, S> {
  const { space = "vmem" } = checkedHere("tensor", options, tensorOptions);
  return arraySpec(dtype, shape, space, undefined);
}

function arraySpec<D extends DType, S extends Shape, R extends Shape>(
  dtype: D,
  shape: S,
  space: MemorySpace,
  blocking: Blocking | undefined,
): ArraySpec<D, S, R> {
  if (!isDType(dtype) || !Array.isArray(shape)) refuseDescription("tensor", dtype, shape);
  return {
    kind: "array",
    dtype,
    shape,
    space,
    blocking,
    blocks: <const B extends BlockShape>(block: B, map?: IndexMap) =>
      arraySpec<D, S, RefShape<B>>(dtype, shape, space, {
        block: block.map(toBlockDim),
        map: map ?? (() => block.map(() => 0)),
        origin: captureOrigin("blocks"),
      }),
  } as ArraySpec<D, S, R>;
}

const namesByShortName = new Map<string, DType>(dtypes.map((dtype) => [shortName(dtype), dtype]));

function refuseDescription(what: string, dtype: unknown, shape: unknown): never {
  const at = sourceLocation(captureOrigin(what));
  const place = at === undefined ? {} : { at };
  if (isDType(dtype)) {
    const given = typeof shape === "string" ? JSON.stringify(shape) : String(shape);
    throw new BuildError("GF2008", `${what}: a shape is a list of dims, not ${given}`, {
      ...place,
      expected: "readonly (number | string)[]",
      received: shape,
      help: `write [${given}]`,
    });
  }
  const meant = namesByShortName.get(String(dtype));
  throw new BuildError("GF2008", `${what}: ${JSON.stringify(dtype)} is not a dtype`, {
    ...place,
    expected: dtypes,
    received: dtype,
    help:
      meant === undefined
        ? `it is one of ${dtypes.join(", ")}`
        : `write "${meant}", or the constant ${String(dtype)}`,
  });
}

/** The same description with another blocking, for `vmap`. */
export const reblocked = (
  { dtype, space }: ArraySpec,
  shape: readonly Dim[],
  blocking: Blocking | undefined,
): ArraySpec => arraySpec(dtype, shape, space, blocking);

/** What is neither is left to the kernel, which can say whose block it is. */
const toBlockDim = (entry: BlockEntry): BlockDim =>
  typeof entry === "object" && entry !== null ? entry : { kind: "blocked", size: entry };

/** Memory of a kernel that lives as long as its call: kept from one grid point to the next. */
export interface ScratchSpec<D extends DType = DType, S extends Shape = Shape> {
  readonly kind: "scratch";
  readonly dtype: D;
  readonly shape: S;
  readonly space: MemorySpace;
}

const scratchIn =
  (space: MemorySpace) =>
  <D extends DType, const S extends Shape>(dtype: D, shape: S): ScratchSpec<D, S> => {
    if (!isDType(dtype) || !Array.isArray(shape)) refuseDescription("scratch", dtype, shape);
    return { kind: "scratch", dtype, shape, space };
  };
type Scratch = <D extends DType, const S extends Shape>(dtype: D, shape: S) => ScratchSpec<D, S>;
/** Scratch in vector memory. */
export const vmem: Scratch = scratchIn("vmem");
/** Scratch in scalar memory. */
export const smem: Scratch = scratchIn("smem");
/** Scratch wherever it fits. */
export const anywhere: Scratch = scratchIn("any");

/** Quotient rounded up: how many blocks of `by` cover `n`. */
export function cdiv(n: number, by: number): number {
  return Math.ceil(n / by);
}
