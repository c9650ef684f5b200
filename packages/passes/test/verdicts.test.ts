/**
 * What the compiler makes of the canonical kernels: verdicts with their reasons, and how many kernels,
 * library steps and loops are left. Nothing here looks at a kernel's name.
 */

import {
  bitcast,
  cdiv,
  dot,
  f32,
  graph,
  i32,
  iota,
  kernel,
  matmul,
  squeezed,
  type Tensor,
  tensor,
  vmem,
  when,
  where,
} from "gridfuse";
import { describe, expect, it } from "vitest";
import { compile, type PlanReport, report } from "../src/index.ts";

const verdicts = ({ axes }: PlanReport): string[] =>
  axes.map(({ axis, verdict, reason }) => `${axis}: ${verdict} — ${reason}`);

const blocksOf = (n: number, size: number) => tensor(f32, [n]).blocks([size], ({ i }) => [i]);

describe("an elementwise kernel with blocks of one element", () => {
  const sinGrid = (n: number) => {
    const sin = kernel(
      "sin",
      {
        grid: { i: n },
        inputs: { x: blocksOf(n, 1), y: blocksOf(n, 1) },
        outputs: { o: blocksOf(n, 1) },
      },
      ({ x, y, o }) => {
        o.set(x.get().add(y.get()).mul(2).sin());
      },
    );
    return graph({ x: tensor(f32, [n]), y: tensor(f32, [n]) }, (inputs) => sin(inputs));
  };

  it.each([512, 2_097_152])("is one kernel over %i points, without a loop", (n) => {
    const told = report(compile(sinGrid(n)));
    expect(told.gridPoints).toBe(n);
    expect(told.planKernels).toBe(1);
    expect(told.planSteps).toBe(1);
    expect(told.gridLoops).toBe(0);
    expect(told.peakBytes).toBe(0);
    expect(verdicts(told)).toEqual([
      'i: parallel — blocks of "o" are disjoint along it; no state is carried',
    ]);
  });
});

describe("a tiled matmul with an accumulator in scratch", () => {
  const [m, n, depth] = [64, 48, 96];
  const tiled = kernel(
    "matmul",
    {
      grid: { i: cdiv(m, 32), j: cdiv(n, 16), k: cdiv(depth, 32) },
      inputs: {
        a: tensor(f32, [m, depth]).blocks([32, 32], ({ i, k }) => [i, k]),
        b: tensor(f32, [depth, n]).blocks([32, 16], ({ k, j }) => [k, j]),
      },
      outputs: { c: tensor(f32, [m, n]).blocks([32, 16], ({ i, j }) => [i, j]) },
      scratch: { acc: vmem(f32, [32, 16]) },
    },
    ({ a, b, c, acc }, { k }) => {
      when(k.isFirst, () => acc.set(0));
      acc.add(dot(a.get(), b.get()));
      when(k.isLast, () => c.set(acc.get()));
    },
  );
  const program = graph({ a: tensor(f32, [m, depth]), b: tensor(f32, [depth, n]) }, (t) =>
    tiled(t),
  );

  it("is one dot: the k axis is contracted with the rest", () => {
    const plan = compile(program);
    const told = report(plan);
    expect(verdicts(told)).toEqual([
      'i: parallel — blocks of "c" are disjoint along it; "acc" overwritten before read',
      'j: parallel — blocks of "c" are disjoint along it; "acc" overwritten before read',
      'k: reduction — "c" is published at the last point; "acc" accumulates by add',
    ]);
    expect(plan.steps).toMatchObject([{ kind: "dot", m: [m], n: [n], k: [depth], batch: [] }]);
    expect(plan.outputs[0]?.exact).toBe(false);
  });

  it("keeps k as a loop where sums must not be reassociated", () => {
    const told = report(compile(program, { reassociate: false }));
    expect(told.axes.map(({ verdict }) => verdict)).toEqual(["parallel", "parallel", "sequential"]);
    expect(told.gridLoops).toBe(1);
    expect(told.axes[2]?.reason).toContain("reassociate is false");
  });
});

