/**
 * float32 arithmetic as WGSL functions on bit patterns (`u32` in, `u32` out).
 *
 * WGSL promises little about floats: drivers may reassociate, contract, flush subnormals, assume away
 * NaN and infinities, and divide within 2.5 ulp. So floats are words here. Only + − × use the
 * float unit, each between opaque run-time zeros that no compiler sees through; everything else is
 * integer arithmetic: comparisons on ordered keys, rounding by masks, and division, square root and
 * remainder digit by digit with one final rounding. No function returns early: drivers inline them all,
 * and an early return costs a compiler more than the few operations it saves.
 */

/** Name of a WGSL function → its text. The functions a body calls are found by name. */
export type HelperTable = Readonly<Record<string, string>>;

const classification: HelperTable = {
  f32_is_nan: `
fn f32_is_nan(a: u32) -> bool {
  return (a & 0x7fffffffu) > 0x7f800000u;
}`,
  // Ordered like the numbers, with one zero.
  f32_key: `
fn f32_key(a: u32) -> i32 {
  return bitcast<i32>(select(a, 0x80000000u - a, a >= 0x80000000u));
}`,
  // Ordered like the numbers, with −0 before +0.
  f32_total_key: `
fn f32_total_key(a: u32) -> i32 {
  return bitcast<i32>(select(a, a ^ 0x7fffffffu, a >= 0x80000000u));
}`,
  f32_eq: `
fn f32_eq(a: u32, b: u32) -> bool {
  return !f32_is_nan(a) && !f32_is_nan(b) && f32_key(a) == f32_key(b);
}`,
  f32_lt: `
fn f32_lt(a: u32, b: u32) -> bool {
  return !f32_is_nan(a) && !f32_is_nan(b) && f32_key(a) < f32_key(b);
}`,
  f32_le: `
fn f32_le(a: u32, b: u32) -> bool {
  return !f32_is_nan(a) && !f32_is_nan(b) && f32_key(a) <= f32_key(b);
}`,
  f32_min: `
fn f32_min(a: u32, b: u32) -> u32 {
  let least = select(b, a, f32_total_key(a) < f32_total_key(b));
  return select(least, 0x7fc00000u, f32_is_nan(a) || f32_is_nan(b));
}`,
  f32_max: `
fn f32_max(a: u32, b: u32) -> u32 {
  let most = select(b, a, f32_total_key(a) > f32_total_key(b));
  return select(most, 0x7fc00000u, f32_is_nan(a) || f32_is_nan(b));
}`,
  f32_canonical: `
fn f32_canonical(a: u32) -> u32 {
  return select(a, 0x7fc00000u, f32_is_nan(a));
}`,
};

/** Parts of finite non-zero numbers, and the one place where a result is rounded. */
const parts: HelperTable = {
  // 2^23 ≤ significand < 2^24 of a magnitude, subnormals normalised.
  f32_significand: `
fn f32_significand(magnitude: u32) -> u32 {
  let shift = max(countLeadingZeros(magnitude), 8u) - 8u;
  return ((magnitude << shift) & 0x7fffffu) | 0x800000u;
}`,
  f32_exponent: `
fn f32_exponent(magnitude: u32) -> i32 {
  let shift = max(countLeadingZeros(magnitude), 8u) - 8u;
  return i32(max(magnitude >> 23u, 1u)) - 127i - i32(shift);
}`, // significand · 2^(exponent − 30) to nearest even; 2^30 ≤ significand < 2^31, bit 0 is sticky.
  f32_round: `
fn f32_round(sign: u32, exponent: i32, significand: u32) -> u32 {
  let biased = exponent + 127;
  let below = u32(clamp(1 - biased, 0, 31));
  let lost = (significand & ((1u << below) - 1u)) != 0u;
  let aligned = (significand >> below) | select(0u, 1u, lost);
  let rounded = (aligned + 63u + ((aligned >> 7u) & 1u)) >> 7u;
  let finite = (u32(clamp(biased - 1, 0, 254)) << 23u) + rounded;
  return sign | min(finite, 0x7f800000u);
}`,
};

