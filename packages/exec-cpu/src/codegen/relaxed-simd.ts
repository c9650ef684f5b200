/**
 * Whether this host has relaxed SIMD. Node 20 has it behind a flag, which takes effect for what is compiled after it was
 * set.
 */
import { ModuleBuilder } from "../wasm/module.ts";

let known: boolean | undefined;

export function hasRelaxedSimd(): boolean {
  known ??= isValid() || (allowRelaxedSimd() && isValid());
  return known;
}

function isValid(): boolean {
  const module = new ModuleBuilder();
  const { code } = module.define(["v128"], ["v128"]);
  code.get(0).get(0).get(0).op("f32x4.relaxed_madd");
  return WebAssembly.validate(module.encode(1));
}

interface Host {
  readonly process?: {
    getBuiltinModule?(name: "node:v8"): { setFlagsFromString(flag: string): void } | undefined;
  };
}

/** Says whether there was a flag to set. */
function allowRelaxedSimd(): boolean {
  const v8 = (globalThis as Host).process?.getBuiltinModule?.("node:v8");
  v8?.setFlagsFromString("--experimental-wasm-relaxed-simd");
  return v8 !== undefined;
}
