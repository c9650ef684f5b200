import { readFileSync } from "node:fs";

/** One runnable TypeScript block of a Markdown page. */
export interface CodeBlock {
  /** Line of the fence, 1-based. */
  readonly line: number;
  /** The block, after the blocks it continues. */
  readonly code: string;
}

/**
 * The `ts` blocks of a Markdown text that are meant to run. The words after the language decide:
 * `no-run` only shows the block, `continues` puts the block above it (with what that one continues)
 * in front. A block is a module of its own otherwise.
 */
export function codeBlocks(markdown: string): CodeBlock[] {
  const blocks: CodeBlock[] = [];
  const lines = markdown.split(/\r?\n/);
  for (let at = 0; at < lines.length; at++) {
    const fence = /^(\s*)(`{3,})\s*(.*)$/.exec(lines[at]);
    if (fence === null) continue;
    const [, indent, ticks, info] = fence;
    const start = at;
    const body: string[] = [];
    for (at++; at < lines.length && lines[at].trim() !== ticks; at++)
      body.push(lines[at].startsWith(indent) ? lines[at].slice(indent.length) : lines[at]);
    if (at === lines.length) throw new Error(`line ${start + 1}: the code block is never closed`);

    const [language, ...marks] = info.split(/[\s{}]+/).filter((word) => word !== "");
    if (language !== "ts" || marks.includes("no-run")) continue;
    const above = marks.includes("continues") ? blocks.at(-1) : undefined;
    if (marks.includes("continues") && above === undefined)
      throw new Error(`line ${start + 1}: there is no block above to continue`);
    blocks.push({
      line: start + 1,
      code: [...(above ? [above.code] : []), ...body, ""].join("\n"),
    });
  }
  return blocks;
}

/** The runnable blocks of a Markdown file. */
export function codeBlocksOf(file: string): CodeBlock[] {
  return codeBlocks(readFileSync(file, "utf8"));
}

/**
 * What each `console.log` statement of a block is said to print, in order: the text after `// →` behind
 * it or on the line below; undefined where nothing is said.
 */
export function promisedOutput(code: string): (string | undefined)[] {
  const lines = code.split("\n");
  const promises: (string | undefined)[] = [];
  for (const [i, line] of lines.entries()) {
    if (!line.startsWith("console.log(")) continue;
    const promise = / \/\/ → (.*)$/.exec(line) ?? /^\/\/ → (.*)$/.exec(lines[i + 1] ?? "");
    promises.push(promise?.[1]);
  }
  return promises;
}
