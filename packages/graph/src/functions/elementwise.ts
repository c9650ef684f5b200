/**
 * Elementwise functions. Each line names an op of the table; operands promote and broadcast first.
 * Names are lax's and NumPy's in camelCase: `div` truncates on integers as lax does, `divide` is
 * NumPy's true division, `floorDivide` and `mod` round towards −∞ as Python does.
 */
import { BuildError } from "@gridfuse/plan/errors";
import { type DType, isFloat, isInteger, isSigned } from "@gridfuse/plan/scalar";
import type { OpName, OpParams } from "../ir/vocabulary.ts";
import { broadcastShapes, commonDType, materialise, meet, tensorOf, valueFor } from "../operand.ts";
import { checked, type OptionNames } from "../options.ts";
import { traced } from "../scope.ts";
import { isTensor, type Operand, type Tensor } from "../tensor.ts";
import type {
  Binary,
  Comparison,
  DTypeOf,
  Meet,
  Predicate,
  Real,
  RealBinary,
  ShapeOf,
  Unary,
} from "../types/signatures.ts";

/** Ops without params. */
type Plain = { [K in OpName]: keyof OpParams[K] extends never ? K : never }[OpName];

/** The dtype in which a function of reals works. */
const realDType = (dtype: DType): DType => (isFloat(dtype) ? dtype : "float32");

const unary = (name: string, op: Plain): Unary =>
  ((x: Operand) =>
    traced(name, (scope) =>
      tensorOf(scope, scope.emitter.emit(op, [valueFor(scope, name, x)], {})),
    )) as Unary;

const real = (name: string, op: Plain): Real =>
  ((x: Operand) =>
    traced(name, (scope) => {
      const value = valueFor(scope, name, x, realDType(commonDType(name, [x])));
      return tensorOf(scope, scope.emitter.emit(op, [value], {}));
    })) as Real;

const binary = (name: string, op: Plain): Binary =>
  ((a: Operand, b: Operand) =>
    traced(name, (scope) =>
      tensorOf(scope, scope.emitter.emit(op, meet(scope, name, [a, b]), {})),
    )) as Binary;

const realBinary = (name: string, op: Plain): RealBinary =>
  ((a: Operand, b: Operand) =>
    traced(name, (scope) => {
      const dtype = realDType(commonDType(name, [a, b]));
      return tensorOf(scope, scope.emitter.emit(op, meet(scope, name, [a, b], dtype), {}));
    })) as RealBinary;

// ── Arithmetic ──────────────────────────────────────────────────────────────────────────────

export const neg: Unary = unary("neg", "neg");
export const abs: Unary = unary("abs", "abs");
export const sign: Unary = unary("sign", "sign");
export const square: Unary = unary("square", "square");
export const add: Binary = binary("add", "add");
export const sub: Binary = binary("sub", "sub");
export const mul: Binary = binary("mul", "mul");
/** lax.div: integers truncate towards zero. */
export const div: Binary = binary("div", "div");
/** Remainder of `div`: the sign of the dividend. */
export const rem: Binary = binary("rem", "rem");
/** NumPy's true division: integers become float32. */
export const divide: RealBinary = realBinary("divide", "div");
/** NaN if either is. */
export const maximum: Binary = binary("maximum", "max");
/** NaN if either is. */
export const minimum: Binary = binary("minimum", "min");
export const atan2: RealBinary = realBinary("atan2", "atan2");
export const nextafter: RealBinary = realBinary("nextafter", "nextafter");

/** Quotient rounded towards −∞. */
export const floorDivide: Binary = ((x: Operand, y: Operand) =>
  traced("floorDivide", (scope) => {
    const [a, b] = meet(scope, "floorDivide", [x, y]).map((id) => tensorOf(scope, id)) as [
      Tensor,
      Tensor,
    ];
    const rest = rem(a, b);
    if (isInteger(a.dtype)) {
      const quotient = div(a, b);
      if (!isSigned(a.dtype)) return quotient;
      const uneven = and(ne(sign(a), sign(b)), ne(rest, 0));
      return where(uneven, sub(quotient, 1), quotient);
    }
    const quotient = div(sub(a, rest), b);
    const below = and(ne(rest, 0), ne(sign(b), sign(rest)));
    return round(where(below, sub(quotient, 1), quotient));
  })) as Binary;

