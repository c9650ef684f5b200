/**
 * Conway's Game of Life on a torus. Every grid point needs its tile and a border of one cell, which for
 * outer tiles lies on the far side: the world comes in as nine blocks, one from each direction, whose index
 * maps wrap around.
 */
import {
  concatenate,
  ds,
  type Graph,
  graph,
  i32,
  kernel,
  type Tensor,
  tensor,
  where,
} from "gridfuse";
import { type Check, exactly, type Inputs, type Outputs, randomInts } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

export interface World {
  /** Cells on each side: a multiple of the tile. */
  readonly size: number;
  readonly generations: number;
}

/** One generation. cells: i32[size, size], 0 or 1. */
function generation(size: number, tile: number) {
  const tiles = size / tile;
  const world = tensor(i32, [size, size]);
  const from = (down: number, right: number) =>
    world.blocks([tile, tile], ({ i, j }) => [
      i.add(down + tiles).rem(tiles),
      j.add(right + tiles).rem(tiles),
    ]);
  const steps = [-1, 0, 1];
  const around = steps.flatMap((down) =>
    steps.map((right) => [`at${down}${right}`, from(down, right)]),
  );
  return kernel(
    "generation",
    {
      grid: { i: tiles, j: tiles },
      inputs: Object.fromEntries(around) as { readonly [name: string]: typeof world },
      outputs: { next: world.blocks([tile, tile], ({ i, j }) => [i, j]) },
    },
    (refs) => {
      const rows = steps.map((down) =>
        concatenate(
          steps.map((right) => refs[`at${down}${right}`].get()),
          { axis: 1 },
        ),
      );
      const cells = concatenate(rows, { axis: 0 });
      const shifted = (down: number, right: number) =>
        cells.index(ds(tile + down, tile), ds(tile + right, tile));
      const neighbours = steps
        .flatMap((down) => steps.map((right) => (down || right ? [shifted(down, right)] : [])))
        .flat()
        .reduce((a, b) => a.add(b));
      const lives = neighbours.eq(3).or(neighbours.eq(2).and(shifted(0, 0).eq(1)));
      refs.next.set(where(lives, 1, 0) as Tensor<"int32">);
    },
  );
}

/** cells: i32[size, size] → cells: i32[size, size] some generations later. */
export function gameOfLife({ size, generations }: World, tile = 64): Graph {
  const advance = generation(size, tile);
  return graph(
    { cells: tensor(i32, [size, size]) },
    ({ cells }) => {
      let world: Tensor = cells;
      for (let k = 0; k < generations; k++) {
        world = advance(
          Object.fromEntries(Object.keys(advance.inputs).map((at) => [at, world])),
        ).next;
      }
      return { cells: world };
    },
    { name: "game_of_life" },
  );
}

export const gameOfLifeInputs = ({ size }: World): { cells: Int32Array } => ({
  cells: randomInts(size * size, 2, 37),
});

export const checkGameOfLife =
  ({ size, generations }: World) =>
  (inputs: Inputs, outputs: Outputs): Check => {
    let cells = inputs.cells as Int32Array;
    const wrap = (i: number) => (i + size) % size;
    for (let k = 0; k < generations; k++) {
      cells = cells.map((own, at) => {
        const [row, column] = [Math.floor(at / size), at % size];
        let neighbours = -own;
        for (let i = row - 1; i <= row + 1; i++) {
          for (let j = column - 1; j <= column + 1; j++)
            neighbours += cells[wrap(i) * size + wrap(j)];
        }
        return Number(neighbours === 3 || (neighbours === 2 && own === 1));
      });
    }
    return exactly(outputs.cells, cells);
  };

export const examples: readonly SuiteExample[] = [
  defineExample<World>({
    name: "Game of Life",
    about: "tiles with a border that wraps around",
    full: { size: 512, generations: 4 },
    small: { size: 12, generations: 2 },
    graph: (world) => gameOfLife(world, world.size < 64 ? 4 : 64),
    inputs: gameOfLifeInputs,
    check: checkGameOfLife,
  }),
];
