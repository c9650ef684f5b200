/**
 * Programs that are written tile by tile: arrays are cut into tiles, every tile goes through the same steps,
 * and the tiles are put together again. They mean what they say, and become about as short as if they had
 * been written on whole arrays.
 */
import { tileSort, wholeSort } from "@gridfuse/docs/examples";
import { countNodes, type Program } from "@gridfuse/graph";
import type { HostTensor } from "@gridfuse/interpret";
import { compile, report } from "@gridfuse/passes";
import fc from "fast-check";
import {
  concatenate,
  f32,
  type Graph,
  graph,
  i32,
  iota,
  kernel,
  type Tensor,
  takeAlongAxis,
  tensor,
  where,
} from "gridfuse";
import { describe, expect, it } from "vitest";
import { Dice } from "./support/dice.ts";
import { expectNoFaults, runsOf } from "./support/property.ts";
import { disagreements } from "./support/three-way.ts";

const [rows, lanes] = [4, 6];

interface Unrolled {
  readonly tiles: number;
  readonly columns: number;
  /** One list of dice a step. */
  readonly steps: readonly (readonly number[])[];
  /** How tiles come in and go out: values cut and joined, a ref read and written, or a ref worked on in place. */
  readonly style: "values" | "refs" | "in place";
}

const unrolled: fc.Arbitrary<Unrolled> = fc.record({
  tiles: fc.constantFrom(4, 8, 6, 12),
  columns: fc.constantFrom(1, 2),
  steps: fc.array(fc.array(fc.nat(1000), { minLength: 6, maxLength: 6 }), {
    minLength: 1,
    maxLength: 8,
  }),
  style: fc.constantFrom("values", "refs", "in place"),
});

/** What one step does to all tiles; the same op for each of them. */
function advance(held: readonly Tensor[], original: readonly Tensor[], dice: Dice): Tensor[] {
  const count = held.length;
  const tile = (t: number): Tensor => held[((t % count) + count) % count];
  const literal = dice.below(9) - 4;
  const step = dice.below(5) - 2;
  const isPowerOfTwo = (count & (count - 1)) === 0;
  const distance = 2 ** dice.below(Math.floor(Math.log2(count)));
  switch (dice.below(15)) {
    case 0:
      return held.map((x) => x.mul(literal));
    case 1:
      return held.map((x, t) => x.add(literal + t * step));
    case 2:
      return held.map((x, t) => x.maximum([3, -1, 4, 1, -5, 9][(t * 5) % 6]));
    case 3:
      return held.map((x, t) => x.sub(tile(t + 1 + literal)));
    case 4:
      return held.map((x, t) => (isPowerOfTwo ? x.add(tile(t ^ distance)) : x.add(tile(-1 - t))));
    case 5:
      return held.map((x) => x.sub(x.max({ axis: dice.below(1), keepDims: true })));
    case 6:
      return held.map((x) => x.flip(literal & 1));
    case 7:
      return held.map((x) =>
        concatenate([x.slice([1, 0], [rows, lanes]), x.slice([0, 0], [1, lanes])], { axis: 0 }),
      );
    case 8:
      return held.map((x, t) => where(x.lt(original[t]), x, original[count - 1 - t].add(0.5)));
    case 9: {
      const index = iota(i32, [rows, lanes], 0).xor(1 + (distance & 1));
      return held.map((x) => takeAlongAxis(x, index, { axis: 0 }));
    }
    case 10: {
      if (!isPowerOfTwo) return held.map((x) => x.neg());
      const result = [...held];
      for (let t = 0; t < count; t++) {
        if ((t & distance) !== 0) continue;
        const swaps = held[t].gt(held[t + distance]);
        result[t] = where(swaps, held[t + distance], held[t]);
        result[t + distance] = where(swaps, held[t], held[t + distance]);
      }
      return result;
    }
    case 11: {
      // The first tile goes its own way.
      return held.map((x, t) => (t === 0 ? x.abs() : x.add(held[0])));
    }
    case 12: {
      const total = held.slice(1).reduce((sum, x) => sum.add(x), held[0]);
      return held.map((x) => x.sub(total));
    }
    case 13: {
      // Inside of a tile, downwards in every second, fourth… tile.
      const index = iota(i32, [rows, lanes], 0).xor(1 + (literal & 1));
      return held.map((x, t) => {
        const other = takeAlongAxis(x, index, { axis: 0 });
        const swaps = (t & distance) === 0 ? other.gt(x) : x.gt(other);
        return where(swaps, other, x);
      });
    }
    default: {
      // From tile to tile, downwards in every second pair.
      if (!isPowerOfTwo) return held.map((x) => x.abs());
      const result = [...held];
      for (let t = 0; t < count; t++) {
        if ((t & distance) !== 0) continue;
        const [low, high] = [held[t], held[t + distance]];
        const isDown = (t & (2 * distance)) !== 0;
        const swaps = isDown ? low.lt(high) : high.lt(low);
        result[t] = where(swaps, high, low);
        result[t + distance] = where(swaps, low, high);
      }
      return result;
    }
  }
}

