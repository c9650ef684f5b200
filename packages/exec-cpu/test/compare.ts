/** Runs one plan on both backends and compares every bit, NaNs as a class. */
import { type DType, isFloat, type Plan, type StorageArray, storageArray } from "@gridfuse/plan";
import { loadLanes } from "@gridfuse/plan/scalar";
import { nativeCpu } from "../src/c/executor.ts";
import { cpuSync } from "../src/index.ts";

export function runOn(
  backend: "wasm" | "js",
  plan: Plan,
  inputs: Record<string, StorageArray>,
): Record<string, StorageArray> {
  // GRIDFUSE_BACKENDS=native puts compiled C in the place of WebAssembly.
  const isNative = backend === "wasm" && process.env.GRIDFUSE_BACKENDS === "native";
  const executor = isNative ? nativeCpu({}) : cpuSync({ backend });
  using executable = executor.prepareSync(plan);
  return executable.runSync(inputs);
}

/** Elements as text that tells −0 from 0 and is the same for all NaNs. */
export function elements(dtype: DType, array: StorageArray): string[] {
  const values = loadLanes(dtype, array, 0, array.length);
  return Array.from(values as ArrayLike<number | bigint>, (value) =>
    Object.is(value, -0) ? "-0" : String(value),
  );
}

export function compareBackends(
  plan: Plan,
  inputs: Record<string, StorageArray>,
): { wasm: string[]; js: string[] }[] {
  const wasm = runOn("wasm", plan, inputs);
  const js = runOn("js", plan, inputs);
  return plan.outputs.map(({ name, dtype }) => ({
    wasm: elements(dtype, wasm[name] as StorageArray),
    js: elements(dtype, js[name] as StorageArray),
  }));
}

const interesting32 = [
  0, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0x00000001, 0x80000001,
  0x7f7fffff, 0xff7fffff, 0x4f000000, 0xcf000000, 0x4f800000, 0x7fffffff, 0xffffffff, 0x3f000000,
  0x40200000, 0x43000000, 0xc3008000, 0x477fe000, 0x33000000, 0x387fc000,
];

/** A small generator of pseudo-random words (Marsaglia's xorshift). */
export function randomWords(seed: number): () => number {
  let x = (seed | 0) === 0 ? 0x9e3779b9 : seed | 0;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return x >>> 0;
  };
}

/** Values with the corner cases of a dtype among ordinary ones. */
export function sampleArray(dtype: DType, length: number, next: () => number): StorageArray {
  const array = storageArray(dtype, length);
  const bytes = new DataView(array.buffer);
  for (let i = 0; i < length; i++) {
    const kind = next() % 8;
    const word = next();
    switch (dtype) {
      case "bool":
        bytes.setUint8(i, word & 1);
        break;
      case "float32":
        if (kind < 2)
          bytes.setUint32(4 * i, interesting32[word % interesting32.length] as number, true);
        else if (kind === 2) bytes.setUint32(4 * i, word, true);
        else bytes.setFloat32(4 * i, ((word | 0) / 2 ** 31) * 10 ** (kind - 3), true);
        break;
      case "float64":
        if (kind < 2)
          bytes.setFloat64(
            8 * i,
            [
              0,
              -0,
              1e308,
              -1e308,
              Number.NaN,
              Number.POSITIVE_INFINITY,
              5e-324,
              2 ** 63,
              -(2 ** 63),
              2 ** 32,
              65520,
              0.1,
            ][word % 12] as number,
            true,
          );
        else bytes.setFloat64(8 * i, ((word | 0) / 2 ** 31) * 10 ** (kind - 3), true);
        break;
      case "float16":
      case "bfloat16":
        bytes.setUint16(
          2 * i,
          kind === 0
            ? word & 0xffff
            : ((dtype === "float16" ? 0x3800 : 0x3f00) + (word & 0x87ff)) & 0xffff,
          true,
        );
        break;
      default: {
        const size = array.BYTES_PER_ELEMENT;
        const small = kind < 3 ? (word % 7) - 3 : kind === 3 ? 0 : word;
        if (size === 1) bytes.setUint8(i, kind === 4 ? 0x80 : small & 0xff);
        else if (size === 2) bytes.setUint16(2 * i, kind === 4 ? 0x8000 : small & 0xffff, true);
        else if (size === 4) bytes.setUint32(4 * i, kind === 4 ? 0x80000000 : small >>> 0, true);
        else {
          bytes.setUint32(8 * i, kind === 4 ? 0 : small >>> 0, true);
          bytes.setUint32(
            8 * i + 4,
            kind === 4 ? 0x80000000 : kind < 3 ? (small < 0 ? 0xffffffff : 0) : next(),
            true,
          );
        }
      }
    }
  }
  if (isFloat(dtype)) return array;
  return array;
}
