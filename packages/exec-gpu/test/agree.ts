import { type DType, type KernelStep, storageArray } from "@gridfuse/plan";
import { axis } from "@gridfuse/plan/index-expr";
import {
  evaluateProgram,
  type LoadNode,
  loadLanes,
  type Scalar,
  ScalarBuilder,
  type ScalarNode,
  storeLanes,
} from "@gridfuse/plan/scalar";
import { expect } from "vitest";
import { gpuExecutor } from "./adapter.ts";
import { planOf } from "./plans.ts";
import { comparable, pairs } from "./values.ts";

export const shaderDTypes = [
  "bool",
  "int8",
  "int16",
  "int32",
  "uint8",
  "uint16",
  "uint32",
  "float16",
  "bfloat16",
  "float32",
] as const satisfies readonly DType[];

/** Runs a program of elementwise results over the columns on the device and in plain JS; compares the bits. */
export async function agree(
  dtype: DType,
  results: readonly { readonly name: string; readonly node: Scalar }[],
  nodes: readonly ScalarNode[],
  data: ReturnType<typeof pairs>,
): Promise<void> {
  const length = data.x.length;
  const at = axis(0, length);
  const kernel: KernelStep = {
    kind: "kernel",
    name: dtype,
    axes: [length],
    stages: [
      {
        axes: [],
        nodes,
        reductions: [],
        writes: results.map(({ node }, i) => {
          const result = (nodes[node] as ScalarNode).dtype;
          return { buffer: 2 + i, dtype: result, index: at, guard: [], value: node };
        }),
      },
    ],
  };
  const inputs = ["x", "y"].map((name) => ({ name, dtype, length }));
  const outputs = results.map(({ name, node }) => ({
    name,
    dtype: (nodes[node] as ScalarNode).dtype,
    length,
  }));
  const executor = await gpuExecutor();
  using executable = await executor.prepare(planOf(inputs, outputs, [kernel]));
  const found = await executable.run(data);
  const lanes = evaluateProgram(nodes, length, (node) =>
    loadLanes(dtype, (node as LoadNode).buffer === 0 ? data.x : data.y, 0, length),
  );
  for (const [i, { name, dtype: result }] of outputs.entries()) {
    const expected = storageArray(result, length);
    storeLanes(result, lanes[(results[i] as { node: number }).node] as Float32Array, expected, 0);
    const wanted = comparable(result, expected);
    const got = comparable(result, found[name] as Float32Array);
    const wrong = wanted.findIndex((bits, at) => bits !== got[at]);
    if (wrong >= 0) {
      expect.fail(
        `${name}(${data.x[wrong]}, ${data.y[wrong]}): got ${found[name]?.[wrong]}, not ${expected[wrong]}`,
      );
    }
  }
}

/** A program that has loaded two columns of `dtype`, and values for them. */
export function columns(dtype: DType): {
  builder: ScalarBuilder;
  x: Scalar;
  y: Scalar;
  data: ReturnType<typeof pairs>;
} {
  const data = pairs(dtype, 3000);
  const builder = new ScalarBuilder();
  const load = (buffer: number): Scalar =>
    builder.load(dtype, buffer, axis(0, data.x.length), [], { lo: 0, hi: 0 });
  return { builder, x: load(0), y: load(1), data };
}
