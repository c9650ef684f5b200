/**
 * Arrays longer than any block, tile or segment that an executor cuts them into, with ragged ends: the
 * same three-way comparison as everywhere, on the steps whose code depends on length.
 */
import {
  cumsum,
  dot,
  graph,
  iota,
  maximum,
  softmax,
  sort,
  type Tensor,
  take,
  tensor,
  topK,
  where,
} from "@gridfuse/graph";
import type { DType } from "@gridfuse/plan";
import { describe, expect, test } from "vitest";
import { disagreements } from "./support/three-way.ts";
import { Random, randomTensor } from "./support/values.ts";

type Shape = readonly number[];
type Inputs = Readonly<Record<string, readonly [DType, Shape]>>;

function agree(
  inputs: Inputs,
  make: (tensors: Readonly<Record<string, Tensor>>) => Readonly<Record<string, Tensor>>,
): void {
  const specs = Object.fromEntries(
    Object.entries(inputs).map(([name, [dtype, shape]]) => [name, tensor(dtype, shape)]),
  );
  const { program } = graph(specs, make as never);
  const random = new Random(11);
  const tensors = Object.fromEntries(
    Object.entries(inputs).map(([name, [dtype, shape]]) => [
      name,
      randomTensor(dtype, shape, random, name === "index" ? "tame" : "wild"),
    ]),
  );
  const lines = disagreements(program, tensors);
  if (lines.length > 0) expect.fail(lines.join("\n"));
}

const lengths = [4095, 4096, 10_007];
const types: readonly DType[] = ["float32", "int8", "float16", "uint64", "float64", "bool"];

describe.each(types)("%s", (dtype) => {
  const number = dtype !== "bool";

  test.each(lengths)("elementwise over %i elements, with a broadcast scalar", (n) => {
    agree({ x: [dtype, [n]], y: [dtype, [n]], s: [dtype, []] }, ({ x, y, s }) => ({
      chosen: where(x!.gt(y!), maximum(x!, s!), y!) as Tensor,
      moved: y!.flip(0).astype("float32") as Tensor,
    }));
  });

  test("reductions over everything, rows and columns", () => {
    agree({ x: [dtype, [67, 131]] }, ({ x }) => ({
      all: x!.max() as Tensor,
      rows: (number ? x!.sum({ axis: 1 }) : x!.any({ axis: 1 })) as Tensor,
      columns: (number ? x!.sum({ axis: 0 }) : x!.all({ axis: 0 })) as Tensor,
      first: x!.argmax({ axis: 1 }) as Tensor,
    }));
  });

  test("transposes and slices of a matrix", () => {
    agree({ x: [dtype, [67, 131]] }, ({ x }) => ({
      turned: x!.transpose() as Tensor,
      part: x!.index("3:60:2", "::3").flip(1) as Tensor,
    }));
  });

  test("sorts, running sums, selections and scatters", () => {
    agree({ x: [dtype, [4100]], index: ["int32", [700]] }, ({ x, index }) => ({
      sorted: sort(x!) as Tensor,
      best: topK(x!, 100).values,
      taken: take(x!, index!) as Tensor,
      ...(number ? { running: cumsum(x!) as Tensor } : {}),
    }));
  });
});

test("a softmax over long rows", () => {
  agree({ x: ["float32", [5, 5003]] }, ({ x }) => ({ y: softmax(x!) as Tensor }));
});

test.each(["float32", "int32", "bfloat16"] as const)("a product of %s matrices", (dtype) => {
  agree({ a: [dtype, [67, 129]], b: [dtype, [129, 70]] }, ({ a, b }) => {
    const [x, y] = [a!, b!].map((m) => m.astype("int8").astype(dtype)) as [Tensor, Tensor];
    return { c: dot(x, y) as Tensor };
  });
});

test("positions beyond 2¹⁶", () => {
  agree({ x: ["int32", [70_000]] }, ({ x }) => {
    const place = iota("int32", [70_000], 0) as Tensor;
    return { y: x!.add(place).flip(0) as Tensor, odd: place.rem(3).eq(1) as Tensor };
  });
});
