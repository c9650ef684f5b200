/** Elementwise arithmetic and bit operations on two operands. */
import {
  type BinaryOp,
  type DType,
  fromBits,
  isFloat,
  isSigned,
  itemSize,
  type Scalar,
  type ScalarValue,
  toBits,
} from "@gridfuse/plan/scalar";
import { anyDType, bitwise, type DTypeClass, integers, numeric } from "./check.ts";
import type { AlgebraicFacts, OpDefinition } from "./define.ts";
import { defineElementwise } from "./elementwise.ts";

type Operands = readonly [Scalar, Scalar];

/** An op of the scalar language itself. */
const primitive = <K extends BinaryName>(
  name: K,
  op: BinaryOp,
  accepts: DTypeClass,
  doc: string,
  facts?: AlgebraicFacts,
): OpDefinition<K> =>
  defineElementwise<K>(name, 2, {
    doc,
    accepts,
    scalar: (b, operands) => b.binary(op, ...(operands as Operands)),
    ...(facts !== undefined && { facts }),
  });

type BinaryName =
  | "add"
  | "sub"
  | "mul"
  | "div"
  | "rem"
  | "max"
  | "min"
  | "and"
  | "or"
  | "xor"
  | "shift_left"
  | "shift_right_logical"
  | "shift_right_arithmetic";

/** The greatest value: all others compare less or equal. */
export function greatest(dtype: DType): ScalarValue {
  if (dtype === "bool") return true;
  if (isFloat(dtype)) return Number.POSITIVE_INFINITY;
  const bits = BigInt(itemSize(dtype) * 8 - (isSigned(dtype) ? 1 : 0));
  return fromBits(dtype, toBits(dtype, (1n << bits) - 1n));
}

/** The least value: all others compare greater or equal. */
export function least(dtype: DType): ScalarValue {
  if (dtype === "bool") return false;
  if (isFloat(dtype)) return Number.NEGATIVE_INFINITY;
  if (!isSigned(dtype)) return fromBits(dtype, { lo: 0, hi: 0 });
  return fromBits(dtype, toBits(dtype, -(1n << BigInt(itemSize(dtype) * 8 - 1))));
}

const number = (dtype: DType, value: number): ScalarValue => fromBits(dtype, toBits(dtype, value));
const allOnes = (dtype: DType): ScalarValue =>
  dtype === "bool" ? true : fromBits(dtype, toBits(dtype, -1n));

const symmetric = { commutative: true, associative: true } as const;

export const add: OpDefinition<"add"> = primitive("add", "add", numeric, "x + y; integers wrap.", {
  ...symmetric,
  // −0 + 0 is +0, so for floats only −0 leaves every value alone.
  identity: (dtype) => (isFloat(dtype) ? -0 : number(dtype, 0)),
});
export const sub: OpDefinition<"sub"> = primitive("sub", "sub", numeric, "x − y; integers wrap.");
export const mul: OpDefinition<"mul"> = primitive("mul", "mul", numeric, "x · y; integers wrap.", {
  ...symmetric,
  identity: (dtype) => number(dtype, 1),
});
export const div: OpDefinition<"div"> = primitive(
  "div",
  "div",
  numeric,
  "x / y; integers truncate towards zero, and x / 0 is all ones.",
);
export const rem: OpDefinition<"rem"> = primitive(
  "rem",
  "rem",
  numeric,
  "Remainder with the sign of x (C's % and fmod); for integers x rem 0 is x.",
);
export const max: OpDefinition<"max"> = primitive(
  "max",
  "max",
  anyDType,
  "The greater of x and y; NaN wins, and −0 < +0.",
  { ...symmetric, idempotent: true, identity: least },
);
export const min: OpDefinition<"min"> = primitive(
  "min",
  "min",
  anyDType,
  "The lesser of x and y; NaN wins, and −0 < +0.",
  { ...symmetric, idempotent: true, identity: greatest },
);
export const and: OpDefinition<"and"> = primitive(
  "and",
  "and",
  bitwise,
  "Bitwise and; logical on bool.",
  { ...symmetric, idempotent: true, identity: allOnes },
);
export const or: OpDefinition<"or"> = primitive(
  "or",
  "or",
  bitwise,
  "Bitwise or; logical on bool.",
  {
    ...symmetric,
    idempotent: true,
    identity: (dtype) => (dtype === "bool" ? false : number(dtype, 0)),
  },
);
export const xor: OpDefinition<"xor"> = primitive(
  "xor",
  "xor",
  bitwise,
  "Bitwise exclusive or; logical on bool.",
  { ...symmetric, identity: (dtype) => (dtype === "bool" ? false : number(dtype, 0)) },
);
export const shiftLeft: OpDefinition<"shift_left"> = primitive(
  "shift_left",
  "shiftLeft",
  integers,
  "x · 2^y by shifting; an amount (read as unsigned) past the width gives 0.",
);
export const shiftRightLogical: OpDefinition<"shift_right_logical"> = primitive(
  "shift_right_logical",
  "shiftRightLogical",
  integers,
  "Shifts right and fills with zeros; an amount past the width gives 0.",
);
export const shiftRightArithmetic: OpDefinition<"shift_right_arithmetic"> = primitive(
  "shift_right_arithmetic",
  "shiftRightArithmetic",
  integers,
  "Shifts right and fills with the sign; an amount past the width gives the sign everywhere.",
);
