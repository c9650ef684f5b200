/** Plans made by hand: a small one, one with every kind of step, and one as large as a fused sort. */
import {
  type Bits,
  bool,
  type DType,
  f32,
  i32,
  irVersion,
  type KernelStep,
  type Plan,
  type PlanBuffer,
  toBits,
} from "../src/index.ts";
import {
  add,
  axis,
  constant,
  floordiv,
  type IndexExpr,
  loop,
  mod,
  mul,
  value,
  xor,
  zero,
} from "../src/index-expr/expr.ts";
import type { IndexRange, ScalarNode } from "../src/scalar/node.ts";

export const none: Bits = { lo: 0, hi: 0 };

export const bytesOf = (...values: readonly number[]): Uint8Array =>
  new Uint8Array(Float32Array.from(values).buffer);

export const load = (
  dtype: DType,
  buffer: number,
  index: IndexExpr,
  guard: readonly IndexRange[] = [],
): ScalarNode => ({ op: "load", dtype, buffer, index, guard, fill: none });

/** y[i] = x[i]·2 + table[i], for 8 elements. */
export function smallPlan(): Plan {
  const i = axis(0, 8);
  return {
    ir: irVersion,
    name: "small",
    requirements: { dtypes: [f32], steps: ["kernel"] },
    inputs: [{ name: "x", dtype: f32, shape: [2, 4], buffer: 0 }],
    outputs: [{ name: "y", dtype: f32, shape: [8], buffer: 1, exact: true }],
    buffers: [
      { kind: "input", dtype: f32, length: 8 },
      { kind: "output", dtype: f32, length: 8 },
      { kind: "constant", dtype: f32, length: 8, constant: 0 },
    ],
    constants: [{ dtype: f32, length: 8, data: bytesOf(1, 2, 3, 4, 5, 6, 7, 8) }],
    arenaBytes: 0,
    steps: [
      {
        kind: "kernel",
        name: "double_add",
        axes: [8],
        stages: [
          {
            axes: [],
            nodes: [
              load(f32, 0, i),
              { op: "const", dtype: f32, bits: toBits(f32, 2) },
              { op: "mul", dtype: f32, args: [0, 1] },
              load(f32, 2, i),
              { op: "add", dtype: f32, args: [2, 3] },
            ],
            reductions: [],
            writes: [{ buffer: 1, dtype: f32, index: i, guard: [], value: 4 }],
          },
        ],
      },
    ],
  };
}

