/**
 * Structured ops: grid, scan, while, cond. What they give depends on their regions as well, so the
 * emitter asks `structuredTypes`; `infer` alone says what operands and params determine.
 */
import { BuildError } from "@gridfuse/plan/errors";
import type { Region, Table, ValueId } from "../ir/table.ts";
import { sameShape, type TensorType, tensorType, type ValueType } from "../ir/types.ts";
import type { BlockMapping, GridParams, OpName, OpParams } from "../ir/vocabulary.ts";
import { describe, requireCount, requireRange, requireTensor } from "./check.ts";
import { defineOp, type OpDefinition } from "./define.ts";

const sameType = (a: ValueType, b: ValueType): boolean =>
  a.kind === b.kind && a.dtype === b.dtype && sameShape(a.shape, b.shape);

const wholeArray = ({ dtype, shape }: BlockMapping): TensorType => tensorType(dtype, shape);

function requireMapped(name: string, mapping: BlockMapping, operand: ValueType): void {
  if (sameType(wholeArray(mapping), operand)) return;
  throw new BuildError(
    "GF2118",
    `grid "${name}": input "${mapping.name}" is ${describe([operand])}, its block mapping says ${describe([wholeArray(mapping)])}`,
    {
      expected: describe([wholeArray(mapping)]),
      received: describe([operand]),
      help: "Pass the array that the mapping was declared for.",
    },
  );
}

export const grid: OpDefinition<"grid"> = defineOp({
  name: "grid",
  category: "control flow",
  doc: "Runs a body at every point of a grid in order (last axis fastest), each on its blocks of the inputs and outputs.",
  arity: 0,
  variadic: true,
  infer(operands, params) {
    const { name, prefetch, inputs, outputs, aliases, axes } = params;
    requireCount(`grid "${name}"`, operands, prefetch + inputs.length, true);
    for (const { name: axis, size, count } of axes) {
      if (typeof size === "number")
        requireRange(`grid "${name}"`, `size of axis "${axis}"`, size, 0);
      if (count !== undefined)
        requireRange(`grid "${name}"`, `count of axis "${axis}"`, count, 0, prefetch - 1);
    }
    for (const [i, mapping] of inputs.entries()) {
      requireMapped(name, mapping, operands[prefetch + i] as ValueType);
    }
    for (const [from, to] of aliases) {
      requireRange(`grid "${name}"`, "aliased input", from, 0, inputs.length - 1);
      requireRange(`grid "${name}"`, "aliased output", to, 0, outputs.length - 1);
      requireMapped(name, inputs[from] as BlockMapping, wholeArray(outputs[to] as BlockMapping));
    }
    return outputs.map(wholeArray);
  },
});

/** The first `count` operands as tensors: what a loop carries. */
const carried = (
  op: string,
  operands: readonly ValueType[],
  count: number,
): readonly TensorType[] => operands.slice(0, count).map((operand) => requireTensor(op, operand));

/** One step's element of a scanned operand. */
function elementOf(operand: TensorType, trips: number): TensorType {
  if (operand.shape[0] === trips) return tensorType(operand.dtype, operand.shape.slice(1));
  throw new BuildError("GF2103", `scan over ${describe([operand])} in ${trips} trips`, {
    expected: trips,
    received: operand.shape[0],
    help: "The leading dimension of a scanned operand is the number of trips.",
  });
}

export const scan: OpDefinition<"scan"> = defineOp({
  name: "scan",
  category: "control flow",
  doc: "A loop of a known number of trips that carries values, takes a slice of each x and stacks each y.",
  arity: 0,
  variadic: true,
  infer(operands, { trips, carries, xs }) {
    requireRange("scan", "trips", trips, 0);
    requireCount("scan", operands, carries + xs, true);
    for (const x of carried("scan", operands.slice(carries), xs)) elementOf(x, trips);
    return carried("scan", operands, carries);
  },
});

export const whileLoop: OpDefinition<"while"> = defineOp({
  name: "while",
  category: "control flow",
  doc: "Repeats its body on the carried values while the condition holds.",
  arity: 0,
  variadic: true,
  infer(operands, { carries }) {
    requireCount("while", operands, carries, true);
    return carried("while", operands, carries);
  },
});

export const cond: OpDefinition<"cond"> = defineOp({
  name: "cond",
  category: "control flow",
  doc: "Runs the branch that its first operand names (clamped into range; false is 0, true is 1).",
  arity: 1,
  variadic: true,
  infer(operands) {
    requireCount("cond", operands, 1, true);
    const which = requireTensor("cond", operands[0]);
    if ((which.dtype !== "bool" && which.dtype !== "int32") || which.shape.length > 0) {
      throw new BuildError("GF2111", `cond on ${describe([which])}`, {
        expected: "bool or int32 scalar",
        received: describe([which]),
        help: "Branch on a scalar; for a choice per element use `where`.",
      });
    }
    // The results are the branches' (structuredTypes).
    return [];
  },
});

