/** Text for people: colours where they are wanted, tables, sizes, errors. */
import { GridfuseError } from "@gridfuse/plan";

/** Where a command writes; results go to `out`, everything said about them to `err`. */
export interface Terminal {
  out(line: string): void;
  err(line: string): void;
  readonly style: Style;
}

export interface Style {
  bold(text: string): string;
  red(text: string): string;
  dim(text: string): string;
}

/** NO_COLOR (no-color.org) wins over FORCE_COLOR, which wins over whether there is somebody to see it. */
export function styleFor(env: NodeJS.ProcessEnv, isTty: boolean): Style {
  const wanted = env.NO_COLOR ? false : env.FORCE_COLOR ? env.FORCE_COLOR !== "0" : isTty;
  const sgr = (code: number) => (text: string) =>
    wanted ? `\u001b[${code}m${text}\u001b[0m` : text;
  return { bold: sgr(1), red: sgr(31), dim: sgr(2) };
}

/** Columns padded to their widest cell, two spaces apart. */
export function table(rows: readonly (readonly string[])[], indent = "  "): readonly string[] {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows.map((row) =>
    (indent + row.map((cell, i) => cell.padEnd(widths[i]!)).join("  ")).trimEnd(),
  );
}

export function byteCount(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ["KiB", "MiB", "GiB", "TiB"];
  const power = Math.min(Math.floor(Math.log2(bytes) / 10), units.length);
  return `${(bytes / 1024 ** power).toFixed(1)} ${units[power - 1]}`;
}

/** What to say about an error: code and cause first, then place and help. Errors that are not ours keep their stack. */
export function describeError(error: unknown, style: Style): string {
  if (!(error instanceof GridfuseError)) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return `${style.red(style.bold("error"))}: ${text}`;
  }
  const [first = "", ...rest] = error.message.split("\n");
  const head = `${style.red(style.bold(`error[${error.code}]`))}: ${style.bold(first.slice(error.code.length).trim())}`;
  return [head, ...rest].join("\n");
}

export function errorAsJson(error: unknown): Record<string, unknown> {
  if (error instanceof GridfuseError) return error.toJSON();
  if (error instanceof Error) return { name: error.name, message: error.message };
  return { message: String(error) };
}
