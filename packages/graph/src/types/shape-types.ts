/**
 * Shapes in the types: literal and named dims flow through broadcasting, contraction, reduction and
 * transposition; `number` dims fall back to the checks at run time. A mismatch of literals is a
 * `ShapeError` whose text is the message.
 */
import type { Dim, Shape } from "../ir/types.ts";

declare const message: unique symbol;
/** A type nothing is assignable to; its text says why. */
export interface ShapeError<Text extends string> {
  readonly [message]: Text;
}

type Join<S extends Shape> = S extends readonly []
  ? ""
  : S extends readonly [infer Only extends Dim]
    ? `${Only}`
    : S extends readonly [infer First extends Dim, ...infer Rest extends Shape]
      ? `${First}, ${Join<Rest>}`
      : "…";
export type Show<S extends Shape> = `[${Join<S>}]`;

/** Whether the rank is not known. */
type Wide<S extends Shape> = number extends S["length"] ? true : false;
type WideDim<D extends Dim> = number extends D ? true : string extends D ? true : false;

/** The dim that both are, or never; a dim that is not literal may be anything. */
export type SameDim<A extends Dim, B extends Dim> = [A] extends [B]
  ? A
  : [B] extends [A]
    ? B
    : WideDim<A> extends true
      ? B
      : WideDim<B> extends true
        ? A
        : never;

/** Whether the shapes are, or may turn out to be, the same. */
export type MayBe<A extends Shape, B extends Shape> =
  Wide<A> extends true
    ? true
    : Wide<B> extends true
      ? true
      : A extends readonly [infer X extends Dim, ...infer RestA extends Shape]
        ? B extends readonly [infer Y extends Dim, ...infer RestB extends Shape]
          ? [SameDim<X, Y>] extends [never]
            ? false
            : MayBe<RestA, RestB>
          : false
        : B extends readonly []
          ? true
          : false;

type BroadcastDim<A extends Dim, B extends Dim> = [A] extends [1]
  ? B
  : [B] extends [1]
    ? A
    : SameDim<A, B>;

/** NumPy broadcasting, aligned at the end; never where two literal dims differ. */
export type Broadcast<A extends Shape, B extends Shape, Tail extends Shape = readonly []> =
  Wide<A> extends true
    ? Shape
    : Wide<B> extends true
      ? Shape
      : A extends readonly [...infer AHead extends Shape, infer ALast extends Dim]
        ? B extends readonly [...infer BHead extends Shape, infer BLast extends Dim]
          ? [BroadcastDim<ALast, BLast>] extends [never]
            ? never
            : Broadcast<AHead, BHead, readonly [BroadcastDim<ALast, BLast>, ...Tail]>
          : readonly [...A, ...Tail]
        : readonly [...B, ...Tail];

export type BroadcastCheck<A extends Shape, B extends Shape> = [Broadcast<A, B>] extends [never]
  ? ShapeError<`shapes ${Show<A>} and ${Show<B>} do not broadcast`>
  : unknown;

// ── Contraction ─────────────────────────────────────────────────────────────────────────────

type Contracted<A extends Shape, B extends Shape> = A extends readonly [
  ...infer _Head extends Shape,
  infer K extends Dim,
]
  ? B extends readonly [infer L extends Dim]
    ? [K, L]
    : B extends readonly [...infer _Batch extends Shape, infer L extends Dim, infer _N extends Dim]
      ? [K, L]
      : never
  : never;

/** Result of `matmul`; never where the literal dims do not contract. */
export type Matmul<A extends Shape, B extends Shape> =
  Wide<A> extends true
    ? Shape
    : Wide<B> extends true
      ? Shape
      : Contracted<A, B> extends [infer K extends Dim, infer L extends Dim]
        ? [SameDim<K, L>] extends [never]
          ? never
          : MatmulResult<A, B>
        : never;

