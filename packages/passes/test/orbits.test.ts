/**
 * Layers of butterflies that one kernel computes: which networks are recognised, whatever they are written with, and
 * which are not. Everything random is compared with the interpreter.
 */

import { tensorOf } from "@gridfuse/interpret";
import type { KernelStep, Plan, Step } from "@gridfuse/plan";
import fc from "fast-check";
import {
  concatenate,
  constant,
  ds,
  f32,
  fori,
  type Graph,
  graph,
  i32,
  iota,
  stack,
  type Tensor,
  tensor,
  where,
} from "gridfuse";
import { describe, expect, it } from "vitest";
import { expectNoFaults, runsOf } from "../../../test/differential/support/property.ts";
import { disagreements } from "../../../test/differential/support/three-way.ts";
import { compile, report } from "../src/index.ts";

// ── Partners ────────────────────────────────────────────────────────────────────────────────

const column = (x: Tensor): Tensor => iota(i32, x.shape as number[], 1);

/** Element i ^ delta of every row, for each i, spelled in different ways. */
const partners = {
  flip: (x: Tensor, delta: number) => {
    const [rows, n] = x.shape as [number, number];
    return x
      .reshape([rows, n / (2 * delta), 2, delta])
      .flip(2)
      .reshape([rows, n]);
  },
  halves: (x: Tensor, delta: number) => {
    const [rows, n] = x.shape as [number, number];
    const pairs = x.reshape([rows, n / (2 * delta), 2, delta]);
    const swapped = [pairs.index(":", ":", 1), pairs.index(":", ":", 0)];
    return stack(swapped, { axis: 2 }).reshape([rows, n]);
  },
  table: (x: Tensor, delta: number) => {
    const places = Array.from({ length: x.shape[1] as number }, (_, i) => i ^ delta);
    return x.take(constant(places, { dtype: i32 }), { axis: 1 });
  },
  xor: (x: Tensor, delta: number) =>
    x.take(iota(i32, [x.shape[1] as number]).xor(delta), { axis: 1 }),
  roll: (x: Tensor, delta: number) => {
    const isLower = column(x).and(delta).eq(0);
    return where(isLower, x.roll(-delta, { axis: 1 }), x.roll(delta, { axis: 1 }));
  },
} as const;
type Spelling = keyof typeof partners;
/** These take any delta, the others a power of two. */
const anyDelta: readonly Spelling[] = ["table", "xor"];

/** Keeps the smaller one at the lower position of a pair. */
function exchange(x: Tensor, delta: number, spelling: Spelling): Tensor {
  const partner = partners[spelling](x, delta);
  return where(column(x).and(delta).eq(0), x.minimum(partner), x.maximum(partner));
}

const network = (
  deltas: readonly number[],
  spelling: Spelling,
  shape: readonly [number, number] = [4, 64],
): Graph =>
  graph({ x: tensor(f32, shape) }, ({ x }) => ({
    y: deltas.reduce<Tensor>((y, delta) => exchange(y, delta, spelling), x),
  }));

/** The same as a user of slices writes it: halves that are compared and joined; `mirrored` pairs meet back to back. */
function joined(x: Tensor, delta: number, mirrored = false): Tensor {
  const [rows, n] = x.shape as [number, number];
  const pairs = x.reshape([rows, n / (2 * delta), 2, delta]);
  const turned = (half: Tensor): Tensor => (mirrored ? half.flip(3) : half);
  const low = pairs.index(":", ":", ds(0, 1));
  const high = turned(pairs.index(":", ":", ds(1, 1)));
  const halves = [low.minimum(high), turned(low.maximum(high))];
  return concatenate(halves, { axis: 2 }).reshape([rows, n]);
}

// ── What became of them ─────────────────────────────────────────────────────────────────────

function kernelsIn(steps: readonly Step[]): KernelStep[] {
  return steps.flatMap((step) => {
    if (step.kind === "kernel") return [step];
    if (step.kind === "loop" || step.kind === "tile") return kernelsIn(step.body);
    return [];
  });
}
const kernelsOf = (plan: Plan): KernelStep[] => kernelsIn(plan.steps);
const countOf = (kernel: KernelStep, op: string): number =>
  kernel.stages.reduce((sum, { nodes }) => sum + nodes.filter((node) => node.op === op).length, 0);
const deltasOf = (plan: Plan): (readonly number[])[] =>
  report(plan).kernels.flatMap(({ orbit }) => (orbit === undefined ? [] : [orbit.deltas]));

// ── ─────────────────────────────────────────────────────────────────────────────────────────