/** Python's `%`: the sign of the divisor. */
export const mod: Binary = ((x: Operand, y: Operand) =>
  traced("mod", (scope) => {
    const [a, b] = meet(scope, "mod", [x, y]).map((id) => tensorOf(scope, id)) as [Tensor, Tensor];
    const rest = rem(a, b);
    const shifted = and(ne(rest, 0), ne(lt(rest, 0), lt(b, 0)));
    return where(shifted, add(rest, b), rest);
  })) as Binary;

/**
 * x to the power y. A whole-number literal exponent is repeated multiplication and keeps the dtype of x;
 * otherwise integers become float32.
 */
export const pow: Binary = ((x: Operand, y: Operand) =>
  traced("pow", (scope) => {
    const base = isTensor(x) ? x.dtype : commonDType("pow", [x]);
    if (isTensor(x) && typeof y === "number" && Number.isInteger(y) && base !== "bool") {
      if (isFloat(base) || y >= 0) {
        const value = scope.resolve(x);
        return tensorOf(scope, scope.emitter.emit("integer_pow", [value], { y }));
      }
    }
    const dtype = realDType(commonDType("pow", [x, y]));
    return tensorOf(scope, scope.emitter.emit("pow", meet(scope, "pow", [x, y], dtype), {}));
  })) as Binary;

// ── Rounding ────────────────────────────────────────────────────────────────────────────────

/** Integers are their own floor. */
const rounding = (name: string, op: "floor" | "ceil"): Unary =>
  ((x: Operand) =>
    traced(name, (scope) => {
      const value = valueFor(scope, name, x);
      if (!isFloat(scope.emitter.dtype(value))) return tensorOf(scope, value);
      return tensorOf(scope, scope.emitter.emit(op, [value], {}));
    })) as Unary;
export const floor: Unary = rounding("floor", "floor");
export const ceil: Unary = rounding("ceil", "ceil");

export interface RoundOptions {
  /** Where halves go: to the even neighbour (NumPy, the default) or away from zero (lax.round). */
  readonly halves?: "even" | "away";
}
const roundOptions: OptionNames<RoundOptions> = { halves: true };
/** Nearest whole number. */
export function round<A extends Operand>(
  x: A,
  options: RoundOptions = {},
): Tensor<DTypeOf<A>, ShapeOf<A>> {
  return traced("round", (scope) => {
    checked("round", options, roundOptions);
    const value = valueFor(scope, "round", x);
    if (!isFloat(scope.emitter.dtype(value))) return tensorOf(scope, value);
    const roundingMethod = options.halves ?? "even";
    return tensorOf(scope, scope.emitter.emit("round", [value], { roundingMethod }));
  }) as Tensor<DTypeOf<A>, ShapeOf<A>>;
}

// ── Functions of reals ──────────────────────────────────────────────────────────────────────

export const exp: Real = real("exp", "exp");
export const exp2: Real = real("exp2", "exp2");
export const expm1: Real = real("expm1", "expm1");
export const log: Real = real("log", "log");
export const log1p: Real = real("log1p", "log1p");
export const log2: Real = real("log2", "log2");
export const sin: Real = real("sin", "sin");
export const cos: Real = real("cos", "cos");
export const tan: Real = real("tan", "tan");
export const asin: Real = real("asin", "asin");
export const acos: Real = real("acos", "acos");
export const atan: Real = real("atan", "atan");
export const sinh: Real = real("sinh", "sinh");
export const cosh: Real = real("cosh", "cosh");
export const tanh: Real = real("tanh", "tanh");
export const asinh: Real = real("asinh", "asinh");
export const acosh: Real = real("acosh", "acosh");
export const atanh: Real = real("atanh", "atanh");
/** 1 / (1 + e^−x). */
export const logistic: Real = real("logistic", "logistic");
export const sigmoid: Real = real("sigmoid", "logistic");
export const erf: Real = real("erf", "erf");
export const erfc: Real = real("erfc", "erfc");
export const erfInv: Real = real("erfInv", "erf_inv");
export const lgamma: Real = real("lgamma", "lgamma");
export const digamma: Real = real("digamma", "digamma");
export const sqrt: Real = real("sqrt", "sqrt");
export const rsqrt: Real = real("rsqrt", "rsqrt");
export const cbrt: Real = real("cbrt", "cbrt");
/** 1 / x. */
export const reciprocal: Real = ((x: Operand) =>
  traced("reciprocal", () => divide(1, x as Tensor))) as Real;

