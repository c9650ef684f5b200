/**
 * Elementary and special functions. Their meaning is an expansion in the scalar language
 * (plan's scalar/math), which states its error bound.
 */

import type { OpName } from "../ir/vocabulary.ts";
import { floats } from "./check.ts";
import type { OpDefinition } from "./define.ts";
import { defineElementwise } from "./elementwise.ts";

const unary = <K extends OpName>(name: K, doc: string): OpDefinition<K> =>
  defineElementwise<K>(name, 1, { doc, accepts: floats });

const binary = <K extends OpName>(name: K, doc: string): OpDefinition<K> =>
  defineElementwise<K>(name, 2, { doc, accepts: floats });

export const exp: OpDefinition<"exp"> = unary("exp", "e to the power x.");
export const exp2: OpDefinition<"exp2"> = unary("exp2", "2 to the power x.");
export const expm1: OpDefinition<"expm1"> = unary("expm1", "eˣ − 1, accurate near 0.");
export const log: OpDefinition<"log"> = unary("log", "Natural logarithm.");
export const log1p: OpDefinition<"log1p"> = unary("log1p", "log(1 + x), accurate near 0.");
export const log2: OpDefinition<"log2"> = unary("log2", "Logarithm to base 2.");
export const sin: OpDefinition<"sin"> = unary("sin", "Sine of x in radians.");
export const cos: OpDefinition<"cos"> = unary("cos", "Cosine of x in radians.");
export const tan: OpDefinition<"tan"> = unary("tan", "Tangent of x in radians.");
export const asin: OpDefinition<"asin"> = unary("asin", "Arc sine, in [−π/2, π/2].");
export const acos: OpDefinition<"acos"> = unary("acos", "Arc cosine, in [0, π].");
export const atan: OpDefinition<"atan"> = unary("atan", "Arc tangent, in [−π/2, π/2].");
export const sinh: OpDefinition<"sinh"> = unary("sinh", "Hyperbolic sine.");
export const cosh: OpDefinition<"cosh"> = unary("cosh", "Hyperbolic cosine.");
export const tanh: OpDefinition<"tanh"> = unary("tanh", "Hyperbolic tangent.");
export const asinh: OpDefinition<"asinh"> = unary("asinh", "Inverse hyperbolic sine.");
export const acosh: OpDefinition<"acosh"> = unary(
  "acosh",
  "Inverse hyperbolic cosine; NaN below 1.",
);
export const atanh: OpDefinition<"atanh"> = unary("atanh", "Inverse hyperbolic tangent.");
export const logistic: OpDefinition<"logistic"> = unary("logistic", "1 / (1 + e⁻ˣ).");
export const erf: OpDefinition<"erf"> = unary("erf", "Error function.");
export const erfc: OpDefinition<"erfc"> = unary("erfc", "1 − erf(x), accurate for large x.");
export const erfInv: OpDefinition<"erf_inv"> = unary("erf_inv", "The x with erf(x) given.");
export const lgamma: OpDefinition<"lgamma"> = unary("lgamma", "Logarithm of |Γ(x)|.");
export const digamma: OpDefinition<"digamma"> = unary("digamma", "Derivative of log Γ(x).");
export const rsqrt: OpDefinition<"rsqrt"> = unary("rsqrt", "1 / √x.");
export const cbrt: OpDefinition<"cbrt"> = unary("cbrt", "Cube root, with the sign of x.");

export const pow: OpDefinition<"pow"> = binary("pow", "x to the power y; x⁰ is 1 for every x.");
export const atan2: OpDefinition<"atan2"> = binary(
  "atan2",
  "Angle of the point (y, x), operands in that order.",
);
export const nextafter: OpDefinition<"nextafter"> = binary(
  "nextafter",
  "The float next to x towards y; y where they are equal.",
);
