/**
 * Checks that the shape rules share, with the errors they raise.
 *
 * Dims may be names. Equal names are equal sizes; anything that needs to compute with a name is
 * refused here (GF2109), so that no rule has to think about it again.
 */
import { BuildError } from "@gridfuse/plan/errors";
import { type DType, dtypes, isFloat, isInteger, isSigned } from "@gridfuse/plan/scalar";
import {
  type Dim,
  formatShape,
  type RefType,
  type Shape,
  sameShape,
  type TensorType,
  type ValueType,
} from "../ir/types.ts";

/** Sets of dtypes that ops are defined on. */
export interface DTypeClass {
  readonly name: string;
  readonly has: (dtype: DType) => boolean;
}
export const anyDType: DTypeClass = { name: "any dtype", has: () => true };
export const numeric: DTypeClass = { name: "numbers", has: (d) => d !== "bool" };
export const floats: DTypeClass = { name: "floats", has: isFloat };
export const integers: DTypeClass = { name: "integers", has: isInteger };
export const signedNumbers: DTypeClass = {
  name: "signed integers and floats",
  has: (d) => isFloat(d) || isSigned(d),
};
export const bitwise: DTypeClass = {
  name: "integers and bool",
  has: (d) => d === "bool" || isInteger(d),
};

export const membersOf = ({ has }: DTypeClass): readonly DType[] => dtypes.filter(has);

const shortType = (type: ValueType): string =>
  `${type.kind === "ref" ? "ref " : ""}${type.dtype}${formatShape(type.shape)}`;

export const describe = (types: readonly ValueType[]): string => types.map(shortType).join(", ");

export function requireCount(
  op: string,
  operands: readonly ValueType[],
  least: number,
  variadic = false,
): void {
  const count = operands.length;
  if (variadic ? count >= least : count === least) return;
  throw new BuildError(
    "GF2101",
    `${op} takes ${variadic ? "at least " : ""}${least} operand${least === 1 ? "" : "s"}, not ${count}`,
    { expected: least, received: count, help: `The operands were (${describe(operands)}).` },
  );
}

/** The operand as a tensor type. */
export function requireTensor(op: string, operand: ValueType | undefined): TensorType {
  if (operand?.kind === "tensor") return operand;
  throw new BuildError("GF2102", `${op} was given a ref where it needs a value`, {
    expected: "tensor",
    received: operand?.kind,
    help: "Read the ref first: `ref.get()` or `ref[...]`.",
  });
}

export function requireRef(op: string, operand: ValueType | undefined): RefType {
  if (operand?.kind === "ref") return operand;
  throw new BuildError("GF2102", `${op} was given a value where it needs a ref`, {
    expected: "ref",
    received: operand?.kind,
    help: "Only refs of a kernel can be read and written in place; values never change.",
  });
}

/** All operands as tensor types, after checking their number. */
export function requireTensors(
  op: string,
  operands: readonly ValueType[],
  least: number,
  variadic = false,
): readonly TensorType[] {
  requireCount(op, operands, least, variadic);
  for (let i = 0; i < operands.length; i += 1) requireTensor(op, operands[i]);
  return operands as readonly TensorType[];
}

export function requireDType(op: string, dtype: DType, allowed: DTypeClass): void {
  if (allowed.has(dtype)) return;
  throw new BuildError("GF2105", `${op} is not defined on ${dtype}`, {
    expected: membersOf(allowed),
    received: dtype,
    help: `It takes ${allowed.name}; convert the operand with \`astype\` first.`,
  });
}

export function requireSameDType(op: string, types: readonly TensorType[]): void {
  const first = types[0];
  const other = types.find(({ dtype }) => dtype !== first?.dtype);
  if (first === undefined || other === undefined) return;
  throw new BuildError("GF2104", `${op} of ${first.dtype} and ${other.dtype}`, {
    expected: first.dtype,
    received: other.dtype,
    notes: [`operands: ${describe(types)}`],
    help: "Convert one operand with `astype` so that both have one dtype.",
  });
}

export function requireSameShape(op: string, types: readonly TensorType[]): void {
  const first = types[0];
  if (first === undefined) return;
  const other = types.find(({ shape }) => !sameShape(shape, first.shape));
  if (other === undefined) return;
  throw new BuildError(
    "GF2103",
    `${op} of shapes ${formatShape(first.shape)} and ${formatShape(other.shape)}`,
    {
      expected: first.shape,
      received: other.shape,
      notes: [`operands: ${describe(types)}`],
      help: "Elementwise ops take operands of one shape: broadcast the smaller one (`broadcastTo`).",
    },
  );
}

