import { webgpu as executorOn } from "@gridfuse/exec-gpu";
import {
  CapabilityError,
  DisposedError,
  InputError,
  type KernelStep,
  type Plan,
  type WhileStep,
} from "@gridfuse/plan";
import { add, axis, constant, mul } from "@gridfuse/plan/index-expr";
import { ScalarBuilder } from "@gridfuse/plan/scalar";
import { describe, expect, test } from "vitest";
import { webgpu } from "../../../test/tools/webgpu.ts";
import { gpuExecutor } from "./adapter.ts";
import { planOf } from "./plans.ts";

const length = 8;
const port = { dtype: "float32", length } as const;

/** y = 2x + 1 */
function affinePlan(): Plan {
  const builder = new ScalarBuilder();
  const x = builder.load("float32", 0, axis(0, length), [], { lo: 0, hi: 0 });
  const value = builder.add(
    builder.mul(x, builder.const("float32", 2)),
    builder.const("float32", 1),
  );
  const write = { buffer: 1, dtype: "float32" as const, index: axis(0, length), guard: [], value };
  const kernel: KernelStep = {
    kind: "kernel",
    name: "affine",
    axes: [length],
    stages: [{ axes: [], nodes: builder.nodes, reductions: [], writes: [write] }],
  };
  return planOf([{ name: "x", ...port }], [{ name: "y", ...port }], [kernel]);
}

const ramp = (from: number): Float32Array => Float32Array.from({ length }, (_, i) => from + i);
const affine = (x: Float32Array): Float32Array => x.map((value) => 2 * value + 1);

async function ownDevice(): Promise<GPUDevice> {
  const adapter = await webgpu().requestAdapter();
  if (adapter === null) throw new Error("no adapter: run node test/tools/setup-swiftshader.mjs");
  return adapter.requestDevice();
}

async function rejection(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error("expected a rejection");
}

describe("runs", () => {
  test("that overlap keep their inputs and results apart, and settle in order", async () => {
    using executable = await (await gpuExecutor()).prepare(affinePlan());
    const settled: number[] = [];
    const results = await Promise.all(
      [0, 100, 200, 300, 400].map(async (from) => {
        const { y } = await executable.run({ x: ramp(from) });
        settled.push(from);
        return y;
      }),
    );
    expect(results).toEqual([0, 100, 200, 300, 400].map((from) => affine(ramp(from))));
    expect(settled).toEqual([0, 100, 200, 300, 400]);
  });

  test("write into the arrays of `out`", async () => {
    using executable = await (await gpuExecutor()).prepare(affinePlan());
    const y = new Float32Array(length);
    const results = await executable.run({ x: ramp(3) }, { out: { y } });
    expect(results.y).toBe(y);
    expect(y).toEqual(affine(ramp(3)));
  });

  test("refuse inputs that do not fit, and go on working", async () => {
    using executable = await (await gpuExecutor()).prepare(affinePlan());
    expect(await rejection(executable.run({ x: new Float32Array(7) }))).toBeInstanceOf(InputError);
    expect(executable.state).toBe("ready");
    expect((await executable.run({ x: ramp(1) })).y).toEqual(affine(ramp(1)));
  });

  test("do not start after an abort", async () => {
    using executable = await (await gpuExecutor()).prepare(affinePlan());
    const signal = AbortSignal.abort();
    expect((await rejection(executable.run({ x: ramp(1) }, { signal }))).name).toBe("AbortError");
    expect(executable.state).toBe("ready");
  });

  test("end with `dispose`", async () => {
    const executable = await (await gpuExecutor()).prepare(affinePlan());
    const before = executable.run({ x: ramp(1) });
    await before;
    executable.dispose();
    executable.dispose();
    expect(executable.state).toBe("disposed");
    expect(await rejection(executable.run({ x: ramp(1) }))).toBeInstanceOf(DisposedError);
  });
});

test("more workgroups than one dimension holds are split over rows", async () => {
  const points = 64 * 65535 + 1000;
  const builder = new ScalarBuilder();
  const value = builder.index("uint32", mul(axis(0, points), 3));
  const write = {
    buffer: 0,
    dtype: "uint32" as const,
    index: axis(0, points),
    guard: [],
    value,
  };
  const stage = { axes: [], nodes: builder.nodes, reductions: [], writes: [write] };
  const plan = planOf(
    [],
    [{ name: "y", dtype: "uint32", length: points }],
    [{ kind: "kernel", name: "iota", axes: [points], stages: [stage] }],
  );
  using executable = await (await gpuExecutor()).prepare(plan);
  const { y } = await executable.run({});
  expect((y as Uint32Array).findIndex((found, i) => found !== 3 * i)).toBe(-1);
});

