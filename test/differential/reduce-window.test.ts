/** Reductions of windows with strides, dilations and padding against their definition, to the last bit. */
import { type DType, graph, ones, reduceWindow, type Tensor, tensor } from "@gridfuse/graph";
import { type HostTensor, interpret, tensorOf } from "@gridfuse/interpret";
import fc from "fast-check";
import { compile } from "gridfuse";
import { describe, expect, it } from "vitest";
import { runsOf } from "./support/property.ts";
import { disagreements } from "./support/three-way.ts";

interface Dimension {
  readonly size: number;
  readonly window: number;
  readonly stride: number;
  readonly padding: readonly [number, number];
  readonly baseDilation: number;
  readonly windowDilation: number;
}

interface Case {
  readonly op: keyof typeof combine;
  readonly dtype: keyof typeof ranges;
  readonly dimensions: readonly Dimension[];
}

const combine = {
  sum: (a: number, b: number) => a + b,
  prod: (a: number, b: number) => a * b,
  max: Math.max,
  min: Math.min,
} as const;

const ranges = {
  int32: [-(2 ** 31), 2 ** 31 - 1],
  int8: [-128, 127],
  uint8: [0, 255],
  float32: [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
  bfloat16: [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY],
} as const;

function identityOf({ op, dtype }: Case): number {
  const [least, greatest] = ranges[dtype];
  return { sum: 0, prod: 1, max: least, min: greatest }[op];
}

const wrapped = (dtype: Case["dtype"], value: number): number => {
  if (dtype === "int32") return value | 0;
  if (dtype === "int8") return (value << 24) >> 24;
  return dtype === "uint8" ? value & 255 : value;
};

const from = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max });

const cases: fc.Arbitrary<Case> = fc.record({
  op: fc.constantFrom("sum", "prod", "max", "min"),
  dtype: fc.constantFrom("int32", "int8", "uint8", "float32", "bfloat16"),
  dimensions: fc.array(
    fc.record({
      size: from(0, 6),
      window: from(1, 5),
      stride: from(1, 3),
      padding: fc.tuple(from(0, 3), from(0, 3)),
      baseDilation: from(1, 2),
      windowDilation: from(1, 2),
    }),
    { minLength: 0, maxLength: 3 },
  ),
});

const indices = (extents: readonly number[]): readonly (readonly number[])[] =>
  extents.reduce<readonly (readonly number[])[]>(
    (known, extent) => known.flatMap((at) => Array.from({ length: extent }, (_, i) => [...at, i])),
    [[]],
  );

const offset = (at: readonly number[], extents: readonly number[]): number =>
  at.reduce((sum, i, d) => sum * (extents[d] as number) + i, 0);

/** Whole numbers whose sums are exact in every dtype, zeros of both signs, and powers of two whose products are exact. */
const filled = ({ op, dimensions }: Case): readonly number[] => {
  const values = op === "prod" ? [1, -1, 2, 1, -2] : [-1, 0, 1, -1, -0, 1];
  return indices(dimensions.map(({ size }) => size)).map(
    (_, i) => values[(i * 7) % values.length] as number,
  );
};

/** Element by element, as the definition has it. */
function reduced(drawn: Case, x: readonly number[]) {
  const { op, dtype, dimensions } = drawn;
  const extents = dimensions.map(({ size }) => size);
  const shape = dimensions.map(
    ({ size, window, stride, padding, baseDilation, windowDilation }) => {
      const spread = size === 0 ? 0 : (size - 1) * baseDilation + 1;
      const room = padding[0] + spread + padding[1] - (window - 1) * windowDilation - 1;
      return Math.max(0, Math.floor(room / stride) + 1);
    },
  );
  const windows = indices(dimensions.map(({ window }) => window));
  const elements = indices(shape).map((at) => {
    let result = identityOf(drawn);
    for (const tap of windows) {
      const places = dimensions.map(({ stride, padding, baseDilation, windowDilation }, d) => {
        const place = (at[d] as number) * stride + (tap[d] as number) * windowDilation - padding[0];
        return place / baseDilation;
      });
      if (places.some((p, d) => !Number.isInteger(p) || p < 0 || p >= (extents[d] as number)))
        continue;
      result = wrapped(dtype, combine[op](result, x[offset(places, extents)] as number));
    }
    return result;
  });
  return { shape, elements };
}

/** What the interpreter gives, after every backend gave the same. */
function agreed(x: HostTensor, f: (x: Tensor) => Tensor): HostTensor {
  const { program } = graph({ x: tensor(x.dtype as DType, x.shape) }, (inputs) => ({
    y: f(inputs.x as Tensor),
  }));
  expect(disagreements(program, { x })).toEqual([]);
  return interpret(program, { x }).y as HostTensor;
}

