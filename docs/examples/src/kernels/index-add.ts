/**
 * Rows added into a table at given places, several to the same one: the gradient of an embedding lookup. A
 * block of rows is one scatter; all blocks add into the same table, which starts as the one given.
 */
import { f32, type Graph, graph, i32, kernel, tensor } from "gridfuse";
import {
  type Check,
  type Inputs,
  type Outputs,
  randomFloats,
  randomInts,
  within,
} from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

export interface Updates {
  readonly rows: number;
  readonly depth: number;
  /** A multiple of the block. */
  readonly updates: number;
}

/** table: f32[rows, depth], at: i32[updates], added: f32[updates, depth] → sum: f32[rows, depth]. */
export function indexAdd({ rows, depth, updates }: Updates, block = 128): Graph {
  const table = tensor(f32, [rows, depth]);
  const addRows = kernel(
    "index_add",
    {
      grid: { i: updates / block },
      inputs: {
        table,
        at: tensor(i32, [updates]).blocks([block], ({ i }) => [i]),
        added: tensor(f32, [updates, depth]).blocks([block, depth], ({ i }) => [i, 0]),
      },
      outputs: { sum: table },
      aliases: { table: "sum" },
    },
    ({ at, added, sum }) => sum.set(sum.get().at(at.get()).add(added.get())),
  );
  return graph(addRows.inputs, addRows, { name: "index_add" });
}

const indexAddInputs = ({ rows, depth, updates }: Updates) => ({
  table: randomFloats(rows * depth, 1, 54),
  at: randomInts(updates, rows, 55),
  added: randomFloats(updates * depth, 1, 56),
});

/** In float64. A place sees a few additions more than it would on average. */
const checkIndexAdd =
  ({ depth }: Updates) =>
  (inputs: Inputs, { sum }: Outputs): Check => {
    const [at, added] = [inputs.at as Int32Array, inputs.added as Float32Array];
    const expected = Float64Array.from(inputs.table as Float32Array);
    const magnitude = expected.map(Math.abs);
    const count = new Int32Array(expected.length);
    for (const [i, value] of added.entries()) {
      const place = at[Math.floor(i / depth)] * depth + (i % depth);
      expected[place] += value;
      magnitude[place] += Math.abs(value);
      count[place] += 1;
    }
    return within(sum, expected, (i) => (count[i] + 1) * 2 ** -24 * magnitude[i]);
  };

export const examples: readonly SuiteExample[] = [
  defineExample<Updates>({
    name: "index add",
    about: "rows scattered into an aliased table, adding up",
    full: { rows: 1000, depth: 64, updates: 8192 },
    small: { rows: 5, depth: 3, updates: 256 },
    graph: (shape) => indexAdd(shape),
    inputs: indexAddInputs,
    check: checkIndexAdd,
  }),
];