/** Every kind of step, guards, reductions, data-dependent indices, nesting, and a debug section. */
export function everythingPlan(): Plan {
  const i = axis(0, 4);
  const j = axis(1, 8);
  const cell = add(mul(i, 8), j);
  const shifted = add(cell, constant(-1));
  const buffers: PlanBuffer[] = [
    { kind: "input", dtype: f32, length: 32 },
    { kind: "input", dtype: i32, length: 4 },
    { kind: "output", dtype: f32, length: 32 },
    { kind: "output", dtype: i32, length: 8 },
    { kind: "constant", dtype: f32, length: 32, constant: 0 },
    { kind: "temporary", dtype: f32, length: 32, offset: 0 },
    { kind: "temporary", dtype: bool, length: 1, offset: 256 },
    { kind: "temporary", dtype: f32, length: 8, offset: 512 },
    { kind: "constant", dtype: i32, length: 1, constant: 1 },
  ];
  const neighbours: KernelStep = {
    kind: "kernel",
    name: "neighbours",
    axes: [4],
    stages: [
      {
        axes: [8],
        nodes: [
          load(f32, 0, shifted, [{ index: shifted, lo: 0, hi: 32 }]),
          load(f32, 4, xor(cell, constant(5))),
          { op: "add", dtype: f32, args: [0, 1] },
        ],
        reductions: [{ op: "add", dtype: f32, value: 2 }],
        writes: [],
      },
      {
        axes: [8],
        nodes: [
          { op: "reduced", dtype: f32, stage: 0, reduction: 0 },
          load(i32, 1, i),
          { op: "const", dtype: i32, bits: toBits(i32, 0) },
          { op: "const", dtype: i32, bits: toBits(i32, 31) },
          { op: "max", dtype: i32, args: [1, 2] },
          { op: "min", dtype: i32, args: [4, 3] },
          load(f32, 0, value(5, 0, 31)),
          { op: "const", dtype: f32, bits: { lo: 0x80000000, hi: 0 } },
          { op: "lt", dtype: bool, args: [6, 7] },
          { op: "select", dtype: f32, args: [8, 6, 0] },
        ],
        reductions: [],
        writes: [
          {
            buffer: 5,
            dtype: f32,
            index: cell,
            guard: [{ index: cell, lo: 0, hi: 31 }],
            value: 9,
          },
        ],
      },
    ],
  };
  return {
    ir: irVersion,
    name: "everything: ∀ step",
    requirements: {
      dtypes: [bool, i32, f32],
      steps: [
        "kernel",
        "dot",
        "sort",
        "topk",
        "scan",
        "scatter",
        "copy",
        "loop",
        "while",
        "branch",
        "print",
      ],
    },
    inputs: [
      { name: "x", dtype: f32, shape: [4, 8], buffer: 0 },
      { name: "pick", dtype: i32, shape: [4], buffer: 1 },
    ],
    outputs: [
      { name: "y", dtype: f32, shape: [4, 8], buffer: 2, exact: false },
      { name: "order", dtype: i32, shape: [8], buffer: 3, exact: true },
    ],
    buffers,
    constants: [
      { dtype: f32, length: 32, data: bytesOf(...Array.from({ length: 32 }, (_, n) => n / 4)) },
      { dtype: i32, length: 1, data: new Uint8Array([1, 0, 0, 0]) },
    ],
    arenaBytes: 768,
    steps: [
      neighbours,
      {
        kind: "dot",
        name: "product",
        dtype: f32,
        accumulate: f32,
        lhsDType: f32,
        rhsDType: f32,
        batch: [],
        m: [4],
        n: [4],
        k: [8],
        lhs: { buffer: 0, base: zero, batch: [], free: [8], contract: [1] },
        rhs: { buffer: 4, base: constant(31), batch: [], free: [-8], contract: [-1] },
        out: { buffer: 5, base: zero, batch: [], free: [4, 1], contract: [] },
        onto: true,
      },
      {
        kind: "sort",
        name: "sorted",
        outer: 4,
        extent: 8,
        inner: 1,
        keys: 1,
        dtypes: [f32],
        inputs: [5],
        sources: [0],
        outputs: [5],
      },
      {
        kind: "topk",
        name: "best",
        outer: 1,
        extent: 32,
        k: 8,
        dtype: f32,
        input: 5,
        values: 7,
        indices: 3,
      },
      {
        kind: "scan",
        name: "sums",
        op: "add",
        reverse: true,
        outer: 1,
        extent: 8,
        inner: 4,
        dtype: f32,
        input: 5,
        output: 5,
      },
      {
        kind: "scatter",
        name: "count",
        axes: [4],
        nodes: [load(i32, 1, i), { op: "index", dtype: i32, index: mod(i, 2) }],
        combine: "add",
        write: {
          buffer: 3,
          dtype: i32,
          index: value(0, -(2 ** 31), 2 ** 31 - 1),
          guard: [{ index: value(0, -(2 ** 31), 2 ** 31 - 1), lo: 0, hi: 8 }],
          value: 1,
        },
      },
      {
        kind: "loop",
        name: "rows",
        loop: 0,
        trips: 4,
        grid: true,
        body: [
          {
            kind: "loop",
            name: "halves",
            loop: 1,
            trips: 2,
            grid: false,
            body: [
              {
                kind: "copy",
                name: "move",
                dtype: f32,
                length: 4,
                from: 5,
                fromIndex: add(mul(loop(0, 4), 8), mul(loop(1, 2), 4)),
                to: 2,
                toIndex: add(mul(loop(1, 2), 16), mul(loop(0, 4), 4)),
              },
            ],
          },
        ],
      },
      {
        kind: "while",
        name: "until",
        predicate: 6,
        condition: [
          {
            kind: "kernel",
            name: "never",
            axes: [],
            stages: [
              {
                axes: [],
                nodes: [{ op: "const", dtype: bool, bits: none }],
                reductions: [],
                writes: [{ buffer: 6, dtype: bool, index: zero, guard: [], value: 0 }],
              },
            ],
          },
        ],
        body: [],
        fuel: 1000,
      },
      { kind: "branch", name: "either", selector: 8, branches: [[], []] },
      {
        kind: "print",
        name: "say",
        format: "x = {} 🙂",
        batch: 1,
        operands: [{ buffer: 2, dtype: f32, shape: [4, 8] }],
      },
      {
        kind: "print",
        name: "say masked",
        format: "{}",
        batch: 1,
        mask: 6,
        operands: [{ buffer: 3, dtype: i32, shape: [8] }],
      },
    ],
    debug: {
      nodesBefore: 10,
      nodesAfter: 3,
      gridPoints: 4,
      axes: [{ kernel: "k", axis: "i", extent: 4, verdict: "parallel", reason: "disjoint rows" }],
      notes: ["a note"],
      origins: { constructor: ["src/a.ts:1:2"], neighbours: ["src/b.ts:3:4", "src/b.ts:5:6"] },
      passes: [{ name: "fuse", ms: 0, nodes: 3 }],
    },
  };
}

