/**
 * What every expansion in this folder needs: a builder that knows which binary format it writes for.
 *
 * One text serves float32 and float64; they differ in their tables, which are looked up by dtype.
 * float16 and bfloat16 compute in float32 and round once at the end.
 */
import { toBits } from "../../bits.ts";
import { type DType, isFloat } from "../../dtype.ts";
import { BuildError } from "../../errors.ts";
import type { Scalar, ScalarBuilder } from "../builder.ts";
import type { BinaryOp, CompareOp, UnaryOp } from "../node.ts";

/** One value for each format. */
export interface PerFormat<T> {
  readonly float32: T;
  readonly float64: T;
}

/** IEEE 754 binary32 and binary64. */
export interface FloatFormat {
  readonly dtype: "float32" | "float64";
  readonly int: "int32" | "int64";
  readonly word: "uint32" | "uint64";
  readonly bits: 32 | 64;
  /** Explicit bits of the significand. */
  readonly fractionBits: 23 | 52;
  readonly bias: 127 | 1023;
  readonly minNormal: number;
}

const formats: PerFormat<FloatFormat> = {
  float32: {
    dtype: "float32",
    int: "int32",
    word: "uint32",
    bits: 32,
    fractionBits: 23,
    bias: 127,
    minNormal: 2 ** -126,
  },
  float64: {
    dtype: "float64",
    int: "int64",
    word: "uint64",
    bits: 64,
    fractionBits: 52,
    bias: 1023,
    minNormal: 2 ** -1022,
  },
};

/** An integer as a float, and a signed integer whose low bits are its own. */
export interface Nearest {
  readonly n: Scalar;
  readonly lowBits: Scalar;
}

export class FloatKit {
  readonly b: ScalarBuilder;
  readonly format: FloatFormat;

  constructor(b: ScalarBuilder, dtype: "float32" | "float64") {
    this.b = b;
    this.format = formats[dtype];
  }

  pick<T>(table: PerFormat<T>): T {
    return table[this.format.dtype];
  }
  /** An immediate of the format. */
  number(value: number): Scalar {
    return this.b.const(this.format.dtype, value);
  }
  /** An immediate of the signed integer of the same width. */
  int(value: number | bigint): Scalar {
    return this.b.const(this.format.int, BigInt(value));
  }
  /** An immediate of the unsigned integer of the same width. */
  word(value: number | bigint): Scalar {
    return this.b.const(this.format.word, BigInt(value));
  }

  unary(op: UnaryOp, x: Scalar): Scalar {
    return this.b.unary(op, x);
  }
  binary(op: BinaryOp, x: Scalar, y: Scalar): Scalar {
    return this.b.binary(op, x, y);
  }
  compare(op: CompareOp, x: Scalar, y: Scalar): Scalar {
    return this.b.compare(op, x, y);
  }
  compareTo(op: CompareOp, x: Scalar, value: number): Scalar {
    return this.b.compare(op, x, this.number(value));
  }
  add(x: Scalar, y: Scalar): Scalar {
    return this.b.add(x, y);
  }
  sub(x: Scalar, y: Scalar): Scalar {
    return this.b.sub(x, y);
  }
  mul(x: Scalar, y: Scalar): Scalar {
    return this.b.mul(x, y);
  }
  div(x: Scalar, y: Scalar): Scalar {
    return this.b.div(x, y);
  }
  plus(x: Scalar, value: number): Scalar {
    return this.b.add(x, this.number(value));
  }
  times(x: Scalar, value: number): Scalar {
    return this.b.mul(x, this.number(value));
  }
  abs(x: Scalar): Scalar {
    return this.b.abs(x);
  }
  neg(x: Scalar): Scalar {
    return this.b.neg(x);
  }
  sqrt(x: Scalar): Scalar {
    return this.b.unary("sqrt", x);
  }
  min(x: Scalar, value: number): Scalar {
    return this.b.binary("min", x, this.number(value));
  }
  max(x: Scalar, value: number): Scalar {
    return this.b.binary("max", x, this.number(value));
  }
  select(condition: Scalar, onTrue: Scalar, onFalse: Scalar): Scalar {
    return this.b.select(condition, onTrue, onFalse);
  }
  and(x: Scalar, y: Scalar): Scalar {
    return this.b.binary("and", x, y);
  }
  or(x: Scalar, y: Scalar): Scalar {
    return this.b.binary("or", x, y);
  }
  not(x: Scalar): Scalar {
    return this.b.unary("not", x);
  }

