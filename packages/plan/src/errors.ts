/**
 * One base class for every error a user can meet. The parts are data; the pretty text is one
 * function over them, so that a terminal, `--json` and a test read the same thing.
 *
 * Codes are stable: GF1 run-time input, GF2 building a graph or kernel, GF3 compiling, GF4 plan files
 * and caches, GF5 executors and their machine, GF6 command line, GF9 bugs of ours.
 */

/** A place in user code. */
export interface SourceLocation {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** The line itself, for a code frame, where it could be read. */
  readonly text?: string;
}

export interface ErrorDetails {
  /** Where in the data: an input name, a buffer, a field of a plan. */
  readonly path?: string;
  readonly expected?: unknown;
  readonly received?: unknown;
  readonly at?: SourceLocation | undefined;
  readonly notes?: readonly string[];
  /** What to do about it. */
  readonly help?: string;
  readonly cause?: unknown;
}

export class GridfuseError extends Error {
  static override readonly name: string = "GridfuseError";
  readonly code: `GF${number}`;
  /** The first part of the message: what happened, without place, notes and help. */
  readonly what: string;
  readonly path: string | undefined;
  readonly expected: unknown;
  readonly received: unknown;
  readonly at: SourceLocation | undefined;
  readonly notes: readonly string[];
  readonly help: string | undefined;

  constructor(code: `GF${number}`, what: string, details: ErrorDetails = {}) {
    super(
      pretty(code, what, details),
      details.cause === undefined ? undefined : { cause: details.cause },
    );
    this.name = new.target.name;
    this.code = code;
    this.what = what;
    this.path = details.path;
    this.expected = details.expected;
    this.received = details.received;
    this.at = details.at;
    this.notes = details.notes ?? [];
    this.help = details.help;
  }

  toJSON(): Record<string, unknown> {
    const { name, code, message, path, expected, received, at, notes, help } = this;
    return { name, code, message, path, expected, received, at, notes, help };
  }
}

function pretty(code: string, what: string, { at, notes, help }: ErrorDetails): string {
  const lines = [`${code}  ${what}`];
  if (at !== undefined) lines.push(`  --> ${at.file}:${at.line}:${at.column}`, ...frame(at));
  for (const note of notes ?? []) lines.push(`  note: ${note}`);
  if (help !== undefined) lines.push(`  help: ${help}`);
  return lines.join("\n");
}

/** The source line with a caret under the column. */
function frame({ text, column }: SourceLocation): readonly string[] {
  if (text === undefined) return [];
  const indent = text.length - text.trimStart().length;
  return [`   |  ${text.trim()}`, `   |  ${" ".repeat(Math.max(0, column - 1 - indent))}^`];
}

/** What was handed to `run` does not fit the plan. */
export class InputError extends GridfuseError {
  static override readonly name: string = "InputError";
}
/** A graph or kernel that has no meaning: shapes, dtypes, index maps, unused outputs. */
export class BuildError extends GridfuseError {
  static override readonly name: string = "BuildError";
}
/** A graph that is well formed but that this compiler cannot turn into a plan. */
export class CompileError extends GridfuseError {
  static override readonly name: string = "CompileError";
}
/** A plan, or a file that should hold one, is damaged, of another version, or breaks a rule. */
export class PlanError extends GridfuseError {
  static override readonly name: string = "PlanError";
}
/** The machine or the host lacks something that was asked for. */
export class CapabilityError extends GridfuseError {
  static override readonly name: string = "CapabilityError";
}
/** More memory than there is, or than was allowed. */
export class OutOfMemoryError extends GridfuseError {
  static override readonly name: string = "OutOfMemoryError";
}
/** The executable was disposed of. */
export class DisposedError extends GridfuseError {
  static override readonly name: string = "DisposedError";
}
/** A step ran away: a `while` out of fuel. */
export class KernelTimeoutError extends GridfuseError {
  static override readonly name: string = "KernelTimeoutError";
}
/** A thread of an executor ended; the executable can be used again. */
export class WorkerCrashedError extends GridfuseError {
  static override readonly name: string = "WorkerCrashedError";
}
/** A bug of ours. */
export class InternalError extends GridfuseError {
  static override readonly name: string = "InternalError";
}
