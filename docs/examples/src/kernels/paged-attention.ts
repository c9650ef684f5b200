/**
 * Attention of one new token per sequence over keys and values that lie scattered in pages (Kwon et al.,
 * 2023). The page table is prefetched: the index map of a page looks up where it lies.
 */
import {
  f32,
  type Graph,
  graph,
  i32,
  iota,
  kernel,
  squeezed,
  tensor,
  vmem,
  when,
  where,
} from "gridfuse";
import {
  type Check,
  type Inputs,
  type Outputs,
  randomFloats,
  randomInts,
  within,
} from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

interface PagedShape {
  readonly sequences: number;
  readonly heads: number;
  readonly depth: number;
  /** Keys of a page. */
  readonly pageSize: number;
  /** Pages of the longest sequence, and in the pool of all. */
  readonly pages: number;
  readonly pool: number;
}

/**
 * table: i32[sequences, pages], lengths: i32[sequences], q: f32[sequences, heads, depth],
 * k and v: f32[pool, pageSize, heads, depth] → o: f32[sequences, heads, depth].
 */
export function pagedAttention(shape: PagedShape): Graph {
  const { sequences, heads, depth, pageSize, pages, pool } = shape;
  const tokens = tensor(f32, [sequences, heads, depth]).blocks(
    [squeezed, heads, depth],
    ({ s }) => [s, 0, 0],
  );
  const page = tensor(f32, [pool, pageSize, heads, depth]).blocks(
    [squeezed, pageSize, heads, depth],
    ({ s, p }, { table }) => [table.get(s, p), 0, 0, 0],
  );
  const attend = kernel(
    "paged_attention",
    {
      grid: { s: sequences, p: pages },
      prefetch: { table: tensor(i32, [sequences, pages]), lengths: tensor(i32, [sequences]) },
      inputs: { q: tokens, k: page, v: page },
      outputs: { o: tokens },
      scratch: {
        m: vmem(f32, [heads, 1]),
        l: vmem(f32, [heads, 1]),
        acc: vmem(f32, [heads, depth]),
      },
    },
    ({ lengths, q, k, v, o, m, l, acc }, { s, p }) => {
      when(p.isFirst, () => {
        m.set(-Infinity);
        l.set(0);
        acc.set(0);
      });
      const left = lengths.get(s).sub(p.mul(pageSize));
      when(left.gt(0), () => {
        const inside = iota(i32, [heads, pageSize], 1).lt(left);
        const products = q.get().mul(k.get()).sum({ axis: 2 }).transpose();
        const scores = where(inside, products.mul(1 / Math.sqrt(depth)), -Infinity);
        const greatest = m.get().maximum(scores.max({ axis: 1, keepDims: true }));
        const rescale = m.get().sub(greatest).exp();
        const weights = scores.sub(greatest).exp();
        const weighted = v.get().mul(weights.transpose().reshape([pageSize, heads, 1]));
        l.set(
          l
            .get()
            .mul(rescale)
            .add(weights.sum({ axis: 1, keepDims: true })),
        );
        acc.set(
          acc
            .get()
            .mul(rescale)
            .add(weighted.sum({ axis: 0 })),
        );
        m.set(greatest);
      });
      when(p.isLast, () => o.set(acc.get().div(l.get())));
    },
  );
  return graph(attend.inputs, attend, { name: "paged_attention" });
}

const inputs = ({ sequences, heads, depth, pageSize, pages, pool }: PagedShape): Inputs => {
  const count = pool * pageSize * heads * depth;
  const lengths = randomInts(sequences, pages * pageSize, 104).map((length) => length + 1);
  return {
    table: randomInts(sequences * pages, pool, 105),
    lengths,
    q: randomFloats(sequences * heads * depth, 2, 106),
    k: randomFloats(count, 2, 107),
    v: randomFloats(count, 1, 108),
  };
};

/** Key by key through the table, in float64. Values lie in ±1, results to 2⁻¹⁸. */
const check =
  ({ sequences, heads, depth, pageSize, pages }: PagedShape) =>
  (inputs: Inputs, { o }: Outputs): Check => {
    const [q, k, v] = [inputs.q, inputs.k, inputs.v] as Float32Array[];
    const [table, lengths] = [inputs.table as Int32Array, inputs.lengths as Int32Array];
    const expected = new Float64Array(q.length);
    for (let s = 0; s < sequences; s++) {
      for (let head = 0; head < heads; head++) {
        const own = (s * heads + head) * depth;
        let total = 0;
        for (let j = 0; j < lengths[s]; j++) {
          const page = table[s * pages + Math.floor(j / pageSize)];
          const other = ((page * pageSize + (j % pageSize)) * heads + head) * depth;
          let score = 0;
          for (let d = 0; d < depth; d++) score += q[own + d] * k[other + d];
          const weight = Math.exp(score / Math.sqrt(depth));
          total += weight;
          for (let d = 0; d < depth; d++) expected[own + d] += weight * v[other + d];
        }
        for (let d = 0; d < depth; d++) expected[own + d] /= total;
      }
    }
    return within(o, expected, () => 2 ** -18);
  };

export const examples: readonly SuiteExample[] = [
  defineExample<PagedShape>({
    name: "paged attention",
    about: "a prefetched page table in the index map",
    full: { sequences: 16, heads: 8, depth: 64, pageSize: 16, pages: 16, pool: 200 },
    small: { sequences: 3, heads: 2, depth: 4, pageSize: 3, pages: 3, pool: 7 },
    graph: pagedAttention,
    inputs,
    check,
    expects: {
      gridLoops: 1,
      sequential: { "paged_attention.p": "a page rescales the sums of the pages before it" },
    },
  }),
];
