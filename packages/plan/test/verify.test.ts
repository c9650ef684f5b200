import { describe, expect, it } from "vitest";
import {
  bool,
  type DType,
  f32,
  f64,
  i32,
  irVersion,
  type KernelStep,
  type Plan,
  type PlanBuffer,
  PlanInvalid,
  type Stage,
  type Step,
  toBits,
  u8,
  u32,
  u64,
  verifyPlan,
} from "../src/index.ts";
import {
  add,
  axis,
  constant,
  floordiv,
  type IndexExpr,
  loop,
  mul,
  value,
  zero,
} from "../src/index-expr/expr.ts";
import type { IndexRange, ScalarNode } from "../src/scalar/node.ts";
import { rules } from "../src/verify/verify.ts";
import { everythingPlan, largePlan, load, none, smallPlan } from "./sample-plans.ts";

/** The rule and place that a plan breaks, as "V12 buffers[0]", or "accepted". */
function verdict(plan: Plan): string {
  try {
    verifyPlan(plan);
    return "accepted";
  } catch (error) {
    if (error instanceof PlanInvalid) return `${error.rule} ${error.path}`;
    throw error;
  }
}

/** A plan with buffers x (32 f32, input), p (32 i32, input), y (32 f32, output), t (32 f32, temporary). */
function planOf(steps: readonly Step[], changes: Partial<Plan> = {}): Plan {
  const buffers: PlanBuffer[] = [
    { kind: "input", dtype: f32, length: 32 },
    { kind: "input", dtype: i32, length: 32 },
    { kind: "output", dtype: f32, length: 32 },
    { kind: "temporary", dtype: f32, length: 32, offset: 256 },
    { kind: "temporary", dtype: bool, length: 1, offset: 0 },
    { kind: "constant", dtype: u8, length: 4, constant: 0 },
  ];
  const fill: Step = { ...copyStep, name: "fill" };
  return {
    ir: irVersion,
    name: "t",
    requirements: {
      dtypes: [f32, i32, bool, u8],
      steps: ["kernel", "copy", "loop", "while", "branch", "dot", "sort", "topk", "scan", "print"],
    },
    inputs: [
      { name: "x", dtype: f32, shape: [32], buffer: 0 },
      { name: "p", dtype: i32, shape: [4, 8], buffer: 1 },
    ],
    outputs: [{ name: "y", dtype: f32, shape: [32], buffer: 2, exact: true }],
    buffers,
    constants: [{ dtype: u8, length: 4, data: Uint8Array.of(3, 7, 31, 0) }],
    arenaBytes: 512,
    steps: [fill, ...steps],
    ...changes,
  };
}

const copyStep: Step & { kind: "copy" } = {
  kind: "copy",
  name: "c",
  dtype: f32,
  length: 32,
  from: 0,
  fromIndex: zero,
  to: 2,
  toIndex: zero,
};

const i = axis(0, 4);
const j = axis(1, 8);

function kernel(stage: Partial<Stage>, axes: readonly number[] = [4, 8]): KernelStep {
  const whole: Stage = { axes: [], nodes: [], reductions: [], writes: [], ...stage };
  return { kind: "kernel", name: "k", axes, stages: [whole] };
}

/** A kernel over [4, 8] that loads x at `index`. */
const reading = (index: IndexExpr, guard: readonly IndexRange[] = []): Plan =>
  planOf([kernel({ nodes: [load(f32, 0, index, guard)] })]);

const i32Const = (n: number): ScalarNode => ({ op: "const", dtype: i32, bits: toBits(i32, n) });

describe("the verifier", () => {
  it("accepts good plans", () => {
    for (const plan of [smallPlan(), everythingPlan(), largePlan(3), planOf([])]) {
      expect(verdict(plan)).toBe("accepted");
    }
  });

  it("is a table of numbered rules with titles", () => {
    for (const rule of rules) expect(rule.title.length, rule.id).toBeGreaterThan(10);
  });

  it("does not believe what an index expression says of its own range", () => {
    const lying = { ...axis(0, 64), hi: 31 } as IndexExpr;
    expect(verdict(planOf([kernel({ nodes: [load(f32, 0, lying)] }, [64])]))).toBe(
      "V17 steps[1].stages[0].nodes[0]",
    );
  });
});

