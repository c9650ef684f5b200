/**
 * Which WebAssembly features the engine has: the smallest module that uses each is offered for validation, which
 * compiles and runs nothing.
 */

const preamble = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
const v128 = 0x7b;

const section = (id: number, ...content: readonly number[]): readonly number[] => [
  id,
  content.length,
  ...content,
];

/** A module of one function without parameters that returns a v128. */
function vectorModule(...instructions: readonly number[]): readonly number[] {
  const body = [0x00, ...instructions, 0x0b];
  return [
    ...section(1, 1, 0x60, 0, 1, v128),
    ...section(3, 1, 0),
    ...section(10, 1, body.length, ...body),
  ];
}

/** i32.const 0, i8x16.splat */
const splat = [0x41, 0x00, 0xfd, 0x0f] as const;

export type WasmFeature = "simd" | "relaxedSimd" | "threads" | "memory64";

const modules: { readonly [F in WasmFeature]: readonly number[] } = {
  /** i8x16.popcnt */
  simd: vectorModule(...splat, 0xfd, 0x62),
  /** i8x16.relaxed_swizzle */
  relaxedSimd: vectorModule(...splat, ...splat, 0xfd, 0x80, 0x02),
  /** A shared memory of one page. */
  threads: section(5, 1, 0x03, 1, 1),
  /** A memory of one page with 64-bit addresses. */
  memory64: section(5, 1, 0x04, 1),
};

export function wasmFeatures(): Readonly<Record<WasmFeature, boolean>> {
  const has = (feature: WasmFeature): boolean =>
    typeof WebAssembly === "object" &&
    WebAssembly.validate(Uint8Array.from([...preamble, ...modules[feature]])) &&
    (feature !== "threads" || typeof SharedArrayBuffer === "function");
  return {
    simd: has("simd"),
    relaxedSimd: has("relaxedSimd"),
    threads: has("threads"),
    memory64: has("memory64"),
  };
}
