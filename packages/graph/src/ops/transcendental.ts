/**
 * Elementary and special functions. Their meaning is an expansion in the scalar language
 * (plan's scalar/math), which states its error bound.
 */
import { math, type Scalar, type ScalarBuilder } from "@gridfuse/plan/scalar";
import type { OpName } from "../ir/vocabulary.ts";
import { floats } from "./check.ts";
import type { OpDefinition } from "./define.ts";
import { defineElementwise } from "./elementwise.ts";

type Unary = (b: ScalarBuilder, x: Scalar) => Scalar;
type Binary = (b: ScalarBuilder, x: Scalar, y: Scalar) => Scalar;

const unary = <K extends OpName>(name: K, meaning: Unary, doc: string): OpDefinition<K> =>
  defineElementwise<K>(name, 1, {
    doc,
    accepts: floats,
    scalar: (b, [x]) => meaning(b, x as Scalar),
  });

const binary = <K extends OpName>(name: K, meaning: Binary, doc: string): OpDefinition<K> =>
  defineElementwise<K>(name, 2, {
    doc,
    accepts: floats,
    scalar: (b, [x, y]) => meaning(b, x as Scalar, y as Scalar),
  });

export const exp: OpDefinition<"exp"> = unary("exp", math.exp, "e to the power x.");
export const exp2: OpDefinition<"exp2"> = unary("exp2", math.exp2, "2 to the power x.");
export const expm1: OpDefinition<"expm1"> = unary("expm1", math.expm1, "eˣ − 1, accurate near 0.");
export const log: OpDefinition<"log"> = unary("log", math.log, "Natural logarithm.");
export const log1p: OpDefinition<"log1p"> = unary(
  "log1p",
  math.log1p,
  "log(1 + x), accurate near 0.",
);
export const log2: OpDefinition<"log2"> = unary("log2", math.log2, "Logarithm to base 2.");
export const sin: OpDefinition<"sin"> = unary("sin", math.sin, "Sine of x in radians.");
export const cos: OpDefinition<"cos"> = unary("cos", math.cos, "Cosine of x in radians.");
export const tan: OpDefinition<"tan"> = unary("tan", math.tan, "Tangent of x in radians.");
export const asin: OpDefinition<"asin"> = unary("asin", math.asin, "Arc sine, in [−π/2, π/2].");
export const acos: OpDefinition<"acos"> = unary("acos", math.acos, "Arc cosine, in [0, π].");
export const atan: OpDefinition<"atan"> = unary("atan", math.atan, "Arc tangent, in [−π/2, π/2].");
export const sinh: OpDefinition<"sinh"> = unary("sinh", math.sinh, "Hyperbolic sine.");
export const cosh: OpDefinition<"cosh"> = unary("cosh", math.cosh, "Hyperbolic cosine.");
export const tanh: OpDefinition<"tanh"> = unary("tanh", math.tanh, "Hyperbolic tangent.");
export const asinh: OpDefinition<"asinh"> = unary("asinh", math.asinh, "Inverse hyperbolic sine.");
export const acosh: OpDefinition<"acosh"> = unary(
  "acosh",
  math.acosh,
  "Inverse hyperbolic cosine; NaN below 1.",
);
export const atanh: OpDefinition<"atanh"> = unary(
  "atanh",
  math.atanh,
  "Inverse hyperbolic tangent.",
);
export const logistic: OpDefinition<"logistic"> = unary(
  "logistic",
  math.logistic,
  "1 / (1 + e⁻ˣ).",
);
export const erf: OpDefinition<"erf"> = unary("erf", math.erf, "Error function.");
export const erfc: OpDefinition<"erfc"> = unary(
  "erfc",
  math.erfc,
  "1 − erf(x), accurate for large x.",
);
export const erfInv: OpDefinition<"erf_inv"> = unary(
  "erf_inv",
  math.erfInv,
  "The x with erf(x) given.",
);
export const lgamma: OpDefinition<"lgamma"> = unary("lgamma", math.lgamma, "Logarithm of |Γ(x)|.");
export const digamma: OpDefinition<"digamma"> = unary(
  "digamma",
  math.digamma,
  "Derivative of log Γ(x).",
);
export const rsqrt: OpDefinition<"rsqrt"> = unary("rsqrt", math.rsqrt, "1 / √x.");
export const cbrt: OpDefinition<"cbrt"> = unary(
  "cbrt",
  math.cbrt,
  "Cube root, with the sign of x.",
);

export const pow: OpDefinition<"pow"> = binary(
  "pow",
  math.pow,
  "x to the power y; x⁰ is 1 for every x.",
);
export const atan2: OpDefinition<"atan2"> = binary(
  "atan2",
  math.atan2,
  "Angle of the point (y, x), operands in that order.",
);
export const nextafter: OpDefinition<"nextafter"> = binary(
  "nextafter",
  math.nextafter,
  "The float next to x towards y; y where they are equal.",
);
