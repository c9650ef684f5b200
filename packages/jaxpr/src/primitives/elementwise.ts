/** Elementwise primitives: ops of the same name, once their operands have one shape. */
import { type DType, type OpName, type OpParams, sameShape, type ValueId } from "@gridfuse/graph";
import { type Body, literalValue, type Rule } from "../body.ts";
import { dtypeOf } from "../dtypes.ts";
import type { Atom, Eqn, WireDType } from "../format.ts";
import type { Rules } from "./table.ts";

type None = { [K in OpName]: OpParams[K] extends Record<string, never> ? K : never }[OpName] &
  string;

/** Operands of one shape: literals, scalars and dimensions of 1 stretch to the others. */
export function meet(
  body: Body,
  args: readonly ValueId[],
  inputs: readonly Atom[],
): readonly ValueId[] {
  const shape = commonShape(args.map((arg) => body.shape(arg)));
  if (shape === undefined) return args;
  return args.map((arg, i) => {
    const atom = inputs[i];
    return typeof atom === "object" && "lit" in atom
      ? body.full(dtypeOf(atom.d), shape, literalValue(atom))
      : body.e.broadcastTo(arg, shape);
  });
}

/** Undefined where all have it already. */
function commonShape(shapes: readonly (readonly number[])[]): readonly number[] | undefined {
  const [first = []] = shapes;
  if (shapes.every((shape) => sameShape(shape, first))) return undefined;
  const rank = Math.max(...shapes.map(({ length }) => length));
  return Array.from({ length: rank }, (_, d) => {
    const sizes = shapes.map((shape) => shape[d - rank + shape.length] ?? 1);
    return sizes.find((size) => size !== 1) ?? 1;
  });
}

const unary =
  (op: None): Rule =>
  (body, [operand]) =>
    body.e.emit(op, [operand as ValueId], {});

const joined =
  (op: None): Rule =>
  (body, args, _, eqn) =>
    body.e.emit(op, meet(body, args, eqn.i ?? []), {});

/** Arithmetic on bool is logic in JAX. */
const onBool =
  (op: None, logic: None): Rule =>
  (body, args, _, eqn) => {
    const operands = meet(body, args, eqn.i ?? []);
    return body.e.emit(body.dtype(operands[0] as ValueId) === "bool" ? logic : op, operands, {});
  };

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
  "erf_inv",
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
const comparison =
  (op: None): Rule =>
  (body, args, _, eqn) => {
    const operands = meet(body, args, eqn.i ?? []);
    const ordered = op !== "eq" && op !== "ne";
    return body.e.emit(
      op,
      ordered && body.dtype(operands[0] as ValueId) === "bool"
        ? operands.map((operand) => body.e.convert(operand, "int32"))
        : operands,
      {},
    );
  };

/** The total order of floats: NaNs beyond the infinities, −0 before 0. As integers of the bits. */
const totalOrder =
  (op: None): Rule =>
  (body, args, _, eqn) =>
    body.e.emit(
      op,
      meet(body, args, eqn.i ?? []).map((operand) => orderedBits(body, operand)),
      {},
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
  const dtype = dtypeOf(wire);
  const converted = body.e.convert(value, dtype);
  if (wire !== "i4" && wire !== "u4") return converted;
  // Four bits are held in eight: the upper ones repeat the sign, or are zero.
  const four = body.full(dtype, body.shape(converted), 4);
  const raised = body.e.emit("shift_left", [converted, four], {});
  const lower = wire === "i4" ? "shift_right_arithmetic" : "shift_right_logical";
  return body.e.emit(lower, [raised, four], {});
}

/** A power with an integer exponent is taken in the base's dtype; of integers, by squaring. */
function power(body: Body, args: readonly ValueId[], eqn: Eqn): ValueId {
  const [base, exponent] = meet(body, args, eqn.i ?? []) as [ValueId, ValueId];
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
  "lax:pow": (body, args, _, eqn) => power(body, args, eqn),
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
  "lax:select_n": (body, [which, ...cases]) => {
    let chosen = which as ValueId;
    const shape = body.shape(cases[0] as ValueId);
    const dtype = body.dtype(chosen);
    if (dtype !== "bool") chosen = body.e.convert(chosen, "int32");
    if (body.shape(chosen).length > 0 && !sameShape(body.shape(chosen), shape))
      chosen = body.e.broadcastTo(chosen, shape);
    const arrays = cases.map((value) => body.e.broadcastTo(value, shape));
    return body.e.emit("select_n", [chosen, ...arrays], {});
  },
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
  "lax:mul_add": (body, [a, b, c], _, eqn) => {
    const [x, y, z] = meet(body, [a, b, c] as ValueId[], eqn.i ?? []) as [
      ValueId,
      ValueId,
      ValueId,
    ];
    return body.e.emit("add", [body.e.emit("mul", [x, y], {}), z], {});
  },
};
