/** Options of the calls that every executor has. The small runtime, in which every byte counts, does not check them. */
import { InputError } from "./errors.ts";
import type { PrepareOptions, RunOptions } from "./executor.ts";
import { type OptionCheck, type OptionNames, optionCheck } from "./options.ts";

const prepareOptions: OptionNames<PrepareOptions> = {
  signal: true,
  onProgress: true,
  onPrint: true,
};
const runOptions: OptionNames<RunOptions> = { out: true, signal: true };
const checked: OptionCheck = optionCheck(InputError, "GF1017");

/** @throws InputError GF1017 where `prepare` has no such options */
export function checkPrepareOptions(given: PrepareOptions): void {
  checked("prepare", given, prepareOptions);
}

/** @throws InputError GF1017 where `run` has no such options */
export function checkRunOptions(given: RunOptions): void {
  checked("run", given, runOptions);
}
