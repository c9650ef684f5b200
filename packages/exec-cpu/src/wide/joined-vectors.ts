/**
 * V8 can join two 128-bit vectors that are computed alike and lie beside each other into one of 256 bits, behind a flag and
 * in its optimising compiler alone. The flag is the process's: it stays on, and other WebAssembly is compiled with it too.
 *
 * The flag is experimental, so what it makes is not believed: a plan is run on numbers that are anything until its functions
 * have long been optimised, and has to give what other code gives in its first run, which is the baseline compiler's, who
 * joins nothing.
 */
import { CapabilityError, type DType, type Plan, type StorageArray } from "@gridfuse/plan";
import { builtin } from "@gridfuse/plan/executor";
import type { Engine } from "../engine.ts";

/** The first V8 that is known to have the flag and to get it right: that of Node 24. */
const firstMajor = 13;
/** Runs go on for so many milliseconds, and there are at least so many. */
const enoughMs = 60;
const enoughRuns = 6;

/** @throws CapabilityError GF5015 where V8 has no such flag */
export function allowJoining(): void {
  const process = builtin<NodeJS.Process>("node:process");
  const v8 = builtin<typeof import("node:v8")>("node:v8");
  const version = process?.versions.v8 ?? "none";
  if (v8 === undefined || process?.arch !== "x64" || Number.parseInt(version, 10) < firstMajor) {
    throw new CapabilityError("GF5015", "this host has no wide SIMD", {
      expected: `V8 ${firstMajor} or later on x64`,
      received: `V8 ${version}${process === undefined ? "" : ` on ${process.arch}`}`,
      help: "Leave out simd, or use Node 24 or later.",
    });
  }
  v8.setFlagsFromString("--experimental-wasm-revectorize");
}

/**
 * What speaks against the new code of `engine`, beside the same plan as `plain` runs it; undefined where all went well. Inputs
 * and outputs of both are zero afterwards.
 */
export function findFault(plan: Plan, engine: Engine, plain: Engine): string | undefined {
  try {
    for (const each of [engine, plain]) fillInputs(plan, each);
    const expected = resultsOf(plan, plain).map((bytes) => bytes.slice());
    const start = performance.now();
    for (let runs = 0; runs < enoughRuns || performance.now() - start < enoughMs; runs++) {
      const results = resultsOf(plan, engine);
      const wrong = results.findIndex((bytes, i) => !isSame(bytes, expected[i] as Uint8Array));
      if (wrong >= 0) return `output "${plan.outputs[wrong]?.name}" was another one`;
    }
    return undefined;
  } catch (error) {
    return (error as Error).message;
  } finally {
    for (const { buffer } of [...plan.inputs, ...plan.outputs]) {
      for (const of of [engine, plain]) bytesOf(of.view(buffer)).fill(0);
    }
  }
}

/** The bytes of all outputs, where they lie. */
function resultsOf(plan: Plan, engine: Engine): Uint8Array[] {
  const inputs = plan.inputs.map(({ buffer }) => engine.view(buffer));
  const outputs = plan.outputs.map(({ buffer }) => engine.view(buffer));
  return engine.run(inputs, outputs).map(bytesOf);
}

function fillInputs(plan: Plan, engine: Engine): void {
  for (const [i, { buffer, dtype }] of plan.inputs.entries()) fill(engine.view(buffer), dtype, i);
}

const isSame = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0;

const bytesOf = ({ buffer, byteOffset, byteLength }: StorageArray): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** Whole and broken numbers of both signs; bools are bools. */
function fill(array: StorageArray, dtype: DType, seed: number): void {
  let state = 0x9e3779b9 ^ seed;
  for (let i = 0; i < array.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    if (dtype === "bool") array[i] = state >>> 31;
    else if (array instanceof BigInt64Array || array instanceof BigUint64Array) {
      array[i] = BigInt(state >>> 16);
    } else if (dtype === "float16" || dtype === "bfloat16") array[i] = 0x3c00 + (state >>> 21);
    else if (dtype.startsWith("float")) array[i] = (state / 2 ** 31 - 1) * 8;
    else array[i] = state >>> 20;
  }
}
