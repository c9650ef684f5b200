/**
 * Errors in units in the last place of the expected value (of `floor`, where that is larger), kept as the
 * largest one seen and where it was. Infinity counts as the next power of two, so that a result on the wrong
 * side of the edge of overflow is wrong by what it is; a wrong NaN, infinity or sign of zero is wrong by Infinity.
 */

/** What the unit of a format is made of: significant bits and exponent of the smallest subnormal. */
export interface Format {
  readonly precision: number;
  readonly smallest: number;
  /** The first power of two that is not finite. */
  readonly end: number;
}

export const formats: { readonly [dtype: string]: Format } = {
  float16: { precision: 11, smallest: -24, end: 16 },
  bfloat16: { precision: 8, smallest: -133, end: 128 },
  float32: { precision: 24, smallest: -149, end: 128 },
};

/** 1/unit for each exponent field of a float64; NaN for that of infinities and NaN. */
export function inverseUnits({ precision, smallest }: Format): Float64Array {
  return Float64Array.from({ length: 2048 }, (_, field) =>
    field === 2047 ? Number.NaN : 2 ** -Math.max(field - 1023 - precision + 1, smallest),
  );
}

export interface Worst {
  /** Units in the last place. */
  readonly error: number;
  readonly at: readonly number[];
  readonly got: number;
  readonly expected: number;
}

export const larger = (a: Worst | undefined, b: Worst | undefined): Worst | undefined =>
  b === undefined || (a !== undefined && a.error >= b.error) ? a : b;

/** The error of one result, every case. */
export function errorOf(got: number, expected: number, format: Format, floor = 0): number {
  const { precision, smallest, end } = format;
  const isWrongKind =
    Number.isNaN(got) !== Number.isNaN(expected) ||
    (Math.abs(expected) === Infinity && got !== expected) ||
    (got === 0 && floor === 0 && hasSign(got) !== hasSign(expected));
  if (isWrongKind) return Infinity;
  if (Number.isNaN(got)) return 0;
  // What rounds to infinity, and infinity itself, stand where the next binade would start.
  const edge = 2 ** end;
  const clamp = (x: number): number => Math.max(Math.min(x, edge), -edge);
  const size = Math.max(Math.abs(clamp(expected)), floor);
  const exponent = Math.min(exponentOf(size), end - 1);
  const unit = 2 ** Math.max(exponent - precision + 1, smallest);
  return Math.abs(clamp(got) - clamp(expected)) / unit;
}

const hasSign = (x: number): boolean => x < 0 || Object.is(x, -0);

const view = new DataView(new ArrayBuffer(8));
function exponentOf(size: number): number {
  view.setFloat64(0, size);
  return ((view.getUint32(0) >>> 20) & 2047) - 1023;
}
