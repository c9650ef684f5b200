/** Element offsets of points of a row-major domain with a stride for each axis, from the number of the point. */

export interface Line {
  readonly extents: readonly number[];
  readonly strides: readonly number[];
}

export const sizeOf = (extents: readonly number[]): number => extents.reduce((a, b) => a * b, 1);

/** The same offsets with as few axes as they need. */
export function merged({ extents, strides }: Line): Line {
  const kept: { extent: number; stride: number }[] = [];
  for (const [i, extent] of extents.entries()) {
    if (extent === 1) continue;
    const [stride, last] = [strides[i] as number, kept.at(-1)];
    if (last !== undefined && last.stride === extent * stride) {
      kept[kept.length - 1] = { extent: last.extent * extent, stride };
    } else kept.push({ extent, stride });
  }
  return { extents: kept.map(({ extent }) => extent), strides: kept.map(({ stride }) => stride) };
}

/** The offset of point `at`, a C expression. */
export function offsetC(line: Line, at: string): string {
  const { extents, strides } = merged(line);
  if (extents.includes(0)) return "0L";
  let below = sizeOf(extents);
  const terms = extents.flatMap((extent, i) => {
    const isFirst = i === 0;
    below /= extent;
    const stride = strides[i] as number;
    if (stride === 0) return [];
    const quotient = below === 1 ? `(${at})` : `(${at}) / ${below}L`;
    const coordinate = isFirst ? quotient : `${quotient} % ${extent}L`;
    return [stride === 1 ? `(${coordinate})` : `(${coordinate}) * ${stride}L`];
  });
  return terms.length === 0 ? "0L" : `(${terms.join(" + ")})`;
}