describe("V17: accesses are in bounds", () => {
  const cell = add(mul(i, 8), j);

  it.each<[string, IndexExpr]>([
    ["the whole buffer", cell],
    ["backwards", add(mul(cell, -1), constant(31))],
    ["a part", add(floordiv(cell, 2), constant(16))],
  ])("accepts %s", (_name, index) => {
    expect(verdict(reading(index))).toBe("accepted");
  });

  it.each<[string, IndexExpr]>([
    ["one past the end", add(cell, constant(1))],
    ["one before the start", add(cell, constant(-1))],
    ["an axis larger than the domain's", add(mul(axis(0, 5), 8), j)],
    ["an axis smaller than the domain's", add(mul(axis(0, 3), 8), j)],
    ["an axis that is not there", add(mul(i, 8), axis(2, 8))],
    ["a loop that does not enclose it", loop(0, 4)],
  ])("refuses %s", (_name, index) => {
    expect(verdict(reading(index))).toBe("V17 steps[1].stages[0].nodes[0]");
  });

  it("lets guards narrow the index itself, and anything it differs from by a constant", () => {
    const past = add(cell, constant(5));
    expect(verdict(reading(past, [{ index: past, lo: 0, hi: 32 }]))).toBe("accepted");
    expect(verdict(reading(past, [{ index: cell, lo: 0, hi: 27 }]))).toBe("accepted");
    expect(verdict(reading(past, [{ index: cell, lo: 0, hi: 28 }]))).toMatch("V17");
    expect(verdict(reading(past, [{ index: past, lo: -1, hi: 32 }]))).toBe("accepted");
    const before = add(cell, constant(-1));
    expect(verdict(reading(before, [{ index: before, lo: -1, hi: 32 }]))).toMatch("V17");
  });

  it("joins guards that differ by a constant", () => {
    const [before, past] = [add(cell, constant(-1)), add(cell, constant(1))];
    const index = add(cell, constant(-2));
    const guard = [
      { index: cell, lo: 1, hi: 40 },
      { index: before, lo: 1, hi: 40 },
    ];
    expect(verdict(reading(index, guard))).toBe("accepted");
    expect(verdict(reading(index, guard.slice(0, 1)))).toMatch("V17");
    expect(verdict(reading(past, [...guard, { index: past, lo: 0, hi: 32 }]))).toBe("accepted");
  });

  it("takes an offset apart into guarded coordinates, as a padded window has them", () => {
    const y = add(i, axis(2, 3), constant(-1));
    const x = add(j, axis(3, 3), constant(-1));
    const stage = (guard: readonly IndexRange[]): Plan =>
      planOf([kernel({ axes: [3, 3], nodes: [load(f32, 0, add(mul(y, 8), x), guard)] })]);
    const rows = { index: y, lo: 0, hi: 4 };
    const columns = { index: x, lo: 0, hi: 8 };
    expect(verdict(stage([rows, columns]))).toBe("accepted");
    expect(verdict(stage([columns, rows]))).toBe("accepted");
    expect(verdict(stage([rows]))).toMatch("V17");
    expect(verdict(stage([columns]))).toMatch("V17");
  });

  it("asks nothing of accesses that never happen", () => {
    const far = constant(1000);
    expect(verdict(reading(far, [{ index: i, lo: 4, hi: 9 }]))).toBe("accepted");
    expect(verdict(planOf([kernel({ nodes: [load(f32, 0, far)] }, [0])]))).toBe("accepted");
  });

  it("bounds writes, copies and strided operands too", () => {
    const write = (index: IndexExpr): Plan =>
      planOf([
        kernel({
          nodes: [load(f32, 0, zero)],
          writes: [{ buffer: 3, dtype: f32, index, guard: [], value: 0 }],
        }),
      ]);
    expect(verdict(write(cell))).toBe("accepted");
    expect(verdict(write(add(cell, constant(1))))).toBe("V17 steps[1].stages[0].writes[0]");
    const copy = { ...copyStep, fromIndex: constant(1) };
    expect(verdict(planOf([copy]))).toBe("V17 steps[1].from");
    expect(verdict(planOf([{ ...copy, length: 31 }]))).toBe("accepted");
    expect(verdict(planOf([{ ...copyStep, length: 33 }]))).toBe("V17 steps[1].from");
    expect(verdict(planOf([{ ...copyStep, toIndex: constant(-1) }]))).toBe("V17 steps[1].to");
  });

  it("knows the counters of enclosing loops", () => {
    const inLoop = (trips: number, index: IndexExpr): Plan => {
      const body = [{ ...copyStep, length: 8, fromIndex: index }];
      return planOf([{ kind: "loop", name: "l", loop: 3, trips, grid: false, body }]);
    };
    expect(verdict(inLoop(4, mul(loop(3, 4), 8)))).toBe("accepted");
    expect(verdict(inLoop(5, mul(loop(3, 5), 8)))).toBe("V17 steps[1].body[0].from");
    expect(verdict(inLoop(5, mul(loop(3, 4), 8)))).toBe("V17 steps[1].body[0].from");
    expect(verdict(inLoop(4, mul(loop(2, 4), 8)))).toBe("V17 steps[1].body[0].from");
  });
});

