/** How the lines of `debugPrint` read, which must not depend on who prints them. */
import { fromBits, type ScalarValue } from "./bits.ts";
import { type DType, itemSize, type StorageArray } from "./dtype.ts";
import type { PrintStep } from "./plan.ts";

const lengthOf = (shape: readonly number[]): number =>
  shape.reduce((total, extent) => total * extent, 1);

/** The shortest decimal that reads back as the same element. */
function formatScalar(dtype: DType, value: ScalarValue): string {
  if (Object.is(value, -0)) return "-0";
  if (typeof value !== "number" || dtype === "float64" || !Number.isFinite(value))
    return `${value}`;
  for (let digits = 1; digits <= 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return `${short}`;
  }
  return `${value}`;
}

/** Nested brackets, row-major; a scalar is bare. */
function formatTensor(
  dtype: DType,
  shape: readonly number[],
  values: readonly ScalarValue[],
): string {
  const [extent, ...rest] = shape;
  if (extent === undefined) return formatScalar(dtype, values[0] as ScalarValue);
  const step = lengthOf(rest);
  const rows = Array.from({ length: extent }, (_, i) =>
    formatTensor(dtype, rest, values.slice(i * step, (i + 1) * step)),
  );
  return `[${rows.join(", ")}]`;
}

function elementAt(dtype: DType, data: StorageArray, index: number): ScalarValue {
  const bytes = new DataView(
    data.buffer,
    data.byteOffset + index * itemSize(dtype),
    itemSize(dtype),
  );
  switch (itemSize(dtype)) {
    case 1:
      return fromBits(dtype, { lo: bytes.getUint8(0), hi: 0 });
    case 2:
      return fromBits(dtype, { lo: bytes.getUint16(0, true), hi: 0 });
    case 4:
      return fromBits(dtype, { lo: bytes.getUint32(0, true), hi: 0 });
    default:
      return fromBits(dtype, { lo: bytes.getUint32(0, true), hi: bytes.getUint32(4, true) });
  }
}

/**
 * The lines of a print step: one for each batch point where the mask holds, in row-major order.
 * Holes `{…}` take the operands in order; `{{` and `}}` are braces.
 *
 * @param getData the elements of a buffer, as its in-memory array
 */
export function formatPrintLines(
  step: PrintStep,
  getData: (buffer: number) => StorageArray,
): string[] {
  const mask = step.mask === undefined ? undefined : getData(step.mask);
  const lines: string[] = [];
  for (let point = 0; point < step.batch; point++) {
    if (mask !== undefined && Number(mask[point]) === 0) continue;
    let operand = 0;
    lines.push(
      step.format.replace(/\{\{|\}\}|\{[^{}]*\}/g, (hole) => {
        if (hole === "{{" || hole === "}}") return hole.slice(1);
        const source = step.operands[operand++];
        if (source === undefined) return hole;
        const length = lengthOf(source.shape);
        const data = getData(source.buffer);
        const values = Array.from({ length }, (_, i) =>
          elementAt(source.dtype, data, point * length + i),
        );
        return formatTensor(source.dtype, source.shape, values);
      }),
    );
  }
  return lines;
}