describe("a plan is refused at prepare", () => {
  const refused = async (plan: Plan): Promise<CapabilityError> => {
    const error = await rejection((await gpuExecutor()).prepare(plan));
    expect(error).toBeInstanceOf(CapabilityError);
    return error as CapabilityError;
  };

  test("by the name of a step that has no shader code", async () => {
    const step: WhileStep = {
      ...{ kind: "while", name: "until it is small", predicate: 1 },
      ...{ condition: [], body: [], fuel: 10 },
    };
    const error = await refused(planOf([{ name: "x", ...port }], [{ name: "y", ...port }], [step]));
    expect(error.code).toBe("GF5202");
    expect(error.message).toContain(
      'step "until it is small" (while): there is no shader code for while',
    );
  });

  test.each(["float64", "int64", "uint64"] as const)("for %s", async (dtype) => {
    const builder = new ScalarBuilder();
    const value = builder.convert(builder.const(dtype, 1), "float32");
    const write = { buffer: 0, dtype: "float32" as const, index: constant(0), guard: [], value };
    const stage = { axes: [], nodes: builder.nodes, reductions: [], writes: [write] };
    const error = await refused(
      planOf(
        [],
        [{ name: "y", ...port }],
        [{ kind: "kernel", name: "wide", axes: [1], stages: [stage] }],
      ),
    );
    expect(error.message).toContain(`step "wide" (kernel): WGSL has no ${dtype}`);
  });

  test("for indices beyond 32 bits", async () => {
    const builder = new ScalarBuilder();
    const far = mul(axis(0, 3), 2 ** 31);
    const value = builder.load("float32", 0, far, [{ index: far, lo: 0, hi: 8 }], { lo: 0, hi: 0 });
    const write = { buffer: 1, dtype: "float32" as const, index: axis(0, 3), guard: [], value };
    const stage = { axes: [], nodes: builder.nodes, reductions: [], writes: [write] };
    const error = await refused(
      planOf(
        [{ name: "x", ...port }],
        [{ name: "y", ...port }],
        [{ kind: "kernel", name: "far", axes: [3], stages: [stage] }],
      ),
    );
    expect(error.message).toContain(
      'step "far" (kernel): an index takes values in [0, 4294967296]',
    );
  });

  test("for a buffer beyond the limits of the device, before anything is allocated", async () => {
    const device = await ownDevice();
    const executor = await executorOn({ device });
    const plan = planOf([{ name: "x", dtype: "float32", length: 2 ** 26 }], [], []);
    const error = (await rejection(executor.prepare(plan))) as CapabilityError;
    expect(error.code).toBe("GF5203");
    expect(error.message).toContain("input buffer 0 takes 268435456 bytes");
    device.destroy();
  });
});

test("a machine without an adapter is told so", async () => {
  const gpu = { requestAdapter: async () => null } as unknown as GPU;
  const error = await rejection(executorOn({ gpu }));
  expect(error).toBeInstanceOf(CapabilityError);
  expect((error as CapabilityError).code).toBe("GF5201");
});

test("a lost device poisons what was prepared on it and refuses what comes", async () => {
  const device = await ownDevice();
  const executor = await executorOn({ device });
  const executable = await executor.prepare(affinePlan());
  expect((await executable.run({ x: ramp(0) })).y).toEqual(affine(ramp(0)));
  device.destroy();
  const during = await rejection(executable.run({ x: ramp(0) }));
  expect(during).toBeInstanceOf(CapabilityError);
  expect((during as CapabilityError).code).toBe("GF5204");
  expect(executable.state).toBe("poisoned");
  const after = await rejection(executable.run({ x: ramp(0) }));
  expect((after as CapabilityError).code).toBe("GF5204");
  expect((await rejection(executor.prepare(affinePlan()))) as CapabilityError).toMatchObject({
    code: "GF5204",
  });
});

test("many buffers stay within the eight bindings that every device has", async () => {
  const device = await ownDevice();
  expect(device.limits.maxStorageBuffersPerShaderStage).toBeLessThan(20);
  const builder = new ScalarBuilder();
  const loads = Array.from({ length: 20 }, (_, i) =>
    builder.load("float32", i, axis(0, length), [], { lo: 0, hi: 0 }),
  );
  const value = loads.reduce((sum, each) => builder.add(sum, each));
  const write = { buffer: 20, dtype: "float32" as const, index: axis(0, length), guard: [], value };
  const stage = { axes: [], nodes: builder.nodes, reductions: [], writes: [write] };
  const inputs = loads.map((_, i) => ({ name: `x${i}`, ...port }));
  const plan = planOf(
    inputs,
    [{ name: "y", ...port }],
    [{ kind: "kernel", name: "sum", axes: [length], stages: [stage] }],
  );
  using executable = await (await executorOn({ device })).prepare(plan);
  const data = Object.fromEntries(inputs.map(({ name }, i) => [name, ramp(i)]));
  // 0 + 1 + … + 19 = 190, and 20 times the position.
  expect((await executable.run(data)).y).toEqual(ramp(0).map((i) => 190 + 20 * i));
});

test("the report names the adapter, the steps, and what is particular about its floats", async () => {
  const progress: string[] = [];
  const executor = await gpuExecutor();
  using executable = await executor.prepare(affinePlan(), {
    onProgress: (done, total) => progress.push(`${done}/${total}`),
  });
  const report = executable.report();
  expect(progress).toEqual(["1/1"]);
  expect(report.executor).toBe("webgpu");
  expect(report.backend).toMatch(/^webgpu \S/);
  expect(report.steps).toEqual([{ name: "affine", kind: "kernel", how: "workgroups: 1" }]);
  expect(report.notes.at(-1)).toBe(
    "a run is one submission; dispatches: 1, shaders: 1, storage buffers: 2",
  );
});

test("an index into a constant reads the constant", async () => {
  const table = Float32Array.of(5, 6, 7);
  const builder = new ScalarBuilder();
  const at = add(constant(2), mul(axis(0, 3), -1));
  const value = builder.load("float32", 1, at, [], { lo: 0, hi: 0 });
  const write = { buffer: 0, dtype: "float32" as const, index: axis(0, 3), guard: [], value };
  const stage = { axes: [], nodes: builder.nodes, reductions: [], writes: [write] };
  const plan = planOf(
    [],
    [{ name: "y", dtype: "float32", length: 3 }],
    [{ kind: "kernel", name: "reverse", axes: [3], stages: [stage] }],
    [{ kind: "constant", dtype: "float32", length: 3, constant: 0 }],
    [{ dtype: "float32", data: table }],
  );
  using executable = await (await gpuExecutor()).prepare(plan);
  expect((await executable.run({})).y).toEqual(Float32Array.of(7, 6, 5));
});
