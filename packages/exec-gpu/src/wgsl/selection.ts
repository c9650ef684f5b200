/**
 * Orders of values. Which of two candidates wins an argmax or argmin: whether (b, at_b) replaces (a, at_a).
 * A NaN is the extreme, zeros are equal, and on ties the smaller index wins, so that the order of
 * comparisons does not matter. Index 0xffffffff marks a candidate that is not there.
 */
import type { HelperTable } from "./float32.ts";

const parameters = "a: u32, at_a: u32, b: u32, at_b: u32";
const absent = `
  if (at_a == 0xffffffffu || at_b == 0xffffffffu) {
    return at_b != 0xffffffffu;
  }`;

const floats = (name: string, operator: string): string => `
fn ${name}(${parameters}) -> bool {${absent}
  let nan_a = f32_is_nan(a);
  let nan_b = f32_is_nan(b);
  if (nan_a || nan_b) {
    return nan_b && (!nan_a || at_b < at_a);
  }
  let x = f32_key(a);
  let y = f32_key(b);
  return y ${operator} x || (y == x && at_b < at_a);
}`;

const integers = (name: string, type: "i32" | "u32", operator: string): string => `
fn ${name}(${parameters}) -> bool {${absent}
  let x = bitcast<${type}>(a);
  let y = bitcast<${type}>(b);
  return y ${operator} x || (y == x && at_b < at_a);
}`;

export const selectionHelpers: HelperTable = {
  // A word whose unsigned order is that of floats in `sort`: one zero, and all NaNs last.
  order_key: `
fn order_key(a: u32) -> u32 {
  let key = select(a | 0x80000000u, ~a, a >= 0x80000000u);
  let nonzero = select(key, 0x80000000u, (a & 0x7fffffffu) == 0u);
  return select(nonzero, 0xffffffffu, f32_is_nan(a));
}`,
  argmax_f32: floats("argmax_f32", ">"),
  argmin_f32: floats("argmin_f32", "<"),
  argmax_i32: integers("argmax_i32", "i32", ">"),
  argmin_i32: integers("argmin_i32", "i32", "<"),
  argmax_u32: integers("argmax_u32", "u32", ">"),
  argmin_u32: integers("argmin_u32", "u32", "<"),
};
