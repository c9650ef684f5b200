/** Convolutions of whole numbers with strides, dilations, padding, groups and both usual orders of dimensions, to the last bit. */
import { BuildError, convGeneralDilated, graph, tensor } from "@gridfuse/graph";
import { type HostTensor, interpret, tensorOf } from "@gridfuse/interpret";
import fc from "fast-check";
import { compile } from "gridfuse";
import { describe, expect, it } from "vitest";
import { runsOf } from "./support/property.ts";
import { disagreements } from "./support/three-way.ts";

interface Spatial {
  readonly size: number;
  readonly window: number;
  readonly stride: number;
  readonly padding: readonly [number, number];
  readonly lhsDilation: number;
  readonly rhsDilation: number;
}

interface Case {
  readonly rows: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly spatial: readonly Spatial[];
  readonly groups: number;
  readonly grouped: "features" | "batches";
  readonly isChannelsLast: boolean;
}

const from = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max });

const cases: fc.Arbitrary<Case> = fc.record({
  rows: from(1, 2),
  inputs: from(1, 3),
  outputs: from(1, 3),
  spatial: fc.array(
    fc.record({
      size: from(1, 6),
      window: from(1, 3),
      stride: from(1, 3),
      padding: fc.tuple(from(0, 2), from(0, 2)),
      lhsDilation: from(1, 2),
      rhsDilation: from(1, 2),
    }),
    { minLength: 1, maxLength: 2 },
  ),
  groups: from(1, 2),
  grouped: fc.constantFrom("features", "batches"),
  isChannelsLast: fc.boolean(),
});

const product = (extents: readonly number[]): number =>
  extents.reduce((n, extent) => n * extent, 1);

const indices = (extents: readonly number[]): readonly (readonly number[])[] =>
  extents.reduce<readonly (readonly number[])[]>(
    (known, extent) => known.flatMap((at) => Array.from({ length: extent }, (_, i) => [...at, i])),
    [[]],
  );

const offset = (at: readonly number[], extents: readonly number[]): number =>
  at.reduce((sum, i, d) => sum * (extents[d] as number) + i, 0);

const filled = (extents: readonly number[]): number[] =>
  Array.from({ length: product(extents) }, (_, i) => ((i * 7) % 11) - 5);

/** Element by element, as the definition has it, over [N, C, …] and [O, I, …]. */
function convolved(drawn: Case, x: readonly number[], w: readonly number[]) {
  const { rows, inputs, outputs, spatial, groups, grouped } = drawn;
  const byFeature = grouped === "features" ? groups : 1;
  const byBatch = grouped === "batches" ? groups : 1;
  const counts = spatial.map(({ size, window, stride, padding, lhsDilation, rhsDilation }) => {
    const padded = (size - 1) * lhsDilation + 1 + padding[0] + padding[1];
    return Math.max(0, Math.floor((padded - (window - 1) * rhsDilation - 1) / stride) + 1);
  });
  const lhs = [rows * byBatch, inputs * byFeature, ...spatial.map(({ size }) => size)];
  const rhs = [outputs * groups, inputs, ...spatial.map(({ window }) => window)];
  const out = [rows, outputs * groups, ...counts];
  const element = ([n, o, ...at]: readonly number[]): number => {
    const group = Math.floor((o as number) / outputs);
    let sum = 0;
    for (const [i, ...tap] of indices(rhs.slice(1))) {
      const places = spatial.map(({ stride, padding, lhsDilation, rhsDilation }, d) => {
        const place = (at[d] as number) * stride + (tap[d] as number) * rhsDilation - padding[0];
        return place / lhsDilation;
      });
      if (places.some((p, d) => !Number.isInteger(p) || p < 0 || p >= (lhs[d + 2] as number)))
        continue;
      const row = byBatch > 1 ? group * rows + (n as number) : (n as number);
      const feature = byFeature > 1 ? group * inputs + (i as number) : (i as number);
      sum +=
        (x[offset([row, feature, ...places], lhs)] as number) *
        (w[offset([o as number, i as number, ...tap], rhs)] as number);
    }
    return sum;
  };
  return { lhs, rhs, out, elements: indices(out).map(element) };
}

/** Features last: elements and extents of an array whose dimensions are [first, second, …spatial]. */
function channelsLast(values: readonly number[], extents: readonly number[]) {
  const [first, second, ...rest] = extents as [number, number, ...number[]];
  const shape = [first, ...rest, second];
  const moved = indices(shape).map((at) => {
    const [i, ...others] = at as [number, ...number[]];
    return values[offset([i, others.at(-1) as number, ...others.slice(0, -1)], extents)] as number;
  });
  return { shape, values: moved };
}

