/**
 * Random tests judge a change by the same cases every time, so that a red run means the change and not
 * the dice. GRIDFUSE_SEED=random looks for new cases; a number in GRIDFUSE_SEED repeats an earlier run.
 */
import * as fc from "fast-check";

const usualSeed = 20261121;

const { GRIDFUSE_SEED } = process.env;
if (GRIDFUSE_SEED !== "random") {
  fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(GRIDFUSE_SEED ?? usualSeed) });
}
