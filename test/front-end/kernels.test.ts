/** What kernels mean: block mappings, refs, scratch, prefetch, aliases and vmap, run as written. */
import {
  anywhere,
  arange,
  bounded,
  cdiv,
  cond,
  dot,
  ds,
  element,
  upTo as extentUpTo,
  type Graph,
  graph,
  kernel,
  loop,
  numPrograms,
  programId,
  smem,
  squeezed,
  type Tensor,
  tensor,
  vmap,
  vmem,
  when,
} from "@gridfuse/graph";
import { interpret } from "@gridfuse/interpret";
import { describe, expect, it } from "vitest";

type Inputs = Parameters<typeof interpret>[1];
const run = (g: Graph, inputs: Inputs): Record<string, readonly number[]> =>
  Object.fromEntries(
    Object.entries(interpret(g.program, inputs)).map(([name, { data }]) => [
      name,
      [...data].map(Number),
    ]),
  );
const upTo = (n: number): Float32Array => Float32Array.from({ length: n }, (_, i) => i);

describe("a kernel", () => {
  it("multiplies matrices block by block with an accumulator in scratch", () => {
    const [m, n, depth] = [6, 4, 4];
    const matmul = kernel(
      "matmul",
      {
        grid: { i: cdiv(m, 3), j: cdiv(n, 2), k: cdiv(depth, 2) },
        inputs: {
          a: tensor("float32", [m, depth]).blocks([3, 2], ({ i, k }) => [i, k]),
          b: tensor("float32", [depth, n]).blocks([2, 2], ({ k, j }) => [k, j]),
        },
        outputs: { c: tensor("float32", [m, n]).blocks([3, 2], ({ i, j }) => [i, j]) },
        scratch: { acc: vmem("float32", [3, 2]) },
      },
      ({ a, b, c, acc }, { k }) => {
        when(k.isFirst, () => acc.set(0));
        acc.add(dot(a.get(), b.get()));
        when(k.isLast, () => c.set(acc.get()));
      },
    );
    const [a, b] = [upTo(24), upTo(16)];
    const { c } = run(graph(matmul.inputs, matmul), { a, b });
    const expected = Array.from({ length: m * n }, (_, at) => {
      const [i, j] = [Math.floor(at / n), at % n];
      return Array.from({ length: depth }, (_, k) => a[i * depth + k] * b[k * n + j]).reduce(
        (x, y) => x + y,
      );
    });
    expect(c).toEqual(expected);
  });

  it("is called by name or in order, and a number stands for a scalar input", () => {
    const scale = kernel(
      "scale",
      {
        grid: [],
        inputs: { x: tensor("float32", [3]), by: tensor("float32", []) },
        outputs: { y: tensor("float32", [3]) },
      },
      ({ x, by, y }) => y.set(x.get().mul(by.get())),
    );
    const g = graph({ x: tensor("float32", [3]) }, ({ x }) => ({
      named: scale({ x, by: 2 }).y,
      ordered: scale(x, x.index(1)).y,
    }));
    expect(run(g, { x: new Float32Array([1, 3, 5]) })).toEqual({
      named: [2, 6, 10],
      ordered: [3, 9, 15],
    });
  });

  it("sees squeezed, element and bounded blocks as their index maps say", () => {
    const windows = kernel(
      "windows",
      {
        grid: { i: 3 },
        inputs: {
          row: tensor("float32", [3, 4]).blocks([squeezed, 4], ({ i }) => [i, 0]),
          near: tensor("float32", [3]).blocks([element(3, { padding: [1, 1] })], ({ i }) => i),
          head: tensor("float32", [4]).blocks([bounded(2)], ({ i }) => ds(i, 2)),
        },
        outputs: { y: tensor("float32", [3, 3]).blocks([squeezed, 3], ({ i }) => [i, 0]) },
      },
      ({ row, near, head, y }) => {
        y.set(row.get().sum(), 0);
        y.set(near.get(1), 1);
        y.set(head.get(1), 2);
      },
    );
    const inputs = { row: upTo(12), near: upTo(3), head: upTo(4) };
    expect(run(graph(windows.inputs, windows), inputs).y).toEqual([6, 0, 1, 22, 1, 2, 38, 2, 3]);
  });

  it("reads prefetched arrays in its index maps and in its body", () => {
    const pick = kernel(
      "pick",
      {
        grid: { i: 3 },
        prefetch: { rows: tensor("int32", [3]) },
        inputs: {
          x: tensor("float32", [4, 2]).blocks([squeezed, 2], ({ i }, { rows }) => [rows.get(i), 0]),
        },
        outputs: { y: tensor("float32", [3, 2]).blocks([squeezed, 2], ({ i }) => [i, 0]) },
      },
      ({ rows, x, y }, { i }) => y.set(x.get().add(rows.get(i).mul(100).astype("float32"))),
    );
    const { y } = run(graph(pick.inputs, pick), { rows: new Int32Array([3, 0, 1]), x: upTo(8) });
    expect(y).toEqual([306, 307, 0, 1, 102, 103]);
  });

  it("takes as many steps as a prefetched count says, and leaves the rest as it was", () => {
    const part = kernel(
      "part",
      {
        grid: { i: extentUpTo(3, "steps") },
        prefetch: { steps: tensor("int32", []) },
        inputs: { x: tensor("float32", [6]).blocks([2], ({ i }) => [i]) },
        outputs: { y: tensor("float32", [6]).blocks([2], ({ i }) => [i]) },
        aliases: { x: "y" },
      },
      ({ x, y }, { i }) => {
        y.set(x.get().add(i.count.astype("float32").mul(10)));
        when(i.isLast, () => y.set(-1));
      },
    );
    const of = (steps: number) =>
      run(graph(part.inputs, part), { steps: new Int32Array([steps]), x: upTo(6) }).y;
    expect(of(0)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(of(2)).toEqual([20, 21, -1, -1, 4, 5]);
    expect(of(7)).toEqual([30, 31, 32, 33, -1, -1]);
    expect(of(-1)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(String(graph(part.inputs, part))).toContain("grid part(i: steps");
  });

  it("starts an aliased output with its input", () => {
    const bump = kernel(
      "bump",
      {
        grid: [],
        inputs: { x: tensor("float32", [4]) },
        outputs: { y: tensor("float32", [4]) },
        aliases: { x: "y" },
      },
      ({ y }) => y.add(10, ds(1, 2)),
    );
    expect(run(graph(bump.inputs, bump), { x: upTo(4) }).y).toEqual([0, 11, 12, 3]);
  });

  it("loops over views of its refs, with known bounds, unrolled, and with computed ones", () => {
    const suffix = (mode: "known" | "unrolled" | "computed") =>
      kernel(
        "suffix",
        {
          grid: [1],
          inputs: { x: tensor("int32", [5]) },
          outputs: { y: tensor("int32", [5]) },
          scratch: { sum: smem("int32", [1]), spare: anywhere("int32", [2]) },
        },
        ({ x, y, sum }, [i]) => {
          sum.set(0);
          const upper = mode === "computed" ? i.add(5) : 5;
          loop(
            0,
            upper,
            (k) => {
              sum.add(x.get(k), 0);
              y.at(k).set(sum.get(0));
            },
            { unroll: mode === "unrolled" },
          );
        },
      );
    for (const mode of ["known", "unrolled", "computed"] as const) {
      const k = suffix(mode);
      expect(run(graph(k.inputs, k), { x: new Int32Array([1, 2, 3, 4, 5]) }).y).toEqual([
        1, 3, 6, 10, 15,
      ]);
    }
  });

  it("takes one of two ways at each grid point", () => {
    const parity = kernel(
      "parity",
      {
        grid: { i: 4 },
        inputs: {},
        outputs: { y: tensor("int32", [4]).blocks([1], ({ i }) => i) },
      },
      ({ y }, { i }) => {
        when(i.mod(2).eq(0), () => y.set(1)).otherwise(() => y.set(i.neg().reshape([1])));
      },
    );
    expect(run(graph(parity.inputs, parity), {}).y).toEqual([1, -1, 1, -3]);
  });

  it("uses values of the graph around it", () => {
    const g = graph({ x: tensor("float32", [2]) }, ({ x }) => {
      const total = x.sum();
      const share = kernel(
        "share",
        { grid: [], inputs: { x: tensor("float32", [2]) }, outputs: { y: tensor("float32", [2]) } },
        (refs) => when(total.gt(0), () => refs.y.set(refs.x.get().div(total))),
      );
      return share({ x }).y;
    });
    expect(run(g, { x: new Float32Array([1, 3]) }).out).toEqual([0.25, 0.75]);
  });
});

describe("vmap", () => {
  const sums = kernel(
    "sums",
    {
      grid: { i: 2 },
      prefetch: { order: tensor("int32", [2]) },
      inputs: {
        x: tensor("float32", [4]).blocks([2], ({ i }, { order }) => [order.get(i)]),
        offset: tensor("float32", [1]),
      },
      outputs: { y: tensor("float32", [2]).blocks([1], ({ i }) => [i]) },
    },
    ({ x, offset, y }, { i }) => {
      const place = programId(0)
        .sub(i)
        .add(numPrograms("i") - 2)
        .astype("float32");
      y.set(x.get().sum({ keepDims: true }).add(offset.get()).add(place));
    },
  );
  const order = new Int32Array([1, 0]);
  const alone = (x: Float32Array, o: Int32Array, offset: number) =>
    run(graph(sums.inputs, sums), { order: o, x, offset: new Float32Array([offset]) }).y;

  it("does for every slice what the kernel does for one", () => {
    const mapped = vmap(sums, { size: 3, inAxes: { x: 0 } });
    const { y } = run(graph(mapped.inputs, mapped), { order, x: upTo(12), offset: upTo(1) });
    expect(y).toEqual([0, 1, 2].flatMap((b) => alone(upTo(12).slice(4 * b, 4 * b + 4), order, 0)));
  });

  it("maps any axis, prefetched inputs too, and can be nested", () => {
    const inner = vmap(sums, { size: 2, inAxes: { x: 1, order: 0 }, outAxes: 1 });
    const twice = vmap(inner, { size: 2, inAxes: { offset: 0 } });
    const x = upTo(8); // [4, 2]
    const orders = new Int32Array([1, 0, 0, 1]);
    const { y } = run(graph(twice.inputs, twice), {
      order: orders,
      x,
      offset: new Float32Array([10, 20]),
    });
    const column = (b: number) => Float32Array.from({ length: 4 }, (_, i) => x[2 * i + b]);
    const expected = [10, 20].flatMap((offset) => {
      const columns = [0, 1].map((b) => alone(column(b), orders.slice(2 * b, 2 * b + 2), offset));
      return [0, 1].flatMap((i) => columns.map((values) => values[i]));
    });
    expect(y).toEqual(expected);
  });

  it("keeps positional index maps and bodies as they are", () => {
    const plain = kernel(
      "plain",
      {
        grid: [2, 2],
        inputs: { x: tensor("int32", [2, 2]).blocks([1, 1], (i, j) => [j, i]) },
        outputs: { y: tensor("int32", [2, 2]).blocks([1, 1], (i, j) => [i, j]) },
      },
      ({ x, y }, [i, j]) => y.set(x.get().add(i.mul(10)).add(j.mul(100))),
    );
    const mapped = vmap(plain, { size: 2 });
    const g = graph({}, () => mapped(arange(8).reshape([2, 2, 2])).y);
    expect(run(g, {}).out).toEqual([0, 102, 11, 113, 4, 106, 15, 117]);
  });

  it("maps functions of tensors, their control flow, captures and kernels included", () => {
    const negate = kernel(
      "negate",
      { grid: [], inputs: { x: tensor("float32", [2]) }, outputs: { y: tensor("float32", [2]) } },
      ({ x, y }) => y.set(x.get().neg()),
    );
    const g = graph({ x: tensor("float32", [2, 3]), s: tensor("float32", []) }, ({ x, s }) => {
      const f = (column: Tensor, shared: Tensor) => ({
        sum: cond(
          column.sum().gt(5),
          () => column.sum(),
          () => s,
        ),
        scaled: negate(column).y.mul(shared),
      });
      return vmap(f, { inAxes: [1, null], outAxes: -1 })(x, s);
    });
    const result = run(g, { x: upTo(6), s: new Float32Array([10]) });
    expect(result).toEqual({ sum: [10, 10, 7], scaled: [-0, -10, -20, -30, -40, -50] });
  });

  it("nests for functions, one axis after the other", () => {
    const outer = (a: Tensor, b: Tensor) => a.mul(b);
    const table = vmap((a: Tensor, b: Tensor) => vmap(outer, { inAxes: [null, 0] })(a, b), {
      inAxes: [0, null],
    });
    const g = graph({}, () => table(arange(3), arange(4)));
    expect(run(g, {}).out).toEqual([0, 0, 0, 0, 0, 1, 2, 3, 0, 2, 4, 6]);
  });
});
