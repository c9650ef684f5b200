/**
 * Moving accesses: from whole buffers to a tile's part of them, and back for the buffers that stay whole. Sorts, scans and
 * selections take buffers from their starts, so for them a part of a whole buffer is copied out and in.
 */
import type { Step } from "@gridfuse/plan";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import type { DType, ScalarNode } from "@gridfuse/plan/scalar";
import { mapInner } from "../plan/accesses.ts";

export type MoveIndex = (buffer: number, index: IndexExpr) => IndexExpr;

/** The step with the index of every access replaced; steps that have no indices stay as they are. */
export function relocate(step: Step, move: MoveIndex): Step {
  const nodes = (list: readonly ScalarNode[]): readonly ScalarNode[] =>
    list.map((node) =>
      node.op === "load" ? { ...node, index: move(node.buffer, node.index) } : node,
    );
  const at = <A extends { readonly buffer: number; readonly index: IndexExpr }>(access: A): A => ({
    ...access,
    index: move(access.buffer, access.index),
  });
  const based = <S extends { readonly buffer: number; readonly base: IndexExpr }>(side: S): S => ({
    ...side,
    base: move(side.buffer, side.base),
  });
  switch (step.kind) {
    case "kernel":
      return {
        ...step,
        stages: step.stages.map((stage) => ({
          ...stage,
          nodes: nodes(stage.nodes),
          writes: stage.writes.map(at),
        })),
      };
    case "scatter":
      return { ...step, nodes: nodes(step.nodes), write: at(step.write) };
    case "dot":
      return { ...step, lhs: based(step.lhs), rhs: based(step.rhs), out: based(step.out) };
    case "copy":
      return {
        ...step,
        fromIndex: move(step.from, step.fromIndex),
        toIndex: move(step.to, step.toIndex),
      };
    default:
      return mapInner(step, (inner) => inner.map((each) => relocate(each, move)));
  }
}

export interface Spare {
  /** Fresh memory for a part of `buffer`. */
  readonly fresh: (buffer: number, length: number) => number;
  readonly name: () => string;
}

/** A part of a buffer that lies in it from `start` on; undefined for buffers that are the part. */
export type PartOf = (buffer: number) => { start: IndexExpr; length: number } | undefined;

/** Steps in which sorts, scans and selections have memory of their own for parts of whole buffers. */
export function copyParts(
  steps: readonly Step[],
  dtypeOf: (buffer: number) => DType,
  partOf: PartOf,
  spare: Spare,
): readonly Step[] {
  return steps.flatMap((given): readonly Step[] => {
    const step = mapInner(given, (inner) => copyParts(inner, dtypeOf, partOf, spare));
    const before: Step[] = [];
    const after: Step[] = [];
    const copy = (buffer: number, made: number, out: boolean): void => {
      const { start, length } = partOf(buffer) as { start: IndexExpr; length: number };
      (out ? after : before).push({
        kind: "copy",
        name: spare.name(),
        dtype: dtypeOf(buffer),
        length,
        from: out ? made : buffer,
        fromIndex: out ? ix.zero : start,
        to: out ? buffer : made,
        toIndex: out ? start : ix.zero,
      });
    };
    const swap = (buffer: number, out: boolean): number => {
      const part = partOf(buffer);
      if (part === undefined) return buffer;
      const made = spare.fresh(buffer, part.length);
      copy(buffer, made, out);
      return made;
    };
    switch (step.kind) {
      case "sort": {
        const inputs = step.inputs.map((buffer) => swap(buffer, false));
        const outputs = step.outputs.map((buffer) => swap(buffer, true));
        return [...before, { ...step, inputs, outputs }, ...after];
      }
      case "topk": {
        const input = swap(step.input, false);
        const values = swap(step.values, true);
        const indices = swap(step.indices, true);
        return [...before, { ...step, input, values, indices }, ...after];
      }
      case "scan": {
        const input = swap(step.input, false);
        const output = swap(step.output, true);
        return [...before, { ...step, input, output }, ...after];
      }
      default:
        return [step];
    }
  });
}
