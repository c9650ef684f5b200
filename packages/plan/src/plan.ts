/**
 * The plan: what a compiler hands to production. Plain immutable data, no code, no executor.
 *
 * A plan is a list of steps over numbered buffers. Temporaries live at fixed offsets of one arena;
 * inputs, outputs and constants are separate. Steps run in order, as if one after the other.
 */
import type { Bits } from "./bits.ts";
import type { DType } from "./dtype.ts";
import type { IndexExpr } from "./index-expr/expr.ts";
import type { IndexRange, ScalarNode } from "./scalar/node.ts";

/** Raised with every change of meaning or shape of anything below. */
export const irVersion = 4;

export type BufferKind = "input" | "output" | "constant" | "temporary";

export interface PlanBuffer {
  readonly kind: BufferKind;
  readonly dtype: DType;
  /** Elements. */
  readonly length: number;
  /** Temporaries: byte offset in the arena, a multiple of 256 (also for several in one place, at different times). */
  readonly offset?: number;
  /** Constants: index into `Plan.constants`. */
  readonly constant?: number;
}

export interface PlanConstant {
  readonly dtype: DType;
  readonly length: number;
  /** In-memory form, little-endian. */
  readonly data: Uint8Array;
}

export interface PlanPort {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
  readonly buffer: number;
}

export interface PlanOutput extends PlanPort {
  /** Bit-equal on every executor, or only within the documented bound of the ops it went through. */
  readonly exact: boolean;
}

export interface Write {
  readonly buffer: number;
  /** The buffer's dtype, or its `bitsDType` where a float is only moved; the same holds for loads. */
  readonly dtype: DType;
  readonly index: IndexExpr;
  /** The write happens only where every range holds. */
  readonly guard: readonly IndexRange[];
  readonly value: number;
}

export const reduceOps = [
  "add",
  "mul",
  "max",
  "min",
  "and",
  "or",
  "xor",
  "argmax",
  "argmin",
] as const;
export type ReduceOp = (typeof reduceOps)[number];

/**
 * Folds `value` over the inner axes (row-major order of their coordinates, flattened to one index i).
 *
 * Order, for every executor: float `add` and `mul` of at most 16 elements start at the identity (+0, 1) and take in
 * one element after the other. More elements are cut into segments of 256; within a segment element i
 * goes to accumulator i mod 16, accumulators start at the identity and are folded j with j+8, then
 * j+4, j+2, j+1; segments combine in a balanced tree (neighbours pairwise, an odd last one moves up).
 * float16 and bfloat16 round after every combination. The other ops do not depend on order.
 *
 * `argmax`/`argmin` yield the flattened index i of the first extreme element as `dtype`; a NaN is the extreme.
 * An empty domain yields the identity: 0, 1, −Inf/MIN, +Inf/MAX, all ones, 0, 0; argmax/argmin 0.
 */
export interface Reduction {
  readonly op: ReduceOp;
  readonly dtype: DType;
  readonly value: number;
}

/**
 * One pass over the inner axes, for every outer point. In scalar nodes and index expressions axis numbers
 * count the kernel's outer axes first and go on with the stage's own.
 */
export interface Stage {
  readonly axes: readonly number[];
  readonly nodes: readonly ScalarNode[];
  readonly reductions: readonly Reduction[];
  readonly writes: readonly Write[];
}

/**
 * A fused loop nest: for every point of the outer axes (all parallel), the stages in order. Points of an
 * outer axis never read what another point writes. A stage's inner axes are parallel too, except for what
 * its reductions fold. A stage reads `reduced` results of earlier stages. A write of one stage is not read
 * by the same kernel.
 */
export interface KernelStep {
  readonly kind: "kernel";
  readonly name: string;
  readonly axes: readonly number[];
  readonly stages: readonly Stage[];
}

/** Element offset of an operand: base + Σ axis·stride; one stride for each axis of its list. */
export interface Strided {
  readonly buffer: number;
  /** May refer to loop counters, never to axes. */
  readonly base: IndexExpr;
  readonly batch: readonly number[];
  /** Strides of lhs rows (m) or rhs columns (n); of both, in that order, for the result. */
  readonly free: readonly number[];
  readonly contract: readonly number[];
}

