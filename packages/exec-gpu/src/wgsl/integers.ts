/**
 * Integer operations whose WGSL built-ins mean something else than lax's: division by zero, shifts
 * past the width, and the high half of a product; and floor division for index expressions.
 */
import type { HelperTable } from "./float32.ts";

export const integerHelpers: HelperTable = {
  i32_div: `
fn i32_div(a: i32, b: i32) -> i32 {
  return select(a / b, -1i, b == 0i);
}`,
  u32_div: `
fn u32_div(a: u32, b: u32) -> u32 {
  return select(a / b, 0xffffffffu, b == 0u);
}`,
  i32_rem: `
fn i32_rem(a: i32, b: i32) -> i32 {
  return select(a % b, a, b == 0i);
}`,
  u32_rem: `
fn u32_rem(a: u32, b: u32) -> u32 {
  return select(a % b, a, b == 0u);
}`,
  u32_mulhi: `
fn u32_mulhi(a: u32, b: u32) -> u32 {
  let a0 = a & 0xffffu;
  let a1 = a >> 16u;
  let b0 = b & 0xffffu;
  let b1 = b >> 16u;
  let low = a1 * b0 + ((a0 * b0) >> 16u);
  let middle = a0 * b1 + (low & 0xffffu);
  return a1 * b1 + (low >> 16u) + (middle >> 16u);
}`,
  i32_mulhi: `
fn i32_mulhi(a: i32, b: i32) -> i32 {
  let x = bitcast<u32>(a);
  let y = bitcast<u32>(b);
  return bitcast<i32>(u32_mulhi(x, y) - select(0u, y, a < 0i) - select(0u, x, b < 0i));
}`,
  shift_left: `
fn shift_left(a: u32, amount: u32, width: u32) -> u32 {
  return select(0u, a << (amount & 31u), amount < width);
}`,
  shift_right: `
fn shift_right(a: u32, amount: u32, width: u32) -> u32 {
  return select(0u, a >> (amount & 31u), amount < width);
}`,
  shift_right_signed: `
fn shift_right_signed(a: i32, amount: u32, width: u32) -> i32 {
  return a >> select(31u, amount & 31u, amount < width);
}`,
  floor_div: `
fn floor_div(a: i32, b: i32) -> i32 {
  let quotient = a / b;
  return select(quotient, quotient - 1i, quotient * b > a);
}`,
};