/** Requires `axes` to be distinct dimension numbers of a value of rank `rank`. */
export function requireAxes(
  op: string,
  axes: readonly number[],
  rank: number,
  what = "axis",
): void {
  for (let i = 0; i < axes.length; i += 1) {
    const axis = axes[i] as number;
    const outside = !Number.isInteger(axis) || axis < 0 || axis >= rank;
    if (!outside && axes.indexOf(axis) === i) continue;
    throw new BuildError(
      "GF2106",
      outside
        ? `${op}: ${what} ${axis} of a value of rank ${rank}`
        : `${op}: ${what} ${axis} is named twice`,
      {
        expected: `distinct integers from 0 to ${rank - 1}`,
        received: axes,
        help: "Count dimensions from 0; negative numbers are resolved by the front end.",
      },
    );
  }
}

/** What an error is about: texts that take long to write are written only when there is one. */
export type Described = string | (() => string);

const textOf = (what: Described): string => (typeof what === "string" ? what : what());

/** The size of a dim with which a rule must compute. */
export function requireSize(op: string, dim: Dim | undefined, what: Described): number {
  if (typeof dim === "number") return dim;
  throw new BuildError(
    "GF2109",
    `${op} needs the size of ${textOf(what)}, which is named "${dim}"`,
    {
      received: dim,
      help: `Write a size in place of "${dim}" where the graph's inputs are declared, as in tensor("float32", [128]); \`compile\` binds names after that, too late for ${op}.`,
    },
  );
}

export const requireSizes = (op: string, shape: Shape): readonly number[] =>
  shape.map((dim, i) => requireSize(op, dim, () => `dimension ${i} of ${formatShape(shape)}`));

/** Requires lo ≤ value ≤ hi, an integer. */
export function requireRange(
  op: string,
  what: Described,
  value: number,
  lo: number,
  hi: number = Number.MAX_SAFE_INTEGER,
): void {
  if (Number.isInteger(value) && value >= lo && value <= hi) return;
  const range =
    hi === Number.MAX_SAFE_INTEGER
      ? `an integer of at least ${lo}`
      : `an integer from ${lo} to ${hi}`;
  throw new BuildError("GF2108", `${op}: ${textOf(what)} is ${value}`, {
    expected: range,
    received: value,
    help: `It must be ${range}.`,
  });
}

/** Requires a list param to have one entry for each dimension. */
export function requireLength(op: string, what: string, length: number, expected: number): void {
  if (length === expected) return;
  throw new BuildError("GF2108", `${op}: ${what} has ${length} entries for rank ${expected}`, {
    expected,
    received: length,
    help: "Give one entry for each dimension.",
  });
}

export function requireShapeParam(op: string, shape: Shape): void {
  for (let i = 0; i < shape.length; i += 1) {
    const dim = shape[i] as Dim;
    if (typeof dim === "number")
      requireRange(op, () => `dimension ${i} of ${formatShape(shape)}`, dim, 0);
  }
}

/** Requires integer scalars, one for each of `rank` dimensions. */
export function requireStarts(op: string, starts: readonly TensorType[], rank: number): void {
  if (starts.length !== rank) {
    throw new BuildError(
      "GF2111",
      `${op} of rank ${rank} was given ${starts.length} start indices`,
      {
        expected: rank,
        received: starts.length,
        help: "Pass one integer scalar for each dimension.",
      },
    );
  }
  for (const start of starts) requireIndexScalar(op, start);
}

export function requireIndexScalar(op: string, index: TensorType): void {
  if (isInteger(index.dtype) && index.shape.length === 0) return;
  throw new BuildError("GF2111", `${op}: a start index is ${describe([index])}`, {
    expected: "integer scalar",
    received: describe([index]),
    help: "Start indices are integer scalars; convert with `astype` or take one element.",
  });
}

/** Throws GF2103 unless the dims are equal. */
export function requireSameDim(op: string, a: Dim, b: Dim, what: string): void {
  if (a === b) return;
  throw new BuildError("GF2103", `${op}: ${what} is ${a} on one side and ${b} on the other`, {
    expected: a,
    received: b,
    help: "Both sides need the same size there.",
  });
}

/** Requires size ≤ dim; a name fits only itself. */
export function requireFits(op: string, size: Dim, dim: Dim, what: Described): void {
  if (size === dim) return;
  const room = requireSize(op, dim, what);
  requireRange(op, what, requireSize(op, size, what), 0, room);
}