describe("V17: computed indices", () => {
  /** Loads x at node `at` of the program, whose range is said to be [lo, hi]. */
  const gather = (
    nodes: readonly ScalarNode[],
    claim: { lo: number; hi: number },
    guard: readonly IndexRange[] = [],
  ): Plan => {
    const index = value(nodes.length - 1, claim.lo, claim.hi);
    return planOf([kernel({ nodes: [...nodes, load(f32, 0, index, guard)] })]);
  };
  const picked = load(i32, 1, zero);
  const inside = { lo: 0, hi: 31 };
  const clamped: ScalarNode[] = [
    picked,
    i32Const(0),
    i32Const(31),
    { op: "max", dtype: i32, args: [0, 1] },
    { op: "min", dtype: i32, args: [3, 2] },
  ];

  it.each<[string, readonly ScalarNode[]]>([
    ["a clamp", clamped],
    [
      "an unsigned number bounded from above",
      [
        picked,
        { op: "convert", dtype: u64, args: [0] },
        { op: "const", dtype: u64, bits: { lo: 31, hi: 0 } },
        { op: "min", dtype: u64, args: [1, 2] },
        { op: "convert", dtype: i32, args: [3] },
      ],
    ],
    [
      "the bits of a float",
      [
        load(u32, 0, i),
        { op: "const", dtype: u32, bits: { lo: 32, hi: 0 } },
        { op: "rem", dtype: u32, args: [0, 1] },
      ],
    ],
    ["a mask", [picked, i32Const(31), { op: "and", dtype: i32, args: [0, 1] }]],
    ["a constant table", [load(u8, 5, i), { op: "convert", dtype: i32, args: [0] }]],
    ["an index", [{ op: "index", dtype: i32, index: add(mul(i, 8), j) }]],
    [
      "arithmetic that does not wrap",
      [
        { op: "index", dtype: i32, index: i },
        i32Const(8),
        { op: "mul", dtype: i32, args: [0, 1] },
        { op: "index", dtype: i32, index: j },
        { op: "add", dtype: i32, args: [2, 3] },
      ],
    ],
    [
      "a remainder of something not negative",
      [
        { op: "index", dtype: i32, index: mul(i, 1000) },
        i32Const(32),
        { op: "rem", dtype: i32, args: [0, 1] },
      ],
    ],
    [
      "a choice of two",
      [
        { op: "const", dtype: bool, bits: none },
        i32Const(4),
        i32Const(31),
        { op: "select", dtype: i32, args: [0, 1, 2] },
      ],
    ],
  ])("accepts %s", (_name, nodes) => {
    expect(verdict(gather(nodes, inside))).toBe("accepted");
  });

  it.each<[string, readonly ScalarNode[]]>([
    ["what an input says", [picked]],
    ["half a clamp", clamped.slice(0, 4)],
    [
      "a remainder of something that may be negative",
      [picked, i32Const(32), { op: "rem", dtype: i32, args: [0, 1] }],
    ],
    ["a product that may wrap", [picked, i32Const(2), { op: "mul", dtype: i32, args: [0, 1] }]],
    ["a float", [load(f32, 0, zero)]],
  ])("refuses %s", (_name, nodes) => {
    expect(verdict(gather(nodes, inside))).toBe(`V17 steps[1].stages[0].nodes[${nodes.length}]`);
  });

  it("lets a guard stand for the proof", () => {
    const all = { lo: -(2 ** 31), hi: 2 ** 31 - 1 };
    const guard = [{ index: value(0, all.lo, all.hi), lo: 0, hi: 32 }];
    expect(verdict(gather([picked], all, guard))).toBe("accepted");
    expect(verdict(gather([picked], inside, guard))).toBe("accepted");
    expect(verdict(gather([picked], all))).toMatch("V17");
    expect(verdict(gather([picked], all, [{ ...guard[0]!, hi: 33 }]))).toMatch("V17");
  });

  it("refuses an index from a node that comes later", () => {
    const index = value(1, 0, 31);
    const nodes = [load(f32, 0, index), i32Const(3)];
    expect(verdict(planOf([kernel({ nodes })]))).toBe("V17 steps[1].stages[0].nodes[0]");
  });
});