describe("reduceWindow", () => {
  it("is what its definition says, on every backend", () => {
    fc.assert(
      fc.property(cases, (drawn) => {
        const { op, dtype, dimensions } = drawn;
        const x = filled(drawn).map((value) => wrapped(dtype, value));
        const result = agreed(
          tensorOf(
            dtype,
            dimensions.map(({ size }) => size),
            x,
          ),
          (operand) =>
            reduceWindow(operand, {
              op,
              windowDimensions: dimensions.map(({ window }) => window),
              windowStrides: dimensions.map(({ stride }) => stride),
              padding: dimensions.map(({ padding }) => padding),
              baseDilation: dimensions.map(({ baseDilation }) => baseDilation),
              windowDilation: dimensions.map(({ windowDilation }) => windowDilation),
            }),
        );
        const { shape, elements } = reduced(drawn, x);
        expect(result).toMatchObject({ dtype, shape });
        const wanted = tensorOf(dtype, shape, elements).data;
        expect([...result.data].map(Number)).toEqual([...wanted].map(Number));
      }),
      { numRuns: runsOf("GRIDFUSE_WINDOWS", 80) },
    );
  });

  it("takes windows longer than any chain, of the dtypes that folds know", () => {
    for (const dtype of ["int32", "int8", "float32"] as const) {
      for (const op of ["sum", "max"] as const) {
        const dimension = { size: 45, window: 37, stride: 2, baseDilation: 1, windowDilation: 1 };
        const drawn: Case = { op, dtype, dimensions: [{ ...dimension, padding: [20, 3] }] };
        const x = filled(drawn);
        const { data } = agreed(tensorOf(dtype, [45], x), (operand) =>
          reduceWindow(operand, {
            op,
            windowDimensions: [37],
            windowStrides: [2],
            padding: [[20, 3]],
          }),
        );
        expect([...data].map(Number)).toEqual(reduced(drawn, x).elements);
      }
    }
  });

  it("gives NaN for windows that hold one, and orders −0 before +0", () => {
    const x = tensorOf("float32", [9], [Number.NaN, -0, 0, -0, -0, -0, 0, 0, 5]);
    const extremes = (op: "max" | "min", window: number) => {
      const { data } = agreed(x, (operand) =>
        reduceWindow(operand, { op, windowDimensions: [window] }),
      );
      return [...data];
    };
    expect(extremes("max", 3)).toEqual([Number.NaN, 0, 0, -0, 0, 0, 5]);
    expect(extremes("min", 3)).toEqual([Number.NaN, -0, -0, -0, -0, -0, 0]);
    expect(extremes("max", 6)).toEqual([Number.NaN, 0, 0, 5]);
    expect(extremes("min", 6)).toEqual([Number.NaN, -0, -0, -0]);
  });

  it("starts sums at +0, so that none is −0", () => {
    const x = tensorOf("float32", [3], [-0, -0, -1]);
    const { data } = agreed(x, (operand) =>
      reduceWindow(operand, { op: "sum", windowDimensions: [2] }),
    );
    expect([...data]).toEqual([0, -1]);
  });

  it("keeps ⌈size / stride⌉ windows with SAME, more padding behind than before", () => {
    const x = tensorOf("int32", [6], [1, 2, 3, 4, 5, 6]);
    const sums = (window: number, stride: number) =>
      agreed(x, (operand) =>
        reduceWindow(operand, {
          op: "sum",
          windowDimensions: [window],
          windowStrides: [stride],
          padding: "SAME",
        }),
      ).data;
    expect([...sums(2, 1)]).toEqual([3, 5, 7, 9, 11, 6]);
    expect([...sums(3, 4)]).toEqual([6, 11]);
  });

  it("gives padding alone what changes nothing: in integers the least and the greatest", () => {
    const outside = (op: "sum" | "prod" | "max" | "min") =>
      agreed(tensorOf("int8", [1], [5]), (operand) =>
        reduceWindow(operand, { op, windowDimensions: [1], padding: [[1, 0]] }),
      ).data;
    expect((["sum", "prod", "max", "min"] as const).map((op) => outside(op)[0])).toEqual([
      0, 1, -128, 127,
    ]);
  });

  it("crops where padding is negative", () => {
    const { data } = agreed(tensorOf("int32", [5], [1, 2, 3, 4, 5]), (operand) =>
      reduceWindow(operand, { op: "sum", windowDimensions: [2], padding: [[-1, -1]] }),
    );
    expect([...data]).toEqual([5, 7]);
  });

  it("rounds sums of 16-bit floats once", () => {
    const { data } = agreed(tensorOf("float16", [2, 2], [2048, 1, 1, 2]), (operand) =>
      reduceWindow(operand, { op: "sum", windowDimensions: [2, 2] }).astype("float32"),
    );
    expect([...data]).toEqual([2052]);
  });

  it("averages what lies inside: sums divided by sums of ones", () => {
    const window = { op: "sum", windowDimensions: [3, 3], padding: "SAME" } as const;
    const { data } = agreed(tensorOf("float32", [2, 3], [1, 2, 3, 4, 5, 6]), (operand) =>
      reduceWindow(operand, window).div(reduceWindow(ones("float32", [2, 3]), window)),
    );
    expect([...data]).toEqual([3, 3.5, 4, 3, 3.5, 4]);
  });

  it("is one kernel without copies, whatever the padding", () => {
    const images = { x: tensor("float32", [2, 16, 16, 4]) };
    const pooled = graph(images, ({ x }) => ({
      y: reduceWindow(x, {
        op: "max",
        windowDimensions: [1, 2, 2, 1],
        windowStrides: [1, 2, 2, 1],
      }),
    }));
    const blurred = graph(images, ({ x }) => ({
      y: reduceWindow(x, { op: "sum", windowDimensions: [1, 3, 3, 1], padding: "SAME" }).div(9),
    }));
    for (const { steps } of [pooled, blurred].map((drawn) => compile(drawn))) {
      expect(steps.map(({ kind }) => kind)).toEqual(["kernel"]);
    }
  });
});
