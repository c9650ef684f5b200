/** How many lanes the vectors of a kernel have, which depends on what they run along. */
import { type DType, isArg, isInteger } from "@gridfuse/plan";
import { argsOf, type ScalarNode } from "@gridfuse/plan/scalar";
import { hasLanes, type LaneCount, laneShape } from "../wasm/vector-lanes.ts";
import { isSerialConvert } from "../wasm/vector-pairs.ts";
import { indicesOf, type KernelForm, type StageForm } from "./kernel-form.ts";
import { valuesIn } from "./program-facts.ts";

/** What a multiplication of 64-bit integers costs of one that is done lane by lane: it takes many instructions. */
const wideProduct = 0.4;
/** Among so many operations one may be done lane by lane; with more of them, points one by one are as quick. */
const perSerial = 4;

/**
 * Undefined where points are computed one by one.
 *
 * @param along "inner": the rows of each stage, so that stages without any are scalar code, and so is where a row has its
 *   extreme element; "outer": the points of the kernel, all stages inside
 */
export function lanesIn(form: KernelForm, along: "inner" | "outer"): LaneCount | undefined {
  const isInner = along === "inner";
  const stages = isInner ? form.stages.filter(hasRows) : form.stages;
  const isNarrow = stages.every(
    ({ nodes, reductions, writes }) =>
      nodes.every(({ dtype }) => hasLanes(dtype)) &&
      reductions.every(({ op, dtype }) => hasLanes(dtype) || (isInner && isArg(op))) &&
      writes.every(({ dtype }) => hasLanes(dtype)),
  );
  if (isNarrow) return 4;
  let [all, serial] = [0, 0];
  for (const stage of stages) {
    for (const i of usualNodes(stage)) {
      const node = stage.nodes[i] as ScalarNode;
      if (node.op === "const") continue;
      all++;
      if (isSerial(node, stage.nodes)) serial++;
      else if (node.op === "mul" && laneShape(node.dtype) === "i64x2") serial += wideProduct;
    }
  }
  return serial * perSerial <= all ? 2 : undefined;
}

const hasRows = ({ inner, reductions }: StageForm): boolean =>
  inner.length > 0 || reductions.length > 0;

/** The nodes that are computed always: not those on the slow side of a `rare`. */
function usualNodes({ nodes, reductions, writes }: StageForm): ReadonlySet<number> {
  const seen = new Set<number>();
  // A stage over nothing has none.
  if (nodes.length === 0) return seen;
  const visit = (i: number): void => {
    if (seen.has(i)) return;
    seen.add(i);
    const node = nodes[i] as ScalarNode;
    for (const [position, arg] of argsOf(node).entries()) {
      if (node.op !== "rare" || position !== 1) visit(arg);
    }
    if (node.op === "load" || node.op === "index") {
      for (const e of indicesOf({ nodes: [node], writes: [] })) valuesIn(e).forEach(visit);
    }
  };
  for (const { value } of reductions) visit(value);
  for (const { value } of writes) visit(value);
  for (const e of indicesOf({ nodes: [], writes })) valuesIn(e).forEach(visit);
  return seen;
}

/** Whether a node is done lane by lane. */
function isSerial(node: ScalarNode, nodes: readonly ScalarNode[]): boolean {
  const args = argsOf(node);
  const operand: DType =
    args.length > 0 ? (nodes[args[0] as number] as ScalarNode).dtype : node.dtype;
  switch (node.op) {
    case "convert":
      return isSerialConvert(operand, node.dtype);
    case "div":
      return isInteger(operand);
    case "rem":
    case "countLeadingZeros":
      return true;
    case "shiftLeft":
    case "shiftRightLogical":
    case "shiftRightArithmetic":
      return nodes[node.args[1]]?.op !== "const";
    default:
      return false;
  }
}
