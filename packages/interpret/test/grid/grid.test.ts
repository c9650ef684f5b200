import {
  type BlockDim,
  type DType,
  dtypes,
  type FillMode,
  type ScalarValue,
} from "@gridfuse/graph";
import { describe, expect, it } from "vitest";
import { fillBits, filled, type HostTensor, tensorOf, valuesOf } from "../../src/index.ts";
import { counting, expectSame, vector } from "../support/apply.ts";
import {
  blocked,
  type IndexMap,
  int,
  type KernelSpec,
  read,
  runKernel,
  squeezed,
  when,
  whole,
  write,
} from "../support/kernels.ts";

const values = (tensor: HostTensor | undefined): ScalarValue[] => valuesOf(tensor!);
const firstId: IndexMap = (_, [i]) => [i!];
const bothIds: IndexMap = (_, [i, j]) => [i!, j!];

/** Appends the number of the point to a log kept in scratch: out holds the order of the visits. */
const visits = (axes: readonly number[]): KernelSpec => {
  const points = axes.reduce((product, size) => product * size, 1);
  return {
    axes,
    outputs: [{ dtype: "int32", shape: [points], block: blocked(points) }],
    scratch: [["int32", []]],
    fill: "zero",
    body: (e, { ids, outputs: [out], scratch: [next] }) => {
      const position = e.emit("get", [next!], { transforms: whole() });
      const number = ids.reduce(
        (sum, id, axis) => e.emit("add", [e.emit("mul", [sum, int(e, axes[axis]!)], {}), id], {}),
        int(e, 0),
      );
      const transforms = [[{ kind: "int" as const, index: { operand: 0 } }]];
      e.emitAll("set", [out!, number, position], { transforms });
      write(e, next!, e.emit("add", [position, int(e, 1)], {}));
    },
  };
};

/** Copies a block of the one input to the one output. */
const copyKernel = (
  array: HostTensor,
  block: readonly BlockDim[],
  axes: readonly number[],
  map: IndexMap,
  fill: FillMode = "hlo",
): KernelSpec => ({
  axes,
  inputs: [{ array, block, map }],
  outputs: [{ dtype: array.dtype, shape: array.shape, block, map }],
  fill,
  body: (e, { inputs: [x], outputs: [o] }) => write(e, o!, read(e, x!)),
});

