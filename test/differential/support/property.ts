/** Random tests that can be run again: a failure says its seed, and the smallest case it was shrunk to. */
import fc from "fast-check";
import { expect } from "vitest";

const usualSeed = 20261121;

/** Runs asked for by an environment variable, else `usual`. */
export const runsOf = (variable: string, usual: number): number =>
  Number(process.env[variable] ?? usual);

/**
 * Fails with the report of the smallest value for which `faults` gives lines or throws.
 *
 * A change is judged by the same cases every time; GRIDFUSE_SEED=random looks for new ones. A number in
 * GRIDFUSE_SEED, with GRIDFUSE_PATH, repeats an earlier run.
 */
export function expectNoFaults<T>(
  arbitrary: fc.Arbitrary<T>,
  numRuns: number,
  faults: (value: T) => readonly string[],
): void {
  const { GRIDFUSE_SEED, GRIDFUSE_PATH } = process.env;
  const property = fc.property(arbitrary, (value) => {
    const lines = faults(value);
    if (lines.length > 0) throw new Error(lines.join("\n"));
  });
  const run = fc.check(property, {
    numRuns,
    ...(GRIDFUSE_SEED === "random" ? {} : { seed: Number(GRIDFUSE_SEED ?? usualSeed) }),
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