function build({ tiles, columns, steps, style }: Unrolled): Graph {
  const whole = tensor(f32, [tiles * rows, columns * lanes]);
  const cells = Array.from({ length: tiles * columns }, (_, k) => ({
    row: Math.floor(k / columns) * rows,
    column: (k % columns) * lanes,
  }));
  const windows = cells.map(
    ({ row, column }) => [`${row}:${row + rows}`, `${column}:${column + lanes}`] as const,
  );
  const run = (start: readonly Tensor[], after: (held: readonly Tensor[]) => readonly Tensor[]) => {
    let held = start;
    for (const dice of steps) held = after(advance(held, start, new Dice(dice)));
    return held;
  };
  if (style === "values") {
    return graph({ x: whole }, ({ x }) => {
      const held = run(
        cells.map(({ row, column }) => x.slice([row, column], [row + rows, column + lanes])),
        (values) => values,
      );
      const bands = Array.from({ length: tiles }, (_, t) =>
        concatenate(held.slice(t * columns, (t + 1) * columns), { axis: 1 }),
      );
      return { o: concatenate(bands, { axis: 0 }) };
    });
  }
  const inTiles = kernel(
    "in_tiles",
    { grid: 1, inputs: { x: whole }, outputs: { o: whole } },
    ({ x, o }) => {
      const store = (values: readonly Tensor[]): readonly Tensor[] => {
        for (const [k, value] of values.entries()) o.set(value, ...windows[k]);
        return windows.map((window) => o.get(...window));
      };
      const held = run(
        windows.map((window) => x.get(...window)),
        style === "in place" ? store : (values) => values,
      );
      store(held);
    },
  );
  return graph({ x: whole }, ({ x }) => inTiles({ x }));
}

const programOf = (built: Graph): Program => (built as unknown as { program: Program }).program;

function inputsFor({ tiles, columns }: Unrolled): Record<string, HostTensor> {
  const shape = [tiles * rows, columns * lanes];
  const data = Float32Array.from({ length: shape[0] * shape[1] }, (_, i) => ((i * 37) % 101) - 50);
  return { x: { dtype: "float32", shape, data } };
}

const faultsOf = (given: Unrolled): readonly string[] =>
  disagreements(programOf(build(given)), inputsFor(given));

/** Steps of `advance` that treat all tiles alike. */
const wholeArraySteps = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14] as const;

describe("programs written tile by tile", () => {
  const numRuns = runsOf("GRIDFUSE_UNROLLED", 40);
  it(`mean what they say: ${numRuns} random ones`, { timeout: 20_000 + numRuns * 1000 }, () => {
    expectNoFaults(unrolled, numRuns, faultsOf);
  });

  it("become few ops, whatever the number of tiles", () => {
    const alike = fc.record({
      steps: fc.array(
        fc
          .tuple(fc.nat(1000), fc.nat(1000), fc.nat(1000), fc.constantFrom(...wholeArraySteps))
          .map((dice) => [...dice, 0, 0]),
        { minLength: 3, maxLength: 8 },
      ),
      style: fc.constantFrom<Unrolled["style"]>("values", "refs", "in place"),
    });
    expectNoFaults(alike, 20, ({ steps, style }) => {
      const given: Unrolled = { tiles: 16, columns: 1, steps, style };
      const before = countNodes(programOf(build(given)).table, programOf(build(given)).main);
      const after = compile(build(given)).debug?.nodesAfter ?? Infinity;
      const most = 12 + 10 * steps.length;
      return after <= most ? [] : [`${before} nodes became ${after}, more than ${most}`];
    });
  });
});

describe("the bitonic sort, tile by tile", () => {
  const program = programOf(tileSort());

  it("falls from thousands of nodes to what the whole array takes", () => {
    expect(countNodes(program.table, program.main)).toBeGreaterThan(8000);
    const [tiles, whole] = [report(compile(tileSort())), report(compile(wholeSort()))];
    expect(tiles.nodesAfter).toBeLessThanOrEqual(250);
    expect(tiles.gridLoops).toBe(0);
    expect(tiles.planKernels).toBeLessThanOrEqual(1.5 * whole.planKernels);
  });

  it("sorts to the bit", () => {
    const few = 4;
    const data = Int32Array.from({ length: few * 8 * 128 }, (_, i) => Math.imul(i + 1, 0x9e3779b1));
    const x: HostTensor = { dtype: "int32", shape: [few * 8, 128], data };
    expect(disagreements(programOf(tileSort(few)), { x })).toEqual([]);
  });
});

describe("programs that are not unrolled", () => {
  const image = tensor(f32, [16, 16]);
  const nodesOf = (built: Graph): number => report(compile(built)).nodesAfter;

  it("keep a stencil's shifted slices", () => {
    const blur = graph({ x: image }, ({ x }) => {
      const part = (column: number) => x.slice([0, column], [16, column + 14]);
      return { o: part(0).add(part(1)).add(part(2)) };
    });
    expect(nodesOf(blur)).toBe(5);
  });

  it("keep a sum over slices, one after the other", () => {
    const sum = graph({ x: image }, ({ x }) => {
      let total: Tensor = x.slice([0, 0], [1, 16]);
      for (let row = 1; row < 16; row++) total = total.add(x.slice([row, 0], [row + 1, 16]));
      return { o: total };
    });
    expect(nodesOf(sum)).toBe(31);
  });
});
