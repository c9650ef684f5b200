/**
 * Random kernels: the kernel as written, grid point by grid point, against its plan on JS and on
 * WebAssembly. GRIDFUSE_RANDOM_KERNELS raises the number of kernels.
 */
import { test } from "vitest";
import { faultsOfKernel } from "./support/kernel-faults.ts";
import { expectNoFaults, runsOf } from "./support/property.ts";
import { kernelPlans } from "./support/random-kernel.ts";

const runs = runsOf("GRIDFUSE_RANDOM_KERNELS", 300);

test(`${runs} random kernels`, { timeout: 60_000 + runs * 200 }, () => {
  expectNoFaults(kernelPlans, runs, faultsOfKernel);
});
