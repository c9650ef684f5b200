/**
 * Which integers a scalar can be: interval arithmetic over a program's nodes, for the ranges that index
 * expressions claim of computed indices. Everything not understood is the whole range of its dtype.
 */
import { fromBits } from "../bits.ts";
import { type DType, isInteger, itemSize, kindOf, storageArray } from "../dtype.ts";
import type { BinaryNode, ScalarNode } from "../scalar/node.ts";
import { type Program, pointsOf } from "./walk.ts";

export interface Interval {
  readonly lo: number;
  readonly hi: number;
}

const everything: Interval = { lo: Number.NEGATIVE_INFINITY, hi: Number.POSITIVE_INFINITY };

/** All values of a dtype that has integers for values; what is beyond exact floats is unbounded. */
function rangeOf(dtype: DType): Interval {
  if (dtype === "bool") return { lo: 0, hi: 1 };
  if (dtype === "uint64") return { lo: 0, hi: Number.POSITIVE_INFINITY };
  if (!isInteger(dtype) || itemSize(dtype) === 8) return everything;
  const bits = itemSize(dtype) * 8;
  return kindOf(dtype) === "uint"
    ? { lo: 0, hi: 2 ** bits - 1 }
    : { lo: -(2 ** (bits - 1)), hi: 2 ** (bits - 1) - 1 };
}

const contains = (outer: Interval, inner: Interval): boolean =>
  outer.lo <= inner.lo && inner.hi <= outer.hi;
const union = (a: Interval, b: Interval): Interval => ({
  lo: Math.min(a.lo, b.lo),
  hi: Math.max(a.hi, b.hi),
});

/** `exact` if no value wraps around in `dtype`, else anything of it. */
const unlessWrapped = (dtype: DType, exact: Interval): Interval =>
  contains(rangeOf(dtype), exact) &&
  Number.isSafeInteger(exact.lo) &&
  Number.isSafeInteger(exact.hi)
    ? exact
    : rangeOf(dtype);

export class ProgramIntervals {
  readonly #known: (Interval | undefined)[] = [];
  readonly #program: Program;
  readonly #constants: Map<number, Interval>;

  /** `constants` remembers the extremes of constant buffers from program to program. */
  constructor(program: Program, constants: Map<number, Interval>) {
    this.#program = program;
    this.#constants = constants;
  }

  of(position: number): Interval {
    const known = this.#known[position];
    if (known !== undefined) return known;
    // Fill from the start: operands come earlier, and recursion could run as deep as the program is long.
    for (let i = this.#known.length; i <= position; i++) {
      this.#known[i] = this.#compute(this.#program.nodes[i]!);
    }
    return this.#known[position]!;
  }