describe("convGeneralDilated", () => {
  it("is what its definition says, on every backend", () => {
    fc.assert(
      fc.property(cases, (drawn) => {
        const { spatial, groups, grouped, isChannelsLast } = drawn;
        const x = filled(convolved(drawn, [], []).lhs);
        const w = filled(convolved(drawn, [], []).rhs);
        const { lhs, rhs, out, elements } = convolved(drawn, x, w);
        const arranged = (values: readonly number[], shape: readonly number[]) =>
          isChannelsLast ? channelsLast(values, shape) : { shape, values };
        const [left, right, wanted] = [arranged(x, lhs), arranged(w, rhs), arranged(elements, out)];
        const letters = "HW".slice(0, spatial.length);
        const { program } = graph(
          { x: tensor("int32", left.shape), w: tensor("int32", right.shape) },
          (operands) => ({
            y: convGeneralDilated(operands.x, operands.w, {
              windowStrides: spatial.map(({ stride }) => stride),
              padding: spatial.map(({ padding }) => padding),
              lhsDilation: spatial.map(({ lhsDilation }) => lhsDilation),
              rhsDilation: spatial.map(({ rhsDilation }) => rhsDilation),
              ...(isChannelsLast
                ? { dimensionNumbers: [`N${letters}C`, `O${letters}I`, `N${letters}C`] as const }
                : {}),
              ...(grouped === "features"
                ? { featureGroupCount: groups }
                : { batchGroupCount: groups }),
            }),
          }),
        );
        const inputs = {
          x: tensorOf("int32", left.shape, left.values),
          w: tensorOf("int32", right.shape, right.values),
        };
        expect(disagreements(program, inputs)).toEqual([]);
        const { data, shape } = interpret(program, inputs).y as HostTensor;
        expect(shape).toEqual(wanted.shape);
        expect([...(data as Int32Array)]).toEqual(wanted.values.map((value) => value + 0));
      }),
      { numRuns: runsOf("GRIDFUSE_CONVOLUTIONS", 60) },
    );
  });

  it("keeps ⌈size / stride⌉ windows with SAME, more zeros behind than before", () => {
    const same = (size: number, window: number, stride: number) =>
      graph(
        { x: tensor("float32", [1, 1, size]), w: tensor("float32", [1, 1, window]) },
        ({ x, w }) => ({
          y: convGeneralDilated(x, w, { windowStrides: [stride], padding: "SAME" }),
        }),
      );
    expect(compile(same(5, 2, 1)).outputs).toMatchObject([{ shape: [1, 1, 5] }]);
    expect(compile(same(6, 3, 4)).outputs).toMatchObject([{ shape: [1, 1, 2] }]);
    const inputs = {
      x: tensorOf("float32", [1, 1, 5], [1, 2, 3, 4, 5]),
      w: tensorOf("float32", [1, 1, 2], [1, 10]),
    };
    const { data } = interpret(same(5, 2, 1).program, inputs).y as HostTensor;
    expect([...(data as Float32Array)]).toEqual([21, 32, 43, 54, 5]);
  });

  it("is one product that reads its windows where they lie", () => {
    const layer = graph(
      { x: tensor("float32", [2, 8, 9, 9]), w: tensor("float32", [16, 8, 3, 3]) },
      ({ x, w }) => ({
        y: convGeneralDilated(x, w, { dimensionNumbers: ["NCHW", "OIHW", "NHWC"] }),
      }),
    );
    expect(compile(layer).steps.map(({ kind }) => kind)).toEqual(["dot"]);
  });

  it("says which features do not match", () => {
    const wrong = () =>
      graph({ x: tensor("float32", [1, 8, 5]), w: tensor("float32", [4, 3, 2]) }, ({ x, w }) => ({
        y: convGeneralDilated(x, w),
      }));
    expect(wrong).toThrow(BuildError);
    expect(wrong).toThrow(/GF2103.*8 features, the right one takes 3/);
  });

  it("takes no other word for its padding", () => {
    const wrong = () =>
      graph({ x: tensor("float32", [1, 1, 5]), w: tensor("float32", [1, 1, 3]) }, ({ x, w }) => ({
        y: convGeneralDilated(x, w, { padding: "same" as "SAME" }),
      }));
    expect(wrong).toThrow(/GF2108.*padding is "same"/);
  });
});