type MatmulResult<A extends Shape, B extends Shape> = A extends readonly [Dim]
  ? B extends readonly [Dim]
    ? readonly []
    : B extends readonly [...infer Batch extends Shape, Dim, infer N extends Dim]
      ? readonly [...Batch, N]
      : never
  : A extends readonly [...infer Batch extends Shape, infer M extends Dim, Dim]
    ? B extends readonly [Dim]
      ? readonly [...Batch, M]
      : B extends readonly [...infer BatchB extends Shape, Dim, infer N extends Dim]
        ? [Broadcast<Batch, BatchB>] extends [infer Both extends Shape]
          ? readonly [...Both, M, N]
          : never
        : never
    : never;

export type ContractCheck<A extends Shape, B extends Shape> = [Matmul<A, B>] extends [never]
  ? Contracted<A, B> extends [infer K extends Dim, infer L extends Dim]
    ? ShapeError<`shapes ${Show<A>} and ${Show<B>} do not contract: ${K} ≠ ${L}`>
    : ShapeError<`shapes ${Show<A>} and ${Show<B>} do not contract`>
  : unknown;

// ── Axes ────────────────────────────────────────────────────────────────────────────────────

/** Length of S without its last N dims. */
type LengthBefore<
  S extends Shape,
  N extends number,
  Dropped extends unknown[] = [],
> = Dropped["length"] extends N
  ? S["length"]
  : S extends readonly [...infer Head extends Shape, Dim]
    ? LengthBefore<Head, N, [...Dropped, unknown]>
    : never;

/** A literal axis counted from the front. */
export type Axis<S extends Shape, A extends number> = A extends number
  ? `${A}` extends `-${infer N extends number}`
    ? LengthBefore<S, N>
    : A
  : never;

type Without<
  S extends Shape,
  A,
  Keep,
  Done extends Shape = readonly [],
  At extends unknown[] = [],
> = S extends readonly [infer First extends Dim, ...infer Rest extends Shape]
  ? Without<
      Rest,
      A,
      Keep,
      At["length"] extends A
        ? Keep extends true
          ? readonly [...Done, 1]
          : Done
        : readonly [...Done, First],
      [...At, unknown]
    >
  : Done;

export type Axes = number | readonly number[] | undefined;
type AxisNumbers<A extends Axes> = A extends readonly number[] ? A[number] : A;

/** S reduced over `A` (all axes where undefined); with `Keep` they stay as 1. */
export type Reduce<S extends Shape, A extends Axes, Keep> =
  Wide<S> extends true
    ? Shape
    : [A] extends [undefined]
      ? Keep extends true
        ? { readonly [K in keyof S]: 1 }
        : readonly []
      : number extends AxisNumbers<A>
        ? Shape
        : boolean extends Keep
          ? Shape
          : Without<S, Axis<S, AxisNumbers<A> & number>, Keep>;

type Reverse<S extends Shape, Done extends Shape = readonly []> = S extends readonly [
  infer First extends Dim,
  ...infer Rest extends Shape,
]
  ? Reverse<Rest, readonly [First, ...Done]>
  : Done;

/** Dims in the order of `P`; reversed without one. */
export type Transpose<S extends Shape, P extends readonly number[] | undefined> =
  Wide<S> extends true
    ? Shape
    : P extends readonly number[]
      ? number extends P["length"]
        ? Shape
        : Permuted<S, P>
      : Reverse<S>;
type Permuted<
  S extends Shape,
  P extends readonly number[],
  Done extends Shape = readonly [],
> = P extends readonly [infer First extends number, ...infer Rest extends readonly number[]]
  ? Permuted<S, Rest, readonly [...Done, number extends First ? Dim : S[Axis<S, First>]]>
  : Done;

/** The requested shape; −1 is worked out when the graph is built. */
export type Reshaped<N extends readonly Dim[]> = {
  readonly [K in keyof N]: N[K] extends -1 ? number : N[K];
};
/** Same rank, sizes worked out when the graph is built. */
export type SameRank<S extends Shape> = { readonly [K in keyof S]: Dim };