describe("grid order", () => {
  it("runs nested loops, last axis fastest; scratch persists", () => {
    expect(values(runKernel(visits([2, 3]))[0])).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it("runs exactly once where there is no axis", () => {
    expect(values(runKernel(visits([]))[0])).toEqual([0]);
  });

  it("can be told another order, to show that it matters or not", () => {
    const backwards = (_: unknown, points: number) =>
      Array.from({ length: points }, (_, i) => points - 1 - i);
    const [log] = runKernel(visits([2, 2]), { inlineGridOrder: backwards });
    expect(values(log)).toEqual([3, 2, 1, 0]);
  });

  it("runs not at all where an extent is 0: outputs keep what they start with", () => {
    const array = counting("int32", 3);
    const spec = copyKernel(array, blocked(1), [3, 0], firstId);
    expect(values(runKernel(spec)[0])).toEqual([-(2 ** 31), -(2 ** 31), -(2 ** 31)]);
    expectSame(runKernel({ ...spec, aliases: [[0, 0]] })[0], array);
  });
});

describe("blocks", () => {
  it("are numbered in each dimension", () => {
    const array = counting("int32", 4, 6);
    const spec = copyKernel(array, blocked(2, 3), [2, 2], bothIds);
    expectSame(runKernel(spec)[0], array);
  });

  it("may be read by another map than they are written", () => {
    const [out] = runKernel({
      axes: [3],
      inputs: [
        {
          array: counting("float32", 6),
          block: blocked(2),
          map: (e, [i]) => [e.emit("sub", [int(e, 2), i!], {})],
        },
      ],
      outputs: [{ dtype: "float32", shape: [6], block: blocked(2), map: firstId }],
      body: (e, { inputs: [x], outputs: [o] }) => write(e, o!, read(e, x!)),
    });
    expect(values(out)).toEqual([4, 5, 2, 3, 0, 1]);
  });

  it("squeeze a dimension out of the ref", () => {
    const array = counting("int32", 3, 4);
    const block: BlockDim[] = [squeezed, { kind: "blocked", size: 4 }];
    const map: IndexMap = (e, [i]) => [i!, int(e, 0)];
    expectSame(runKernel(copyKernel(array, block, [3], map))[0], array);
  });

  it("that are element-indexed may overlap", () => {
    const [out] = runKernel({
      axes: [3],
      inputs: [
        {
          array: counting("int32", 4),
          block: [{ kind: "element", size: 2, padding: [0, 0] }],
          map: firstId,
        },
      ],
      outputs: [
        {
          dtype: "int32",
          shape: [3, 2],
          block: [squeezed, ...blocked(2)],
          map: (e, [i]) => [i!, int(e, 0)],
        },
      ],
      body: (e, { inputs: [x], outputs: [o] }) => write(e, o!, read(e, x!)),
    });
    expect(values(out)).toEqual([0, 1, 1, 2, 2, 3]);
  });

  it("see virtual padding as fill, and count indices from it", () => {
    const [out] = runKernel({
      axes: [4],
      inputs: [
        {
          array: vector("int32", 5, 6),
          block: [{ kind: "element", size: 1, padding: [1, 1] }],
          map: firstId,
        },
      ],
      outputs: [{ dtype: "int32", shape: [4], block: blocked(1), map: firstId }],
      fill: "zero",
      body: (e, { inputs: [x], outputs: [o] }) => write(e, o!, read(e, x!)),
    });
    expect(values(out)).toEqual([0, 5, 6, 0]);
  });

  it("that are bounded read fill and drop writes from the count on", () => {
    const array = counting("int32", 5);
    const block: BlockDim[] = [{ kind: "bounded", size: 3 }];
    const map: IndexMap = (e, [i]) => [
      e.emit("mul", [i!, int(e, 2)], {}),
      e.emit("sub", [int(e, 2), i!], {}), // two elements, then one
    ];
    const [sums, copy] = runKernel({
      axes: [2],
      inputs: [{ array, block, map }],
      outputs: [
        {
          dtype: "int32",
          shape: [2, 3],
          block: [squeezed, ...blocked(3)],
          map: (e, [i]) => [i!, int(e, 0)],
        },
        { dtype: "int32", shape: [5], block, map },
      ],
      fill: "zero",
      body: (e, { inputs: [x], outputs: [o, p] }) => {
        const one = e.full("int32", [3], 1);
        const next = e.emit("add", [read(e, x!), one], {});
        write(e, o!, next);
        write(e, p!, next);
      },
    });
    expect(values(sums)).toEqual([1, 2, 1, 3, 1, 1]);
    expect(values(copy)).toEqual([1, 2, 3, 0, 0]);
  });

  it("that start beyond the array read fill and write nothing", () => {
    const spec = copyKernel(counting("int32", 2), blocked(2), [3], (e, [i]) => [
      e.emit("sub", [i!, int(e, 1)], {}), // −1, 0, 1
    ]);
    expect(values(runKernel(spec)[0])).toEqual([0, 1]);
    const seen = runKernel({
      axes: [3],
      inputs: [...spec.inputs!],
      outputs: [{ dtype: "int32", shape: [6], block: blocked(2), map: firstId }],
      fill: "zero",
      body: (e, { inputs: [x], outputs: [o] }) => write(e, o!, read(e, x!)),
    });
    expect(values(seen[0])).toEqual([0, 0, 0, 1, 0, 0]);
  });

  it("may take their place from prefetched scalars", () => {
    const [out] = runKernel({
      axes: [3],
      prefetch: [vector("int32", 2, 0, 1)],
      inputs: [
        {
          array: vector("float32", 10, 11, 12),
          block: blocked(1),
          map: (e, [i], [order]) => [
            e.emit("get", [order!, i!], {
              transforms: [[{ kind: "int", index: { operand: 0 } }]],
            }),
          ],
        },
      ],
      outputs: [{ dtype: "float32", shape: [3], block: blocked(1), map: firstId }],
      body: (e, { inputs: [x], outputs: [o] }) => write(e, o!, read(e, x!)),
    });
    expect(values(out)).toEqual([12, 10, 11]);
  });

  it("can be of no dimension", () => {
    const [out] = runKernel(copyKernel(tensorOf("int32", [], [4]), [], [2], () => []));
    expect(values(out)).toEqual([4]);
  });
});

describe("ragged edges", () => {
  const modes: Record<FillMode, readonly [DType, ScalarValue][]> = {
    hlo: [
      ["float32", Number.NaN],
      ["bfloat16", Number.NaN],
      ["int32", -(2 ** 31)],
      ["int8", -128],
      ["int16", 0],
      ["uint16", 0],
      ["int64", -(2n ** 63n)],
      ["bool", false],
    ],
    tpu: [
      ["float16", Number.NaN],
      ["int32", 2 ** 31 - 1],
      ["uint16", 65535],
      ["uint64", 2n ** 64n - 1n],
      ["bool", true],
    ],
    zero: dtypes.map((dtype) => [
      dtype,
      dtype === "bool" ? false : dtype === "int64" || dtype === "uint64" ? 0n : 0,
    ]),
  };
  for (const [mode, cases] of Object.entries(modes) as [FillMode, [DType, ScalarValue][]][]) {
    it.each(cases)(`fill with ${mode}: %s → %s`, (dtype, expected) => {
      const ones = tensorOf(dtype, [3], [1, 1, 1]);
      const [seen] = runKernel({
        axes: [2],
        inputs: [{ array: ones, block: blocked(2), map: firstId }],
        outputs: [{ dtype, shape: [4], block: blocked(2), map: firstId }],
        fill: mode,
        body: (e, { inputs: [x], outputs: [o] }) => write(e, o!, read(e, x!)),
      });
      expect(values(seen)[3]).toEqual(expected);
      expectSame(filled(dtype, [1], fillBits(dtype, mode)), vector(dtype, expected));
    });
  }

  it("drop what is written outside", () => {
    const array = counting("int32", 5, 3);
    expectSame(runKernel(copyKernel(array, blocked(2, 2), [3, 2], bothIds))[0], array);
  });

  it("keep what is written outside for as long as the grid runs", () => {
    const total = (overhang: readonly BlockDim[]) =>
      runKernel({
        axes: [3],
        outputs: [
          { dtype: "int32", shape: [1], block: overhang },
          { dtype: "int32", shape: [3], block: blocked(1), map: firstId },
        ],
        fill: "zero",
        body: (e, { outputs: [block, seen] }) => {
          const before = read(e, block!);
          write(e, seen!, e.reshape(e.emit("reduce_sum", [before], { axes: [0] }), [1]));
          write(e, block!, e.emit("add", [before, e.full("int32", [2], 1)], {}));
        },
      }).map(values);
    expect(total(blocked(2))).toEqual([[3], [0, 2, 4]]);
    expect(total([{ kind: "element", size: 2, padding: [1, 0] }])).toEqual([[3], [0, 2, 4]]);
  });

  it("leave what no block covers as fresh memory", () => {
    const [out] = runKernel(copyKernel(counting("float32", 5), blocked(2), [2], firstId, "tpu"));
    expect(values(out)).toEqual([0, 1, 2, 3, NaN]);
  });
});

describe("state", () => {
  const sums = (level: "kernel" | "tensor"): KernelSpec => ({
    axes: [2, 3],
    inputs: [{ array: counting("float32", 2, 6), block: blocked(1, 2), map: bothIds }],
    outputs: [
      {
        dtype: "float32",
        shape: [2, 2],
        block: blocked(1, 2),
        map: (e, [i]) => [i!, int(e, 0)],
      },
    ],
    level,
    body: (e, { ids, inputs: [x], outputs: [o] }) => {
      const first = e.emit("eq", [ids[1]!, int(e, 0)], {});
      const zero = e.full("float32", [1, 2], 0);
      if (level === "kernel") {
        when(e, first, [o!], (inner, [ref]) =>
          write(inner, ref!, inner.full("float32", [1, 2], 0)),
        );
        e.emitAll("addupdate", [o!, read(e, x!)], { transforms: whole(1, 2) });
        return;
      }
      const mask = e.broadcastTo(first, [1, 2]);
      return [e.emit("add", [e.emit("select_n", [mask, o!, zero], {}), x!], {})];
    },
  });

  it.each(["kernel", "tensor"] as const)(
    "accumulates into an output that is revisited (%s)",
    (level) => {
      expect(values(runKernel(sums(level))[0])).toEqual([6, 9, 24, 27]);
    },
  );

  it("of an output is read back before each point, even after other blocks were visited", () => {
    const [out] = runKernel({
      axes: [2, 2],
      outputs: [{ dtype: "int32", shape: [2], block: blocked(1), map: (_, [, j]) => [j!] }],
      fill: "zero",
      body: (e, { outputs: [o] }) => {
        e.emitAll("addupdate", [o!, e.full("int32", [1], 5)], { transforms: whole(1) });
      },
    });
    expect(values(out)).toEqual([10, 10]);
  });

  it("of scratch starts as fill and persists over the whole grid, at both levels", () => {
    const spec = (level: "kernel" | "tensor"): KernelSpec => ({
      axes: [3],
      outputs: [{ dtype: "int32", shape: [3], block: blocked(1), map: firstId }],
      scratch: [["int32", [1]]],
      level,
      fill: "tpu",
      body: (e, { outputs: [o], scratch: [s] }) => {
        const one = e.full("int32", [1], 1);
        if (level === "tensor") {
          const next = e.emit("add", [s!, one], {});
          return [next, next];
        }
        e.emitAll("addupdate", [s!, one], { transforms: whole(1) });
        write(e, o!, read(e, s!));
        return;
      },
    });
    const wrapped = [-(2 ** 31), -(2 ** 31) + 1, -(2 ** 31) + 2];
    expect(values(runKernel(spec("kernel"))[0])).toEqual(wrapped);
    expect(values(runKernel(spec("tensor"))[0])).toEqual(wrapped);
  });

  it("of an aliased output starts with the input, which keeps its own copy", () => {
    const array = counting("int32", 4);
    const [out, seen] = runKernel({
      axes: [2],
      inputs: [{ array, block: blocked(4) }],
      outputs: [
        { dtype: "int32", shape: [4], block: blocked(4) },
        { dtype: "int32", shape: [2, 4], block: blocked(1, 4), map: (e, [i]) => [i!, int(e, 0)] },
      ],
      aliases: [[0, 0]],
      body: (e, { inputs: [x], outputs: [o, p] }) => {
        const transforms = [[{ kind: "slice" as const, start: 1, size: 2, stride: 1 }]];
        e.emitAll("addupdate", [o!, e.full("int32", [2], 10)], { transforms });
        write(e, p!, e.reshape(read(e, x!), [1, 4]));
      },
    });
    expect(values(out)).toEqual([0, 21, 22, 3]);
    expect(values(seen)).toEqual([0, 1, 2, 3, 0, 1, 2, 3]);
    expect(values(array)).toEqual([0, 1, 2, 3]);
  });

  it.each(["kernel", "tensor"] as const)(
    "of an input that is written survives in a copy of its own (%s)",
    (level) => {
      const array = vector("int32", 1, 2);
      const [out] = runKernel({
        axes: [2, 2],
        inputs: [{ array, block: blocked(1), map: (_, [, j]) => [j!] }],
        outputs: [
          { dtype: "int32", shape: [2, 2], block: [squeezed, ...blocked(1)], map: bothIds },
        ],
        mutated: level === "tensor" ? [0] : [],
        level,
        body: (e, { inputs: [x], outputs: [o], mutated: [state] }) => {
          const ten = e.full("int32", [1], 10);
          if (level === "tensor") {
            const next = e.emit("mul", [state!, ten], {});
            return [next, next];
          }
          const next = e.emit("mul", [read(e, x!), ten], {});
          write(e, x!, next);
          write(e, o!, read(e, x!));
          return;
        },
      });
      expect(values(out)).toEqual([10, 20, 100, 200]);
      expect(values(array)).toEqual([1, 2]);
    },
  );

  it("includes prefetched values that a kernel writes to", () => {
    const [out] = runKernel({
      axes: [3],
      prefetch: [vector("int32", 0)],
      outputs: [
        {
          dtype: "int32",
          shape: [4],
          block: blocked(1),
          map: (e, _, [cell]) => [
            e.emit("get", [cell!], { transforms: [[{ kind: "int", index: 0 }]] }),
          ],
        },
      ],
      fill: "zero",
      body: (e, { ids, prefetch: [cell], outputs: [o] }) => {
        write(e, o!, e.reshape(e.emit("add", [ids[0]!, int(e, 7)], {}), [1]));
        e.emitAll("addupdate", [cell!, e.full("int32", [1], 1)], { transforms: whole(1) });
      },
    });
    expect(values(out)).toEqual([7, 8, 9, 0]);
  });

  it("reaches the body through captures too", () => {
    const [out] = runKernel({
      axes: [2],
      outputs: [{ dtype: "int32", shape: [2], block: blocked(1), map: firstId }],
      captures: [vector("int32", 42)],
      body: (e, { outputs: [o], captures: [c] }) => write(e, o!, c!),
    });
    expect(values(out)).toEqual([42, 42]);
  });
});