describe("V10: dtypes", () => {
  const x = load(f32, 0, zero);
  const p = load(i32, 1, zero);

  it.each<[string, readonly ScalarNode[]]>([
    ["mixed operands", [x, p, { op: "add", dtype: f32, args: [0, 1] }]],
    ["the square root of an integer", [p, { op: "sqrt", dtype: i32, args: [0] }]],
    ["bits of a float", [x, { op: "not", dtype: f32, args: [0] }]],
    [
      "arithmetic on bool",
      [
        { op: "const", dtype: bool, bits: none },
        { op: "neg", dtype: bool, args: [0] },
      ],
    ],
    ["a result of another dtype", [x, { op: "neg", dtype: i32, args: [0] }]],
    ["a condition that is not bool", [x, { op: "select", dtype: f32, args: [0, 0, 0] }]],
    ["a bitcast between widths", [x, { op: "bitcast", dtype: f64, args: [0] }]],
    ["mulhi of floats", [x, { op: "mulhi", dtype: f32, args: [0, 0] }]],
    ["a load of another dtype", [load(i32, 0, zero)]],
    ["an index as a float", [{ op: "index", dtype: f32, index: zero }]],
    ["a reduction that is not there", [{ op: "reduced", dtype: f32, stage: 0, reduction: 0 }]],
    ["an argument", [{ op: "argument", dtype: f32, index: 0 }]],
  ])("refuses %s", (_name, nodes) => {
    const last = nodes.length - 1;
    expect(verdict(planOf([kernel({ nodes })]))).toBe(`V10 steps[1].stages[0].nodes[${last}]`);
  });

  it("accepts floats that are moved as their bits, in their own width only", () => {
    const move = (dtype: DType) =>
      kernel({
        nodes: [load(dtype, 0, zero)],
        writes: [{ buffer: 3, dtype, index: zero, guard: [], value: 0 }],
      });
    expect(verdict(planOf([move("uint32")]))).toBe("accepted");
    expect(verdict(planOf([move("uint16")]))).toBe("V10 steps[1].stages[0].nodes[0]");
    expect(verdict(planOf([move("int32")]))).toBe("V10 steps[1].stages[0].nodes[0]");
  });

  it("refuses reductions and writes that change the dtype", () => {
    const reduce = kernel({ nodes: [x], reductions: [{ op: "add", dtype: i32, value: 0 }] });
    expect(verdict(planOf([reduce]))).toBe("V10 steps[1].stages[0].reductions[0]");
    const write = { buffer: 3, dtype: f32, index: zero, guard: [], value: 0 };
    expect(verdict(planOf([kernel({ nodes: [p], writes: [write] })]))).toBe(
      "V10 steps[1].stages[0].writes[0]",
    );
    const argmax = kernel({ nodes: [x], reductions: [{ op: "argmax", dtype: i32, value: 0 }] });
    expect(verdict(planOf([argmax]))).toBe("accepted");
  });

  it("refuses requirements that leave something out", () => {
    const steps: Plan["requirements"]["steps"] = ["kernel"];
    expect(verdict(planOf([], { requirements: { dtypes: [f32, i32, bool, u8], steps } }))).toBe(
      "V10 requirements.steps",
    );
    expect(verdict(planOf([], { requirements: { dtypes: [f32], steps: ["copy"] } }))).toBe(
      "V10 requirements.dtypes",
    );
  });
});