/** + − × on adapters that keep subnormals. */
const native: HelperTable = {
  f32_add: `
fn f32_add(a: u32, b: u32) -> u32 {
  return bitcast<u32>(bitcast<f32>(a) + bitcast<f32>(b)) ^ params.zero;
}`,
  f32_mul: `
fn f32_mul(a: u32, b: u32) -> u32 {
  return bitcast<u32>(bitcast<f32>(a) * bitcast<f32>(b)) ^ params.zero;
}`,
};

/**
 * + − × on adapters that flush subnormals to zero.
 *
 * A sum can only meet a subnormal where both operands are below 2^-100: then both are scaled by 2^64,
 * which no rounding notices, because a subnormal sum is exact. A product that might have met one is
 * computed again in integers.
 */
const corrected: HelperTable = {
  f32_add_native: `
fn f32_add_native(a: u32, b: u32) -> u32 {
  return bitcast<u32>(bitcast<f32>(a) + bitcast<f32>(b)) ^ params.zero;
}`,
  f32_scale_up: `
fn f32_scale_up(a: u32) -> u32 {
  let magnitude = a & 0x7fffffffu;
  let implicit = select(0u, 0x20800000u ^ params.zero, magnitude < 0x800000u);
  let scaled = bitcast<f32>(magnitude + max(implicit, 0x20000000u)) - bitcast<f32>(implicit);
  return (a & 0x80000000u) | (bitcast<u32>(scaled) ^ params.zero);
}`,
  f32_scale_down: `
fn f32_scale_down(a: u32) -> u32 {
  let magnitude = a & 0x7fffffffu;
  let significand = (magnitude & 0x7fffffu) | 0x800000u;
  let subnormal = significand >> min(65u - min(magnitude >> 23u, 65u), 31u);
  let scaled = select(subnormal, magnitude - 0x20000000u, magnitude >= 0x20800000u);
  return (a & 0x80000000u) | scaled;
}`,
  f32_add: `
fn f32_add(a: u32, b: u32) -> u32 {
  let tiny = max(a & 0x7fffffffu, b & 0x7fffffffu) < 0x0d800000u;
  let sum = f32_add_native(select(a, f32_scale_up(a), tiny), select(b, f32_scale_up(b), tiny));
  return select(sum, f32_scale_down(sum), tiny);
}`,
  f32_mul_exact: `
fn f32_mul_exact(sign: u32, x: u32, y: u32) -> u32 {
  // The product of the significands is in [2^61, 2^63): normalise it to bit 62.
  let p = f32_significand(x) << 8u;
  let q = f32_significand(y) << 7u;
  let high = u32_mulhi(p, q);
  let low = p * q;
  let short = select(0u, 1u, high < 0x40000000u);
  let top = (high << short) | ((low >> 31u) & short);
  let sticky = select(0u, 1u, (low << short) != 0u);
  return f32_round(sign, f32_exponent(x) + f32_exponent(y) + 1 - i32(short), top | sticky);
}`,
  f32_mul: `
fn f32_mul(a: u32, b: u32) -> u32 {
  var product = bitcast<u32>(bitcast<f32>(a) * bitcast<f32>(b)) ^ params.zero;
  let x = a & 0x7fffffffu;
  let y = b & 0x7fffffffu;
  let least = min(x, y);
  if (min(least, product & 0x7fffffffu) < 0x800000u && least > 0u) {
    let exact = f32_mul_exact((a ^ b) & 0x80000000u, x, y);
    product = select(exact, f32_mul_special(a ^ b, max(x, y)), max(x, y) >= 0x7f800000u);
  }
  return product;
}`,
  // A subnormal times infinity or NaN.
  f32_mul_special: `
fn f32_mul_special(signs: u32, most: u32) -> u32 {
  return select((signs & 0x80000000u) | 0x7f800000u, 0x7fc00000u, most > 0x7f800000u);
}`,
};

