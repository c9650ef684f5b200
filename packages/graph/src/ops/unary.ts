/** Elementwise arithmetic, rounding and bit operations on one operand. */

import { BuildError } from "@gridfuse/plan/errors";
import {
  isFloat,
  isInteger,
  isSigned,
  math,
  type Scalar,
  type UnaryOp,
} from "@gridfuse/plan/scalar";
import { bitwise, type DTypeClass, floats, integers, numeric, requireRange } from "./check.ts";
import type { AlgebraicFacts, OpDefinition } from "./define.ts";
import { defineElementwise } from "./elementwise.ts";

type UnaryName = "neg" | "floor" | "ceil" | "not" | "population_count" | "clz" | "sqrt";

/** An op of the scalar language itself. */
const primitive = <K extends UnaryName>(
  name: K,
  op: UnaryOp,
  accepts: DTypeClass,
  doc: string,
  facts?: AlgebraicFacts,
): OpDefinition<K> =>
  defineElementwise<K>(name, 1, {
    doc,
    accepts,
    scalar: (b, [x]) => b.unary(op, x as Scalar),
    ...(facts !== undefined && { facts }),
  });

const involution = { involution: true } as const;

export const neg: OpDefinition<"neg"> = primitive(
  "neg",
  "neg",
  numeric,
  "−x; integers wrap.",
  involution,
);
export const floor: OpDefinition<"floor"> = primitive(
  "floor",
  "floor",
  floats,
  "The greatest integer ≤ x.",
);
export const ceil: OpDefinition<"ceil"> = primitive(
  "ceil",
  "ceil",
  floats,
  "The least integer ≥ x.",
);
export const not: OpDefinition<"not"> = primitive(
  "not",
  "not",
  bitwise,
  "Bitwise complement; logical on bool.",
  involution,
);
export const populationCount: OpDefinition<"population_count"> = primitive(
  "population_count",
  "populationCount",
  integers,
  "Number of one bits.",
);
export const clz: OpDefinition<"clz"> = primitive(
  "clz",
  "countLeadingZeros",
  integers,
  "Number of leading zero bits; the width for 0.",
);
export const sqrt: OpDefinition<"sqrt"> = primitive(
  "sqrt",
  "sqrt",
  floats,
  "Square root, correctly rounded; NaN below −0.",
);

export const abs: OpDefinition<"abs"> = defineElementwise("abs", 1, {
  doc: "|x|; the least integer stays as it is.",
  accepts: numeric,
  scalar: (b, [x]) => {
    const dtype = b.dtypeOf(x as Scalar);
    return isInteger(dtype) && !isSigned(dtype) ? (x as Scalar) : b.abs(x as Scalar);
  },
});

export const sign: OpDefinition<"sign"> = defineElementwise("sign", 1, {
  doc: "−1, 0 or 1; zeros keep their sign, NaN stays NaN.",
  accepts: numeric,
  scalar: (b, [x]) => math.sign(b, x as Scalar),
});

export const round: OpDefinition<"round"> = defineElementwise("round", 1, {
  doc: "The nearest integer; halves go away from zero or to the even one, as `roundingMethod` says.",
  accepts: floats,
  scalar: (b, [x], { roundingMethod }) =>
    roundingMethod === "even"
      ? b.unary("roundEven", x as Scalar)
      : math.roundAwayFromZero(b, x as Scalar),
});

export const isFiniteNumber: OpDefinition<"is_finite"> = defineElementwise("is_finite", 1, {
  doc: "False for ±∞ and NaN.",
  accepts: floats,
  result: "bool",
  scalar: (b, [x]) => math.isFinite(b, x as Scalar),
});

export const square: OpDefinition<"square"> = defineElementwise("square", 1, {
  doc: "x · x.",
  accepts: numeric,
  scalar: (b, [x]) => b.mul(x as Scalar, x as Scalar),
});

export const integerPow: OpDefinition<"integer_pow"> = defineElementwise("integer_pow", 1, {
  doc: "x to a constant integer power by repeated squaring; x⁰ is 1 for every x.",
  accepts: numeric,
  scalar: (b, [x], { y }) => math.integerPow(b, x as Scalar, y),
  check: ({ dtype }, { y }) => {
    requireRange("integer_pow", "y", y, -(2 ** 31), 2 ** 31 - 1);
    if (y >= 0 || isFloat(dtype)) return;
    throw new BuildError("GF2108", `integer_pow: ${dtype} to the power ${y}`, {
      expected: "y ≥ 0",
      received: y,
      help: "A negative power of an integer is not an integer; convert to a float first.",
    });
  },
});
