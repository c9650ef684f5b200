/**
 * float16 and bfloat16 as WGSL functions. Their values travel as float32 bit patterns that the short
 * format can hold; every node rounds back into the format, by integer operations.
 */
import type { HelperTable } from "./float32.ts";

export const float16Helpers: HelperTable = {
  // Count of 2^-24, the unit of float16's subnormals, nearest even; for magnitudes below 2^-14.
  f16_units: `
fn f16_units(magnitude: u32) -> u32 {
  let shift = min(126u - (magnitude >> 23u), 31u);
  let significand = (magnitude & 0x7fffffu) | 0x800000u;
  return (significand + (1u << (shift - 1u)) - 1u + ((significand >> shift) & 1u)) >> shift;
}`,
  f16_from_units: `
fn f16_from_units(units: u32) -> u32 {
  return select(f32_from_u32(units) - 0x0c000000u, 0u, units == 0u);
}`,
  f16_round: `
fn f16_round(a: u32) -> u32 {
  let sign = a & 0x80000000u;
  let magnitude = a & 0x7fffffffu;
  if (magnitude > 0x7f800000u) {
    return (a | 0x400000u) & 0xffffe000u;
  }
  if (magnitude >= 0x477ff000u) {
    return sign | 0x7f800000u;
  }
  if (magnitude < 0x38800000u) {
    return sign | f16_from_units(f16_units(magnitude));
  }
  return sign | ((magnitude + 0xfffu + ((magnitude >> 13u) & 1u)) & 0xffffe000u);
}`,
  f16_unpack: `
fn f16_unpack(bits: u32) -> u32 {
  let sign = (bits & 0x8000u) << 16u;
  let magnitude = bits & 0x7fffu;
  if (magnitude >= 0x7c00u) {
    return sign | 0x7f800000u | ((magnitude & 0x3ffu) << 13u);
  }
  if (magnitude < 0x400u) {
    return sign | f16_from_units(magnitude);
  }
  return sign | ((magnitude << 13u) + 0x38000000u);
}`,
  f16_pack: `
fn f16_pack(a: u32) -> u32 {
  let sign = (a >> 16u) & 0x8000u;
  let magnitude = a & 0x7fffffffu;
  if (magnitude >= 0x7f800000u) {
    return sign | 0x7c00u | ((magnitude >> 13u) & 0x3ffu);
  }
  if (magnitude < 0x38800000u) {
    return sign | f16_units(magnitude);
  }
  return sign | ((magnitude - 0x38000000u) >> 13u);
}`,
  f16_canonical: `
fn f16_canonical(bits: u32) -> u32 {
  return select(bits, 0x7e00u, (bits & 0x7fffu) > 0x7c00u);
}`,
  bf16_round: `
fn bf16_round(a: u32) -> u32 {
  let nearest = a + 0x7fffu + ((a >> 16u) & 1u);
  return select(nearest, a | 0x400000u, f32_is_nan(a)) & 0xffff0000u;
}`,
  bf16_canonical: `
fn bf16_canonical(bits: u32) -> u32 {
  return select(bits, 0x7fc0u, (bits & 0x7fffu) > 0x7f80u);
}`,
};
