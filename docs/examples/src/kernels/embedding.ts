/**
 * Rows of a table looked up by number, as the first layer of a language model does. The numbers are
 * prefetched, so that index maps can read them: each grid point is handed its row, and the body copies it.
 */
import { f32, type Graph, graph, i32, kernel, squeezed, tensor } from "gridfuse";
import {
  type Check,
  exactly,
  type Inputs,
  type Outputs,
  randomFloats,
  randomInts,
} from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

export interface Vocabulary {
  readonly words: number;
  readonly depth: number;
  readonly length: number;
}

/** words: i32[length], table: f32[words, depth] → rows: f32[length, depth]. */
export function embedding({ words, depth, length }: Vocabulary): Graph {
  const lookUp = kernel(
    "embedding",
    {
      grid: { i: length },
      prefetch: { words: tensor(i32, [length]) },
      inputs: {
        table: tensor(f32, [words, depth]).blocks([squeezed, depth], ({ i }, { words }) => [
          words.get(i),
          0,
        ]),
      },
      outputs: {
        rows: tensor(f32, [length, depth]).blocks([squeezed, depth], ({ i }) => [i, 0]),
      },
    },
    ({ table, rows }) => rows.set(table.get()),
  );
  return graph(lookUp.inputs, lookUp, { name: "embedding" });
}

const embeddingInputs = ({ words, depth, length }: Vocabulary) => ({
  words: randomInts(length, words, 52),
  table: randomFloats(words * depth, 1, 53),
});

const checkEmbedding =
  ({ depth, length }: Vocabulary) =>
  (inputs: Inputs, { rows }: Outputs): Check => {
    const [words, table] = [inputs.words as Int32Array, inputs.table as Float32Array];
    const expected = Float32Array.from({ length: length * depth }, (_, at) => {
      const word = words[Math.floor(at / depth)];
      return table[word * depth + (at % depth)];
    });
    return exactly(rows, expected);
  };

export const examples: readonly SuiteExample[] = [
  defineExample<Vocabulary>({
    name: "embedding lookup",
    about: "blocks found through prefetched indices",
    full: { words: 32_000, depth: 128, length: 2048 },
    small: { words: 10, depth: 4, length: 6 },
    graph: embedding,
    inputs: embeddingInputs,
    check: checkEmbedding,
  }),
];