// ── Comparison ──────────────────────────────────────────────────────────────────────────────

const comparison = (name: "eq" | "ne" | "lt" | "le" | "gt" | "ge"): Comparison =>
  binary(name, name) as unknown as Comparison;
export const eq: Comparison = comparison("eq");
export const ne: Comparison = comparison("ne");
export const lt: Comparison = comparison("lt");
export const le: Comparison = comparison("le");
export const gt: Comparison = comparison("gt");
export const ge: Comparison = comparison("ge");

const predicate = (name: string, test: (x: Tensor) => Operand): Predicate =>
  ((x: Operand) =>
    traced(name, (scope) => test(tensorOf(scope, valueFor(scope, name, x))))) as Predicate;

export const isnan: Predicate = predicate("isnan", (x) => ne(x, x));
export const isfinite: Predicate = predicate("isfinite", (x) =>
  isFloat(x.dtype) ? unary("isfinite", "is_finite")(x) : eq(x, x),
);

// ── Bits and logic ──────────────────────────────────────────────────────────────────────────

/** Bitwise on integers, logical on bool. */
export const and: Binary = binary("and", "and");
/** Bitwise on integers, logical on bool. */
export const or: Binary = binary("or", "or");
/** Bitwise on integers, logical on bool. */
export const xor: Binary = binary("xor", "xor");
/** Bitwise on integers, logical on bool. */
export const not: Unary = unary("not", "not");
export const populationCount: Unary = unary("populationCount", "population_count");
export const clz: Unary = unary("clz", "clz");
/** 0 for shifts of the width and more. */
export const shiftLeft: Binary = binary("shiftLeft", "shift_left");
export const shiftRightLogical: Binary = binary("shiftRightLogical", "shift_right_logical");
export const shiftRightArithmetic: Binary = binary(
  "shiftRightArithmetic",
  "shift_right_arithmetic",
);
/** Arithmetic on signed integers, logical on unsigned ones. */
export const shiftRight: Binary = ((x: Operand, y: Operand) =>
  traced("shiftRight", () =>
    isSigned(commonDType("shiftRight", [x, y]))
      ? shiftRightArithmetic(x, y as Tensor)
      : shiftRightLogical(x, y as Tensor),
  )) as Binary;

/** NumPy's names. */
export const bitwiseAnd: Binary = and;
export const bitwiseOr: Binary = or;
export const bitwiseXor: Binary = xor;
export const bitwiseNot: Unary = not;

/** x ≠ 0. */
const truth = (x: Operand): Tensor =>
  isTensor(x) && x.dtype === "bool" ? x : (ne(x, 0) as Tensor);
const logical = (name: string, op: "and" | "or" | "xor"): Comparison =>
  ((x: Operand, y: Operand) =>
    traced(name, () => binary(name, op)(truth(x), truth(y)))) as unknown as Comparison;
export const logicalAnd: Comparison = logical("logicalAnd", "and");
export const logicalOr: Comparison = logical("logicalOr", "or");
export const logicalXor: Comparison = logical("logicalXor", "xor");
export const logicalNot: Predicate = predicate("logicalNot", (x) => not(truth(x)));

// ── Choice ──────────────────────────────────────────────────────────────────────────────────

/** `x` where the condition holds, else `y`. All three broadcast; a condition that is not bool means ≠ 0. */
export function where<const A extends Operand, const B extends Operand>(
  condition: Operand,
  x: A,
  y: B,
): Meet<A, B> {
  return traced("where", (scope) => {
    const dtype = commonDType("where", [x, y]);
    const which = typeof condition === "boolean" ? condition : truth(condition);
    const shape = broadcastShapes(scope, "where", [which, x, y]);
    const bool = materialise(scope, "where", which, "bool", shape);
    const otherwise = materialise(scope, "where", y, dtype, shape);
    const then = materialise(scope, "where", x, dtype, shape);
    return tensorOf(scope, scope.emitter.emit("select_n", [bool, otherwise, then], {}));
  }) as unknown as Meet<A, B>;
}