describe("V11–V16, V20: tables and structure", () => {
  const good = planOf([]);
  const withBuffer = (at: number, changes: Partial<PlanBuffer>): Plan => ({
    ...good,
    buffers: good.buffers.map((buffer, i) => (i === at ? { ...buffer, ...changes } : buffer)),
  });

  it.each<[string, string, Plan]>([
    ["a buffer of 2^42 bytes", "V11 buffers[3]", withBuffer(3, { length: 2 ** 40 })],
    ["an arena of 2^41 bytes", "V11 arenaBytes", { ...good, arenaBytes: 2 ** 41 }],
    ["a domain beyond 2^53", "V11 steps[1].stages[0]", planOf([kernel({}, [2 ** 30, 2 ** 30])])],
    ["an input at an offset", "V12 buffers[0]", withBuffer(0, { offset: 0 })],
    ["a constant that is not there", "V12 buffers[5]", withBuffer(5, { constant: 1 })],
    ["a constant of another length", "V12 buffers[5]", withBuffer(5, { length: 5 })],
    [
      "a port of another size",
      "V12 inputs[0]",
      { ...good, inputs: [{ ...good.inputs[0]!, shape: [31] }, good.inputs[1]!] },
    ],
    [
      "a port that is no input",
      "V12 inputs[0]",
      { ...good, inputs: [{ ...good.inputs[0]!, buffer: 3 }, good.inputs[1]!] },
    ],
    [
      "two ports of one name",
      "V12 inputs[1]",
      { ...good, inputs: [good.inputs[0]!, { ...good.inputs[1]!, name: "x" }] },
    ],
    [
      "two ports of one buffer",
      "V12 inputs[1]",
      { ...good, inputs: [good.inputs[0]!, { ...good.inputs[0]!, name: "z" }] },
    ],
    ["an input without a port", "V12 buffers[1]", { ...good, inputs: [good.inputs[0]!] }],
    ["a temporary off the grid of 256", "V13 buffers[3]", withBuffer(3, { offset: 128 })],
    ["a temporary outside the arena", "V13 buffers[3]", withBuffer(3, { offset: 512 })],
    ["an output that nobody writes", "V14 outputs[0]", { ...good, steps: [] }],
    [
      "a constant without its bytes",
      "V20 constants[0]",
      { ...good, constants: [{ dtype: u8, length: 4, data: new Uint8Array(3) }] },
    ],
    [
      "a branch without branches",
      "V16 steps[1]",
      planOf([{ kind: "branch", name: "b", selector: 1, branches: [] }]),
    ],
    [
      "a while without fuel",
      "V16 steps[1]",
      planOf([{ kind: "while", name: "w", predicate: 4, condition: [], body: [], fuel: 0 }]),
    ],
    [
      "a predicate that is not bool",
      "V12 steps[1].predicate",
      planOf([{ kind: "while", name: "w", predicate: 3, condition: [], body: [], fuel: 1 }]),
    ],
    ["a step that writes an input", "V12 steps[1].to", planOf([{ ...copyStep, to: 0 }])],
    [
      "a write to a constant",
      "V12 steps[1].stages[0].writes[0]",
      planOf([
        kernel({
          nodes: [load(u8, 5, zero)],
          writes: [{ buffer: 5, dtype: u8, index: zero, guard: [], value: 0 }],
        }),
      ]),
    ],
    [
      "a value that is not a node",
      "V15 steps[1].stages[0]",
      planOf([kernel({ reductions: [{ op: "add", dtype: f32, value: 0 }] })]),
    ],
    [
      "a buffer that is not there",
      "V12 steps[1].stages[0].nodes[0]",
      planOf([kernel({ nodes: [load(f32, 99, zero)] })]),
    ],
    [
      "a sort longer than its buffer",
      "V12 steps[1].inputs[0]",
      planOf([
        {
          kind: "sort",
          name: "s",
          outer: 1,
          extent: 33,
          inner: 1,
          keys: 1,
          dtypes: [f32],
          inputs: [0],
          sources: [0],
          outputs: [3],
        },
      ]),
    ],
    [
      "a sort by no key",
      "V12 steps[1]",
      planOf([
        {
          kind: "sort",
          name: "s",
          outer: 1,
          extent: 8,
          inner: 1,
          keys: 0,
          dtypes: [f32],
          inputs: [0],
          sources: [0],
          outputs: [3],
        },
      ]),
    ],
    [
      "a sort that gives an operand it does not have",
      "V12 steps[1]",
      planOf([
        {
          kind: "sort",
          name: "s",
          outer: 1,
          extent: 8,
          inner: 1,
          keys: 1,
          dtypes: [f32],
          inputs: [0],
          sources: [2],
          outputs: [3],
        },
      ]),
    ],
    [
      "places of a sort in a buffer of floats",
      "V12 steps[1].outputs[0]",
      planOf([
        {
          kind: "sort",
          name: "s",
          outer: 1,
          extent: 8,
          inner: 1,
          keys: 1,
          dtypes: [f32],
          inputs: [0],
          sources: [1],
          outputs: [3],
        },
      ]),
    ],
    [
      "more results than elements",
      "V12 steps[1]",
      planOf([
        {
          kind: "topk",
          name: "t",
          outer: 1,
          extent: 8,
          k: 9,
          dtype: f32,
          input: 0,
          values: 3,
          indices: 1,
        },
      ]),
    ],
  ])("refuse %s", (_name, expected, plan) => {
    expect(verdict(plan)).toBe(expected);
  });

  it("refuse loops nested too deep, and two of one number", () => {
    const nest = (depth: number, number: (d: number) => number): Step => ({
      kind: "loop",
      name: "l",
      loop: number(depth),
      trips: 2,
      grid: false,
      body: depth === 0 ? [] : [nest(depth - 1, number)],
    });
    expect(verdict(planOf([nest(15, (d) => d)]))).toBe("accepted");
    expect(verdict(planOf([nest(16, (d) => d)]))).toBe("accepted");
    expect(verdict(planOf([nest(17, (d) => d)]))).toMatch("V15");
    expect(verdict(planOf([nest(1, () => 0)]))).toBe("V16 steps[1].body[0]");
  });

  it("refuse a dot whose strides leave a buffer or do not match its axes", () => {
    const operand = { buffer: 0, base: zero, batch: [], free: [8], contract: [1] };
    const dot: Step = {
      kind: "dot",
      name: "d",
      dtype: f32,
      accumulate: f32,
      lhsDType: f32,
      rhsDType: f32,
      batch: [],
      m: [4],
      n: [4],
      k: [8],
      lhs: operand,
      rhs: operand,
      out: { buffer: 3, base: zero, batch: [], free: [4, 1], contract: [] },
    };
    expect(verdict(planOf([{ ...dot, onto: true }]))).toBe("accepted");
    expect(verdict(planOf([{ ...dot, onto: true, accumulate: "float64" }]))).toBe("V12 steps[1]");
    expect(verdict(planOf([dot]))).toBe("accepted");
    expect(verdict(planOf([{ ...dot, lhs: { ...operand, base: constant(1) } }]))).toBe(
      "V17 steps[1].lhs",
    );
    expect(verdict(planOf([{ ...dot, rhs: { ...operand, free: [-8] } }]))).toBe("V17 steps[1].rhs");
    expect(verdict(planOf([{ ...dot, rhs: { ...operand, free: [] } }]))).toBe("V12 steps[1]");
    expect(verdict(planOf([{ ...dot, k: [0], lhs: { ...operand, base: constant(99) } }]))).toBe(
      "accepted",
    );
  });
});

