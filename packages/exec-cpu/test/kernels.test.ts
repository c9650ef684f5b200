/** Random kernels: shapes, strides, guards, reductions and scalar programs; generated code against plain JS. */
import {
  type Bits,
  type DType,
  type KernelStep,
  type ReduceOp,
  type Stage,
  type StorageArray,
  toBits,
} from "@gridfuse/plan";
import {
  add,
  axis,
  constant,
  floordiv,
  type IndexExpr,
  mod,
  mul,
  sub,
  value,
  xor,
} from "@gridfuse/plan/index-expr";
import { type IndexRange, ScalarBuilder } from "@gridfuse/plan/scalar";
import fc from "fast-check";
import { expect, test } from "vitest";
import { compareBackends, randomWords, sampleArray } from "./compare.ts";
import { kernel, PlanBuilder, rowMajor, write } from "./plan-builder.ts";

const extents = fc.constantFrom(0, 1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 16, 17, 31, 32, 64, 100, 257);
const length = 1024;
const fillOf = (dtype: DType): Bits => toBits(dtype, dtype === "bool" ? true : 3);

/** Brings an index into 0 … length − 1 without a guard. */
const wrapped = (e: IndexExpr): IndexExpr => mod(e, length);

/** An index over the axes, of one of the shapes that loads meet in practice. */
function randomIndex(next: () => number, axes: readonly number[]): IndexExpr {
  const at = (i: number): IndexExpr => axis(i, axes[i] as number);
  const some = axes.length === 0 ? constant(0) : at(next() % axes.length);
  const last = axes.length === 0 ? constant(0) : at(axes.length - 1);
  const size = axes.reduce((a, b) => a * b, 1);
  const affine = add(...axes.map((_, i) => mul(at(i), (next() % 5) - 1)), constant(next() % 9));
  switch (next() % 9) {
    case 0:
      return size <= length ? rowMajor(axes) : wrapped(rowMajor(axes));
    case 1:
      return last;
    case 2:
      return wrapped(add(affine, constant(4096)));
    case 3:
      return wrapped(mul(last, 2));
    case 4:
      return xor(wrapped(last), constant(next() % 8));
    case 5:
      return floordiv(wrapped(rowMajor(axes)), 1 + (next() % 6));
    case 6:
      return sub(constant(600), some);
    case 7:
      return wrapped(mod(add(rowMajor(axes), constant(3)), 1 + (next() % 40)));
    default:
      return wrapped(add(some, mul(last, 3)));
  }
}

function randomGuard(next: () => number, axes: readonly number[]): IndexRange[] {
  if (next() % 3 !== 0) return [];
  return Array.from({ length: 1 + (next() % 2) }, () => {
    const lo = (next() % 20) - 5;
    return {
      index: sub(randomIndex(next, axes), constant(next() % 10)),
      lo,
      hi: lo + (next() % 60),
    };
  });
}

type Dtypes = readonly DType[];

/** A random program over loads of the inputs; gives one node of each wanted dtype. */
function randomProgram(
  s: ScalarBuilder,
  next: () => number,
  axes: readonly number[],
  inputs: readonly { buffer: number; dtype: DType }[],
  reduced: readonly { stage: number; reduction: number; dtype: DType }[],
  wanted: Dtypes,
): number[] {
  const pools = new Map<DType, number[]>();
  const put = (x: number): void => {
    const dtype = s.dtypeOf(x);
    pools.set(dtype, [...(pools.get(dtype) ?? []), x]);
  };
  const pick = (dtype: DType): number => {
    const pool = pools.get(dtype) ?? [];
    return pool.length === 0 ? s.const(dtype, 1) : (pool[next() % pool.length] as number);
  };
  for (const { buffer, dtype } of inputs) {
    put(s.load(dtype, buffer, randomIndex(next, axes), randomGuard(next, axes), fillOf(dtype)));
    put(s.const(dtype, next() % 2 === 0 ? 1 : 0));
  }
  for (const { stage, reduction, dtype } of reduced) put(s.reduced(dtype, stage, reduction));
  put(s.index("int32", randomIndex(next, axes)));
  const dtypes = [...new Set(inputs.map(({ dtype }) => dtype))];
  for (let i = 0; i < 3 + (next() % 10); i++) {
    const dtype = dtypes[next() % dtypes.length] as DType;
    const [x, y] = [pick(dtype), pick(dtype)];
    const condition = pick("bool");
    switch (next() % 8) {
      case 7:
        put(s.binary(dtype === "bool" ? "or" : next() % 2 === 0 ? "div" : "rem", x, y));
        break;
      case 0:
        put(s.binary(dtype === "bool" ? "and" : "add", x, y));
        break;
      case 1:
        put(s.binary(dtype === "bool" ? "xor" : "mul", x, y));
        break;
      case 2:
        put(s.binary(next() % 2 === 0 ? "min" : "max", x, y));
        break;
      case 3:
        put(s.compare("lt", x, y));
        break;
      case 4:
        put(s.select(condition, x, y));
        break;
      case 5:
        put(s.rare(condition, dtype === "bool" ? s.binary("or", x, y) : s.mul(s.add(x, y), x), y));
        break;
      default: {
        const place = s.binary("and", pick("int32"), s.const("int32", length - 1));
        const { buffer, dtype: of } = inputs[next() % inputs.length] as (typeof inputs)[number];
        put(s.load(of, buffer, value(place, 0, length - 1), randomGuard(next, axes), fillOf(of)));
      }
    }
  }
  return wanted.map(pick);
}

