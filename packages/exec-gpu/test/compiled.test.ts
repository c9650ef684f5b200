import { cpuSync } from "@gridfuse/exec-cpu";
import { type Graph, graph, kernel, tensor, vmem, when } from "@gridfuse/graph";
import { compile } from "@gridfuse/passes";
import { bf16, f32, i32, type Plan, type StorageArray } from "@gridfuse/plan";
import { expect, test } from "vitest";
import { gpuExecutor } from "./adapter.ts";
import { comparable, pairs, words } from "./values.ts";

/** Compiles, runs on both executors, compares the bits of all outputs. */
async function agree(program: Graph, inputs: Record<string, StorageArray>): Promise<Plan> {
  const plan = compile(program);
  using executable = await (await gpuExecutor()).prepare(plan);
  using reference = cpuSync().prepareSync(plan);
  const [found, expected] = [await executable.run(inputs), reference.runSync(inputs)];
  for (const { name, dtype } of plan.outputs) {
    expect(comparable(dtype, found[name] as StorageArray), name).toEqual(
      comparable(dtype, expected[name] as StorageArray),
    );
  }
  return plan;
}

function floats(seed: number, length: number): Float32Array {
  const next = words(seed);
  return Float32Array.from({ length }, () => next() / 2 ** 30 - 2);
}

test("softmax of rows: reductions in between elementwise work", async () => {
  const program = graph({ x: tensor(f32, [30, 70]) }, ({ x }) => {
    const weights = x.sub(x.max({ axis: 1, keepDims: true })).exp();
    return { y: weights.div(weights.sum({ axis: 1, keepDims: true })) };
  });
  await agree(program, { x: floats(1, 2100) });
});

test("a dense layer in bfloat16, and what it predicts", async () => {
  const program = graph(
    { x: tensor(bf16, [9, 20]), w: tensor(bf16, [20, 11]), b: tensor(bf16, [11]) },
    ({ x, w, b }) => {
      const y = x.dot(w).add(b).maximum(0);
      return { y, best: y.argmax({ axis: 1 }) };
    },
  );
  const short = (length: number): Uint16Array =>
    (pairs("bfloat16", length).x.slice(-length) as Uint16Array).map(
      (bits) => (bits & 0x80ff) | 0x3f00,
    );
  await agree(program, { x: short(180), w: short(220), b: short(11) });
});

test("integers: remainders, shifts, a transposed sum, and a comparison as bytes", async () => {
  const program = graph({ x: tensor(i32, [12, 10]), y: tensor(i32, [12, 10]) }, ({ x, y }) => {
    const mixed = x.rem(y).add(x.mul(y).transpose().transpose());
    return { mixed, total: mixed.sum({ axis: 0 }), less: x.lt(y) };
  });
  const { x, y } = pairs("int32", 0);
  await agree(program, { x: x.slice(0, 120), y: y.slice(0, 120) });
});

test("a kernel whose grid has a sequential axis becomes a loop of dispatches", async () => {
  const array = tensor(f32, [8, 24]);
  const block = array.blocks([8, 6], ({ j }) => [0, j]);
  const running = kernel(
    "running",
    {
      grid: { j: 4 },
      inputs: { x: block },
      outputs: { y: block },
      scratch: { carry: vmem(f32, [8, 6]) },
    },
    ({ x, y, carry }, { j }) => {
      when(j.isFirst, () => carry.set(1));
      carry.set(carry.get().mul(0.5).add(x.get()).sqrt());
      y.set(carry.get());
    },
  );
  const program = graph({ x: array }, (given) => running(given));
  const plan = await agree(program, { x: floats(3, 192).map(Math.abs) });
  expect(plan.steps.some(({ kind }) => kind === "loop")).toBe(true);
});

test("sorted rows and running sums", async () => {
  const program = graph({ x: tensor(f32, [5, 33]) }, ({ x }) => ({
    sorted: x.sort(),
    running: x.cumsum({ axis: 1 }),
  }));
  await agree(program, { x: floats(4, 165) });
});
