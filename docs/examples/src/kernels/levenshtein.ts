/**
 * The edit distance of many pairs of words (Wagner and Fischer, 1974). A row of the table depends on the row
 * before it, one letter of the first word after the other: that axis keeps its order. Inside a row the
 * dependence on the left neighbour is a running minimum: d[j] − j = min over k ≤ j of (candidate[k] − k).
 */
import { cummin, type Graph, graph, i32, iota, kernel, tensor, vmem, when } from "gridfuse";
import { type Check, exactly, type Inputs, type Outputs, randomInts } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

export interface Pairs {
  readonly pairs: number;
  /** Letters of every word. */
  readonly length: number;
}

/** a, b: i32[pairs, length] → distance: i32[pairs, 1]. */
export function levenshtein({ pairs, length }: Pairs): Graph {
  const words = tensor(i32, [pairs, length]);
  const walk = kernel(
    "levenshtein",
    {
      grid: { letter: length },
      inputs: { a: words.blocks([pairs, 1], ({ letter }) => [0, letter]), b: words },
      outputs: { distance: tensor(i32, [pairs, 1]) },
      scratch: { row: vmem(i32, [pairs, length + 1]) },
    },
    ({ a, b, distance, row }, { letter }) => {
      const column = iota(i32, [pairs, length + 1], 1);
      when(letter.isFirst, () => row.set(column));
      const before = row.get();
      const replaced = before.index(":", `0:${length}`).add(b.get().ne(a.get()).astype(i32));
      const removed = before.add(1);
      const best = removed.at(":", `1:${length + 1}`).min(replaced);
      row.set(cummin(best.sub(column), { axis: 1 }).add(column));
      when(letter.isLast, () => distance.set(row.get(":", `${length}:${length + 1}`)));
    },
  );
  return graph(walk.inputs, walk, { name: "levenshtein" });
}

const pairInputs = ({ pairs, length }: Pairs) => ({
  a: randomInts(pairs * length, 4, 66),
  b: randomInts(pairs * length, 4, 67),
});

/** The whole table for every pair. */
const checkLevenshtein =
  ({ pairs, length }: Pairs) =>
  (inputs: Inputs, { distance }: Outputs): Check => {
    const expected = Int32Array.from({ length: pairs }, (_, pair) => {
      const word = (x: unknown) => (x as Int32Array).subarray(pair * length, (pair + 1) * length);
      const [a, b] = [word(inputs.a), word(inputs.b)];
      let row = Array.from({ length: length + 1 }, (_, j) => j);
      for (const [i, letter] of a.entries()) {
        const next = [i + 1];
        for (const [j, other] of b.entries()) {
          const replaced = row[j] + Number(letter !== other);
          next.push(Math.min(replaced, row[j + 1] + 1, next[j] + 1));
        }
        row = next;
      }
      return row[length];
    });
    return exactly(distance, expected);
  };

export const examples: readonly SuiteExample[] = [
  defineExample<Pairs>({
    name: "edit distance",
    about: "dynamic programming: rows of a table in order, all pairs at once",
    full: { pairs: 64, length: 128 },
    small: { pairs: 3, length: 7 },
    graph: levenshtein,
    inputs: pairInputs,
    check: checkLevenshtein,
    expects: {
      gridLoops: 1,
      sequential: { "levenshtein.letter": "a row of the table is made from the row before it" },
    },
  }),
];