// ── Regions ─────────────────────────────────────────────────────────────────────────────────

const typesOf = (table: Table, values: readonly ValueId[]): readonly ValueType[] =>
  values.map((value) => table.types[value] as ValueType);

function requireTypes(
  what: string,
  received: readonly ValueType[],
  expected: readonly ValueType[],
): void {
  const same =
    received.length === expected.length &&
    expected.every((type, i) => sameType(type, received[i] as ValueType));
  if (same) return;
  throw new BuildError(
    "GF2115",
    `${what} are (${describe(received)}) instead of (${describe(expected)})`,
    {
      expected: describe(expected),
      received: describe(received),
      help: "A loop body returns what it carries, and all branches return the same shapes and dtypes.",
    },
  );
}

function requireRegions(
  op: string,
  regions: readonly Region[],
  count: number,
  atLeast = false,
): void {
  if (atLeast ? regions.length >= count : regions.length === count) return;
  throw new BuildError("GF2115", `${op} with ${regions.length} regions`, {
    expected: count,
    received: regions.length,
    help: `It has ${atLeast ? "at least " : ""}${count}.`,
  });
}

const int32: TensorType = tensorType("int32", []);
const boolean: TensorType = tensorType("bool", []);

function scanTypes(
  table: Table,
  { trips, carries, xs }: OpParams["scan"],
  operands: readonly ValueType[],
  regions: readonly Region[],
): readonly TensorType[] {
  requireRegions("scan", regions, 1);
  const body = regions[0] as Region;
  const carry = carried("scan", operands, carries);
  const elements = carried("scan", operands.slice(carries), xs).map((x) => elementOf(x, trips));
  const captures = operands.slice(carries + xs);
  requireTypes("params of a scan body", typesOf(table, body.params), [
    int32,
    ...carry,
    ...elements,
    ...captures,
  ]);
  const results = typesOf(table, body.results).map((type) => requireTensor("scan", type));
  requireTypes("carried results of a scan body", results.slice(0, carries), carry);
  const ys = results.slice(carries).map(({ dtype, shape }) => tensorType(dtype, [trips, ...shape]));
  return [...carry, ...ys];
}

function whileTypes(
  table: Table,
  { carries }: OpParams["while"],
  operands: readonly ValueType[],
  regions: readonly Region[],
): readonly TensorType[] {
  requireRegions("while", regions, 2);
  const [condition, body] = regions as readonly [Region, Region];
  const carry = carried("while", operands, carries);
  requireTypes("params of a while condition", typesOf(table, condition.params), operands);
  requireTypes("params of a while body", typesOf(table, body.params), operands);
  requireTypes("results of a while condition", typesOf(table, condition.results), [boolean]);
  requireTypes("results of a while body", typesOf(table, body.results), carry);
  return carry;
}

function condTypes(
  table: Table,
  operands: readonly ValueType[],
  regions: readonly Region[],
): readonly TensorType[] {
  requireRegions("cond", regions, 1, true);
  const which = operands[0] as ValueType;
  if (which.dtype === "bool")
    requireRange("cond", "number of branches on a bool", regions.length, 1, 2);
  const first = typesOf(table, (regions[0] as Region).results);
  for (const [i, branch] of regions.entries()) {
    requireTypes(
      `params of branch ${i} of a cond`,
      typesOf(table, branch.params),
      operands.slice(1),
    );
    requireTypes(`results of branch ${i} of a cond`, typesOf(table, branch.results), first);
  }
  return first.map((type) => requireTensor("cond", type));
}

function gridTypes(
  { inputs, outputs }: GridParams,
  regions: readonly Region[],
): readonly TensorType[] {
  requireRegions("grid", regions, 1 + inputs.length + outputs.length);
  return outputs.map(wholeArray);
}

/** Ops that own regions. */
export type StructuredOp = "grid" | "scan" | "while" | "cond";
export const isStructured = (op: OpName): op is StructuredOp =>
  op === "grid" || op === "scan" || op === "while" || op === "cond";

/**
 * Result types of a structured op, with its regions checked against its operands.
 *
 * @throws BuildError GF2115 where a region's params or results do not fit; call `infer` first for
 *   the checks on operands and params
 */
export function structuredTypes<K extends OpName>(
  table: Table,
  op: K,
  params: OpParams[K],
  inputs: readonly ValueId[],
  regions: readonly Region[],
): readonly TensorType[] {
  const operands = typesOf(table, inputs);
  switch (op) {
    case "grid":
      return gridTypes(params as OpParams["grid"], regions);
    case "scan":
      return scanTypes(table, params as OpParams["scan"], operands, regions);
    case "while":
      return whileTypes(table, params as OpParams["while"], operands, regions);
    case "cond":
      return condTypes(table, operands, regions);
    default:
      throw new BuildError("GF2115", `${op} has no regions`, {
        expected: 0,
        received: regions.length,
        help: "Only grid, scan, while and cond own regions.",
      });
  }
}
