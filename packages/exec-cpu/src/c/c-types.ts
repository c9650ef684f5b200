/** Dtypes and immediates in C. 16-bit floats are held as their bits, so that moving one changes nothing. */
import { type Bits, type DType, f32FromBits, itemSize } from "@gridfuse/plan";

const names: Readonly<Record<DType, string>> = {
  bool: "_Bool",
  int8: "int8_t",
  int16: "int16_t",
  int32: "int32_t",
  int64: "int64_t",
  uint8: "uint8_t",
  uint16: "uint16_t",
  uint32: "uint32_t",
  uint64: "uint64_t",
  float16: "uint16_t",
  bfloat16: "uint16_t",
  float32: "float",
  float64: "double",
};

/** The type of a value. */
export const cType = (dtype: DType): string => names[dtype];
/** The type of an element in memory: a bool is a byte there. */
export const memoryType = (dtype: DType): string => (dtype === "bool" ? "uint8_t" : names[dtype]);
/** The unsigned type of the same width. */
export const unsignedType = (dtype: DType): string => `uint${8 * itemSize(dtype)}_t`;

export const isHalf = (dtype: DType): dtype is "float16" | "bfloat16" =>
  dtype === "float16" || dtype === "bfloat16";

const hex = (word: number): string => `0x${word.toString(16)}`;

const float64Of = ({ lo, hi }: Bits): number => {
  const words = new DataView(new ArrayBuffer(8));
  words.setUint32(0, lo, true);
  words.setUint32(4, hi, true);
  return words.getFloat64(0, true);
};

/** A finite number as significand · 2^exponent, which every compiler reads exactly. */
function floatLiteral(value: number, suffix: "" | "f"): string {
  if (value === 0) return Object.is(value, -0) ? `-0.0${suffix}` : `0.0${suffix}`;
  let [digits, exponent] = [Math.abs(value), 0];
  while (digits >= 2 ** 53) [digits, exponent] = [digits / 2, exponent + 1];
  while (digits !== Math.floor(digits)) [digits, exponent] = [digits * 2, exponent - 1];
  return `${value < 0 ? "-" : ""}0x${digits.toString(16)}p${exponent}${suffix}`;
}

/** An immediate of type `cType(dtype)`, all bits kept. */
export function literal(dtype: DType, bits: Bits): string {
  switch (dtype) {
    case "bool":
      return bits.lo !== 0 ? "1" : "0";
    case "float32": {
      const value = f32FromBits(bits.lo);
      return Number.isFinite(value)
        ? `(${floatLiteral(value, "f")})`
        : `gf_float32(${hex(bits.lo)}u)`;
    }
    case "float64": {
      const value = float64Of(bits);
      const word = (BigInt(bits.hi) << 32n) | BigInt(bits.lo);
      return Number.isFinite(value)
        ? `(${floatLiteral(value, "")})`
        : `gf_float64(0x${word.toString(16)}u)`;
    }
    case "int64":
    case "uint64":
      return `(${names[dtype]})0x${((BigInt(bits.hi) << 32n) | BigInt(bits.lo)).toString(16)}u`;
    default:
      return `(${names[dtype]})${hex(bits.lo)}u`;
  }
}
