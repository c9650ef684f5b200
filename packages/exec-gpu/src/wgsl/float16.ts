/**
 * float16 and bfloat16 as WGSL functions. Their values travel as float32 bit patterns that the short
 * format can hold; every node rounds back into the format, by integer operations.
 */
import type { HelperTable } from "./float32.ts";

export const float16Helpers: HelperTable = {
  // Count of 2^-24, the unit of float16's subnormals, nearest even; for magnitudes below 2^-14.
  f16_units: `
fn f16_units(magnitude: u32) -> u32 {
  let shift = clamp(126u - min(magnitude >> 23u, 126u), 1u, 31u);
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
  var result = (magnitude + 0xfffu + ((magnitude >> 13u) & 1u)) & 0xffffe000u;
  result = select(result, f16_from_units(f16_units(magnitude)), magnitude < 0x38800000u);
  result = select(result, 0x7f800000u, magnitude >= 0x477ff000u);
  return sign | select(result, (a & 0x7fffe000u) | 0x400000u, magnitude > 0x7f800000u);
}`,
  f16_unpack: `
fn f16_unpack(bits: u32) -> u32 {
  let magnitude = bits & 0x7fffu;
  var result = (magnitude << 13u) + 0x38000000u;
  result = select(result, f16_from_units(magnitude), magnitude < 0x400u);
  result = select(result, 0x7f800000u | (magnitude << 13u), magnitude >= 0x7c00u);
  return ((bits & 0x8000u) << 16u) | result;
}`,
  f16_pack: `
fn f16_pack(a: u32) -> u32 {
  let magnitude = a & 0x7fffffffu;
  var result = (magnitude - 0x38000000u) >> 13u;
  result = select(result, f16_units(magnitude), magnitude < 0x38800000u);
  result = select(result, 0x7c00u | ((magnitude >> 13u) & 0x3ffu), magnitude >= 0x7f800000u);
  return ((a >> 16u) & 0x8000u) | result;
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
