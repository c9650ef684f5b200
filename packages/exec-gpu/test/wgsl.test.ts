import type { KernelStep } from "@gridfuse/plan";
import { add, axis, constant } from "@gridfuse/plan/index-expr";
import { ScalarBuilder } from "@gridfuse/plan/scalar";
import { expect, test } from "vitest";
import type { MemoryLayout } from "../src/memory.ts";
import { kernelLaunches } from "../src/wgsl/kernel.ts";

/** An input and an output, each in a heap of its own. */
const layout: MemoryLayout = {
  heaps: [1024, 1024],
  buffers: [
    { heap: 0, byteOffset: 0 },
    { heap: 1, byteOffset: 256 },
  ],
  scratchHeap: 2,
};

test("a small kernel reads like its plan", () => {
  const length = 100;
  const builder = new ScalarBuilder();
  const left = add(axis(0, length), constant(-1));
  const x = builder.load("float32", 0, left, [{ index: left, lo: 0, hi: length }], {
    lo: 0,
    hi: 0,
  });
  const big = builder.compare("gt", x, builder.const("float32", 1));
  const value = builder.select(big, builder.mul(x, x), x);
  builder.unary("sqrt", x); // nobody reads it
  const write = { buffer: 1, dtype: "float32" as const, index: axis(0, length), guard: [], value };
  const step: KernelStep = {
    kind: "kernel",
    name: "shift and square",
    axes: [length],
    stages: [{ axes: [], nodes: builder.nodes, reductions: [], writes: [write] }],
  };
  const { dispatches } = kernelLaunches(step, layout, "native");
  expect(dispatches.map(({ workgroups }) => workgroups)).toEqual([2]);
  expect(dispatches[0]?.code).toMatchInlineSnapshot(`
    "// shift and square
    struct Params {
      zero: u32,
      level: u32,
      reach: u32,
      unused: u32,
    }
    @group(0) @binding(0) var<uniform> params: Params;
    @group(0) @binding(1) var<storage, read> heap0: array<u32>;
    fn load0(i: u32) -> u32 {
      return heap0[i];
    }
    @group(0) @binding(2) var<storage, read_write> heap1: array<u32>;
    fn store1(i: u32, word: u32) {
      heap1[i] = word;
    }
    fn f32_is_nan(a: u32) -> bool {
      return (a & 0x7fffffffu) > 0x7f800000u;
    }
    fn f32_key(a: u32) -> i32 {
      return bitcast<i32>(select(a, 0x80000000u - a, a >= 0x80000000u));
    }
    fn f32_lt(a: u32, b: u32) -> bool {
      return !f32_is_nan(a) && !f32_is_nan(b) && f32_key(a) < f32_key(b);
    }
    fn f32_mul(a: u32, b: u32) -> u32 {
      return bitcast<u32>(bitcast<f32>(a) * bitcast<f32>(b)) ^ params.zero;
    }

    @compute @workgroup_size(64)
    fn main(
      @builtin(global_invocation_id) id: vec3<u32>,
      @builtin(workgroup_id) group: vec3<u32>,
      @builtin(local_invocation_index) local: u32,
      @builtin(num_workgroups) groups: vec3<u32>,
    ) {
      let point = id.x + id.y * groups.x * 64u;
      if (point >= 100u) {
        return;
      }
      let a0 = i32(point);
      var v0: u32 = (0x0u ^ params.zero);
      if ((a0 + -1i) >= 0i) {
        v0 = load0(u32((a0 + -1i)));
      }
      let v1 = (0x3f800000u ^ params.zero);
      let v2 = f32_lt(v1, v0);
      let v3 = f32_mul(v0, v0);
      let v4 = select(v0, v3, v2);
      store1(64u + u32(a0), v4);
    }
    "
  `);
});

test("a bool result makes its heap atomic, since four of them share a word", () => {
  const builder = new ScalarBuilder();
  const x = builder.load("int32", 0, axis(0, 9), [], { lo: 0, hi: 0 });
  const value = builder.compare("lt", x, builder.const("int32", 0));
  const write = { buffer: 1, dtype: "bool" as const, index: axis(0, 9), guard: [], value };
  const step: KernelStep = {
    kind: "kernel",
    name: "negative",
    axes: [9],
    stages: [{ axes: [], nodes: builder.nodes, reductions: [], writes: [write] }],
  };
  const code = kernelLaunches(step, layout, "native").dispatches[0]?.code;
  expect(code).toContain("var<storage, read> heap0: array<u32>;");
  expect(code).toContain("var<storage, read_write> heap1: array<atomic<u32>>;");
  expect(code).toContain("store1_u8(256u + u32(a0), select(0u, 1u, v2));");
});
