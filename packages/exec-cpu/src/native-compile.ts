/** Makes native code for plan files: what `prepare` would generate, kept for processes that trust the file. */
import type { Plan } from "@gridfuse/plan";
import type { NativeCode } from "@gridfuse/plan/executor";
import { generate } from "./codegen/generate.ts";
import { codegenVersion } from "./codegen/version.ts";
import { codeFeatures, describeProgram, executorName } from "./native.ts";
import { startProgram } from "./wasm-engine.ts";

/**
 * The WebAssembly that this executor makes of `plan`, to be saved beside it:
 * `savePlan(path, plan, { native: [await compileNative(plan)] })`.
 *
 * @throws OutOfMemoryError GF5001, GF5002
 */
export async function compileNative(plan: Plan): Promise<NativeCode> {
  const program = generate(plan);
  // What is written must start: loading it anywhere else would only find out later.
  await startProgram({ ...program, isForeign: true }, {});
  return {
    plan,
    executor: executorName,
    codegen: codegenVersion,
    features: codeFeatures,
    detail: describeProgram(program),
    code: program.code,
  };
}
