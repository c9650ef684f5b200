/**
 * What generated C starts with: small functions where one scalar op takes many C operators, folds of the plan's reduction
 * order, and the search for extremes. The bit tricks are those of the plan's `bits.ts`, so both give the same bits.
 */

const integers = ["int8_t", "int16_t", "int32_t", "int64_t"].flatMap((name) => [name, `u${name}`]);
const widthOf = (type: string): number => Number(/\d+/.exec(type)?.[0]);
const isUnsigned = (type: string): boolean => type.startsWith("u");

const headers = `
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <float.h>
#include <math.h>
#if FLT_EVAL_METHOD != 0
#error "floats are computed in a wider type on this machine"
#endif
#if defined(__clang__)
#define GF_LANES _Pragma("clang loop vectorize(assume_safety)")
#else
#define GF_LANES _Pragma("GCC ivdep")
#endif
#if defined(__AVX512F__)
#define GF_BYTES 64
#elif defined(__AVX__)
#define GF_BYTES 32
#else
#define GF_BYTES 16
#endif
#if defined(__FMA__) || defined(__ARM_FEATURE_FMA)
#define gf_fma(a, b, c) __builtin_fmaf(a, b, c)
#else
#define gf_fma(a, b, c) ((a) * (b) + (c))
#endif
#if defined(__clang__) || __GNUC__ >= 12
#define GF_SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
typedef int gf_places __attribute__((vector_size(32)));
#define GF_SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (gf_places){__VA_ARGS__})
#endif
#if defined(__AVX512F__)
#define GF_ROWS 12
#else
#define GF_ROWS 6
#endif
/* For functions whose products and sums may be rounded once. */
#if defined(__clang__)
#define GF_CONTRACT
#define GF_CONTRACT_HERE _Pragma("clang fp contract(fast)")
#else
#define GF_CONTRACT __attribute__((optimize("fp-contract=fast")))
#define GF_CONTRACT_HERE
#endif
#define GF_INLINE static inline __attribute__((always_inline, unused))
`;

const bits = `
GF_INLINE uint32_t gf_bits_float32(float x) { uint32_t r; memcpy(&r, &x, 4); return r; }
GF_INLINE uint64_t gf_bits_float64(double x) { uint64_t r; memcpy(&r, &x, 8); return r; }
GF_INLINE float gf_float32(uint32_t x) { float r; memcpy(&r, &x, 4); return r; }
GF_INLINE double gf_float64(uint64_t x) { double r; memcpy(&r, &x, 8); return r; }
GF_INLINE float gf_canonical_float32(float x) { return x == x ? x : gf_float32(0x7fc00000u); }
GF_INLINE double gf_canonical_float64(double x) { return x == x ? x : gf_float64(0x7ff8000000000000u); }
GF_INLINE uint16_t gf_canonical_float16(uint16_t x) { return (x & 0x7fff) > 0x7c00 ? 0x7e00 : x; }
GF_INLINE uint16_t gf_canonical_bfloat16(uint16_t x) { return (x & 0x7fff) > 0x7f80 ? 0x7fc0 : x; }

GF_INLINE float gf_from_bfloat16(uint16_t x) { return gf_float32((uint32_t)x << 16); }
GF_INLINE uint16_t gf_to_bfloat16(float x) {
  uint32_t b = gf_bits_float32(x);
  uint32_t near = (b + 0x7fffu + ((b >> 16) & 1u)) >> 16;
  return (uint16_t)(x == x ? near : ((b >> 16) & 0x8000u) | 0x7fc0u);
}
GF_INLINE float gf_from_float16(uint16_t x) {
  uint32_t sign = (uint32_t)(x & 0x8000u) << 16, size = x & 0x7fffu;
  float small = (float)(int32_t)size * 0x1p-24f;
  uint32_t large = (size << 13) + (size >= 0x7c00u ? 0x70000000u : 0x38000000u);
  return gf_float32(sign | (size < 0x400u ? gf_bits_float32(small) : large));
}
GF_INLINE uint16_t gf_to_float16(float x) {
  uint32_t b = gf_bits_float32(x), sign = (b >> 16) & 0x8000u, size = b & 0x7fffffffu;
  /* Adding 0.5 aligns the last place of float16's denormals with bit 0. */
  uint32_t small = gf_bits_float32(gf_float32(size) + 0.5f) - 0x3f000000u;
  uint32_t normal = (size - 0x38000000u + 0xfffu + ((size >> 13) & 1u)) >> 13;
  uint32_t large = size > 0x7f800000u ? 0x7e00u : 0x7c00u;
  return (uint16_t)(sign | (size >= 0x47800000u ? large : size < 0x38800000u ? small : normal));
}
/* float64 to float32 with round-to-odd, so that a second rounding is a correct single one. */
GF_INLINE float gf_odd(double x) {
  float near = (float)x;
  uint32_t b = gf_bits_float32(near);
  if ((double)near == x || x != x) return near;
  if (__builtin_fabs((double)near) > __builtin_fabs(x)) b -= 1;
  return gf_float32(b | 1u);
}
`;