describe("kernels over blocks of rows", () => {
  const [rows, columns, block] = [1000, 512, 64];
  const rowBlocks = tensor(f32, [rows, columns]).blocks([block, columns], ({ i }) => [i, 0]);

  it("a softmax is one kernel for the whole call, ragged last block included", () => {
    const softmax = kernel(
      "softmax",
      { grid: { i: cdiv(rows, block) }, inputs: { x: rowBlocks }, outputs: { o: rowBlocks } },
      ({ x, o }) => {
        const shifted = x
          .get()
          .sub(x.get().max({ axis: 1, keepDims: true }))
          .exp();
        o.set(shifted.div(shifted.sum({ axis: 1, keepDims: true })));
      },
    );
    const told = report(compile(graph({ x: tensor(f32, [rows, columns]) }, (t) => softmax(t))));
    expect(told.steps.map(({ kind }) => kind)).toEqual(["kernel"]);
    expect(told.kernels[0]).toMatchObject({ domain: [rows, columns], reductions: 2, inputs: 1 });
    expect(told.peakBytes).toBe(0);
  });

  it("a layer norm is one kernel too", () => {
    const layerNorm = kernel(
      "layer_norm",
      {
        grid: { i: cdiv(rows, block) },
        inputs: { x: rowBlocks, gain: tensor(f32, [columns]) },
        outputs: { o: rowBlocks },
      },
      ({ x, gain, o }) => {
        const centred = x.get().sub(x.get().mean({ axis: 1, keepDims: true }));
        const variance = centred.mul(centred).mean({ axis: 1, keepDims: true });
        o.set(centred.mul(variance.add(1e-5).rsqrt()).mul(gain.get()));
      },
    );
    const inputs = { x: tensor(f32, [rows, columns]), gain: tensor(f32, [columns]) };
    const told = report(compile(graph(inputs, (t) => layerNorm(t))));
    expect(told.steps.map(({ kind }) => kind)).toEqual(["kernel"]);
    expect(told.kernels[0]).toMatchObject({ domain: [rows, columns], reductions: 2 });
  });
});

describe("a bitonic sort written with reshapes and flips", () => {
  const [rows, n] = [8, 128];
  const whole = tensor(f32, [rows, n]);
  const sortRows = kernel(
    "sort",
    { grid: [1], inputs: { x: whole }, outputs: { o: whole } },
    ({ x, o }) => {
      const column = iota(i32, [rows, n], 1);
      let keys: Tensor = bitcast(x.get(), i32);
      for (let size = 2; size <= n; size *= 2) {
        for (let distance = size / 2; distance >= 1; distance /= 2) {
          const partner = keys
            .reshape([rows, n / (2 * distance), 2, distance])
            .flip(2)
            .reshape([rows, n]);
          const isLower = column.and(distance).eq(0);
          const ascends = column.and(size).eq(0);
          keys = where(isLower.eq(ascends), keys.minimum(partner), keys.maximum(partner));
        }
      }
      o.set(bitcast(keys, f32));
    },
  );
  const plan = compile(graph({ x: whole }, (t) => sortRows(t)));

  const kernels = plan.steps.filter((step) => step.kind === "kernel");

  it("is one kernel for three substages, no copies", () => {
    expect(plan.steps.map(({ kind }) => kind)).toEqual(new Array(9).fill("kernel"));
  });

  it("reads and writes every element once a kernel, and compares every pair once a substage", () => {
    for (const { stages } of kernels) {
      const [{ nodes, writes }] = stages as [(typeof stages)[number]];
      const loads = nodes.filter(({ op }) => op === "load");
      expect(loads.length).toBe(writes.length);
      expect(loads.length).toBeLessThanOrEqual(8);
    }
    const nodes = kernels.flatMap(({ stages }) => stages.flatMap((stage) => stage.nodes));
    for (const op of ["min", "max"]) {
      // Four pairs among eight elements, in each of 28 substages.
      expect(nodes.filter((node) => node.op === op)).toHaveLength(4 * 28);
    }
  });
});

describe("flash attention", () => {
  const [heads, queries, keys, width, queryBlock, keyBlock] = [2, 64, 128, 16, 32, 32];
  const blocks = (length: number, size: number, axis: "q" | "k") =>
    tensor(f32, [heads, length, width]).blocks([squeezed, size, width], (ids) => [
      ids.h,
      ids[axis],
      0,
    ]);
  const flash = kernel(
    "flash",
    {
      grid: { h: heads, q: queries / queryBlock, k: keys / keyBlock },
      inputs: {
        q: blocks(queries, queryBlock, "q"),
        key: blocks(keys, keyBlock, "k"),
        value: blocks(keys, keyBlock, "k"),
      },
      outputs: { o: blocks(queries, queryBlock, "q") },
      scratch: {
        m: vmem(f32, [queryBlock, 1]),
        l: vmem(f32, [queryBlock, 1]),
        acc: vmem(f32, [queryBlock, width]),
      },
    },
    ({ q, key, value, o, m, l, acc }, { k }) => {
      when(k.isFirst, () => {
        m.set(-Infinity);
        l.set(0);
        acc.set(0);
      });
      const scores = matmul(q.get(), key.get().transpose());
      const next = m.get().maximum(scores.max({ axis: 1, keepDims: true }));
      const weights = scores.sub(next).exp();
      const decay = m.get().sub(next).exp();
      l.set(
        l
          .get()
          .mul(decay)
          .add(weights.sum({ axis: 1, keepDims: true })),
      );
      acc.set(acc.get().mul(decay).add(matmul(weights, value.get())));
      m.set(next);
      when(k.isLast, () => o.set(acc.get().div(l.get())));
    },
  );
  const inputs = {
    q: tensor(f32, [heads, queries, width]),
    key: tensor(f32, [heads, keys, width]),
    value: tensor(f32, [heads, keys, width]),
  };
  const plan = compile(graph(inputs, (t) => flash(t)));
  const told = report(plan);

  it("loops over key blocks only, with heads and queries batched inside", () => {
    expect(told.gridLoops).toBe(1);
    expect(told.axes.map(({ verdict }) => verdict)).toEqual(["parallel", "parallel", "sequential"]);
    expect(told.axes[2]?.reason).toContain("read before it is written");
  });

  it("never holds the whole score matrix", () => {
    const largest = Math.max(
      ...plan.buffers.map(({ kind, length }) => (kind === "temporary" ? length : 0)),
    );
    expect(largest).toBeLessThanOrEqual(heads * queries * keyBlock);
    expect(largest).toBeLessThan(heads * queries * keys);
  });

  it("publishes the output after the loop, not in every iteration", () => {
    const loop = plan.steps.findIndex(({ kind }) => kind === "loop");
    expect(plan.steps.slice(loop + 1).map(({ kind }) => kind)).toEqual(["kernel"]);
  });
});

