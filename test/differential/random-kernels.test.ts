/**
 * Random kernels: the kernel as written, grid point by grid point, against its plan on JS and on
 * WebAssembly. GRIDFUSE_RANDOM_KERNELS raises the number of kernels.
 */
import { expect, test } from "vitest";
import { faultsOfKernel } from "./support/kernel-faults.ts";
import { type Coverage, expectedPatterns } from "./support/kernels/coverage.ts";
import { endings } from "./support/kernels/endings.ts";
import { mapKinds } from "./support/kernels/index-maps.ts";
import { expectNoFaults, runsOf } from "./support/property.ts";
import { kernelPlans } from "./support/random-kernel.ts";

const runs = runsOf("GRIDFUSE_RANDOM_KERNELS", 300);
const coverage: Coverage = new Map();

test(`${runs} random kernels`, { timeout: 60_000 + runs * 200 }, () => {
  expectNoFaults(kernelPlans, runs, (kernel) => faultsOfKernel(kernel, coverage));
});

test("among which every pattern occurs", () => {
  const patterns = [
    ...expectedPatterns,
    ...mapKinds.map((kind) => `map: ${kind}`),
    ...Object.keys(endings).map((name) => `ending: ${name}`),
  ];
  expect(patterns.filter((pattern) => !coverage.has(pattern))).toEqual([]);
});