/**
 * out[b…, m…, n…] = Σ_k lhs[b…, m…, k…] · rhs[b…, n…, k…]: lax.dot_general with every operand strided.
 * Operands are converted to `accumulate`, multiplied and added in it, k in row-major order starting from +0
 * (in order, so the bits do not depend on blocking), and the sum is converted to `dtype`.
 */
export interface DotStep {
  readonly kind: "dot";
  readonly name: string;
  readonly dtype: DType;
  readonly accumulate: DType;
  readonly lhsDType: DType;
  readonly rhsDType: DType;
  readonly batch: readonly number[];
  readonly m: readonly number[];
  readonly n: readonly number[];
  readonly k: readonly number[];
  readonly lhs: Strided;
  readonly rhs: Strided;
  readonly out: Strided;
  /** Sums start from what `out` holds, in place of +0; `dtype` is then the same as `accumulate`. */
  readonly onto?: true;
}

/**
 * lax.sort along the middle axis of [outer, extent, inner] arrays (row-major, contiguous): the first `keys`
 * operands are compared lexicographically, the rest is carried. −0 equals +0, NaNs are equal and last, stable.
 * `outputs[i]` receives operand `sources[i]`, or as int32 the places along the axis that the elements came from
 * where that is the number of operands; it may be an operand's buffer.
 */
export interface SortStep {
  readonly kind: "sort";
  readonly name: string;
  readonly outer: number;
  readonly extent: number;
  readonly inner: number;
  readonly keys: number;
  readonly dtypes: readonly DType[];
  readonly inputs: readonly number[];
  readonly sources: readonly number[];
  readonly outputs: readonly number[];
}

/** lax.top_k along the last axis of [outer, extent]: values descending, NaN largest, lower index first on ties; int32 indices. */
export interface TopKStep {
  readonly kind: "topk";
  readonly name: string;
  readonly outer: number;
  readonly extent: number;
  readonly k: number;
  readonly dtype: DType;
  readonly input: number;
  readonly values: number;
  readonly indices: number;
}

export const scanOps = ["add", "mul", "max", "min", "logaddexp"] as const;
export type ScanOp = (typeof scanOps)[number];

/** Inclusive cumulative op along the middle axis of [outer, extent, inner], in order (from the end if `reverse`). */
export interface ScanStep {
  readonly kind: "scan";
  readonly name: string;
  readonly op: Exclude<ScanOp, "logaddexp">;
  readonly reverse: boolean;
  readonly outer: number;
  readonly extent: number;
  readonly inner: number;
  readonly dtype: DType;
  readonly input: number;
  readonly output: number;
}

/**
 * target[index] ⊕= value over the domain `axes` in row-major order, one point after the other: a scatter whose
 * collisions have an order. Index and value are nodes; out-of-guard points are dropped.
 * `combine` "set" keeps the last value.
 */
export interface ScatterStep {
  readonly kind: "scatter";
  readonly name: string;
  readonly axes: readonly number[];
  readonly nodes: readonly ScalarNode[];
  readonly combine: "set" | "add" | "mul" | "min" | "max";
  readonly write: Write;
}

/** Copies `length` elements, bits untouched. */
export interface CopyStep {
  readonly kind: "copy";
  readonly name: string;
  readonly dtype: DType;
  readonly length: number;
  readonly from: number;
  readonly fromIndex: IndexExpr;
  readonly to: number;
  readonly toIndex: IndexExpr;
}

/** Runs `body` `trips` times; `loop` is the number by which index expressions name its counter (from 0). */
export interface LoopStep {
  readonly kind: "loop";
  readonly name: string;
  readonly loop: number;
  readonly trips: number;
  /** Comes from a grid axis: counted as `gridLoops` in reports. */
  readonly grid: boolean;
  readonly body: readonly Step[];
}

