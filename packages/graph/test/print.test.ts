import { f32 } from "@gridfuse/plan/scalar";
import { describe, expect, it } from "vitest";
import {
  cdiv,
  cond,
  dot,
  fori,
  graph,
  kernel,
  loop,
  maximum,
  scan,
  softmax,
  tensor,
  vmem,
  when,
  whileLoop,
} from "../src/index.ts";

const matmul = (m: number, n: number, depth: number) =>
  kernel(
    "matmul",
    {
      grid: { i: cdiv(m, 128), j: cdiv(n, 128), k: cdiv(depth, 64) },
      inputs: {
        a: tensor(f32, [m, depth]).blocks([128, 64], ({ i, k }) => [i, k]),
        b: tensor(f32, [depth, n]).blocks([64, 128], ({ k, j }) => [k, j]),
      },
      outputs: { c: tensor(f32, [m, n]).blocks([128, 128], ({ i, j }) => [i, j]) },
      scratch: { acc: vmem(f32, [128, 128]) },
    },
    ({ a, b, c, acc }, { k }) => {
      when(k.isFirst, () => acc.set(0));
      acc.add(dot(a.get(), b.get()));
      when(k.isLast, () => c.set(acc.get()));
    },
  );

describe("a printed graph", () => {
  it("shows a kernel with its blocks, its index maps as formulas, and its body", () => {
    const product = matmul(512, 256, 512);
    const layer = graph(
      { x: tensor(f32, [512, 512]), w: tensor(f32, [512, 256]) },
      ({ x, w }) => ({ y: product({ a: x, b: w }).c.mul(2).add(1) }),
      { name: "layer" },
    );
    expect(String(layer)).toMatchInlineSnapshot(`
      "graph layer(x: f32[512,512], w: f32[512,256])
        d: f32[512,256] = grid matmul(i: 4, j: 2, k: 8)
          in a: f32[128,64] = x at (i, k)
          in b: f32[64,128] = w at (k, j)
          out c: f32[128,128] of [512,256] at (i, j)
          scratch acc: f32[128,128] in vmem
          do:
            e: bool = eq k 0
            cond e
              true:
                acc[] = 0.0:f32[128,128]
            f: f32[128,64] = a[]
            g: f32[64,128] = b[]
            h: f32[128,128] = dot_general[contract=[[1], [0]], accumulate=float32] f g
            acc[] += h
            l: bool = eq k 7
            cond l
              true:
                m: f32[128,128] = acc[]
                c[] = m
        n: f32[512,256] = mul d 2.0
        o: f32[512,256] = add n 1.0
        return { y: o }"
    `);
  });

  it("shows softmax as the ops it is made of", () => {
    const g = graph({ x: tensor(f32, ["batch", 10]) }, ({ x }) => softmax(x), { name: "softmax" });
    expect(String(g)).toMatchInlineSnapshot(`
      "graph softmax(x: f32[batch,10])
        a: f32[batch] = reduce_max[axes=[1]] x
        b: f32[batch,1] = reshape a
        c: f32[batch,10] = broadcast_in_dim[broadcastDimensions=[0, 1]] b
        d: f32[batch,10] = sub x c
        e: f32[batch,10] = exp d
        f: f32[batch] = reduce_sum[axes=[1]] e
        g: f32[batch,1] = reshape f
        h: f32[batch,10] = broadcast_in_dim[broadcastDimensions=[0, 1]] g
        i: f32[batch,10] = div e h
        return { out: i }"
    `);
  });

  it("shows an online softmax over key blocks, as flash attention has it", () => {
    const [length, width, keys] = [256, 64, 128] as const;
    const attention = kernel(
      "attention",
      {
        grid: { i: length / 128, j: length / keys },
        inputs: {
          q: tensor(f32, [length, width]).blocks([128, width], ({ i }) => [i, 0]),
          k: tensor(f32, [length, width]).blocks([keys, width], ({ j }) => [j, 0]),
          v: tensor(f32, [length, width]).blocks([keys, width], ({ j }) => [j, 0]),
        },
        outputs: { o: tensor(f32, [length, width]).blocks([128, width], ({ i }) => [i, 0]) },
        scratch: {
          most: vmem(f32, [128, 1]),
          total: vmem(f32, [128, 1]),
          acc: vmem(f32, [128, width]),
        },
      },
      ({ q, k, v, o, most, total, acc }, { j }) => {
        when(j.isFirst, () => {
          most.set(Number.NEGATIVE_INFINITY);
          total.set(0);
          acc.set(0);
        });
        const scores = dot(q.get(), k.get().transpose());
        const before = most.get();
        const now = maximum(before, scores.max({ axis: 1, keepDims: true }));
        const weights = scores.sub(now).exp();
        const fade = before.sub(now).exp();
        total.set(
          total
            .get()
            .mul(fade)
            .add(weights.sum({ axis: 1, keepDims: true })),
        );
        acc.set(acc.get().mul(fade).add(dot(weights, v.get())));
        most.set(now);
        when(j.isLast, () => o.set(acc.get().div(total.get())));
      },
    );
    const g = graph(attention.inputs, attention, { name: "attention" });
    expect(String(g)).toMatchInlineSnapshot(`
      "graph attention(q: f32[256,64], k: f32[256,64], v: f32[256,64])
        a: f32[256,64] = grid attention(i: 2, j: 2)
          in q2: f32[128,64] = q at (i, 0)
          in k2: f32[128,64] = k at (j, 0)
          in v2: f32[128,64] = v at (j, 0)
          out o: f32[128,64] of [256,64] at (i, 0)
          scratch most: f32[128,1] in vmem
          scratch total: f32[128,1] in vmem
          scratch acc: f32[128,64] in vmem
          do:
            b: bool = eq j 0
            cond b
              true:
                most[] = -inf:f32[128,1]
                total[] = 0.0:f32[128,1]
                acc[] = 0.0:f32[128,64]
            c: f32[128,64] = q2[]
            d: f32[128,64] = k2[]
            e: f32[64,128] = transpose[permutation=[1, 0]] d
            f: f32[128,128] = dot_general[contract=[[1], [0]], accumulate=float32] c e
            g: f32[128,1] = most[]
            h: f32[128] = reduce_max[axes=[1]] f
            l: f32[128,1] = reshape h
            m: f32[128,1] = max g l
            n: f32[128,128] = broadcast_in_dim[broadcastDimensions=[0, 1]] m
            p: f32[128,128] = sub f n
            r: f32[128,128] = exp p
            s: f32[128,1] = sub g m
            t: f32[128,1] = exp s
            u: f32[128,1] = total[]
            w: f32[128,1] = mul u t
            x: f32[128] = reduce_sum[axes=[1]] r
            y: f32[128,1] = reshape x
            z: f32[128,1] = add w y
            total[] = z
            aa: f32[128,64] = acc[]
            ab: f32[128,64] = broadcast_in_dim[broadcastDimensions=[0, 1]] t
            ac: f32[128,64] = mul aa ab
            ad: f32[128,64] = v2[]
            ae: f32[128,64] = dot_general[contract=[[1], [0]], accumulate=float32] r ad
            af: f32[128,64] = add ac ae
            acc[] = af
            most[] = m
            ag: bool = eq j 1
            cond ag
              true:
                ah: f32[128,64] = acc[]
                ai: f32[128,1] = total[]
                aj: f32[128,64] = broadcast_in_dim[broadcastDimensions=[0, 1]] ai
                ak: f32[128,64] = div ah aj
                o[] = ak
        return { o: a }"
    `);
  });

  it("shows loops with their carries and branches with their conditions", () => {
    const g = graph(
      { x: tensor(f32, [8]), n: tensor("int32", []) },
      ({ x, n }) => {
        const [total, sums] = scan((carry, e) => [carry.add(e), carry], 0, x);
        const doubled = fori(0, 3, total, (_i, c) => c.mul(2));
        const counted = fori(0, n, 0, (i, c) => c.add(i));
        const halved = whileLoop(
          (c) => c.gt(1),
          (c) => c.div(2),
          doubled,
        );
        const chosen = cond(
          n.gt(0),
          () => x,
          () => x.neg(),
        );
        return { total, sums, counted, halved, chosen };
      },
      { name: "loops" },
    );
    expect(String(g)).toMatchInlineSnapshot(`
      "graph loops(x: f32[8], n: i32)
        d: f32, e: f32[8] = scan a < 8 (b = 0.0) for c in x
          f: f32 = add b c
          return f, b
        i: f32 = scan g < 3 (h = d)
          j: f32 = mul h 2.0
          return j
        k: i32, l: i32 = while (m = 0, o = 0)
          while:
            p: bool = lt m n
            return p
          do:
            q: i32 = add m 1
            r: i32 = add o m
            return q, r
        s: f32 = while (t = i)
          while:
            u: bool = gt t 1.0
            return u
          do:
            v: f32 = div t 2.0
            return v
        w: bool = gt n 0
        y: f32[8] = cond w
          false:
            z: f32[8] = neg x
            return z
          true:
            return x
        return { total: d, sums: e, counted: l, halved: s, chosen: y }"
    `);
  });

  it("shows what a loop in a kernel reads and writes", () => {
    const shift = kernel(
      "shift",
      {
        grid: [2],
        inputs: { x: tensor(f32, [16, 8]).blocks([8, 8], (i) => [i, 0]) },
        outputs: { y: tensor(f32, [16, 8]).blocks([8, 8], (i) => [i, 0]) },
      },
      ({ x, y }) => loop(0, 7, (r) => y.at(r.add(1)).set(x.get(r, ":"))),
    );
    expect(String(graph(shift.inputs, shift, { name: "shift" }))).toMatchInlineSnapshot(`
      "graph shift(x: f32[16,8])
        a: f32[16,8] = grid shift(0: 2)
          in x2: f32[8,8] = x at (i0, 0)
          out y: f32[8,8] of [16,8] at (i0, 0)
          do:
            scan b < 7
              c: i32 = add b 1
              d: f32[8] = x2[b, 0:+8]
              y[c, 0:+8] = d
        return { y: a }"
    `);
  });
});