const reduceOps: readonly ReduceOp[] = ["add", "mul", "max", "min", "argmax", "argmin"];

function randomKernel(seed: number, outer: number[], inner: number[], dtypes: Dtypes): void {
  const next = randomWords(seed);
  const p = new PlanBuilder();
  const inputs = dtypes.map((dtype, i) => ({ buffer: p.input(`x${i}`, dtype, [length]), dtype }));
  const outputs: { name: string; size: number }[] = [];
  const stages: Stage[] = [];
  const reduced: { stage: number; reduction: number; dtype: DType }[] = [];
  const output = (dtype: DType, shape: readonly number[]): number => {
    const name = `y${outputs.length}`;
    outputs.push({ name, size: shape.length });
    return p.output(name, dtype, shape);
  };
  const numbers = dtypes.filter((dtype) => dtype !== "bool");
  const stageCount = next() % 3;
  for (let i = 0; i < stageCount; i++) {
    const s = new ScalarBuilder();
    const axes = [...outer, ...inner];
    const dtype = numbers[next() % numbers.length] as DType;
    const [folded] = randomProgram(s, next, axes, inputs, reduced, [dtype]);
    const ops = [
      reduceOps[next() % reduceOps.length],
      reduceOps[next() % reduceOps.length],
    ] as ReduceOp[];
    const reductions = ops.map((op) => ({
      op,
      dtype: op.startsWith("arg") ? ("int32" as const) : dtype,
      value: folded as number,
    }));
    stages.push({ axes: inner, nodes: s.nodes, reductions, writes: [] });
    for (const [reduction, { dtype: result }] of reductions.entries())
      reduced.push({ stage: i, reduction, dtype: result });
  }
  const ownAxes = next() % 2 === 0 ? inner : [];
  const axes = [...outer, ...ownAxes];
  const s = new ScalarBuilder();
  const values = randomProgram(s, next, axes, inputs, reduced, dtypes);
  const reversed = next() % 3 === 0;
  const last = axes.length - 1;
  const index = rowMajor(axes);
  const writes = values.map((x, i) => {
    const dtype = dtypes[i] as DType;
    const extent = axes[last] ?? 1;
    const flipped =
      reversed && axes.length > 0
        ? add(index, constant(extent - 1), mul(axis(last, extent), -2))
        : index;
    return write(output(dtype, axes), dtype, flipped, x, randomGuard(next, axes));
  });
  const reductionWrites = reduced.map(({ stage, reduction, dtype }) => ({
    stage,
    reduction,
    dtype,
    buffer: output(dtype, outer),
  }));
  stages.push({ axes: ownAxes, nodes: s.nodes, reductions: [], writes });
  if (reductionWrites.length > 0) {
    const t = new ScalarBuilder();
    stages.push({
      axes: [],
      nodes: t.nodes,
      reductions: [],
      writes: reductionWrites.map(({ stage, reduction, dtype, buffer }) =>
        write(buffer, dtype, rowMajor(outer), t.reduced(dtype, stage, reduction)),
      ),
    });
  }
  const step: KernelStep = kernel(outer, stages);
  p.step(step);
  const data: Record<string, StorageArray> = {};
  for (const [i, dtype] of dtypes.entries()) data[`x${i}`] = sampleArray(dtype, length, next);
  for (const [i, { wasm, js }] of compareBackends(p.build(), data).entries()) {
    expect(wasm, `output y${i}`).toEqual(js);
  }
}

const small =
  (most: number) =>
  (axes: number[]): boolean =>
    axes.reduce((a, b) => a * b, 1) <= most;
const shapes = (maxLength: number, most: number): fc.Arbitrary<number[]> =>
  fc.array(extents, { maxLength }).filter(small(most));

const cases: readonly (readonly [string, Dtypes])[] = [
  ["lanes of 32 bits", ["float32", "int32", "bool"]],
  ["lanes of 32 bits, unsigned", ["uint32", "float32", "int32"]],
  ["64 bits", ["float64", "int64", "int32", "bool"]],
  ["64 bits, unsigned, beside narrower ones", ["uint64", "float32", "int8", "float16", "bool"]],
  ["64 bits between the other floats", ["float64", "bfloat16", "uint16", "float32"]],
  ["narrow", ["int8", "uint8", "uint16", "int32", "bool"]],
  ["short floats", ["float16", "bfloat16", "int32", "bool"]],
];

const runs = Number(process.env.KERNEL_RUNS ?? 60);

test.each(cases)("random kernels agree with their meaning: %s", (_, dtypes) => {
  fc.assert(
    fc.property(fc.integer(), shapes(3, 600), shapes(2, 600), (seed, outer, inner) => {
      randomKernel(seed, outer, inner, dtypes);
    }),
    { numRuns: runs },
  );
});