  #compute(node: ScalarNode): Interval {
    const { dtype } = node;
    if (dtype !== "bool" && !isInteger(dtype)) return everything;
    const arg = (i: number): Interval => this.#known[(node as BinaryNode).args[i]!]!;
    const dtypeOfArg = (): DType => this.#program.nodes[(node as BinaryNode).args[0]!]!.dtype;
    switch (node.op) {
      case "const":
        return scalarInterval(dtype, Number(fromBits(dtype, node.bits)));
      case "index":
        return unlessWrapped(dtype, node.index);
      case "load":
        return union(
          this.#bufferInterval(node.buffer, dtype),
          scalarInterval(dtype, Number(fromBits(dtype, node.fill))),
        );
      case "reduced":
        return this.#reduced(node.stage, node.reduction, dtype);
      case "min":
        return { lo: Math.min(arg(0).lo, arg(1).lo), hi: Math.min(arg(0).hi, arg(1).hi) };
      case "max":
        return { lo: Math.max(arg(0).lo, arg(1).lo), hi: Math.max(arg(0).hi, arg(1).hi) };
      case "add":
        return unlessWrapped(dtype, { lo: arg(0).lo + arg(1).lo, hi: arg(0).hi + arg(1).hi });
      case "sub":
        return unlessWrapped(dtype, { lo: arg(0).lo - arg(1).hi, hi: arg(0).hi - arg(1).lo });
      case "mul":
        return unlessWrapped(dtype, product(arg(0), arg(1)));
      case "neg":
        return unlessWrapped(dtype, { lo: -arg(0).hi, hi: -arg(0).lo });
      case "abs":
        return unlessWrapped(dtype, absolute(arg(0)));
      case "rem":
        return remainder(dtype, arg(0), arg(1));
      case "div":
        return quotient(dtype, arg(0), arg(1));
      case "and":
        return conjunction(dtype, arg(0), arg(1));
      case "shiftRightLogical":
      case "shiftRightArithmetic":
        return arg(0).lo >= 0 ? { lo: 0, hi: arg(0).hi } : rangeOf(dtype);
      case "select":
      case "rare":
        return union(arg(1), arg(2));
      case "convert":
        return dtypeOfArg() === "bool" || isInteger(dtypeOfArg())
          ? unlessWrapped(dtype, arg(0))
          : rangeOf(dtype);
      case "populationCount":
      case "countLeadingZeros":
        return { lo: 0, hi: itemSize(dtype) * 8 };
      default:
        return rangeOf(dtype);
    }
  }

  #reduced(stage: number, reduction: number, dtype: DType): Interval {
    const source = this.#program.earlier[stage];
    const op = source?.reductions[reduction]?.op;
    if (source === undefined || (op !== "argmax" && op !== "argmin")) return rangeOf(dtype);
    const points = pointsOf(source.axes);
    return unlessWrapped(dtype, { lo: 0, hi: Math.max(0, points - 1) });
  }

  /** What a constant holds is known; any other buffer may hold anything. */
  #bufferInterval(buffer: number, read: DType): Interval {
    const { plan } = this.#program.place;
    const { kind, dtype, constant } = plan.buffers[buffer]!;
    if (kind !== "constant" || dtype !== read || !isInteger(dtype)) return rangeOf(read);
    const known = this.#constants.get(buffer);
    if (known !== undefined) return known;
    const { data, length } = plan.constants[constant!]!;
    const found = extremes(dtype, data, length);
    this.#constants.set(buffer, found);
    return found;
  }
}

function extremes(dtype: DType, data: Uint8Array, length: number): Interval {
  const aligned = data.byteOffset % itemSize(dtype) === 0 ? data : data.slice();
  const values = storageArray(dtype, aligned.buffer, aligned.byteOffset, length);
  let lo = Number.POSITIVE_INFINITY;
  let hi = Number.NEGATIVE_INFINITY;
  for (const element of values) {
    const number = Number(element);
    if (number < lo) lo = number;
    if (number > hi) hi = number;
  }
  return length === 0 ? rangeOf(dtype) : { lo, hi };
}

const scalarInterval = (dtype: DType, value: number): Interval =>
  Number.isSafeInteger(value) ? { lo: value, hi: value } : rangeOf(dtype);

function product(a: Interval, b: Interval): Interval {
  const corners = [a.lo * b.lo, a.lo * b.hi, a.hi * b.lo, a.hi * b.hi];
  return { lo: Math.min(...corners), hi: Math.max(...corners) };
}

const absolute = ({ lo, hi }: Interval): Interval =>
  lo >= 0 ? { lo, hi } : { lo: Math.max(0, -hi), hi: Math.max(-lo, hi) };

/** The dividend's sign, and smaller than the divisor where that cannot be zero. */
function remainder(dtype: DType, x: Interval, y: Interval): Interval {
  if (y.lo <= 0 && y.hi >= 0) return rangeOf(dtype);
  const most = Math.max(Math.abs(y.lo), Math.abs(y.hi)) - 1;
  return {
    lo: x.lo >= 0 ? 0 : Math.max(-most, x.lo),
    hi: x.hi <= 0 ? 0 : Math.min(most, x.hi),
  };
}

function quotient(dtype: DType, x: Interval, y: Interval): Interval {
  if (y.lo <= 0) return rangeOf(dtype);
  const corners = [x.lo / y.lo, x.lo / y.hi, x.hi / y.lo, x.hi / y.hi].map(Math.trunc);
  const exact = { lo: Math.min(...corners), hi: Math.max(...corners) };
  return Number.isNaN(exact.lo) ? rangeOf(dtype) : unlessWrapped(dtype, exact);
}

/** A non-negative operand bounds the result. */
function conjunction(dtype: DType, x: Interval, y: Interval): Interval {
  const bounds = [x, y].filter(({ lo }) => lo >= 0).map(({ hi }) => hi);
  return bounds.length === 0 ? rangeOf(dtype) : { lo: 0, hi: Math.min(...bounds) };
}