  /** c0 + c1·x + c2·x² + … by Horner's rule. */
  polynomial(x: Scalar, coefficients: PerFormat<readonly number[]> | readonly number[]): Scalar {
    const list = "float32" in coefficients ? this.pick(coefficients) : coefficients;
    let sum = this.number(list[list.length - 1] as number);
    for (let i = list.length - 2; i >= 0; i--) {
      sum = this.add(this.mul(sum, x), this.number(list[i] as number));
    }
    return sum;
  }

  asInt(x: Scalar): Scalar {
    return this.b.bitcast(x, this.format.int);
  }
  asWord(x: Scalar): Scalar {
    return this.b.bitcast(x, this.format.word);
  }
  asFloat(bits: Scalar): Scalar {
    return this.b.bitcast(bits, this.format.dtype);
  }
  shiftLeft(bits: Scalar, by: number): Scalar {
    return this.b.binary("shiftLeft", bits, this.b.const(this.b.dtypeOf(bits), by));
  }
  /** Arithmetic on signed integers, logical on unsigned ones. */
  shiftRight(bits: Scalar, by: number): Scalar {
    const dtype = this.b.dtypeOf(bits);
    const op = dtype === this.format.int ? "shiftRightArithmetic" : "shiftRightLogical";
    return this.b.binary(op, bits, this.b.const(dtype, by));
  }
  toInt(x: Scalar): Scalar {
    return this.b.convert(x, this.format.int);
  }
  toFloat(x: Scalar): Scalar {
    return this.b.convert(x, this.format.dtype);
  }

  /**
   * The integer nearest to t, ties to even, where |t| < 2^22 (float64: 2^51). Adding 1.5·2^23 leaves no room
   * for a fraction; two additions are less than a conversion, which on x64 is seven instructions.
   */
  nearest(t: Scalar): Nearest {
    const noFraction = 1.5 * 2 ** this.format.fractionBits;
    const sum = this.plus(t, noFraction);
    return { n: this.plus(sum, -noFraction), lowBits: this.asInt(sum) };
  }
  /** 2^(n + extra), n nearest and n + extra within the exponents of normal numbers. */
  twoToNearest({ lowBits }: Nearest, extra = 0): Scalar {
    const shifted = this.shiftLeft(lowBits, this.format.fractionBits);
    return this.asFloat(this.add(shifted, this.asBits(2 ** extra)));
  }

  /** 2^n for an integer n within the exponents of normal numbers. */
  twoTo(n: Scalar): Scalar {
    const { bias, fractionBits } = this.format;
    return this.asFloat(this.shiftLeft(this.add(n, this.int(bias)), fractionBits));
  }
  /** +1 where the integer n is even, −1 where it is odd; the other way round if `flipped`. */
  parity(n: Scalar, flipped = false): Scalar {
    const one = this.asBits(flipped ? -1 : 1);
    const sign = this.shiftLeft(n, this.format.bits - 1);
    return this.asFloat(this.binary("xor", sign, one));
  }
  /** |x| with the sign bit of `sign`; `x` must not be negative. */
  withSign(x: Scalar, sign: Scalar): Scalar {
    const signBit = this.and(this.asInt(sign), this.asBits(-0));
    return this.asFloat(this.or(this.asInt(x), signBit));
  }
  /** The bits of an immediate, as a signed integer. */
  asBits(value: number): Scalar {
    return this.b.constBits(this.format.int, toBits(this.format.dtype, value));
  }
  /** The upper half of the significand: a product of two such numbers is exact. */
  upperHalf(x: Scalar): Scalar {
    const kept = this.format.dtype === "float32" ? 12n : 27n;
    return this.asFloat(this.and(this.asInt(x), this.int(-(1n << kept))));
  }
}

/**
 * Writes `expansion` in the format of its operands; 16-bit floats go through float32.
 *
 * @throws BuildError GF2902 where the operands are not floats of one dtype
 */
export function inFormat<Operands extends readonly Scalar[]>(
  b: ScalarBuilder,
  operands: Operands,
  expansion: (f: FloatKit, ...operands: Operands) => Scalar,
): Scalar {
  const dtype = b.dtypeOf(operands[0] as Scalar);
  for (const operand of operands) requireFloat(b.dtypeOf(operand), dtype);
  if (dtype === "float32" || dtype === "float64") {
    return expansion(new FloatKit(b, dtype), ...operands);
  }
  const wide = operands.map((operand) => b.convert(operand, "float32"));
  return b.convert(expansion(new FloatKit(b, "float32"), ...(wide as unknown as Operands)), dtype);
}

function requireFloat(dtype: DType, first: DType): void {
  if (dtype === first && isFloat(dtype)) return;
  throw new BuildError("GF2902", `a function of floats was given ${first} and ${dtype}`, {
    expected: "operands of one float dtype",
    received: [first, dtype],
    help: "Convert the operands to one float dtype first.",
  });
}
