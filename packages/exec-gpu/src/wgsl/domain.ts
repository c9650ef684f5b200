/**
 * Numbering the points of a box: row-major, last axis fastest.
 */
import { CapabilityError } from "@gridfuse/plan";

export const pointsIn = (extents: readonly number[]): number =>
  extents.reduce((product, extent) => product * extent, 1);

export const axisName = (axis: number): string => `a${axis}`;

/** Declares axes `firstAxis` … from the number of a point, a `u32` text. */
export function coordinateLines(
  linear: string,
  extents: readonly number[],
  firstAxis: number,
): string[] {
  const lines: string[] = [];
  let stride = 1;
  for (let i = extents.length - 1; i >= 0; i--) {
    const extent = extents[i] as number;
    const quotient = stride === 1 ? linear : `${linear} / ${stride}u`;
    const outermost = extents.slice(0, i).every((other) => other === 1);
    const coordinate = outermost ? quotient : `(${quotient}) % ${extent}u`;
    lines.unshift(`let ${axisName(firstAxis + i)} = i32(${extent === 1 ? "0u" : coordinate});`);
    stride *= extent;
  }
  return lines;
}

/** The rows of a dispatch grid for `workgroups`, each dimension at most `limit`; a few may be too many. */
export function dispatchGrid(workgroups: number, limit: number): readonly [number, number] {
  const rows = Math.max(1, Math.ceil(workgroups / limit));
  return [Math.ceil(workgroups / rows), rows];
}

/** Invocations are numbered by `u32`. */
export function requireCountable(points: number): void {
  if (points < 2 ** 31) return;
  throw new CapabilityError("GF5202", `a kernel has ${points} points`, {
    expected: "fewer than 2^31 points",
    received: points,
    help: "Run this plan on the CPU executor.",
  });
}
