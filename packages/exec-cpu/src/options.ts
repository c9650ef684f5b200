/** Options of `cpu` and `compileNative`, checked where there is room for good messages: not in the small runtime. */
import { CapabilityError } from "@gridfuse/plan";
import { type OptionCheck, type OptionNames, optionCheck } from "@gridfuse/plan/options";
import type { CpuOptions } from "./prepare.ts";

/** @throws CapabilityError GF5007 */
export const checked: OptionCheck = optionCheck(CapabilityError, "GF5007");

export const cpuOptions: OptionNames<CpuOptions> = {
  backend: true,
  threads: true,
  precision: true,
  simd: true,
  maxBytes: true,
  maxFuel: true,
};

/** What people look for in `cpu` and `compile` has. */
export const ofCompile = { cache: "compile", dims: "compile", fuel: "compile" };