describe("exchanges of halves that are joined", () => {
  it("are compared once each, in orbits throughout, though a layer alone is too cheap to be stored", () => {
    const n = 32;
    const { program } = graph({ x: tensor(f32, [4, n]) }, ({ x }) => {
      let y = x as Tensor;
      for (let block = 2; block <= n; block *= 2) {
        y = joined(y, block / 2, true);
        for (let delta = block / 4; delta >= 1; delta /= 2) y = joined(y, delta);
      }
      return { y };
    });
    const plan = compile(program);
    const layers = 15;
    const computed = kernelsOf(plan).map((kernel) => {
      const points = (kernel.stages[0] as KernelStep["stages"][0]).axes.reduce((a, b) => a * b, 1);
      return points * (countOf(kernel, "min") + countOf(kernel, "max"));
    });
    expect(computed.reduce((a, b) => a + b)).toBe(4 * n * layers);
    expect(deltasOf(plan)).toHaveLength(computed.length);
    const inputs = {
      x: tensorOf(
        "float32",
        [4, n],
        Array.from({ length: 4 * n }, (_, i) => (i * 37) % 101),
      ),
    };
    expect(disagreements(program, inputs)).toEqual([]);
  });
});

describe.each(Object.keys(partners) as Spelling[])("exchanges spelled by %s", (spelling) => {
  it("become one kernel for three distances, each pair compared once", () => {
    const plan = compile(network([4, 2, 1], spelling));
    const [kernel, ...others] = kernelsOf(plan) as [KernelStep];
    expect(others).toEqual([]);
    expect(countOf(kernel, "load")).toBe(8);
    expect(countOf(kernel, "min")).toBe(12);
    expect(countOf(kernel, "max")).toBe(12);
    expect(countOf(kernel, "select")).toBe(0);
    expect(kernel.stages[0]?.writes).toHaveLength(8);
    expect(deltasOf(plan)).toEqual([[1, 2, 4]]);
  });

  it("become two kernels for four distances", () => {
    expect(kernelsOf(compile(network([8, 4, 2, 1], spelling)))).toHaveLength(2);
  });

  it("share a kernel where distances come again", () => {
    expect(kernelsOf(compile(network([1, 2, 1, 4, 2, 1], spelling)))).toHaveLength(1);
  });
});

describe("orbits", () => {
  it("are found among rows of any number", () => {
    expect(kernelsOf(compile(network([16, 8, 4], "flip", [3, 32])))).toHaveLength(1);
  });

  it("are found along an axis that others follow", () => {
    const plan = compile(
      graph({ x: tensor(f32, [16, 3]) }, ({ x }) => ({
        y: [4, 2, 1].reduce<Tensor>((y, delta) => {
          const pairs = y.reshape([8 / delta, 2, delta, 3]);
          const isLower = iota(i32, [1, 2, 1, 1], 1).eq(0);
          const partner = pairs.flip(1);
          return where(isLower, pairs.minimum(partner), pairs.maximum(partner)).reshape([16, 3]);
        }, x),
      })),
    );
    expect(deltasOf(plan)).toEqual([[3, 6, 12]]);
    expect(kernelsOf(plan)).toHaveLength(1);
  });

  it("take along what is exchanged with the keys", () => {
    const plan = compile(
      graph({ x: tensor(f32, [4, 64]) }, ({ x }) => {
        let [keys, places]: Tensor[] = [x, column(x)] as [Tensor, Tensor];
        for (const delta of [4, 2, 1]) {
          const [theirs, there] = [partners.flip(keys, delta), partners.flip(places, delta)];
          const less = keys.lt(theirs).or(keys.eq(theirs).and(places.lt(there)));
          const stays = less.eq(column(x).and(delta).eq(0));
          [keys, places] = [where(stays, keys, theirs), where(stays, places, there)];
        }
        return { keys, places };
      }),
    );
    expect(kernelsOf(plan)).toHaveLength(1);
  });

  it("are found inside loops", () => {
    const plan = compile(
      graph({ x: tensor(f32, [4, 64]) }, ({ x }) => ({
        y: fori(0, 10, x, (_, y) => [4, 2, 1].reduce<Tensor>((z, d) => exchange(z, d, "flip"), y)),
      })),
    );
    expect(deltasOf(plan)).toEqual([[1, 2, 4]]);
  });

  it("follow stages that also transpose", () => {
    const n = 64;
    const plan = compile(
      graph({ x: tensor(f32, [4, n]) }, ({ x }) => {
        let y: Tensor = x;
        for (let half = n / 2; half >= 1; half /= 2) {
          const pairs = y.reshape([4, 2, half, n / (2 * half)]);
          const [a, b] = [pairs.index(":", 0), pairs.index(":", 1)];
          y = stack([a.add(b).mul(0.5), a.sub(b).mul(0.25).abs()], { axis: 2 }).reshape([4, n]);
        }
        return { y };
      }),
    );
    expect(kernelsOf(plan).length).toBeLessThanOrEqual(3);
  });
});

