/** Which lines of two texts correspond: the longest common subsequence, common ends aside. */

export interface Change<T> {
  readonly sign: " " | "-" | "+";
  readonly line: T;
}

/** Beyond this many pairs only the common ends are matched: the table would be too large. */
const maxPairs = 8_000_000;

/**
 * The lines of `a` and `b` in one list: kept (as in `b`), removed, added.
 *
 * @param key what makes two lines the same; the line itself by default
 */
export function diffLines<T>(
  a: readonly T[],
  b: readonly T[],
  key: (line: T) => unknown = (line) => line,
): readonly Change<T>[] {
  const [keysA, keysB] = [a.map(key), b.map(key)];
  let head = 0;
  while (head < a.length && head < b.length && keysA[head] === keysB[head]) head += 1;
  let tail = 0;
  const rest = Math.min(a.length, b.length) - head;
  while (tail < rest && keysA[a.length - 1 - tail] === keysB[b.length - 1 - tail]) tail += 1;
  const kept = (lines: readonly T[]): Change<T>[] => lines.map((line) => ({ sign: " ", line }));
  const [endA, endB] = [a.length - tail, b.length - tail];
  return [
    ...kept(b.slice(0, head)),
    ...diffMiddle(a.slice(head, endA), b.slice(head, endB), [
      keysA.slice(head, endA),
      keysB.slice(head, endB),
    ]),
    ...kept(b.slice(endB)),
  ];
}

function diffMiddle<T>(
  a: readonly T[],
  b: readonly T[],
  [keysA, keysB]: readonly [readonly unknown[], readonly unknown[]],
): readonly Change<T>[] {
  const removed = (line: T): Change<T> => ({ sign: "-", line });
  const added = (line: T): Change<T> => ({ sign: "+", line });
  if (a.length * b.length > maxPairs) return [...a.map(removed), ...b.map(added)];
  const width = b.length + 1;
  const longest = new Uint32Array((a.length + 1) * width);
  const at = (i: number, j: number): number => longest[i * width + j] as number;
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      longest[i * width + j] =
        keysA[i] === keysB[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const changes: Change<T>[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && keysA[i] === keysB[j]) {
      changes.push({ sign: " ", line: b[j] as T });
      i += 1;
      j += 1;
    } else if (j >= b.length || (i < a.length && at(i + 1, j) >= at(i, j + 1))) {
      changes.push(removed(a[i] as T));
      i += 1;
    } else {
      changes.push(added(b[j] as T));
      j += 1;
    }
  }
  return changes;
}
