/**
 * Flash attention as language models need it: a query sees the keys up to its own position, and sequences
 * of a batch have different lengths (as in Pallas's flash attention, with segment lengths for ids).
 * Blocks of keys that no query of the block sees are skipped. The length of the arrays need not be a
 * multiple of the block: what lies beyond is unspecified and may be NaN, so values are masked as well as scores.
 */
import {
  cdiv,
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
import { type Check, type Inputs, type Outputs, randomFloats, within } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

interface CausalShape {
  readonly batch: number;
  readonly length: number;
  readonly depth: number;
  readonly block: number;
}

/** lengths: i32[batch], q, k, v: f32[batch, length, depth] → o: f32[batch, length, depth], 0 behind a sequence. */
export function causalAttention({ batch, length, depth, block }: CausalShape): Graph {
  const array = tensor(f32, [batch, length, depth]);
  const queries = array.blocks([squeezed, block, depth], ({ n, i }) => [n, i, 0]);
  const keys = array.blocks([squeezed, block, depth], ({ n, j }) => [n, j, 0]);
  const attend = kernel(
    "causal_attention",
    {
      grid: { n: batch, i: cdiv(length, block), j: cdiv(length, block) },
      prefetch: { lengths: tensor(i32, [batch]) },
      inputs: { q: queries, k: keys, v: keys },
      outputs: { o: queries },
      scratch: {
        m: vmem(f32, [block, 1]),
        l: vmem(f32, [block, 1]),
        acc: vmem(f32, [block, depth]),
      },
    },
    ({ lengths, q, k, v, o, m, l, acc }, { n, i, j }) => {
      const size = lengths.get(n);
      when(j.isFirst, () => {
        m.set(-Infinity);
        l.set(0);
        acc.set(0);
      });
      when(j.le(i).and(j.mul(block).lt(size)), () => {
        const query = iota(i32, [block, block], 0).add(i.mul(block));
        const key = iota(i32, [block, block], 1).add(j.mul(block));
        const seen = key.le(query).and(key.lt(size));
        const products = q.get().dot(k.get().transpose());
        const scores = where(seen, products.mul(1 / Math.sqrt(depth)), -Infinity);
        const greatest = m.get().maximum(scores.max({ axis: 1, keepDims: true }));
        const rescale = m.get().sub(greatest).exp();
        const weights = scores.sub(greatest).exp();
        const inside = iota(i32, [block, 1]).add(j.mul(block)).lt(size);
        const values = where(inside, v.get(), 0);
        l.set(
          l
            .get()
            .mul(rescale)
            .add(weights.sum({ axis: 1, keepDims: true })),
        );
        acc.set(acc.get().mul(rescale).add(weights.dot(values)));
        m.set(greatest);
      });
      when(j.isLast, () => {
        const inside = iota(i32, [block, 1]).add(i.mul(block)).lt(size);
        o.set(where(inside, acc.get().div(l.get()), 0));
      });
    },
  );
  return graph(attend.inputs, attend, { name: "causal_attention" });
}

const lengthOf = ({ batch, length }: CausalShape, n: number): number =>
  Math.ceil((length * (n + 1)) / batch) - (n % 2);

const inputs = (shape: CausalShape): Inputs => {
  const { batch, length, depth } = shape;
  const count = batch * length * depth;
  return {
    lengths: Int32Array.from({ length: batch }, (_, n) => lengthOf(shape, n)),
    q: randomFloats(count, 2, 101),
    k: randomFloats(count, 2, 102),
    v: randomFloats(count, 1, 103),
  };
};

/** The definition, in float64. Values lie in ±1, results to 2⁻¹⁸. */
const check =
  (shape: CausalShape) =>
  (inputs: Inputs, { o }: Outputs): Check => {
    const { batch, length, depth } = shape;
    const [q, k, v] = [inputs.q, inputs.k, inputs.v] as Float32Array[];
    const expected = new Float64Array(q.length);
    for (let n = 0; n < batch; n++) {
      for (let i = 0; i < lengthOf(shape, n); i++) {
        const own = (n * length + i) * depth;
        let total = 0;
        for (let j = 0; j <= i; j++) {
          const other = (n * length + j) * depth;
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
  defineExample<CausalShape>({
    name: "causal attention",
    about: "ragged sequences, blocks of keys that are not seen skipped",
    full: { batch: 4, length: 500, depth: 64, block: 128 },
    small: { batch: 3, length: 10, depth: 4, block: 4 },
    graph: causalAttention,
    inputs,
    check,
    expects: {
      gridLoops: 1,
      sequential: {
        "causal_attention.j": "a block of keys rescales the sums of the blocks before it",
      },
    },
  }),
];
