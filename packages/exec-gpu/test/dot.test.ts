import { bf16Bits, bf16FromBits, type DotStep } from "@gridfuse/plan";
import { constant, zero } from "@gridfuse/plan/index-expr";
import { expect, test } from "vitest";
import { gpuExecutor } from "./adapter.ts";
import { planOf } from "./plans.ts";
import { words } from "./values.ts";

const [batch, m, n, k] = [3, 5, 4, 37];

const floats = (seed: number, length: number): Float32Array => {
  const next = words(seed);
  return Float32Array.from({ length }, () => (next() / 2 ** 31 - 1) * 2 ** (next() % 12));
};

/** lhs[b, m, k] · rhs[b, n, k] with rhs stored as [b, k, n], behind two elements of something else. */
const step: DotStep = {
  kind: "dot",
  name: "batched",
  ...{ dtype: "float32", accumulate: "float32", lhsDType: "float32", rhsDType: "float32" },
  ...{ batch: [batch], m: [m], n: [n], k: [k] },
  lhs: { buffer: 0, base: zero, batch: [m * k], free: [k], contract: [1] },
  rhs: { buffer: 1, base: constant(2), batch: [n * k], free: [1], contract: [n] },
  out: { buffer: 2, base: zero, batch: [m * n], free: [n, 1], contract: [] },
};

/** The sums in order, `round` after every operation. */
function inOrder(
  x: ArrayLike<number>,
  y: ArrayLike<number>,
  round: (value: number) => number,
): number[] {
  return Array.from({ length: batch * m * n }, (_, point) => {
    const [b, row, column] = [Math.floor(point / (m * n)), Math.floor(point / n) % m, point % n];
    let sum = 0;
    for (let i = 0; i < k; i++) {
      const left = x[b * m * k + row * k + i] as number;
      const right = y[2 + b * n * k + i * n + column] as number;
      sum = round(sum + round(left * right));
    }
    return sum;
  });
}

test("a dot adds its products in order, each rounded", async () => {
  const x = floats(1, batch * m * k);
  const y = floats(2, 2 + batch * n * k);
  const plan = planOf(
    [
      { name: "x", dtype: "float32", length: x.length },
      { name: "y", dtype: "float32", length: y.length },
    ],
    [{ name: "z", dtype: "float32", length: batch * m * n }],
    [step],
  );
  using executable = await (await gpuExecutor()).prepare(plan);
  const { z } = await executable.run({ x, y });
  expect(z).toEqual(Float32Array.from(inOrder(x, y, Math.fround)));
});

test("bfloat16 operands are accumulated in float32 and rounded once at the end", async () => {
  const x = Uint16Array.from(floats(3, batch * m * k), bf16Bits);
  const y = Uint16Array.from(floats(4, 2 + batch * n * k), bf16Bits);
  const short: DotStep = {
    ...step,
    ...{ dtype: "bfloat16", lhsDType: "bfloat16", rhsDType: "bfloat16" },
  };
  const plan = planOf(
    [
      { name: "x", dtype: "bfloat16", length: x.length },
      { name: "y", dtype: "bfloat16", length: y.length },
    ],
    [{ name: "z", dtype: "bfloat16", length: batch * m * n }],
    [short],
  );
  using executable = await (await gpuExecutor()).prepare(plan);
  const { z } = await executable.run({ x, y });
  const wide = (bits: Uint16Array): number[] => Array.from(bits, bf16FromBits);
  expect(z).toEqual(Uint16Array.from(inOrder(wide(x), wide(y), Math.fround), bf16Bits));
});

test("int32 sums wrap, and a dot over nothing is zero", async () => {
  const next = words(5);
  const x = Int32Array.from({ length: batch * m * k }, next);
  const y = Int32Array.from({ length: 2 + batch * n * k }, next);
  const whole: DotStep = {
    ...step,
    ...{ dtype: "int32", accumulate: "int32", lhsDType: "int32", rhsDType: "int32" },
  };
  const nothing: DotStep = { ...whole, name: "empty", k: [0], out: { ...step.out, buffer: 3 } };
  const length = batch * m * n;
  const plan = planOf(
    [
      { name: "x", dtype: "int32", length: x.length },
      { name: "y", dtype: "int32", length: y.length },
    ],
    [
      { name: "z", dtype: "int32", length },
      { name: "none", dtype: "int32", length },
    ],
    [whole, nothing],
  );
  using executable = await (await gpuExecutor()).prepare(plan);
  const { z, none } = await executable.run({ x, y });
  const expected = Array.from({ length }, (_, point) => {
    const [b, row, column] = [Math.floor(point / (m * n)), Math.floor(point / n) % m, point % n];
    let sum = 0;
    for (let i = 0; i < k; i++) {
      const left = x[b * m * k + row * k + i] as number;
      sum = (sum + Math.imul(left, y[2 + b * n * k + i * n + column] as number)) | 0;
    }
    return sum;
  });
  expect(z).toEqual(Int32Array.from(expected));
  expect(none).toEqual(new Int32Array(length));
});

test("a dot may go on from the sums that its result holds", async () => {
  const x = floats(5, batch * m * k);
  const y = floats(6, 2 + batch * n * k);
  const part = (from: number, count: number): DotStep => ({
    ...step,
    ...{ name: `from ${from}`, k: [count] },
    lhs: { ...step.lhs, base: constant(from) },
    rhs: { ...step.rhs, base: constant(2 + from * n) },
    ...(from === 0 ? {} : { onto: true }),
  });
  const plan = planOf(
    [
      { name: "x", dtype: "float32", length: x.length },
      { name: "y", dtype: "float32", length: y.length },
    ],
    [{ name: "z", dtype: "float32", length: batch * m * n }],
    [part(0, 20), part(20, k - 20)],
  );
  using executable = await (await gpuExecutor()).prepare(plan);
  const { z } = await executable.run({ x, y });
  expect(z).toEqual(Float32Array.from(inOrder(x, y, Math.fround)));
});