/** lax's name for `where`. */
export const select: typeof where = where;

/** lax.select_n: case number `which` (bool: false is the first). */
export function selectN(which: Tensor, ...cases: readonly Operand[]): Tensor {
  return traced("selectN", (scope) => {
    if (which.dtype !== "bool" && which.dtype !== "int32") {
      throw new BuildError("GF2304", `selectN: which is ${which.dtype}`, {
        expected: "bool or int32",
        received: which.dtype,
        help: "convert it with `.astype(i32)`",
      });
    }
    const values = meet(scope, "selectN", cases);
    const shape = scope.emitter.shape(values[0] as number);
    const chosen =
      which.ndim === 0
        ? scope.resolve(which)
        : materialise(scope, "selectN", which, which.dtype, shape);
    return tensorOf(scope, scope.emitter.emit("select_n", [chosen, ...values], {}));
  });
}

/** `x` moved into [least, most]; NaN stays. The bounds take the dtype of x. */
export function clamp<A extends Tensor>(
  x: A,
  least: Operand,
  most: Operand,
): Tensor<A["dtype"], A["shape"]> {
  return traced("clamp", (scope) => {
    const bound = (operand: Operand) =>
      materialise(
        scope,
        "clamp",
        operand,
        x.dtype,
        isTensor(operand) && operand.ndim > 0 ? x.shape : [],
      );
    const ids = [bound(least), scope.resolve(x), bound(most)];
    return tensorOf(scope, scope.emitter.emit("clamp", ids, {}));
  }) as unknown as Tensor<A["dtype"], A["shape"]>;
}
/** NumPy's name for `clamp`. */
export const clip: typeof clamp = clamp;

// ── Types ───────────────────────────────────────────────────────────────────────────────────

/** Converts to `dtype`: float→int truncates and saturates (NaN becomes 0), int→int wraps. */
export function astype<A extends Operand, D extends DType>(x: A, dtype: D): Tensor<D, ShapeOf<A>> {
  return traced("astype", (scope) => {
    const value = isTensor(x) ? scope.resolve(x) : valueFor(scope, "astype", x);
    return tensorOf(scope, scope.emitter.convert(value, dtype));
  }) as Tensor<D, ShapeOf<A>>;
}

/** The same bits as another dtype: of half the width in one more minor dimension, of twice in one less. */
export function bitcast<D extends DType>(x: Tensor, dtype: D): Tensor<D> {
  return traced("bitcast", (scope) =>
    tensorOf(scope, scope.emitter.emit("bitcast_convert_type", [scope.resolve(x)], { dtype })),
  ) as Tensor<D>;
}

export interface PrecisionFormat {
  readonly exponentBits: number;
  readonly mantissaBits: number;
}
const precisionFormat: OptionNames<PrecisionFormat> = { exponentBits: true, mantissaBits: true };
/** Rounds to a format of fewer bits and keeps the dtype. */
export function reducePrecision<A extends Tensor>(
  x: A,
  format: PrecisionFormat,
): Tensor<A["dtype"], A["shape"]> {
  return traced("reducePrecision", (scope) => {
    const { exponentBits, mantissaBits } = checked("reducePrecision", format, precisionFormat);
    const params = { exponentBits, mantissaBits };
    return tensorOf(scope, scope.emitter.emit("reduce_precision", [scope.resolve(x)], params));
  }) as unknown as Tensor<A["dtype"], A["shape"]>;
}

/** The same integers, with a promise that each is a multiple of `value`. */
export function multipleOf<A extends Tensor>(x: A, value: number): Tensor<A["dtype"], A["shape"]> {
  return traced("multipleOf", (scope) =>
    tensorOf(scope, scope.emitter.emit("multiple_of", [scope.resolve(x)], { value })),
  ) as unknown as Tensor<A["dtype"], A["shape"]>;
}