describe("what is no orbit", () => {
  it("stays one kernel a layer where maps do not close", () => {
    const shifted = (x: Tensor, by: number) => x.maximum(x.roll(by, { axis: 1 }).mul(0.5)).add(1);
    const plan = compile(
      graph({ x: tensor(f32, [4, 64]) }, ({ x }) => ({
        y: [3, 5, 7].reduce<Tensor>((y, by) => shifted(y, by), x),
      })),
    );
    expect(deltasOf(plan)).toEqual([]);
    expect(kernelsOf(plan)).toHaveLength(3);
  });

  it("stays one kernel a layer where an axis is no power of two", () => {
    const mirrored = (x: Tensor) => x.maximum(x.flip(1).mul(0.5)).add(1);
    const plan = compile(
      graph({ x: tensor(f32, [4, 45]) }, ({ x }) => ({ y: mirrored(mirrored(mirrored(x))) })),
    );
    expect(deltasOf(plan)).toEqual([]);
  });

  it("never has more than eight members", () => {
    for (const { stages } of kernelsOf(compile(network([32, 16, 8, 4, 2, 1], "flip")))) {
      expect(stages[0]?.writes.length).toBeLessThanOrEqual(8);
    }
  });
});

// ── Random networks ─────────────────────────────────────────────────────────────────────────

interface Layer {
  readonly spelling: Spelling;
  readonly delta: number;
  readonly mask: number;
  readonly kind: "exchange" | "rotate" | "carry";
}

const networks = fc
  .record({ rows: fc.constantFrom(1, 2, 3), bits: fc.integer({ min: 2, max: 5 }) })
  .chain(({ rows, bits }) =>
    fc.record({
      rows: fc.constant(rows),
      n: fc.constant(2 ** bits),
      inLoop: fc.boolean(),
      layers: fc.array(
        fc.record<Layer>({
          spelling: fc.constantFrom(...(Object.keys(partners) as Spelling[])),
          delta: fc.integer({ min: 1, max: 2 ** bits - 1 }),
          mask: fc.integer({ min: 1, max: 2 ** bits - 1 }),
          kind: fc.constantFrom("exchange", "rotate", "carry"),
        }),
        { minLength: 2, maxLength: 6 },
      ),
    }),
  );

const highestBit = (n: number): number => 2 ** (31 - Math.clz32(n));

function apply([x, along]: readonly Tensor[], layer: Layer): Tensor[] {
  const delta = anyDelta.includes(layer.spelling) ? layer.delta : highestBit(layer.delta);
  const other = (t: Tensor): Tensor => partners[layer.spelling](t, delta);
  const [theirs, thereAlong] = [other(x as Tensor), other(along as Tensor)];
  const [mine, mineAlong] = [x as Tensor, along as Tensor];
  const chosen = column(mine).and(layer.mask).eq(0);
  switch (layer.kind) {
    case "exchange":
      return [where(chosen, mine.minimum(theirs), mine.maximum(theirs)), mineAlong];
    case "rotate":
      return [
        where(chosen, mine.add(theirs), mine.sub(theirs).mul(0.5)),
        mineAlong.sub(thereAlong),
      ];
    case "carry": {
      const stays = mine.lt(theirs).eq(chosen);
      return [where(stays, mine, theirs), where(stays, mineAlong, thereAlong)];
    }
    default:
      return layer.kind satisfies never;
  }
}

describe("random butterfly networks", () => {
  it("mean what they say", () => {
    expectNoFaults(networks, runsOf("GRIDFUSE_ORBITS", 60), ({ rows, n, inLoop, layers }) => {
      const all = (state: readonly Tensor[]): Tensor[] =>
        layers.reduce<Tensor[]>((now, layer) => apply(now, layer), [...state]);
      const built = graph({ x: tensor(f32, [rows, n]) }, ({ x }) => {
        const start = [x, column(x)] as const;
        const [y, along] = (
          inLoop
            ? fori(0, 3, start, (_, state) => all(state) as unknown as typeof start)
            : all(start)
        ) as readonly [Tensor, Tensor];
        return { y, along };
      });
      const data = Float32Array.from({ length: rows * n }, (_, i) => ((i * 37) % 101) - 50);
      return disagreements(built.program, { x: { dtype: "float32", shape: [rows, n], data } });
    });
  });
});
