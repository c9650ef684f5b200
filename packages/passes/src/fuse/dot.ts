/**
 * dot_general → a `dot` step whose operands are read where they lie: transposes, reshapes and block
 * views of an operand become strides; only what is not affine is copied first.
 */
import { type NodeNamed, sizes, type ValueId } from "@gridfuse/graph";
import type { DotStep, Strided } from "@gridfuse/plan";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import { flatten, viewOf } from "../tensor/views.ts";
import type { Place } from "./builder.ts";
import type { Scope } from "./lower-region.ts";

interface Access {
  readonly buffer: number;
  readonly base: IndexExpr;
  /** Stride of each dimension of the operand. */
  readonly strides: readonly number[];
}

/** Follows movement from `value` to memory while the element offset stays affine in its dimensions. */
function affineAccess(scope: Scope, value: ValueId): Access | undefined {
  const shape = sizes(scope.table.tensor(value).shape);
  let at: readonly IndexExpr[] = shape.map((extent, d) => ix.axis(d, extent));
  let current = scope.renamed(value);
  for (;;) {
    const place = scope.lowering.places.get(current);
    const node = scope.table.producer(current);
    const view = node === undefined || place !== undefined ? undefined : viewOf(scope.table, node);
    if (view === undefined || node === undefined) {
      const known = place ?? (node?.op === "full" ? undefined : scope.materialise(current));
      return known === undefined ? undefined : strided(scope, current, known, at, shape.length);
    }
    const source = scope.renamed(node.inputs[0] as ValueId);
    const sourceShape = sizes(scope.table.tensor(source).shape);
    const index = view.index.map((e) => ix.substituteAxes(e, at));
    const inside = index.every((e, d) => e.lo >= 0 && e.hi < (sourceShape[d] as number));
    if (!inside || !isAffine(flatten(index, sourceShape), shape.length)) {
      return strided(scope, current, scope.materialise(current), at, shape.length);
    }
    at = index;
    current = source;
  }
}

const isAffine = (e: IndexExpr, rank: number): boolean => affine(e, rank) !== undefined;

/** Σ stride·axis + base, where base holds loop counters and the constant. */
function affine(e: IndexExpr, rank: number): { strides: number[]; base: IndexExpr } | undefined {
  const strides = new Array<number>(rank).fill(0);
  if (e.k === "const") return { strides, base: e };
  const terms = e.k === "sum" ? e.terms : [{ factor: 1, of: e }];
  const rest: IndexExpr[] = [ix.constant(e.k === "sum" ? e.constant : 0)];
  for (const { factor, of } of terms) {
    if (of.k === "axis") {
      strides[of.axis] = factor;
      continue;
    }
    let hasAxis = false;
    ix.forEachLeaf(of, (leaf) => {
      if (leaf.k !== "loop") hasAxis = true;
    });
    if (hasAxis) return undefined;
    rest.push(ix.mul(of, factor));
  }
  return { strides, base: ix.add(...rest) };
}

function strided(
  scope: Scope,
  value: ValueId,
  { buffer, offset }: Place,
  at: readonly IndexExpr[],
  rank: number,
): Access | undefined {
  const shape = sizes(scope.table.tensor(value).shape);
  const form = affine(ix.add(offset, flatten(at, shape)), rank);
  return form === undefined ? undefined : { buffer, base: form.base, strides: form.strides };
}

function contiguous(scope: Scope, value: ValueId): Access {
  const place = scope.materialise(value);
  const shape = sizes(scope.table.tensor(value).shape);
  const at = shape.map((extent, d) => ix.axis(d, extent));
  return strided(scope, value, place, at, shape.length) as Access;
}