describe("V18: tiles are independent", () => {
  const t = loop(9, 4);
  const part = { index: add(mul(t, 8), axis(0, 8)), guard: [], dtype: f32 } as const;
  const tileOf = (body: readonly Step[], locals: readonly number[] = []): Step => ({
    kind: "tile",
    name: "t",
    loop: 9,
    trips: 4,
    locals,
    body,
  });
  /** Eight elements from one buffer to another. */
  const move = (from: number, to: number, read: IndexExpr, write: IndexExpr): KernelStep =>
    kernel(
      {
        nodes: [load(f32, from, read)],
        writes: [{ buffer: to, dtype: f32, index: write, guard: [], value: 0 }],
      },
      [8],
    );
  const own = axis(0, 8);
  const tiled = (body: readonly Step[], locals?: readonly number[], more: readonly Step[] = []) => {
    const plan = planOf([tileOf(body, locals), ...more]);
    const { requirements } = plan;
    return {
      ...plan,
      requirements: { ...requirements, steps: [...requirements.steps, "tile"] },
    } as Plan;
  };

  it("accepts parts of a buffer, a temporary of one's own, and reading anywhere what nobody writes", () => {
    const through = [
      move(0, 3, add(mul(t, -8), constant(24), own), own),
      move(3, 2, own, part.index),
    ];
    expect(verdict(tiled(through, [3]))).toBe("accepted");
  });

  it("accepts reads that move faster than the parts, as long as they stay inside", () => {
    const two = loop(9, 2);
    const half = (at: IndexExpr): IndexExpr => add(mul(two, 16), at);
    const body = [move(0, 3, half(own), half(own)), move(3, 2, add(mul(two, 20), own), half(own))];
    const tile: Step = { kind: "tile", name: "t", loop: 9, trips: 2, locals: [], body };
    const plan = tiled([]);
    expect(verdict({ ...plan, steps: [plan.steps[0]!, tile] })).toBe("accepted");
  });

  it("accepts overlapping reads of what no tile writes", () => {
    expect(verdict(tiled([move(0, 2, own, part.index)]))).toBe("accepted");
  });

  it.each<[string, readonly Step[], readonly number[]]>([
    ["that all write one place", [move(0, 2, part.index, own)], []],
    ["that share a temporary", [move(0, 3, part.index, own), move(3, 2, own, part.index)], []],
    ["whose parts overlap", [move(0, 2, part.index, add(mul(t, 7), own))], []],
    [
      "that read what another tile writes",
      [
        move(0, 3, part.index, part.index),
        move(3, 2, add(mul(t, -8), constant(24), own), part.index),
      ],
      [],
    ],
    ["whose own buffer is an input", [move(0, 2, own, part.index)], [0]],
    ["that print", [{ kind: "print", name: "p", format: "", batch: 1, operands: [] }], []],
  ])("refuses tiles %s", (_name, body, locals) => {
    expect(verdict(tiled(body, locals))).toBe("V18 steps[1]");
  });

  it("refuses a buffer of one tile that another step reads", () => {
    const body = [move(0, 3, part.index, own)];
    const after: Step = { ...copyStep, name: "after", from: 3 };
    expect(verdict(tiled(body, [3], [after]))).toBe("V18 steps[1]");
  });

  it("refuses a tile number outside of its tile", () => {
    expect(verdict(planOf([move(0, 2, own, part.index)]))).toMatch(/^V17/);
  });
});
