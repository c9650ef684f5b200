/** Makes native code for plan files: what `prepare` would generate, kept for processes that trust the file. */
import type { Plan } from "@gridfuse/plan";
import type { NativeCode } from "@gridfuse/plan/executor";
import type { OptionNames } from "@gridfuse/plan/options";
import { generate } from "./codegen/generate.ts";
import { hasRelaxedSimd } from "./codegen/relaxed-simd.ts";
import { codegenVersion } from "./codegen/version.ts";
import { codeFeatures, describeProgram, executorName, relaxedFeature } from "./native.ts";
import { checked } from "./options.ts";
import { startProgram } from "./wasm-engine.ts";

export interface CompileNativeOptions {
  /** For executors of that precision; default "exact". */
  readonly precision?: "exact" | "fast";
}
const compileNativeOptions: OptionNames<CompileNativeOptions> = { precision: true };

/**
 * The WebAssembly that this executor makes of `plan`, to be saved beside it:
 * `savePlan(path, plan, { native: [await compileNative(plan)] })`. Code of precision "fast" is only started by the
 * main entry's executors of that precision.
 *
 * @throws OutOfMemoryError GF5001, GF5002; CapabilityError GF5007 for options there are not
 */
export async function compileNative(
  plan: Plan,
  options: CompileNativeOptions = {},
): Promise<NativeCode> {
  const { precision = "exact" } = checked("compileNative", options, compileNativeOptions);
  const isFast = precision === "fast" && hasRelaxedSimd();
  const program = generate(plan, { precision: isFast ? "fast" : "exact" });
  // What is written must start: loading it anywhere else would only find out later.
  await startProgram({ ...program, isForeign: true }, {});
  return {
    plan,
    executor: executorName,
    codegen: codegenVersion,
    features: isFast ? [...codeFeatures, relaxedFeature] : codeFeatures,
    detail: describeProgram(program),
    code: program.code,
  };
}
