/**
 * Memory at sizes that matter: how much the intermediates of large examples take at once, and that a run which is
 * given its outputs allocates no array, whatever its size.
 */
import { cpuSync } from "@gridfuse/exec-cpu";
import type { Graph } from "@gridfuse/graph";
import { compile, report } from "@gridfuse/passes";
import { f32, fori, graph, type Tensor, tensor } from "gridfuse";
import { describe, expect, it } from "vitest";
import type { SuiteExample } from "../../docs/examples/src/example.ts";
import { flashAttention } from "../../docs/examples/src/kernels/flash-attention.ts";
import { suite } from "../../docs/examples/src/kernels/index.ts";
import { mandelbrot } from "../../docs/examples/src/kernels/mandelbrot.ts";
import { pagedAttention } from "../../docs/examples/src/kernels/paged-attention.ts";
import { sort } from "../../docs/examples/src/kernels/sort.ts";

const kib = 1024;
const whole = { bytes: 2 ** 40, laneBytes: 2 ** 40, leastBytes: 1, smallElements: 64 };

describe("intermediates alive at once", () => {
  it("of a sort of 16×131072 are two rows, not two arrays", { timeout: 60_000 }, () => {
    const { peakBytes, text, steps } = report(compile(sort({ rows: 16, n: 131072 })));
    expect(peakBytes).toBeLessThanOrEqual(2 * 131072 * 4);
    expect(text).toMatch(/arena \d+(\.\d)? [KM]?i?B, /);
    expect(steps.filter(({ depth }) => depth === 0)).toHaveLength(1);
  });

  it("of flash attention are rows of a block of scores, never the score matrix", () => {
    const { peakBytes, temporaries } = report(
      compile(flashAttention({ heads: 4, length: 1024, depth: 64 })),
    );
    expect(peakBytes).toBeLessThanOrEqual(256 * kib);
    expect(temporaries).toMatchObject({ fitTiles: true, peakBytes });
  });

  it("of paged attention are less than its scores", () => {
    const shape = { sequences: 16, heads: 8, depth: 64, pageSize: 16, pages: 16, pool: 200 };
    const scores = shape.sequences * shape.heads * shape.pages * shape.pageSize * 4;
    const { peakBytes, temporaries } = report(compile(pagedAttention(shape)));
    expect(peakBytes).toBeLessThan(scores);
    expect(temporaries.fitTiles).toBe(true);
  });

  it("of a Mandelbrot set of 1024² are those of some blocks", () => {
    const built = mandelbrot({ size: 1024, steps: 50 });
    const tiled = report(compile(built));
    expect(tiled.peakBytes).toBeLessThanOrEqual(
      report(compile(built, { tiles: whole })).peakBytes / 8,
    );
    const at = tiled.steps.findIndex(({ kind }) => kind === "while");
    expect(tiled.steps.slice(0, at).some(({ kind }) => kind === "tile")).toBe(true);
  });

  it.each([
    ["n-body step", 0],
    ["histogram", 256 * kib],
    ["Game of Life", 2 * 512 * 512 * 4],
  ])("of the example %s are at most %i bytes", (name, bytes) => {
    const example = suite.find((each) => each.name === name);
    const { temporaries } = report(compile((example as SuiteExample).graph()));
    expect(temporaries.peakBytes).toBeLessThanOrEqual(bytes);
    expect(temporaries.fitTiles || temporaries.reasons.length > 0).toBe(true);
  });

  it("are what an executor says it allocated", () => {
    const plan = compile(flashAttention({ heads: 4, length: 1024, depth: 64 }));
    using executable = cpuSync().prepareSync(plan);
    expect(executable.report().arenaBytes).toBe(report(plan).peakBytes);
  });
});

describe("a run in the steady state", () => {
  const chain = (n: number): Graph =>
    graph({ x: tensor(f32, [n, 64]) }, ({ x }) => ({
      y: fori(0, 3, x, (_i, s) =>
        (s as Tensor).sort({ axis: 1 }).neg().cumsum({ axis: 1 }),
      ) as Tensor,
    }));

  it.each([16, 4096])("allocates no array, with %i rows", (n) => {
    using executable = cpuSync().prepareSync(compile(chain(n)));
    const x = Float32Array.from({ length: n * 64 }, (_, i) => (i * 37) % 101);
    const out = { y: new Float32Array(n * 64) };
    const memory = executable.tensor("y").buffer;
    for (let i = 0; i < 3; i += 1) executable.runSync({ x }, { out });
    const { arrayBuffers } = process.memoryUsage();
    for (let i = 0; i < 20; i += 1) expect(executable.runSync({ x }, { out }).y).toBe(out.y);
    // A collection in between may only have freed what others left behind.
    expect(process.memoryUsage().arrayBuffers).toBeLessThanOrEqual(arrayBuffers);
    expect(executable.tensor("y").buffer).toBe(memory);
  });
});
