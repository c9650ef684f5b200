/** debug_print: the lines it gives. */
import type { NodeNamed } from "@gridfuse/graph";
import { type HostTensor, sizeOf, valuesOf } from "./tensor.ts";

/** The shortest decimal that reads back as the same element. */
function formatElement(value: number | bigint | boolean, { dtype }: HostTensor): string {
  if (typeof value !== "number" || dtype === "float64" || !Number.isFinite(value)) {
    return Object.is(value, -0) ? "-0" : `${value}`;
  }
  if (Object.is(value, -0)) return "-0";
  for (let digits = 1; digits <= 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return `${short}`;
  }
  return `${value}`;
}

/** Elements in nested brackets, as NumPy shows them; a scalar bare. */
export function formatTensor(tensor: HostTensor): string {
  const elements = valuesOf(tensor).map((value) => formatElement(value, tensor));
  const nest = (dimension: number, start: number, count: number): string => {
    if (dimension === tensor.shape.length) return elements[start];
    const extent = tensor.shape[dimension];
    const step = extent === 0 ? 0 : count / extent;
    const parts = Array.from({ length: extent }, (_, i) =>
      nest(dimension + 1, start + i * step, step),
    );
    return `[${parts.join(", ")}]`;
  };
  return nest(0, 0, elements.length);
}

/** One line a batch point, in row-major order, where the mask holds. */
export function printedLines(
  { format, batch, masked }: NodeNamed<"debug_print">["params"],
  operands: readonly HostTensor[],
): readonly string[] {
  const values = masked ? operands.slice(1) : operands;
  const mask = masked ? operands[0] : undefined;
  const points = operands.length === 0 ? 1 : sizeOf(operands[0].shape.slice(0, batch));
  const lines: string[] = [];
  for (let point = 0; point < points; point++) {
    if (mask !== undefined && mask.data[point] === 0) continue;
    const texts = values.map((value) => formatTensor(atPoint(value, batch, point)));
    lines.push(fillHoles(format, texts));
  }
  return lines;
}

/** Puts the texts into the `{…}` holes in order; `{{` and `}}` are braces. */
const fillHoles = (format: string, texts: string[]): string =>
  format.replaceAll(/\{\{|\}\}|\{[^{}]*\}/g, (match) => {
    if (match === "{{") return "{";
    return match === "}}" ? "}" : (texts.shift() ?? match);
  });

function atPoint({ dtype, shape, data }: HostTensor, batch: number, point: number): HostTensor {
  const inner = shape.slice(batch);
  const count = sizeOf(inner);
  return { dtype, shape: inner, data: data.slice(point * count, (point + 1) * count) };
}
