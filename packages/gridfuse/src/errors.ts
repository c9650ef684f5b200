/** Errors of the command line, and what a process exits with. */
import { GridfuseError, PlanError, PlanFileError } from "@gridfuse/plan";

/** The command was typed wrongly: exit code 2, with a hint at the help text. */
export class UsageError extends GridfuseError {
  constructor(what: string, help?: string) {
    super("GF6001", what, help === undefined ? {} : { help });
  }
}

/** A file, module or array that a command was given is of no use. */
export class CommandError extends GridfuseError {}

export const exitCodes = { ok: 0, failure: 1, usage: 2, notVerified: 3, mismatch: 4 } as const;

export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return exitCodes.usage;
  if (error instanceof PlanError && !(error instanceof PlanFileError)) return exitCodes.notVerified;
  return exitCodes.failure;
}
