/**
 * Equal scalars that are written differently become one, and what positions decide is decided: a pair that meets at two
 * points of an orbit is compared once.
 *
 * Every rule keeps all bits. (NaNs that arithmetic makes are one class, so operands of `add` may change places.)
 */
import type { KernelStep, Stage } from "@gridfuse/plan";
import * as ix from "@gridfuse/plan/index-expr";
import {
  type CompareOp,
  fromBits,
  isInteger,
  ScalarBuilder,
  type ScalarNode,
} from "@gridfuse/plan/scalar";
import { compareRanges, fitsDType } from "../tensor/symbolic.ts";
import { appendNodes, movedWrite } from "./append-nodes.ts";
import { expandStage } from "./expand-calls.ts";
import { dropDead } from "./rewrite-stage.ts";

const commutative: ReadonlySet<string> = new Set([
  "add",
  "mul",
  "min",
  "max",
  "and",
  "or",
  "xor",
  "eq",
  "ne",
]);
const mirrored: { readonly [op: string]: CompareOp | undefined } = { gt: "lt", ge: "le" };

export const foldNodes = (kernel: KernelStep): KernelStep => ({
  ...kernel,
  stages: kernel.stages.map(foldStage),
});

function foldStage(given: Stage): Stage {
  const stage = expandStage(given);
  const b = new ScalarBuilder();
  const moved = appendNodes(
    b,
    stage.nodes,
    (e) => e,
    undefined,
    (node, done) => fold(b, node, done),
  );
  return dropDead({
    ...stage,
    nodes: b.nodes,
    reductions: stage.reductions.map((r) => ({ ...r, value: moved[r.value] as number })),
    writes: stage.writes.map((write) => movedWrite(write, moved)),
  });
}

/** The node that stands for `node` in `b`; undefined to append it as it is. */
function fold(b: ScalarBuilder, node: ScalarNode, moved: readonly number[]): number | undefined {
  switch (node.op) {
    case "index":
      return node.index.k === "const" ? b.const(node.dtype, node.index.value) : undefined;
    case "select": {
      const [which, x, y] = node.args.map((arg) => moved[arg] as number) as [
        number,
        number,
        number,
      ];
      const known = boolOf(b, which);
      if (known !== undefined) return known ? x : y;
      if (x === y) return x;
      const condition = b.nodes[which] as ScalarNode;
      return condition.op === "not" ? b.select(condition.args[0], y, x) : undefined;
    }
    case "not": {
      const x = moved[node.args[0]] as number;
      const known = boolOf(b, x);
      if (known !== undefined) return b.const("bool", !known);
      const inner = b.nodes[x] as ScalarNode;
      return inner.op === "not" ? inner.args[0] : undefined;
    }
    case "eq":
    case "ne":
    case "lt":
    case "le":
    case "gt":
    case "ge": {
      const [x, y] = [moved[node.args[0]] as number, moved[node.args[1]] as number];
      return foldCompare(b, node.op, x, y);
    }
    case "and":
    case "or": {
      const [x, y] = node.args.map((arg) => moved[arg] as number) as [number, number];
      if (node.dtype !== "bool") return ordered(b, node.op, x, y);
      for (const [one, other] of [
        [x, y],
        [y, x],
      ] as const) {
        const known = boolOf(b, one);
        if (known !== undefined) return known === (node.op === "and") ? other : one;
      }
      return ordered(b, node.op, x, y);
    }
    case "add":
    case "mul":
    case "min":
    case "max":
    case "xor": {
      const [x, y] = node.args.map((arg) => moved[arg] as number) as [number, number];
      return ordered(b, node.op, x, y);
    }
    default:
      return undefined;
  }
}

function ordered(
  b: ScalarBuilder,
  op: "add" | "mul" | "min" | "max" | "and" | "or" | "xor",
  x: number,
  y: number,
): number {
  return x <= y ? b.binary(op, x, y) : b.binary(op, y, x);
}

function foldCompare(b: ScalarBuilder, op: CompareOp, x: number, y: number): number {
  const decided = decide(b, op, x, y);
  if (decided !== undefined) return b.const("bool", decided);
  if ((op === "eq" || op === "ne") && b.dtypeOf(x) === "bool") {
    for (const [one, other] of [
      [x, y],
      [y, x],
    ] as const) {
      const known = boolOf(b, one);
      if (known !== undefined) return known === (op === "eq") ? other : negated(b, other);
    }
  }
  const turned = mirrored[op];
  if (turned !== undefined) return b.compare(turned, y, x);
  return commutative.has(op) && y < x ? b.compare(op, y, x) : b.compare(op, x, y);
}

function negated(b: ScalarBuilder, x: number): number {
  const node = b.nodes[x] as ScalarNode;
  return node.op === "not" ? node.args[0] : b.unary("not", x);
}

/** A comparison of positions that comes out the same everywhere. */
function decide(b: ScalarBuilder, op: CompareOp, x: number, y: number): boolean | undefined {
  const [p, q] = [positionOf(b, x), positionOf(b, y)];
  return p === undefined || q === undefined ? undefined : compareRanges(op, ix.sub(p, q));
}

function positionOf(b: ScalarBuilder, x: number): ix.IndexExpr | undefined {
  const node = b.nodes[x] as ScalarNode;
  if (node.op === "index") return fitsDType(node.index, node.dtype) ? node.index : undefined;
  if (node.op !== "const" || !isInteger(node.dtype)) return undefined;
  const value = Number(fromBits(node.dtype, node.bits));
  return Number.isSafeInteger(value) ? ix.constant(value) : undefined;
}

function boolOf(b: ScalarBuilder, x: number): boolean | undefined {
  const node = b.nodes[x] as ScalarNode;
  return node.op === "const" && node.dtype === "bool" ? node.bits.lo !== 0 : undefined;
}
