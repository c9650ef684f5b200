/** Every op of the scalar language on every dtype it has a meaning on: generated code against plain JS. */
import {
  type DType,
  dtypes,
  isFloat,
  isInteger,
  itemSize,
  type Plan,
  type StorageArray,
} from "@gridfuse/plan";
import { axis } from "@gridfuse/plan/index-expr";
import { binaryOps, compareOps, type ScalarBuilder, type unaryOps } from "@gridfuse/plan/scalar";
import { describe, expect, test } from "vitest";
import { cpuSync } from "../src/index.ts";
import { compareBackends, randomWords, sampleArray } from "./compare.ts";
import { PlanBuilder, write, zeroBits } from "./plan-builder.ts";

const n = 203;

function planOf(
  inputs: readonly DType[],
  build: (s: ScalarBuilder, x: readonly number[]) => readonly number[],
): { plan: Plan; inputs: Record<string, StorageArray> } {
  const p = new PlanBuilder();
  const i = axis(0, n);
  const buffers = inputs.map((dtype, k) => p.input(`x${k}`, dtype, [n]));
  p.map([n], (s) => {
    const loads = buffers.map((buffer, k) => s.load(inputs[k] as DType, buffer, i, [], zeroBits));
    return build(s, loads).map((value, k) => {
      const dtype = s.dtypeOf(value);
      return write(p.output(`y${k}`, dtype, [n]), dtype, i, value);
    });
  });
  const next = randomWords(inputs.join().length + n);
  return {
    plan: p.build(),
    inputs: Object.fromEntries(inputs.map((dtype, k) => [`x${k}`, sampleArray(dtype, n, next)])),
  };
}

/** The same beside so many operations on 64 bits that two lanes are computed at once. */
function pairPlanOf(...[inputs, build]: Parameters<typeof planOf>): ReturnType<typeof planOf> {
  const made = planOf([...inputs, "uint64"], (s, x) => {
    const word = x.at(-1) as number;
    let mixed = word;
    for (let i = 0; i < 100; i++) {
      mixed = s.binary(i % 2 === 0 ? "xor" : "add", mixed, s.binary("or", word, mixed));
    }
    return [...build(s, x), mixed];
  });
  using executable = cpuSync({ backend: "wasm" }).prepareSync(made.plan);
  expect(executable.report().steps?.[0]?.how).toMatch("simd");
  return made;
}

function check({ plan, inputs }: ReturnType<typeof planOf>): void {
  for (const { wasm, js } of compareBackends(plan, inputs)) expect(wasm).toEqual(js);
}

const floatUnary = ["neg", "abs", "sqrt", "floor", "ceil", "trunc", "roundEven"] as const;
const unaryFor = (dtype: DType): readonly (typeof unaryOps)[number][] =>
  isFloat(dtype)
    ? floatUnary
    : dtype === "bool"
      ? ["not"]
      : ["neg", "abs", "not", "populationCount", "countLeadingZeros"];
const binaryFor = (dtype: DType): readonly (typeof binaryOps)[number][] =>
  isFloat(dtype)
    ? ["add", "sub", "mul", "div", "rem", "min", "max"]
    : dtype === "bool"
      ? ["and", "or", "xor", "min", "max"]
      : binaryOps.filter((op) => op !== "mulhi" || dtype === "int32" || dtype === "uint32");

const forms = [
  ["", planOf],
  [" in two lanes", pairPlanOf],
] as const;

describe.each(dtypes.flatMap((dtype) => forms.map(([where, form]) => ({ dtype, where, form }))))(
  "$dtype$where",
  ({ dtype, form }) => {
    test("unary ops", () => {
      check(form([dtype], (s, [x]) => unaryFor(dtype).map((op) => s.unary(op, x as number))));
    });
    test("binary ops", () => {
      check(
        form([dtype, dtype], (s, [x, y]) =>
          binaryFor(dtype).map((op) => s.binary(op, x as number, y as number)),
        ),
      );
    });
    test("binary ops with immediates", () => {
      if (!isFloat(dtype)) return;
      const immediates = [0, -0, 1.5, -2, Number.POSITIVE_INFINITY, Number.NaN];
      check(
        form([dtype], (s, [x]) =>
          binaryFor(dtype).flatMap((op) =>
            immediates.map((value) => s.binary(op, x as number, s.const(dtype, value))),
          ),
        ),
      );
    });
    test("comparisons and select", () => {
      check(
        form([dtype, dtype], (s, [x, y]) =>
          compareOps.flatMap((op) => {
            const condition = s.compare(op, x as number, y as number);
            return [condition, s.select(condition, x as number, y as number)];
          }),
        ),
      );
    });
    test("converts to every dtype", () => {
      check(form([dtype], (s, [x]) => dtypes.map((to) => s.convert(x as number, to))));
    });
    test("bitcasts to every dtype of its width", () => {
      const targets = dtypes.filter((to) => itemSize(to) === itemSize(dtype) && to !== "bool");
      check(
        form([dtype], (s, [x]) => {
          const computed = isFloat(dtype) ? s.add(x as number, s.const(dtype, 1)) : (x as number);
          return targets.map((to) => s.bitcast(computed, to));
        }),
      );
    });
    if (isInteger(dtype)) {
      test("shifts by constants within and beyond the width", () => {
        const width = itemSize(dtype) * 8;
        check(
          form([dtype], (s, [x]) =>
            [0, 1, width - 1, width, width + 1].flatMap((amount) =>
              (["shiftLeft", "shiftRightLogical", "shiftRightArithmetic"] as const).map((op) =>
                s.binary(op, x as number, s.const(dtype, amount)),
              ),
            ),
          ),
        );
      });
    }
  },
);
