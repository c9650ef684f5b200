/**
 * `dot`: one invocation for each element of the result, which walks k in order.
 *
 * The order is part of the meaning (plan.ts, `DotStep`), so a float sum cannot be split over invocations;
 * blocking would only change where operands are kept.
 */
import type { DotStep, Strided } from "@gridfuse/plan";
import { add, axis, type IndexExpr, mul } from "@gridfuse/plan/index-expr";
import type { MemoryLayout } from "../memory.ts";
import { axisName, coordinateLines, pointsIn, requireCountable } from "./domain.ts";
import type { Dispatch } from "./elementwise.ts";
import type { Subnormals } from "./float32.ts";
import { type IndexNames, indexText } from "./index-text.ts";
import { assembleModule } from "./module.ts";
import { binaryText, convertText } from "./op-text.ts";
import { loadText, storeText } from "./stage.ts";
import { fromBitsText, literal, shaderDType, wgslType } from "./value.ts";

const workgroupSize = 64;

export function dotDispatches(
  step: DotStep,
  layout: MemoryLayout,
  subnormals: Subnormals,
): readonly Dispatch[] {
  const { name, batch, m, n, k } = step;
  const outer = [...batch, ...m, ...n];
  const points = pointsIn(outer);
  if (points === 0) return [];
  requireCountable(points);
  requireCountable(pointsIn(k));

  const axes = [...outer, ...k].map((extent, i) => axis(i, extent));
  const group = (from: number, extents: readonly number[]): readonly IndexExpr[] =>
    axes.slice(from, from + extents.length);
  const batchAxes = group(0, batch);
  const rows = group(batch.length, m);
  const columns = group(batch.length + m.length, n);
  const inner = group(outer.length, k);

  const accumulate = shaderDType(step.accumulate);
  const operand = (side: "lhs" | "rhs", free: readonly IndexExpr[]): string => {
    const dtype = shaderDType(side === "lhs" ? step.lhsDType : step.rhsDType);
    const at = strided(step[side], batchAxes, free, inner);
    const bits = loadText(layout, step[side].buffer, dtype, indexText(at, indexNames));
    return convertText(dtype, accumulate, fromBitsText(dtype, bits));
  };
  const result = shaderDType(step.dtype);
  const to = indexText(strided(step.out, batchAxes, [...rows, ...columns], []), indexNames);
  const start =
    step.onto === true
      ? fromBitsText(result, loadText(layout, step.out.buffer, result, to))
      : literal(accumulate, { lo: 0, hi: 0 });
  const loop = [
    `for (var i = 0u; i < ${pointsIn(k)}u; i = i + 1u) {`,
    ...coordinateLines("i", k, outer.length).map((line) => `  ${line}`),
    `  let x = ${operand("lhs", rows)};`,
    `  let y = ${operand("rhs", columns)};`,
    `  let product = ${binaryText("mul", accumulate, "x", "y")};`,
    `  sum = ${binaryText("add", accumulate, "sum", "product")};`,
    "}",
  ];
  const body = [
    `let point = id.x + id.y * groups.x * ${workgroupSize}u;`,
    `if (point >= ${points}u) {`,
    "  return;",
    "}",
    ...coordinateLines("point", outer, 0),
    `var sum: ${wgslType(accumulate)} = ${start};`,
    ...(pointsIn(k) === 0 ? [] : loop),
    storeText(layout, step.out.buffer, result, to, convertText(accumulate, result, "sum")),
  ];
  const module = assembleModule(name, workgroupSize, [], body, subnormals);
  return [{ ...module, name, workgroups: Math.ceil(points / workgroupSize) }];
}

const indexNames: IndexNames = {
  axis: axisName,
  value(node) {
    throw new RangeError(`the base of a dot operand reads node ${node}, and a dot has no nodes`);
  },
};

function strided(
  { base, batch, free, contract }: Strided,
  batchAxes: readonly IndexExpr[],
  freeAxes: readonly IndexExpr[],
  contractAxes: readonly IndexExpr[],
): IndexExpr {
  const scaled = (axes: readonly IndexExpr[], strides: readonly number[]): IndexExpr[] =>
    axes.map((each, i) => mul(each, strides[i] as number));
  return add(
    base,
    ...scaled(batchAxes, batch),
    ...scaled(freeAxes, free),
    ...scaled(contractAxes, contract),
  );
}
