/**
 * Reductions over lanes in the order of plan.ts, spelled with `applyNode`: short ones in order, else 16 accumulators a
 * segment of 256, folded 8, 4, 2, 1, and segments in a balanced tree.
 */
import {
  accumulators,
  type DType,
  identityOf,
  isArg,
  isFloat,
  isOrdered,
  isSpread,
  type Reduction,
  segmentLength,
} from "@gridfuse/plan";
import {
  applyNode,
  type BinaryOp,
  type Lanes,
  lanes,
  loadLanes,
  type ScalarNode,
} from "@gridfuse/plan/scalar";

/** Folds the values of one point, given in pieces; all but the last are whole segments. */
export interface Fold {
  add(values: Lanes): void;
  /** One lane. */
  result(): Lanes;
}

function combineInto(op: BinaryOp, dtype: DType, into: Lanes, other: Lanes, n: number): void {
  const node = { op, dtype, args: [0, 1] } as const;
  applyNode(node as Extract<ScalarNode, { op: BinaryOp }>, [into, other], [dtype, dtype], n, into);
}

/** One element after the other. */
class ChainFold implements Fold {
  protected readonly op: BinaryOp;
  protected readonly dtype: DType;
  readonly #total: Lanes;

  constructor({ op, dtype }: Reduction) {
    this.op = op as BinaryOp;
    this.dtype = dtype;
    const bits = identityOf(op as "add", dtype);
    this.#total = applyNode({ op: "const", dtype, bits }, [], [], 1);
  }

  add(values: Lanes): void {
    for (let i = 0; i < values.length; i++) {
      combineInto(this.op, this.dtype, this.#total, values.subarray(i), 1);
    }
  }

  result(): Lanes {
    return this.#total;
  }
}

class SpreadFold implements Fold {
  readonly #op: BinaryOp;
  readonly #dtype: DType;
  readonly #reduction: Reduction;
  /** Level k holds a finished subtree of 2^k segments. */
  readonly #tree: (Lanes | undefined)[] = [];

  constructor(reduction: Reduction) {
    this.#reduction = reduction;
    this.#op = reduction.op as BinaryOp;
    this.#dtype = reduction.dtype;
  }

  #identity(n: number): Lanes {
    const { op, dtype } = this.#reduction;
    const bits = identityOf(op as "add", dtype);
    return applyNode({ op: "const", dtype, bits }, [], [], n);
  }

  add(values: Lanes): void {
    for (let start = 0; start < values.length; start += segmentLength) {
      this.#addSegment(values.subarray(start, start + segmentLength));
    }
  }

  #addSegment(values: Lanes): void {
    const sums = this.#identity(accumulators);
    for (let start = 0; start < values.length; start += accumulators) {
      const group = values.subarray(start, start + accumulators);
      combineInto(this.#op, this.#dtype, sums, group, group.length);
    }
    for (let half = accumulators / 2; half >= 1; half /= 2) {
      combineInto(this.#op, this.#dtype, sums, sums.subarray(half), half);
    }
    let carry: Lanes = sums.slice(0, 1);
    let level = 0;
    for (; this.#tree[level] !== undefined; level++) {
      const before = this.#tree[level] as Lanes;
      combineInto(this.#op, this.#dtype, before, carry, 1);
      carry = before;
      this.#tree[level] = undefined;
    }
    this.#tree[level] = carry;
  }

  result(): Lanes {
    let total: Lanes | undefined;
    for (const subtree of this.#tree) {
      if (subtree === undefined) continue;
      if (total !== undefined) combineInto(this.#op, this.#dtype, subtree, total, 1);
      total = subtree;
    }
    return total ?? this.#identity(1);
  }
}

/** Order does not show: halves of what comes go together first. */
class PlainFold extends ChainFold {
  override add(values: Lanes): void {
    const rest = values.slice();
    let n = rest.length;
    for (; n > 1; n -= n >> 1) {
      const half = n >> 1;
      combineInto(this.op, this.dtype, rest, rest.subarray(n - half), half);
    }
    super.add(rest.subarray(0, n));
  }
}

class FirstExtreme implements Fold {
  readonly #greatest: boolean;
  readonly #dtype: DType;
  readonly #result: DType;
  #best: number | bigint | undefined;
  #where = 0;
  #seen = 0;

  constructor({ op, dtype }: Reduction, of: DType) {
    this.#greatest = op === "argmax";
    this.#dtype = of;
    this.#result = dtype;
  }

  add(values: Lanes): void {
    const float = isFloat(this.#dtype);
    for (let i = 0; i < values.length; i++) {
      const value = values[i] as number | bigint;
      const best = this.#best;
      const beyond =
        best === undefined ||
        (this.#greatest ? value > best : value < best) ||
        (float && Number.isNaN(value) && !Number.isNaN(best));
      if (!beyond) continue;
      this.#best = value;
      this.#where = this.#seen + i;
    }
    this.#seen += values.length;
  }

  result(): Lanes {
    const where = loadLanes("int32", Int32Array.of(this.#where), 0, 1);
    if (this.#result === "int32") return where;
    return applyNode(
      { op: "convert", dtype: this.#result, args: [0] },
      [where],
      ["int32"],
      1,
      lanes(this.#result, 1),
    );
  }
}

/** @param of dtype of the folded values, `elements` of them */
export function foldOf(reduction: Reduction, of: DType, elements: number): Fold {
  if (isArg(reduction.op)) return new FirstExtreme(reduction, of);
  if (!isOrdered(reduction)) return new PlainFold(reduction);
  return isSpread(reduction, elements) ? new SpreadFold(reduction) : new ChainFold(reduction);
}
