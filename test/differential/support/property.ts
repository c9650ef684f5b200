/** Random tests that can be run again: a failure says its seed, and the smallest case it was shrunk to. */
import fc from "fast-check";
import { expect } from "vitest";

/** Runs asked for by an environment variable, else `usual`. */
export const runsOf = (variable: string, usual: number): number =>
  Number(process.env[variable] ?? usual);

/**
 * Fails with the report of the smallest value for which `faults` gives lines or throws.
 *
 * GRIDFUSE_PATH, with the GRIDFUSE_SEED of test/tools/property-seed.ts, repeats an earlier run.
 */
export function expectNoFaults<T>(
  arbitrary: fc.Arbitrary<T>,
  numRuns: number,
  faults: (value: T) => readonly string[],
): void {
  const { GRIDFUSE_PATH } = process.env;
  const property = fc.property(arbitrary, (value) => {
    const lines = faults(value);
    if (lines.length > 0) throw new Error(lines.join("\n"));
  });
  const run = fc.check(property, {
    numRuns,
    ...(GRIDFUSE_PATH === undefined ? {} : { path: GRIDFUSE_PATH }),
  });
  if (!run.failed) return;
  const cause = run.errorInstance as Error;
  expect.fail(
    [
      `case ${run.numRuns} of ${numRuns}, shrunk ${run.numShrinks} times`,
      `again: GRIDFUSE_SEED=${run.seed} GRIDFUSE_PATH=${run.counterexamplePath}`,
      cause.message,
      ...(cause.message.includes("\n") ? [] : [cause.stack ?? ""]),
      `case: ${fc.stringify(run.counterexample?.[0])}`,
    ].join("\n"),
  );
}
