/**
 * Comparing tensors: to the bit, by units in the last place, or by tolerances.
 *
 * NaNs are a class everywhere here: design §6 lets an executor make any of them.
 */
import { type DType, isFloat, itemSize } from "@gridfuse/graph";
import { bitsOf, type HostTensor, valuesOf } from "./tensor.ts";

/** How close is close enough. `rtol` is relative to the expected value, as in numpy.isclose. */
export type Tolerance =
  | { readonly exact: true }
  | { readonly ulp: number }
  | { readonly rtol: number; readonly atol: number };

export interface TensorDifference {
  /** Elements that differ, and how many there are in all; both 0 where dtype or shape differ. */
  readonly differing: number;
  readonly total: number;
  /** Coordinate of the first one. */
  readonly at: readonly number[];
  readonly message: string;
}

/** Equal dtype, shape and bits, where all NaNs are equal. */
export const sameBits = (a: HostTensor, b: HostTensor): boolean =>
  compareTensors(a, b, { exact: true }) === undefined;

/**
 * How many representable values lie between a and b: their bit patterns, ordered as the numbers are, are
 * subtracted. −0 and +0 have distance 0, two NaNs too; a NaN and a number are infinitely far apart. For
 * integers and bool it is the absolute difference. Above 2^53 the distance is rounded.
 */
export function ulpDistance(dtype: DType, a: number | bigint, b: number | bigint): number {
  if (!isFloat(dtype)) {
    const distance = BigInt(a) - BigInt(b);
    return Number(distance < 0n ? -distance : distance);
  }
  const x = Number(a);
  const y = Number(b);
  if (Number.isNaN(x) || Number.isNaN(y)) {
    return Number.isNaN(x) && Number.isNaN(y) ? 0 : Number.POSITIVE_INFINITY;
  }
  const distance = orderedBits(dtype, x) - orderedBits(dtype, y);
  return Number(distance < 0n ? -distance : distance);
}

/** The bits of |x| as an integer, with the sign of x: ordered as the numbers are. */
function orderedBits(dtype: DType, x: number): bigint {
  const view = new DataView(new ArrayBuffer(8));
  if (dtype === "float64") view.setFloat64(0, Math.abs(x));
  else view.setFloat32(0, Math.abs(x));
  let magnitude = dtype === "float64" ? view.getBigUint64(0) : BigInt(view.getUint32(0));
  // A bfloat16 is the upper half of a float32; a float16 has its own exponent.
  if (dtype === "bfloat16") magnitude >>= 16n;
  if (dtype === "float16") magnitude = float16Magnitude(Math.abs(x));
  return x < 0 ? -magnitude : magnitude;
}

function float16Magnitude(x: number): bigint {
  if (x === Number.POSITIVE_INFINITY) return 0x7c00n;
  if (x < 2 ** -14) return BigInt(Math.round(x * 2 ** 24));
  const exponent = Math.floor(Math.log2(x));
  return BigInt((exponent + 15) * 1024 + Math.round((x / 2 ** exponent - 1) * 1024));
}

/** The first difference beyond the tolerance, with a report; undefined if there is none. */
export function compareTensors(
  actual: HostTensor,
  expected: HostTensor,
  tolerance: Tolerance = { exact: true },
): TensorDifference | undefined {
  const type = ({ dtype, shape }: HostTensor) => `${dtype}[${shape.join(", ")}]`;
  if (type(actual) !== type(expected)) {
    const message = `got ${type(actual)}, expected ${type(expected)}`;
    return { differing: 0, total: 0, at: [], message };
  }
  const got = valuesOf(actual);
  const want = valuesOf(expected);
  const gotBits = bitsOf(actual);
  const wantBits = bitsOf(expected);
  const close = (i: number): boolean => {
    const a = got[i];
    const b = want[i];
    if (gotBits[i] === wantBits[i]) return true;
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) && Number.isNaN(b);
    if ("exact" in tolerance) return false;
    if ("ulp" in tolerance) {
      return ulpDistance(actual.dtype, asNumber(a), asNumber(b)) <= tolerance.ulp;
    }
    if (a === b) return true;
    const bound = tolerance.atol + tolerance.rtol * Math.abs(Number(b));
    return Math.abs(Number(a) - Number(b)) <= bound && Number.isFinite(Number(b));
  };
  const far = got.map((_, i) => i).filter((i) => !close(i));
  if (far.length === 0) return undefined;
  const at = coordinateOf(far[0], actual.shape);
  return {
    differing: far.length,
    total: got.length,
    at,
    message: report(actual, expected, far, at, tolerance),
  };
}

const asNumber = (x: number | bigint | boolean): number | bigint =>
  typeof x === "boolean" ? Number(x) : x;

function coordinateOf(flat: number, shape: readonly number[]): number[] {
  const at: number[] = [];
  for (const dim of [...shape].reverse()) {
    at.unshift(flat % dim);
    flat = Math.floor(flat / dim);
  }
  return at;
}

function report(
  actual: HostTensor,
  expected: HostTensor,
  far: readonly number[],
  at: readonly number[],
  tolerance: Tolerance,
): string {
  const got = valuesOf(actual);
  const want = valuesOf(expected);
  const { dtype } = actual;
  const digits = 2 * itemSize(dtype);
  const show = (tensor: HostTensor, values: readonly (number | bigint | boolean)[], i: number) => {
    const value = Object.is(values[i], -0) ? "-0" : `${values[i]}`;
    return `${value} (0x${bitsOf(tensor)[i].toString(16).padStart(digits, "0")})`;
  };
  const distance = (i: number) => ulpDistance(dtype, asNumber(got[i]), asNumber(want[i]));
  const [first] = far;
  const worst = far.reduce((a, b) => (distance(b) > distance(a) ? b : a));
  return [
    `${far.length} of ${got.length} elements of ${dtype}[${actual.shape.join(", ")}] differ beyond ${describe(tolerance)}`,
    `  first at [${at.join(", ")}]: got ${show(actual, got, first)}, expected ${show(expected, want, first)}, ${distance(first)} ulp apart`,
    `  worst at [${coordinateOf(worst, actual.shape).join(", ")}]: got ${show(actual, got, worst)}, expected ${show(expected, want, worst)}, ${distance(worst)} ulp apart`,
  ].join("\n");
}

function describe(tolerance: Tolerance): string {
  if ("exact" in tolerance) return "bit equality";
  if ("ulp" in tolerance) return `${tolerance.ulp} ulp`;
  return `rtol ${tolerance.rtol}, atol ${tolerance.atol}`;
}
