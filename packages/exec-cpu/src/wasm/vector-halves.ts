/** The 16-bit float formats on four lanes: the functions of bits.ts as SIMD, NaNs as a class. */
import type { Code } from "./code.ts";
import type { VectorSite } from "./vector-lanes.ts";

type Half = "float16" | "bfloat16";

const splat = (code: Code, word: number): Code => code.v128([word, word, word, word]);

/** i32x4 of bits on the stack → f32x4, exact. */
export function unpackHalf(site: VectorSite, dtype: Half): void {
  const { code } = site;
  if (dtype === "bfloat16") {
    code.i32(16).op("i32x4.shl");
    return;
  }
  const bits = site.local("v128");
  const size = site.local("v128");
  code.tee(bits);
  splat(code, 0x7fff).op("v128.and").tee(size);
  // The exponent moves by 112 in a multiplication, which also makes denormals normal.
  code.i32(13).op("i32x4.shl");
  splat(code, 0x77800000).op("f32x4.mul");
  code.get(size);
  splat(code, 0x7c00).op("i32x4.ge_s");
  splat(code, 0x7f800000).op("v128.and").op("v128.or");
  code.get(bits);
  splat(code, 0x8000).op("v128.and").i32(16).op("i32x4.shl").op("v128.or");
}

/** f32x4 on the stack → i32x4 of bits, rounded to nearest even. */
export function packHalf(site: VectorSite, dtype: Half): void {
  const { code } = site;
  const bits = site.local("v128");
  code.set(bits);
  if (dtype === "bfloat16") {
    code.get(bits);
    splat(code, 0x7fff).op("i32x4.add");
    code.get(bits).i32(16).op("i32x4.shr_u");
    splat(code, 1).op("v128.and").op("i32x4.add").i32(16).op("i32x4.shr_u");
    splat(code, 0x7fc0);
    code.get(bits).get(bits).op("f32x4.eq").op("v128.bitselect");
    return;
  }
  const size = site.local("v128");
  code.get(bits);
  splat(code, 0x7fffffff).op("v128.and").set(size);
  // Denormal results: adding 0.5 aligns their last place with bit 0.
  code.get(size);
  splat(code, 0x3f000000).op("f32x4.add");
  splat(code, 0x3f000000).op("i32x4.sub");
  code.get(size);
  splat(code, 0x38000000 - 0xfff).op("i32x4.sub");
  code.get(size).i32(13).op("i32x4.shr_u");
  splat(code, 1).op("v128.and").op("i32x4.add").i32(13).op("i32x4.shr_u");
  code.get(size);
  splat(code, 0x38800000).op("i32x4.lt_s").op("v128.bitselect");
  for (const [beyond, result] of [
    [0x477fffff, 0x7c00],
    [0x7f800000, 0x7e00],
  ] as const) {
    splat(code, result).get(size);
    splat(code, beyond).op("i32x4.le_s").op("v128.bitselect");
  }
  code.get(bits).i32(16).op("i32x4.shr_u");
  splat(code, 0x8000).op("v128.and").op("v128.or");
}
