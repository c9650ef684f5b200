/** Elementwise primitives: ops of the same name, once their operands have one shape. */
import { type DType, isFloat, type OpName, type OpParams, type ValueId } from "@gridfuse/graph";
import type { Body } from "../body.ts";
import { dtypeOf } from "../dtypes.ts";
import { fromBits, isEightBitFloat, toBits } from "../eight-bit-floats.ts";
import { rangeOf, wrapped } from "../few-bits.ts";
import type { WireDType } from "../format.ts";
import type { Rule } from "../importing.ts";
import { inverseErrorFunction } from "./erf-inv.ts";
import type { Rules } from "./table.ts";

type None = { [K in OpName]: OpParams[K] extends Record<string, never> ? K : never }[OpName] &
  string;

/** The rule makes its literals itself. */
const late = (rule: Rule): Rule => Object.assign(rule, { lateLiterals: true as const });

const none = {};

const unary =
  (op: None): Rule =>
  (body, args) =>
    body.pointwise(op, args, none);

const joined = (op: None): Rule => late((body, args) => body.pointwise(op, body.meet(args), none));

/** Arithmetic on bool is logic in JAX. */
const onBool = (op: None, logic: None): Rule =>
  late((body, args) => {
    const operands = body.meet(args);
    const name = body.dtype(operands[0] as ValueId) === "bool" ? logic : op;
    return body.pointwise(name, operands, none);
  });

const same: Rule = (_, [operand]) => operand;
const all: Rule = (_, args) => args;

const unaryNames = [
  "neg",
  "floor",
  "ceil",
  "is_finite",
  "exp",
  "exp2",
  "expm1",
  "log",
  "log1p",
  "log2",
  "sin",
  "cos",
  "tan",
  "asin",
  "acos",
  "atan",
  "sinh",
  "cosh",
  "tanh",
  "asinh",
  "acosh",
  "atanh",
  "logistic",
  "erf",
  "erfc",
  "lgamma",
  "digamma",
  "sqrt",
  "rsqrt",
  "cbrt",
  "square",
  "not",
  "population_count",
  "clz",
] as const satisfies readonly None[];

const joinedNames = [
  "sub",
  "div",
  "rem",
  "atan2",
  "nextafter",
  "and",
  "or",
  "xor",
  "shift_left",
  "shift_right_logical",
  "shift_right_arithmetic",
] as const satisfies readonly None[];

const comparisons = ["eq", "ne", "lt", "le", "gt", "ge"] as const satisfies readonly None[];

const named = (names: readonly None[], rule: (op: None) => Rule): Rules =>
  Object.fromEntries(names.map((name) => [`lax:${name}`, rule(name)]));

/** JAX compares bool as 0 and 1. */
const comparison = (op: None): Rule => {
  const ordered = op !== "eq" && op !== "ne";
  return late((body, args) => {
    const operands = body.meet(args);
    const onBools = ordered && body.dtype(operands[0] as ValueId) === "bool";
    const compared = onBools ? operands.map((x) => body.e.convert(x, "int32")) : operands;
    return body.pointwise(op, compared, none);
  });
};

/** The total order of floats: NaNs beyond the infinities, −0 before 0. As integers of the bits. */
const totalOrder = (op: None): Rule =>
  late((body, args) =>
    body.e.emit(
      op,
      body.meet(args).map((operand) => orderedBits(body, operand)),
      {},
    ),
  );

function orderedBits(body: Body, value: ValueId): ValueId {
  const words: { readonly [D in DType]?: DType } = {
    float16: "int16",
    bfloat16: "int16",
    float32: "int32",
    float64: "int64",
  };
  const dtype = words[body.dtype(value)];
  if (dtype === undefined) return value;
  const shape = body.shape(value);
  const bits = body.e.emit("bitcast_convert_type", [value], { dtype });
  const width = dtype === "int64" ? 64n : dtype === "int32" ? 32n : 16n;
  const most = (1n << (width - 1n)) - 1n;
  const mask = body.full(dtype, shape, dtype === "int64" ? most : Number(most));
  const flipped = body.e.emit("xor", [bits, mask], {});
  const negative = body.e.emit("lt", [bits, body.full(dtype, shape, 0)], {});
  return body.e.emit("select_n", [negative, bits, flipped], {});
}