export function lowerDot(scope: Scope, node: NodeNamed<"dot_general">): void {
  const { contract, batch, dtype, accumulate } = node.params;
  const [lhs, rhs] = node.inputs as readonly [ValueId, ValueId];
  const lhsShape = sizes(scope.table.tensor(lhs).shape);
  const rhsShape = sizes(scope.table.tensor(rhs).shape);
  const free = (shape: readonly number[], side: 0 | 1): number[] =>
    shape.map((_, d) => d).filter((d) => !contract[side].includes(d) && !batch[side].includes(d));
  const [mDims, nDims] = [free(lhsShape, 0), free(rhsShape, 1)];
  const left = affineAccess(scope, lhs) ?? contiguous(scope, lhs);
  const right = affineAccess(scope, rhs) ?? contiguous(scope, rhs);
  const result = node.outputs[0] as ValueId;
  const out = scope.allocate(result);
  const outShape = sizes(scope.table.tensor(result).shape);
  const outStrides = rowMajor(outShape);
  const pick = (strides: readonly number[], dims: readonly number[]): number[] =>
    dims.map((d) => strides[d] as number);
  const b = batch[0].length;

  const step: DotStep = {
    kind: "dot",
    name: scope.plan.name("dot"),
    dtype,
    accumulate,
    lhsDType: scope.table.tensor(lhs).dtype,
    rhsDType: scope.table.tensor(rhs).dtype,
    batch: batch[0].map((d) => lhsShape[d] as number),
    m: mDims.map((d) => lhsShape[d] as number),
    n: nDims.map((d) => rhsShape[d] as number),
    k: contract[0].map((d) => lhsShape[d] as number),
    lhs: {
      buffer: left.buffer,
      base: left.base,
      batch: pick(left.strides, batch[0]),
      free: pick(left.strides, mDims),
      contract: pick(left.strides, contract[0]),
    },
    rhs: {
      buffer: right.buffer,
      base: right.base,
      batch: pick(right.strides, batch[1]),
      free: pick(right.strides, nDims),
      contract: pick(right.strides, contract[1]),
    },
    out: {
      buffer: out.buffer,
      base: out.offset,
      batch: outStrides.slice(0, b),
      free: outStrides.slice(b),
      contract: [],
    },
  };
  if (outShape.every((extent) => extent > 0)) scope.steps.push(mergeDims(step));
  scope.noteOrigins(step.name, result);
}

function rowMajor(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let d = shape.length - 2; d >= 0; d -= 1) {
    strides[d] = (strides[d + 1] as number) * (shape[d + 1] as number);
  }
  return strides;
}

/** Neighbouring dimensions that lie one after the other in every operand become one; extents of 1 go. */
function mergeDims(step: DotStep): DotStep {
  const m = step.m.length;
  const batch = merge(step.batch, [step.lhs.batch, step.rhs.batch, step.out.batch]);
  const rows = merge(step.m, [step.lhs.free, step.out.free.slice(0, m)]);
  const columns = merge(step.n, [step.rhs.free, step.out.free.slice(m)]);
  const depth = merge(step.k, [step.lhs.contract, step.rhs.contract]);
  const side = (of: Strided, parts: Partial<Strided>): Strided => ({ ...of, ...parts });
  return {
    ...step,
    batch: batch.extents,
    m: rows.extents,
    n: columns.extents,
    k: depth.extents,
    lhs: side(step.lhs, {
      batch: batch.strides[0]!,
      free: rows.strides[0]!,
      contract: depth.strides[0]!,
    }),
    rhs: side(step.rhs, {
      batch: batch.strides[1]!,
      free: columns.strides[0]!,
      contract: depth.strides[1]!,
    }),
    out: side(step.out, {
      batch: batch.strides[2]!,
      free: [...rows.strides[1]!, ...columns.strides[1]!],
    }),
  };
}

function merge(
  extents: readonly number[],
  strides: readonly (readonly number[])[],
): { extents: number[]; strides: number[][] } {
  const result = { extents: [] as number[], strides: strides.map(() => [] as number[]) };
  for (let d = 0; d < extents.length; d += 1) {
    const extent = extents[d] as number;
    if (extent === 1) continue;
    const last = result.extents.length - 1;
    const joins =
      last >= 0 &&
      result.strides.every(
        (own, s) => own[last] === ((strides[s] as readonly number[])[d] as number) * extent,
      );
    if (joins) {
      result.extents[last] = (result.extents[last] as number) * extent;
      result.strides.forEach((own, s) => {
        own[last] = (strides[s] as readonly number[])[d] as number;
      });
    } else {
      result.extents.push(extent);
      result.strides.forEach((own, s) => {
        own.push((strides[s] as readonly number[])[d] as number);
      });
    }
  }
  return result;
}
