/**
 * Sums in 16-bit floats: every product and every sum is rounded to what the format has, but stays a float32, so that neither is
 * packed or unpacked on its way through k.
 */
import { splat } from "../wasm/vector-lanes.ts";
import type { Nest } from "./nest.ts";

export type Half = "float16" | "bfloat16";

/** Rounds the four float32 on the stack, which are sums or products of values of the format, to nearest even. */
export function roundTo(nest: Nest, half: Half): void {
  if (half === "bfloat16") roundToBfloat16(nest);
  else roundToFloat16(nest);
}

/** By its bits: a carry goes into the upper half. NaNs of such operands have no lower bits, so that they stay what they are. */
function roundToBfloat16(nest: Nest): void {
  const { code } = nest;
  const bits = nest.local("v128");
  code.tee(bits).i32(16).op("i32x4.shr_u");
  splat(code, 1).op("v128.and");
  splat(code, 0x7fff).op("i32x4.add").get(bits).op("i32x4.add");
  splat(code, 0xffff0000).op("v128.and");
}

/** The exponents of the least normal number, and of what is 2^112 times as great. */
const leastNormal = 0x38800000;
const [up, down] = [0x77800000, 0x07800000];
/** Added to bits that are an exponent's: 1.5 · 2^13 times as much. */
const beyond = (13 << 23) + 0x400000;

/**
 * Adding 1.5 · 2^13 times the power of two that it has leaves the last place that counts as the last place of the sum. What the
 * format has no room for is beyond float32 too, if all is multiplied by 2^112.
 */
function roundToFloat16(nest: Nest): void {
  const { code } = nest;
  const [value, magic] = [nest.local("v128"), nest.local("v128")];
  code.tee(value);
  splat(code, 0x7f800000).op("v128.and");
  splat(code, leastNormal).op("i32x4.max_s");
  splat(code, beyond).op("i32x4.add").set(magic);
  code.get(value).get(magic).op("f32x4.add").get(magic).op("f32x4.sub");
  splat(code, up).op("f32x4.mul");
  splat(code, down).op("f32x4.mul");
  // A zero keeps the sign that it had.
  code.get(value);
  splat(code, 0x80000000).op("v128.and").op("v128.or");
}
