/**
 * Steps whose order is their meaning: a scan runs along its axis, one invocation for each line; a scatter
 * is one invocation altogether, because writes that collide have an order.
 */
import { CapabilityError, type ScanStep, type ScatterStep } from "@gridfuse/plan";
import type { ScalarNode } from "@gridfuse/plan/scalar";
import type { MemoryLayout } from "../memory.ts";
import { axisName, coordinateLines, pointsIn, requireCountable } from "./domain.ts";
import type { Dispatch } from "./elementwise.ts";
import type { Subnormals } from "./float32.ts";
import { indexText } from "./index-text.ts";
import { assembleModule } from "./module.ts";
import { binaryText, convertText } from "./op-text.ts";
import { guardText, writeProgram, writeRoots } from "./program-text.ts";
import { loadText, storeText } from "./stage.ts";
import { fromBitsText, shaderDType } from "./value.ts";

const workgroupSize = 64;
/** Points of a scatter, at most: one invocation that walks longer would meet the driver's watchdog. */
const maxScatterPoints = 2 ** 22;

export function scanDispatches(
  { name, outer, extent, inner, dtype: stored, op, reverse, input, output }: ScanStep,
  layout: MemoryLayout,
  subnormals: Subnormals,
): readonly Dispatch[] {
  const lines = outer * inner;
  if (lines * extent === 0) return [];
  requireCountable(lines * extent);
  const dtype = shaderDType(stored);
  const element = (at: string): string =>
    fromBitsText(dtype, loadText(layout, input, dtype, `i32(${at})`));
  const place = reverse ? `${extent - 1}u - i` : "i";
  const body = [
    `let line = id.x + id.y * groups.x * ${workgroupSize}u;`,
    `if (line >= ${lines}u) {`,
    "  return;",
    "}",
    `let start = (line / ${inner}u) * ${extent * inner}u + line % ${inner}u;`,
    "var i = 0u;",
    `var folded = ${element(`start + (${place}) * ${inner}u`)};`,
    "loop {",
    `  let at = start + (${place}) * ${inner}u;`,
    `  ${storeText(layout, output, dtype, "i32(at)", "folded")}`,
    "  i = i + 1u;",
    `  if (i >= ${extent}u) {`,
    "    break;",
    "  }",
    `  let value = ${element(`start + (${place}) * ${inner}u`)};`,
    `  folded = ${binaryText(op, dtype, "folded", "value")};`,
    "}",
  ];
  const module = assembleModule(name, workgroupSize, [], body, subnormals);
  return [{ ...module, name, workgroups: Math.ceil(lines / workgroupSize) }];
}

export function scatterDispatches(
  step: ScatterStep,
  layout: MemoryLayout,
  subnormals: Subnormals,
): readonly Dispatch[] {
  const { name, axes, nodes, write, combine } = step;
  const points = pointsIn(axes);
  if (points === 0) return [];
  if (points > maxScatterPoints) {
    throw new CapabilityError("GF5202", `its ${points} points would be one invocation's work`);
  }
  const program = writeProgram(nodes, writeRoots(write), {
    axis: axisName,
    load: (node, index) => loadText(layout, node.buffer, shaderDType(node.dtype), index),
    reduced() {
      throw new RangeError("a scatter has no reductions");
    },
  });
  const dtype = shaderDType(write.dtype);
  const from = shaderDType((nodes[write.value] as ScalarNode).dtype);
  const value = convertText(from, dtype, program.value(write.value));
  const present = fromBitsText(dtype, loadText(layout, write.buffer, dtype, "place"));
  const update =
    combine === "set"
      ? [storeText(layout, write.buffer, dtype, "place", value)]
      : [
          `let present = ${present};`,
          `let value = ${value};`,
          storeText(
            layout,
            write.buffer,
            dtype,
            "place",
            binaryText(combine, dtype, "present", "value"),
          ),
        ];
  const body = [
    `for (var point = 0u; point < ${points}u; point = point + 1u) {`,
    ...coordinateLines("point", axes, 0),
    ...program.lines,
    `if (${guardText(write.guard, program.indexNames) ?? "true"}) {`,
    `  let place = ${indexText(write.index, program.indexNames)};`,
    ...update,
    "}",
    "}",
  ];
  return [{ ...assembleModule(name, 1, [], body, subnormals), name, workgroups: 1 }];
}