/**
 * Runs `body` once for every tile: a chain of steps cut along an axis that all of them share, so that what lies
 * between the steps stays small. `loop` is the number by which index expressions name the tile, 0 ≤ tile < trips.
 *
 * Tiles are independent of each other. Temporaries in `locals` belong to one tile: it writes what it reads of them,
 * and nothing outside the step mentions them. Any other buffer that the body writes is cut along the tiles: tile t
 * writes, and reads, nothing of it but elements o + t·s … o + (t + 1)·s − 1, for one o and one s, and those that lie a
 * multiple of s·trips behind them (some columns of all rows). So an executor may run tiles in any order, several at
 * once (each worker with locals of its own), or one after the other.
 *
 * How many tiles there are is a matter of bytes, the same for every machine (`tileBytes` of the compiler): small enough for
 * the cache that a core has to itself, with enough of them for many cores. A worker may well take several in a row.
 */
export interface TileStep {
  readonly kind: "tile";
  readonly name: string;
  readonly loop: number;
  readonly trips: number;
  readonly locals: readonly number[];
  readonly body: readonly Step[];
}

/** `condition` computes the bool buffer `predicate`; while its element 0 is true, `body` runs. */
export interface WhileStep {
  readonly kind: "while";
  readonly name: string;
  readonly predicate: number;
  readonly condition: readonly Step[];
  readonly body: readonly Step[];
  /** Iterations after which the run fails instead of hanging. */
  readonly fuel: number;
}

/** Runs branch `selector[0]` (int32), clamped to the number of branches. */
export interface BranchStep {
  readonly kind: "branch";
  readonly name: string;
  readonly selector: number;
  readonly branches: readonly (readonly Step[])[];
}

/** debug_print: formats one line a batch point, in row-major order, where the mask (bool buffer) holds. */
export interface PrintStep {
  readonly kind: "print";
  readonly name: string;
  /** Text with `{}` holes, one for each operand. */
  readonly format: string;
  readonly batch: number;
  readonly mask?: number;
  readonly operands: readonly {
    readonly buffer: number;
    readonly dtype: DType;
    readonly shape: readonly number[];
  }[];
}

export type Step =
  | KernelStep
  | DotStep
  | SortStep
  | TopKStep
  | ScanStep
  | ScatterStep
  | CopyStep
  | LoopStep
  | TileStep
  | WhileStep
  | BranchStep
  | PrintStep;

export type StepKind = Step["kind"];

/** Droppable: names, sources, verdicts; everything `report(plan)` can say beyond the steps themselves. */
export interface PlanDebug {
  readonly compileMs?: number;
  readonly nodesBefore: number;
  readonly nodesAfter: number;
  readonly gridPoints: number;
  readonly axes: readonly AxisReport[];
  readonly notes: readonly string[];
  /** step name → user source lines that went into it. */
  readonly origins: Readonly<Record<string, readonly string[]>>;
  /** step name → what it computes over orbits, where it does. */
  readonly orbits?: Readonly<Record<string, OrbitReport>>;
  readonly passes: readonly {
    readonly name: string;
    readonly ms: number;
    readonly nodes: number;
  }[];
}

/** A kernel that computes several layers of butterflies for a few positions at once. */
export interface OrbitReport {
  /** Distances whose sums (xor, on positions in row-major order) lead from one position of an orbit to all others. */
  readonly deltas: readonly number[];
  readonly layers: number;
}

export type Verdict = "parallel" | "reduction" | "last" | "sequential";

export interface AxisReport {
  readonly kernel: string;
  readonly axis: string;
  readonly extent: number;
  readonly verdict: Verdict;
  readonly reason: string;
}

export interface Plan {
  readonly ir: number;
  readonly name: string;
  readonly requirements: { readonly dtypes: readonly DType[]; readonly steps: readonly StepKind[] };
  readonly inputs: readonly PlanPort[];
  readonly outputs: readonly PlanOutput[];
  readonly buffers: readonly PlanBuffer[];
  readonly constants: readonly PlanConstant[];
  /** Bytes of the arena that holds the temporaries. */
  readonly arenaBytes: number;
  readonly steps: readonly Step[];
  readonly debug?: PlanDebug;
}

export type { Bits };