function convert(body: Body, value: ValueId, wire: WireDType): ValueId {
  const given = body.from;
  if (given === wire) return value;
  if (given !== undefined && isEightBitFloat(given)) {
    const number = fromBits(body, value, given);
    return isEightBitFloat(wire) ? toBits(body, number, wire) : converted(body, number, wire);
  }
  return isEightBitFloat(wire) ? toBits(body, value, wire) : converted(body, value, wire);
}

function converted(body: Body, value: ValueId, wire: WireDType): ValueId {
  const dtype = dtypeOf(wire);
  const from = body.dtype(value);
  const range = isFloat(from) ? rangeOf(wire) : undefined;
  if (range === undefined) return wrapped(body.scope, body.e.convert(value, dtype), wire);
  // Floats saturate at the ends of few bits.
  const [least, most] = range.map((end) => body.full(from, [], end)) as [ValueId, ValueId];
  const saturated = body.e.emit("clamp", [least, value, most], {});
  return wrapped(body.scope, body.e.convert(saturated, dtype), wire);
}

/** A power with an integer exponent is taken in the base's dtype; of integers, by squaring. */
function power(body: Body, args: readonly ValueId[]): ValueId {
  const [base, exponent] = body.meet(args) as [ValueId, ValueId];
  return body.e.emit("pow", [base, body.e.convert(exponent, body.dtype(base))], {});
}

export const elementwise: Rules = {
  ...named(unaryNames, unary),
  ...named(joinedNames, joined),
  ...named(comparisons, comparison),
  "lax:abs": (body, [x]) =>
    /^u|bool/.test(body.dtype(x as ValueId)) ? x : body.e.emit("abs", [x as ValueId], {}),
  "lax:sign": unary("sign"),
  "lax:add": onBool("add", "or"),
  "lax:mul": onBool("mul", "and"),
  "lax:max": onBool("max", "or"),
  "lax:min": onBool("min", "and"),
  "lax:erf_inv": (body, [x]) => {
    const value = x as ValueId;
    const dtype = body.dtype(value);
    if (dtype === "float64") return body.e.emit("erf_inv", [value], {});
    return body.e.convert(inverseErrorFunction(body, body.e.convert(value, "float32")), dtype);
  },
  "lax:pow": late((body, args) => power(body, args)),
  "lax:eq_to": totalOrder("eq"),
  "lax:le_to": totalOrder("le"),
  "lax:lt_to": totalOrder("lt"),
  "lax:round": (body, [x], { method }: { method: number }) =>
    body.e.emit("round", [x as ValueId], { roundingMethod: method === 1 ? "even" : "away" }),
  "lax:integer_pow": (body, [x], { y }: { y: number }) =>
    body.e.emit("integer_pow", [x as ValueId], { y }),
  "lax:reduce_precision": (
    body,
    [x],
    { exponent_bits, mantissa_bits }: { exponent_bits: number; mantissa_bits: number },
  ) =>
    body.e.emit("reduce_precision", [x as ValueId], {
      exponentBits: exponent_bits,
      mantissaBits: mantissa_bits,
    }),
  "lax:convert_element_type": (body, [x], { d }: { d: WireDType }) =>
    convert(body, x as ValueId, d),
  "lax:bitcast_convert_type": (body, [x], { d }: { d: WireDType }) =>
    body.dtype(x as ValueId) === dtypeOf(d)
      ? x
      : body.e.emit("bitcast_convert_type", [x as ValueId], { dtype: dtypeOf(d) }),
  "lax:select_n": late((body, args) => {
    const [which, ...cases] = body.meetAfter(args, 1) as [ValueId, ...ValueId[]];
    const dtype = body.dtype(which);
    let chosen = dtype === "bool" ? which : body.e.convert(which, "int32");
    const shape = body.shape(cases[0] as ValueId);
    if (body.shape(chosen).length > 0) chosen = body.e.broadcastTo(chosen, shape);
    return body.pointwise("select_n", [chosen, ...cases], none, cases[0]);
  }),
  "lax:clamp": (body, [least, x, most]) =>
    body.e.emit("clamp", [least as ValueId, x as ValueId, most as ValueId], {}),
  "lax:copy": same,
  "lax:copy_p": same,
  "lax:stop_gradient": same,
  "lax:reshard": same,
  "lax:optimization_barrier": all,
  "lax:real": same,
  "core:copy": same,
  "core:add_any": onBool("add", "or"),
  "lax:add_any": onBool("add", "or"),
  "lax:mul_add": late((body, args) => {
    const [x, y, z] = body.meet(args) as [ValueId, ValueId, ValueId];
    return body.e.emit("add", [body.e.emit("mul", [x, y], {}), z], {});
  }),
};