const arithmetic: HelperTable = {
  f32_neg: `
fn f32_neg(a: u32) -> u32 {
  return a ^ 0x80000000u ^ params.zero;
}`,
  f32_abs: `
fn f32_abs(a: u32) -> u32 {
  return (a & 0x7fffffffu) ^ params.zero;
}`,
  f32_sub: `
fn f32_sub(a: u32, b: u32) -> u32 {
  return f32_add(a, f32_neg(b));
}`,
  // 25 bits of the quotient, eight at a time, and a sticky bit.
  f32_div: `
fn f32_div(a: u32, b: u32) -> u32 {
  let sign = (a ^ b) & 0x80000000u;
  let x = a & 0x7fffffffu;
  let y = b & 0x7fffffffu;
  let divisor = f32_significand(y);
  let dividend = f32_significand(x);
  let short = select(0u, 1u, dividend < divisor);
  let exponent = f32_exponent(x) - f32_exponent(y) - i32(short);
  var remainder = (dividend << short) - divisor;
  var quotient = 1u;
  for (var i = 0u; i < 3u; i = i + 1u) {
    remainder = remainder << 8u;
    let digit = remainder / divisor;
    quotient = (quotient << 8u) | digit;
    remainder = remainder - digit * divisor;
  }
  let sticky = select(0u, 1u, remainder != 0u);
  var result = f32_round(sign, exponent, (quotient << 6u) | sticky);
  result = select(result, sign, x == 0u || y == 0x7f800000u);
  result = select(result, sign | 0x7f800000u, x == 0x7f800000u || y == 0u);
  let undefined = x == y && (x == 0u || x == 0x7f800000u);
  return select(result, 0x7fc00000u, undefined || max(x, y) > 0x7f800000u);
}`, // 25 bits of the root, one at a time, and a sticky bit.
  f32_sqrt: `
fn f32_sqrt(a: u32) -> u32 {
  let exponent = f32_exponent(a & 0x7fffffffu);
  let odd = u32(exponent & 1);
  var digits = f32_significand(a & 0x7fffffffu) << (7u + odd);
  var remainder = 0u;
  var root = 0u;
  for (var i = 0u; i < 25u; i = i + 1u) {
    remainder = (remainder << 2u) | (digits >> 30u);
    digits = digits << 2u;
    let trial = (root << 2u) | 1u;
    let digit = select(0u, 1u, remainder >= trial);
    remainder = remainder - digit * trial;
    root = (root << 1u) | digit;
  }
  let sticky = select(0u, 1u, remainder != 0u);
  var result = f32_round(0u, exponent >> 1u, (root << 6u) | sticky);
  result = select(result, 0x7fc00000u, a > 0x7f800000u);
  return select(result, a, (a & 0x7fffffffu) == 0u || a == 0x7f800000u);
}`, // fmod: the significand of a, shifted by the difference of the exponents, modulo that of b.
  f32_rem: `
fn f32_rem(a: u32, b: u32) -> u32 {
  let sign = a & 0x80000000u;
  let x = a & 0x7fffffffu;
  let y = b & 0x7fffffffu;
  let divisor = f32_significand(y);
  var remainder = f32_significand(x) % divisor;
  var shift = u32(max(f32_exponent(x) - f32_exponent(y), 0));
  while (shift > 0u) {
    let step = min(shift, 8u);
    remainder = (remainder << step) % divisor;
    shift = shift - step;
  }
  let zeros = max(countLeadingZeros(remainder), 1u);
  var result = f32_round(sign, f32_exponent(y) + 8 - i32(zeros), remainder << (zeros - 1u));
  result = select(result, sign, remainder == 0u);
  result = select(result, a, x < y);
  return select(result, 0x7fc00000u, x >= 0x7f800000u || y > 0x7f800000u || y == 0u);
}`,
};