/** As many steps and nodes as a sort of 4,096 elements that was fused: 60 kernels of about 40 nodes. */
export function largePlan(kernels = 60): Plan {
  const n = 4096;
  const steps = Array.from({ length: kernels }, (_, s): KernelStep => {
    const nodes: ScalarNode[] = [];
    const i = axis(0, n);
    for (let pair = 0; pair < 8; pair++) {
      const unit = 2 ** ((s + pair) % 11);
      const low = add(mul(floordiv(i, unit), unit), mod(i, unit));
      const a = nodes.push(load(f32, s % 2, low)) - 1;
      const b = nodes.push(load(f32, s % 2, xor(i, constant(unit + pair)))) - 1;
      const less = nodes.push({ op: "lt", dtype: bool, args: [a, b] }) - 1;
      nodes.push({ op: "select", dtype: f32, args: [less, a, b] });
      nodes.push({ op: "max", dtype: f32, args: [nodes.length - 1, b] });
    }
    const write = { dtype: f32, guard: [], value: nodes.length - 1 };
    return {
      kind: "kernel",
      name: `compare_exchange_${s}`,
      axes: [n],
      stages: [
        {
          axes: [],
          nodes,
          reductions: [],
          writes: [{ ...write, buffer: s === kernels - 1 ? 2 : 1 - (s % 2), index: i }],
        },
      ],
    };
  });
  return {
    ir: irVersion,
    name: "sort",
    requirements: { dtypes: [bool, f32], steps: ["kernel", "copy"] },
    inputs: [{ name: "x", dtype: f32, shape: [n], buffer: 3 }],
    outputs: [{ name: "y", dtype: f32, shape: [n], buffer: 2, exact: true }],
    buffers: [
      { kind: "temporary", dtype: f32, length: n, offset: 0 },
      { kind: "temporary", dtype: f32, length: n, offset: 4 * n },
      { kind: "output", dtype: f32, length: n },
      { kind: "input", dtype: f32, length: n },
    ],
    constants: [],
    arenaBytes: 8 * n,
    steps: [
      {
        kind: "copy",
        name: "in",
        dtype: f32,
        length: n,
        from: 3,
        fromIndex: zero,
        to: 0,
        toIndex: zero,
      },
      ...steps,
    ],
  };
}