/** min: of equal operands, and of one and a NaN, all bits that either has: −0 below +0, and a NaN stays one. */
const extremes = (["float32", "float64"] as const)
  .map((name) => {
    const type = name === "float32" ? "float" : "double";
    return `
GF_INLINE ${type} gf_min_${name}(${type} a, ${type} b) {
  return gf_${name}(gf_bits_${name}(a < b ? a : b) | gf_bits_${name}(b < a ? b : a));
}
GF_INLINE ${type} gf_max_${name}(${type} a, ${type} b) { return -gf_min_${name}(-a, -b); }
`;
  })
  .join("");

function fromFloat(type: string, float: "float32" | "float64"): string {
  const [from, suffix] = float === "float32" ? ["float", "f"] : ["double", ""];
  const width = widthOf(type);
  const low = isUnsigned(type) ? `0.0${suffix}` : `-0x1p${width - 1}${suffix}`;
  const high = `0x1p${isUnsigned(type) ? width : width - 1}${suffix}`;
  const name = type.slice(0, -2).toUpperCase();
  const least = isUnsigned(type) ? "0" : `${name}_MIN`;
  return `
GF_INLINE ${type} gf_${type}_from_${float}(${from} x) {
  ${type} r = (${type})(x >= ${low} && x < ${high} ? x : 0.0${suffix});
  r = x >= ${high} ? ${name}_MAX : r;
  return x < ${low} ? ${least} : r;
}`;
}

/** x/0 = all ones, MIN/−1 = MIN; x rem 0 = x, MIN rem −1 = 0. */
function division(type: string): string {
  const overflow = isUnsigned(type) ? "" : `if (b == -1) return (${type})(0u - (u${type})a);`;
  const exact = isUnsigned(type) ? "" : "if (b == -1) return 0;";
  return `
GF_INLINE ${type} gf_div_${type}(${type} a, ${type} b) {
  if (b == 0) return (${type})~(${type})0;
  ${overflow}
  return (${type})(a / b);
}
GF_INLINE ${type} gf_rem_${type}(${type} a, ${type} b) {
  if (b == 0) return a;
  ${exact}
  return (${type})(a % b);
}`;
}

const floors = `
GF_INLINE long gf_floordiv(long a, long b) { long q = a / b; return a % b < 0 ? q - 1 : q; }
GF_INLINE long gf_mod(long a, long b) { long r = a % b; return r < 0 ? r + b : r; }
GF_INLINE long gf_min(long a, long b) { return a < b ? a : b; }
GF_INLINE long gf_max(long a, long b) { return a > b ? a : b; }
`;

export const prelude: string = [
  headers,
  bits,
  extremes,
  floors,
  ...integers.flatMap((type) => [
    division(type),
    fromFloat(type, "float32"),
    fromFloat(type, "float64"),
  ]),
].join("");