const integral: HelperTable = {
  f32_trunc: `
fn f32_trunc(a: u32) -> u32 {
  let exponent = i32((a >> 23u) & 255u) - 127;
  let fraction = 0x7fffffu >> u32(clamp(exponent, 0, 31));
  return select(a & ~fraction, a & 0x80000000u, exponent < 0);
}`,
  f32_away_from_zero: `
fn f32_away_from_zero(a: u32) -> u32 {
  let exponent = i32((a >> 23u) & 255u) - 127;
  let fraction = 0x7fffffu >> u32(clamp(exponent, 0, 31));
  let one = (a & 0x80000000u) | select(0u, 0x3f800000u, (a & 0x7fffffffu) != 0u);
  return select((a + fraction) & ~fraction, one, exponent < 0);
}`,
  f32_floor: `
fn f32_floor(a: u32) -> u32 {
  return select(f32_trunc(a), f32_away_from_zero(a), a >= 0x80000000u);
}`,
  f32_ceil: `
fn f32_ceil(a: u32) -> u32 {
  return select(f32_away_from_zero(a), f32_trunc(a), a >= 0x80000000u);
}`,
  f32_round_even: `
fn f32_round_even(a: u32) -> u32 {
  let exponent = i32((a >> 23u) & 255u) - 127;
  let fraction = 0x7fffffu >> u32(clamp(exponent, 0, 31));
  let odd = (a >> u32(clamp(23 - exponent, 0, 31))) & select(0u, 1u, exponent < 23);
  let one = (a & 0x80000000u) | select(0u, 0x3f800000u, (a & 0x7fffffffu) > 0x3f000000u);
  return select((a + (fraction >> 1u) + odd) & ~fraction, one, exponent < 0);
}`,
};

const conversion: HelperTable = {
  f32_from_magnitude: `
fn f32_from_magnitude(sign: u32, magnitude: u32) -> u32 {
  let zeros = countLeadingZeros(magnitude);
  let aligned = magnitude << (zeros & 31u);
  let result = f32_round(sign, 31 - i32(zeros), (aligned >> 1u) | (aligned & 1u));
  return select(result, 0u, magnitude == 0u);
}`,
  f32_from_u32: `
fn f32_from_u32(a: u32) -> u32 {
  return f32_from_magnitude(0u, a);
}`,
  f32_from_i32: `
fn f32_from_i32(a: i32) -> u32 {
  return f32_from_magnitude(bitcast<u32>(a) & 0x80000000u, bitcast<u32>(abs(a)));
}`,
  // Integer part of a magnitude below 2^32.
  f32_integer_part: `
fn f32_integer_part(magnitude: u32) -> u32 {
  let significand = (magnitude & 0x7fffffu) | 0x800000u;
  let exponent = i32(magnitude >> 23u) - 127;
  let above = significand << u32(clamp(exponent - 23, 0, 8));
  let below = significand >> u32(clamp(23 - exponent, 0, 31));
  return select(below, above, exponent > 23);
}`,
  f32_to_u32: `
fn f32_to_u32(a: u32) -> u32 {
  let value = select(f32_integer_part(a), 0xffffffffu, a >= 0x4f800000u);
  return select(value, 0u, a > 0x7f800000u);
}`,
  f32_to_i32: `
fn f32_to_i32(a: u32) -> i32 {
  let magnitude = a & 0x7fffffffu;
  let negative = a >= 0x80000000u;
  let value = bitcast<i32>(f32_integer_part(magnitude));
  let extreme = bitcast<i32>(select(0x7fffffffu, 0x80000000u, negative));
  let result = select(select(value, -value, negative), extreme, magnitude >= 0x4f000000u);
  return select(result, 0i, magnitude > 0x7f800000u);
}`,
};

const shared: HelperTable = {
  ...classification,
  ...parts,
  ...arithmetic,
  ...integral,
  ...conversion,
};

/** How + − × treat subnormals: as the adapter does, or with integer corrections where it flushes. */
export type Subnormals = "native" | "corrected";

export const float32Helpers: Readonly<Record<Subnormals, HelperTable>> = {
  native: { ...shared, ...native },
  corrected: { ...shared, ...corrected },
};
