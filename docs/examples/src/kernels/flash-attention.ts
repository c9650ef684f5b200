/**
 * softmax(q·kᵀ / √d) · v without ever holding the scores of a whole row (Dao et al., 2022). The last
 * grid axis walks over blocks of keys. Scratch keeps, for each query, the greatest score so far (m), the
 * sum of weights relative to it (l) and the weighted sum of values (acc); a new greatest score rescales
 * the two sums (Milakov and Gimelshein, 2018).
 */
import { f32, type Graph, graph, kernel, squeezed, tensor, vmem, when } from "gridfuse";
import { type Check, type Inputs, type Outputs, randomFloats, within } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

export interface AttentionShape {
  readonly heads: number;
  /** Queries and keys: a multiple of the block. */
  readonly length: number;
  /** Elements of a query, a key and a value. */
  readonly depth: number;
}

/** q, k, v: f32[heads, length, depth] → o: f32[heads, length, depth]. */
export function flashAttention({ heads, length, depth }: AttentionShape, block = 128): Graph {
  const array = tensor(f32, [heads, length, depth]);
  const queries = array.blocks([squeezed, block, depth], ({ head, i }) => [head, i, 0]);
  const keys = array.blocks([squeezed, block, depth], ({ head, j }) => [head, j, 0]);
  const attend = kernel(
    "flash_attention",
    {
      grid: { head: heads, i: length / block, j: length / block },
      inputs: { q: queries, k: keys, v: keys },
      outputs: { o: queries },
      scratch: {
        m: vmem(f32, [block, 1]),
        l: vmem(f32, [block, 1]),
        acc: vmem(f32, [block, depth]),
      },
    },
    ({ q, k, v, o, m, l, acc }, { j }) => {
      when(j.isFirst, () => {
        m.set(-Infinity);
        l.set(0);
        acc.set(0);
      });
      const scores = q
        .get()
        .dot(k.get().transpose())
        .mul(1 / Math.sqrt(depth));
      const greatest = m.get().maximum(scores.max({ axis: 1, keepDims: true }));
      const rescale = m.get().sub(greatest).exp();
      const weights = scores.sub(greatest).exp();
      l.set(
        l
          .get()
          .mul(rescale)
          .add(weights.sum({ axis: 1, keepDims: true })),
      );
      acc.set(acc.get().mul(rescale).add(weights.dot(v.get())));
      m.set(greatest);
      when(j.isLast, () => o.set(acc.get().div(l.get())));
    },
  );
  return graph({ q: array, k: array, v: array }, (given) => attend(given), {
    name: "flash_attention",
  });
}

export function attentionInputs({ heads, length, depth }: AttentionShape): {
  q: Float32Array;
  k: Float32Array;
  v: Float32Array;
} {
  const count = heads * length * depth;
  return {
    q: randomFloats(count, 2, 9),
    k: randomFloats(count, 2, 10),
    v: randomFloats(count, 1, 11),
  };
}

/** The definition, in float64, with all scores of a query at once. Values lie in ±1, results to 2⁻¹⁸. */
export const checkAttention =
  ({ heads, length, depth }: AttentionShape) =>
  (inputs: Inputs, { o }: Outputs): Check => {
    const [q, k, v] = [inputs.q, inputs.k, inputs.v] as Float32Array[];
    const expected = new Float64Array(q.length);
    for (let head = 0; head < heads; head++) {
      const row = (i: number) => (head * length + i) * depth;
      for (let i = 0; i < length; i++) {
        const scores = Array.from({ length }, (_, j) => {
          const [own, other] = [row(i), row(j)];
          let score = 0;
          for (let d = 0; d < depth; d++) score += q[own + d] * k[other + d];
          return score / Math.sqrt(depth);
        });
        const greatest = Math.max(...scores);
        const weights = scores.map((score) => Math.exp(score - greatest));
        const total = weights.reduce((a, b) => a + b);
        for (let j = 0; j < length; j++) {
          const [to, from, weight] = [row(i), row(j), weights[j] / total];
          for (let d = 0; d < depth; d++) expected[to + d] += weight * v[from + d];
        }
      }
    }
    return within(o, expected, () => 2 ** -18);
  };

export const examples: readonly SuiteExample[] = [
  defineExample<AttentionShape>({
    name: "flash attention",
    about: "softmax over keys that arrive block by block",
    full: { heads: 4, length: 512, depth: 64 },
    small: { heads: 2, length: 16, depth: 4 },
    graph: (shape) => flashAttention(shape, shape.length < 128 ? 4 : 128),
    inputs: attentionInputs,
    check: checkAttention,
    expects: {
      gridLoops: 1,
      sequential: {
        "flash_attention.j": "a block of keys rescales the sums of the blocks before it",
      },
    },
  }),
];
