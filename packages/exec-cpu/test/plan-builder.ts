/** Builds small plans by hand. */
import {
  type DType,
  irVersion,
  itemSize,
  type KernelStep,
  type Plan,
  type PlanBuffer,
  type PlanConstant,
  type PlanOutput,
  type PlanPort,
  type Reduction,
  type Stage,
  type Step,
  type StorageArray,
  type Write,
} from "@gridfuse/plan";
import { add, axis, type IndexExpr, mul } from "@gridfuse/plan/index-expr";
import { type IndexRange, ScalarBuilder } from "@gridfuse/plan/scalar";

const product = (extents: readonly number[]): number => extents.reduce((a, b) => a * b, 1);

export const zeroBits = { lo: 0, hi: 0 };

/** Row-major element offset of axes first, first + 1, … over `shape`. */
export function rowMajor(shape: readonly number[], first = 0): IndexExpr {
  return add(
    ...shape.map((extent, i) => mul(axis(first + i, extent), product(shape.slice(i + 1)))),
  );
}

export class PlanBuilder {
  readonly #buffers: PlanBuffer[] = [];
  readonly #constants: PlanConstant[] = [];
  readonly #inputs: PlanPort[] = [];
  readonly #outputs: PlanOutput[] = [];
  readonly steps: Step[] = [];
  #arena = 0;

  input(name: string, dtype: DType, shape: readonly number[]): number {
    const buffer = this.#buffers.push({ kind: "input", dtype, length: product(shape) }) - 1;
    this.#inputs.push({ name, dtype, shape, buffer });
    return buffer;
  }
  output(name: string, dtype: DType, shape: readonly number[]): number {
    const buffer = this.#buffers.push({ kind: "output", dtype, length: product(shape) }) - 1;
    this.#outputs.push({ name, dtype, shape, buffer, exact: true });
    return buffer;
  }
  temporary(dtype: DType, length: number): number {
    const offset = this.#arena;
    this.#arena += Math.ceil(Math.max(length * itemSize(dtype), 1) / 256) * 256;
    return this.#buffers.push({ kind: "temporary", dtype, length, offset }) - 1;
  }
  constant(dtype: DType, array: StorageArray): number {
    const data = new Uint8Array(array.buffer, array.byteOffset, array.byteLength).slice();
    const constant = this.#constants.push({ dtype, length: array.length, data }) - 1;
    return this.#buffers.push({ kind: "constant", dtype, length: array.length, constant }) - 1;
  }

  /** A kernel of one stage without inner axes; `body` gives what it writes. */
  map(axes: readonly number[], body: (s: ScalarBuilder) => Write[]): this {
    const s = new ScalarBuilder();
    const writes = body(s);
    return this.kernel(axes, [{ axes: [], nodes: s.nodes, reductions: [], writes }]);
  }
  kernel(axes: readonly number[], stages: readonly Stage[]): this {
    this.steps.push(kernel(axes, stages));
    return this;
  }
  step(...steps: readonly Step[]): this {
    this.steps.push(...steps);
    return this;
  }

  build(name = "test"): Plan {
    return {
      ir: irVersion,
      name,
      requirements: { dtypes: [], steps: [] },
      inputs: this.#inputs,
      outputs: this.#outputs,
      buffers: this.#buffers,
      constants: this.#constants,
      arenaBytes: this.#arena,
      steps: this.steps,
    };
  }
}

export const kernel = (
  axes: readonly number[],
  stages: readonly Stage[],
  name = "kernel",
): KernelStep => ({ kind: "kernel", name, axes, stages });

/** A stage, with its nodes built by `body`. */
export function stage(
  axes: readonly number[],
  body: (s: ScalarBuilder) => { reductions?: Reduction[]; writes?: Write[] },
): Stage {
  const s = new ScalarBuilder();
  const { reductions = [], writes = [] } = body(s);
  return { axes, nodes: s.nodes, reductions, writes };
}

export const write = (
  buffer: number,
  dtype: DType,
  index: IndexExpr,
  value: number,
  guard: readonly IndexRange[] = [],
): Write => ({ buffer, dtype, index, value, guard });