describe("other ways to visit blocks", () => {
  const n = 32;

  it("an output that is overwritten at every point keeps the last visit", () => {
    const keepLast = kernel(
      "keep_last",
      {
        grid: { i: 4 },
        inputs: { x: tensor(f32, [n]).blocks([8], ({ i }) => [i]) },
        outputs: { o: tensor(f32, [8]).blocks([8], () => [0]) },
      },
      ({ x, o }) => o.set(x.get().mul(2)),
    );
    const told = report(compile(graph({ x: tensor(f32, [n]) }, (t) => keepLast(t))));
    expect(told.axes[0]?.verdict).toBe("last");
    expect(told.gridLoops).toBe(0);
  });

  it("a running sum that is written at every point is a cumulative sum", () => {
    const prefix = kernel(
      "prefix",
      {
        grid: { i: 4 },
        inputs: { x: tensor(f32, [n]).blocks([8], ({ i }) => [i]) },
        outputs: { o: tensor(f32, [n]).blocks([8], ({ i }) => [i]) },
        scratch: { sum: vmem(f32, [8]) },
      },
      ({ x, o, sum }, { i }) => {
        when(i.isFirst, () => sum.set(0));
        sum.add(x.get());
        o.set(sum.get());
      },
    );
    const told = report(compile(graph({ x: tensor(f32, [n]) }, (t) => prefix(t))));
    expect(told.axes[0]?.reason).toBe('"sum" accumulates by add, read at every point');
    expect(told.gridLoops).toBe(0);
  });

  it("blocks that may meet are carried, and the report says so", () => {
    const overlap = kernel(
      "overlap",
      {
        grid: { i: 4 },
        inputs: { x: tensor(f32, [n]).blocks([8], ({ i }) => [i]) },
        outputs: { o: tensor(f32, [2, 8]).blocks([1, 8], ({ i }) => [i.rem(2), 0]) },
      },
      ({ x, o }) => o.set(x.get().reshape([1, 8])),
    );
    const told = report(compile(graph({ x: tensor(f32, [n]) }, (t) => overlap(t))));
    expect(told.axes[0]?.verdict).toBe("sequential");
    expect(told.axes[0]?.reason).toContain("not injective");
  });

  it("a promise of parallel that does not hold is reported", () => {
    const wrong = kernel(
      "wrong",
      {
        grid: { i: 4 },
        inputs: { x: tensor(f32, [n]).blocks([8], ({ i }) => [i]) },
        outputs: { o: tensor(f32, [8]).blocks([8], () => [0]) },
        dimensionSemantics: ["parallel"],
      },
      ({ x, o }, { i }) => {
        when(i.isFirst, () => o.set(0));
        o.add(x.get());
      },
    );
    const told = report(compile(graph({ x: tensor(f32, [n]) }, (t) => wrong(t))));
    expect(told.axes[0]?.verdict).toBe("reduction");
    expect(told.notes.join()).toContain("declared parallel but is reduction");
  });

  it("adding through an index array adds every mention", () => {
    const histogram = kernel(
      "histogram",
      {
        grid: { i: 3 },
        inputs: { x: tensor(i32, [12]).blocks([4], ({ i }) => [i]) },
        outputs: { counts: tensor(i32, [5]) },
      },
      ({ x, counts }, { i }) => {
        when(i.isFirst, () => counts.set(0));
        counts.at(x.get()).add(1);
      },
    );
    const plan = compile(graph({ x: tensor(i32, [12]) }, (t) => histogram(t)));
    expect(report(plan).steps.map(({ kind }) => kind)).toContain("scatter");
  });
});
