/** A unified diff of two texts: longest common lines, three lines of context. */

const context = 3;

interface Change {
  readonly sign: " " | "-" | "+";
  readonly line: string;
}

/** Lines of a unified diff without its header; empty where nothing differs. */
export function unifiedDiff(before: string, after: string): readonly string[] {
  if (before === after) return [];
  const changes = diffLines(before.split("\n"), after.split("\n"));
  const shown = new Set<number>();
  for (const [i, { sign }] of changes.entries()) {
    if (sign === " ") continue;
    for (let near = i - context; near <= i + context; near += 1) shown.add(near);
  }
  const lines: string[] = [];
  for (const [i, { sign, line }] of changes.entries()) {
    if (!shown.has(i)) continue;
    if (!shown.has(i - 1) && i > 0) lines.push("  …");
    lines.push(`${sign} ${line}`);
  }
  return lines;
}

/** Common lines at both ends aside, by the table of longest common subsequences. */
function diffLines(a: readonly string[], b: readonly string[]): readonly Change[] {
  let head = 0;
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1;
  let tail = 0;
  while (
    tail < a.length - head &&
    tail < b.length - head &&
    a[a.length - 1 - tail] === b[b.length - 1 - tail]
  ) {
    tail += 1;
  }
  const same = (lines: readonly string[]): Change[] => lines.map((line) => ({ sign: " ", line }));
  return [
    ...same(a.slice(0, head)),
    ...middle(a.slice(head, a.length - tail), b.slice(head, b.length - tail)),
    ...same(a.slice(a.length - tail)),
  ];
}

function middle(a: readonly string[], b: readonly string[]): readonly Change[] {
  const width = b.length + 1;
  const longest = new Uint32Array((a.length + 1) * width);
  const at = (i: number, j: number): number => longest[i * width + j] as number;
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      longest[i * width + j] =
        a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const changes: Change[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      changes.push({ sign: " ", line: a[i] as string });
      i += 1;
      j += 1;
    } else if (j >= b.length || (i < a.length && at(i + 1, j) >= at(i, j + 1))) {
      changes.push({ sign: "-", line: a[i] as string });
      i += 1;
    } else {
      changes.push({ sign: "+", line: b[j] as string });
      j += 1;
    }
  }
  return changes;
}
