/** Grid axes whose extent a prefetched count gives: what every count means, and what each axis is proven to be. */
import {
  debugPrint,
  dot,
  graph,
  type Kernel,
  kernel,
  type Tensor,
  tensor,
  upTo,
  vmem,
  when,
  whileLoop,
} from "@gridfuse/graph";
import { type HostTensor, tensorOf } from "@gridfuse/interpret";
import { compile, report } from "@gridfuse/passes";
import { describe, expect, it } from "vitest";
import { disagreements } from "./support/three-way.ts";

const steps = { steps: tensor("int32", []) };

const counting = (...shape: readonly number[]): HostTensor => {
  const count = shape.reduce((product, extent) => product * extent, 1);
  return tensorOf(
    "float32",
    shape,
    Array.from({ length: count }, (_, i) => (i % 7) - 2),
  );
};

function expectAgreement(given: unknown, inputs: Readonly<Record<string, HostTensor>>): void {
  const made = given as Kernel;
  const { program } = graph(made.inputs, made as never);
  for (const count of [-1, 0, 1, 2, 3, 4, 9]) {
    const all = { ...inputs, steps: tensorOf("int32", [], [count]) };
    expect(disagreements(program, all), `steps ${count}`).toEqual([]);
  }
}

const verdicts = (given: unknown): Record<string, string> => {
  const made = given as Kernel;
  const { axes } = report(compile(graph(made.inputs, made as never)));
  return Object.fromEntries(axes.map(({ axis, verdict }) => [axis, verdict]));
};

describe("an axis as long as a call says", () => {
  it("is parallel where blocks are disjoint; the others stay as they were", () => {
    const part = kernel(
      "part",
      {
        grid: { i: upTo(4, "steps") },
        prefetch: steps,
        inputs: { x: tensor("float32", [8]).blocks([2], ({ i }) => [i]) },
        outputs: {
          y: tensor("float32", [8]).blocks([2], ({ i }) => [i]),
          z: tensor("float32", [8]).blocks([2], ({ i }) => [i]),
        },
        aliases: { x: "y" },
      },
      ({ x, y, z }, { i }) => {
        z.set(x.get().mul(3));
        y.set(x.get().add(i.count.astype("float32")));
        when(i.isLast, () => y.set(-1));
      },
    );
    expect(verdicts(part)).toEqual({ i: "parallel" });
    expectAgreement(part, { x: counting(8) });
  });

  it("is parallel with scratch that every point overwrites first", () => {
    const matmul = kernel(
      "matmul",
      {
        grid: { i: upTo(4, "steps"), k: 3 },
        prefetch: steps,
        inputs: {
          a: tensor("float32", [8, 6]).blocks([2, 2], ({ i, k }) => [i, k]),
          b: tensor("float32", [6, 5]).blocks([2, 5], ({ k }) => [k, 0]),
        },
        outputs: { c: tensor("float32", [8, 5]).blocks([2, 5], ({ i }) => [i, 0]) },
        scratch: { acc: vmem("float32", [2, 5]) },
      },
      ({ a, b, c, acc }, { k }) => {
        when(k.isFirst, () => acc.set(0));
        acc.add(dot(a.get(), b.get()));
        when(k.isLast, () => c.set(acc.get()));
      },
    );
    expect(verdicts(matmul)).toEqual({ i: "parallel", k: "reduction" });
    expectAgreement(matmul, { a: counting(8, 6), b: counting(6, 5) });
  });

  it("keeps what scratch holds where idle points would spoil it", () => {
    const rowSums = kernel(
      "row_sums",
      {
        grid: { i: 3, k: upTo(4, "steps") },
        prefetch: steps,
        inputs: { x: tensor("float32", [3, 8]).blocks([1, 2], ({ i, k }) => [i, k]) },
        outputs: { y: tensor("float32", [3, 2]).blocks([1, 2], ({ i }) => [i, 0]) },
        scratch: { acc: vmem("float32", [1, 2]), total: vmem("float32", [1, 2]) },
      },
      ({ x, y, acc, total }, { i, k }) => {
        when(k.isFirst, () => acc.set(0));
        when(k.isFirst.and(i.isFirst), () => total.set(0));
        acc.add(x.get());
        total.set(total.get().mul(0.5).add(x.get()));
        when(k.isLast, () => y.set(acc.get().add(total.get())));
      },
    );
    expectAgreement(rowSums, { x: counting(3, 8) });
  });

  it("runs neither prints nor loops of idle points", () => {
    const speaks = kernel(
      "speaks",
      {
        grid: { i: upTo(4, "steps") },
        prefetch: steps,
        inputs: { x: tensor("float32", [8]).blocks([2], ({ i }) => [i]) },
        outputs: { y: tensor("float32", [8]).blocks([2], ({ i }) => [i]) },
      },
      ({ x, y }, { i }) => {
        debugPrint("at {}", i);
        const grown = whileLoop(
          (v: Tensor) => (v.abs() as Tensor).max().lt(100) as never,
          (v: Tensor) => (v.mul(2) as Tensor).add(1) as never,
          x.get() as Tensor,
        );
        y.set(grown as Tensor);
      },
    );
    expectAgreement(speaks, { x: counting(8) });
  });
});
