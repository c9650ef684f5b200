/** Shapes and dtypes in the types. Every `@ts-expect-error` is a mistake that an editor underlines. */
import type { DType } from "@gridfuse/plan/scalar";
import {
  add,
  cond,
  dot,
  ds,
  fori,
  graph,
  kernel,
  matmul,
  type Tensor,
  tensor,
  vmem,
  where,
} from "../src/index.ts";
import type { ContractCheck, ShapeError } from "../src/types/shape-types.ts";

type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
/** Fails to compile unless the value has exactly the type T. */
declare function exactly<T>(): <V>(
  value: V,
  ...same: Equal<V, T> extends true ? [] : [never]
) => void;

declare const x: Tensor<"float32", readonly ["batch", 128]>;
declare const y: Tensor<"float32", readonly [128]>;
declare const n: Tensor<"int32", readonly []>;
declare const a: Tensor<"float32", readonly [128, 60]>;
declare const b: Tensor<"float32", readonly [64, 128]>;
declare const half: Tensor<"bfloat16", readonly [60, 8]>;
declare const loose: Tensor<"float32", readonly [number, 64]>;

// Broadcasting carries literal and named dims; promotion carries dtypes.
exactly<Tensor<"float32", readonly ["batch", 128]>>()(x.add(y));
exactly<Tensor<"float32", readonly ["batch", 128]>>()(add(y, x));
exactly<Tensor<"bool", readonly ["batch", 128]>>()(x.lt(y));
exactly<Tensor<"float32", readonly ["batch", 128]>>()(x.mul(n));
exactly<Tensor<"int32", readonly []>>()(n.mul(2));
exactly<Tensor<"float32", readonly []>>()(n.mul(0.5));
exactly<Tensor<"float32", readonly []>>()(n.exp());
exactly<Tensor<"float32", readonly [number, 64]>>()(loose.add(loose));
exactly<Tensor<"int32", readonly [128]>>()(
  where(y.gt(0), 1, y.astype("int32")) as never as Tensor<"int32", readonly [128]>,
);
// @ts-expect-error shapes [128, 60] and [64, 128] do not broadcast
a.add(b);
// @ts-expect-error shapes [128, 60] and [64, 128] do not broadcast
add(a, b);

// Contraction.
exactly<Tensor<"float32", readonly [64, 60]>>()(dot(b, a));
exactly<Tensor<"float32", readonly [128, 8]>>()(a.dot(half));
exactly<Tensor<"float32", readonly ["batch"]>>()(matmul(x, y));
exactly<Tensor<"float32", readonly [number, 128]>>()(loose.matmul(b));
// @ts-expect-error shapes [128, 60] and [64, 128] do not contract: 60 ≠ 64
dot(a, b);
// @ts-expect-error shapes [128, 60] and [64, 128] do not contract: 60 ≠ 64
a.matmul(b);
exactly<ShapeError<"shapes [128, 60] and [64, 128] do not contract: 60 ≠ 64">>()(
  null as never as ContractCheck<readonly [128, 60], readonly [64, 128]>,
);

// Reductions and movement.
exactly<Tensor<"float32", readonly ["batch"]>>()(x.sum({ axis: -1 }));
exactly<Tensor<"float32", readonly ["batch", 1]>>()(x.max({ axis: 1, keepDims: true }));
exactly<Tensor<"float32", readonly []>>()(x.mean());
exactly<Tensor<"bool", readonly [128]>>()(x.gt(0).any({ axis: [0] }));
exactly<Tensor<"float32", readonly [128, "batch"]>>()(x.transpose());
exactly<Tensor<"float32", readonly [128, "batch"]>>()(x.transpose([1, 0]));
exactly<Tensor<"float32", readonly [2, 64]>>()(y.reshape([2, 64]));
exactly<Tensor<"float32", readonly [number, 64]>>()(y.reshape([-1, 64]));
exactly<Tensor<"int8", readonly ["batch", 128]>>()(x.astype("int8"));
exactly<Tensor<"float32", readonly ["batch", 128]>>()(x.softmax().gelu().relu());

// Any tensor is a tensor.
const plain: Tensor = x;
const known: Tensor<DType, readonly [128]> = y;
// @ts-expect-error a scalar is not a vector of 128
const wrong: Tensor<"float32", readonly [128]> = n;

// Control flow keeps structure and types.
exactly<Tensor<"float32", readonly [128]>>()(fori(0, 4, y, (_i, c) => c.mul(2)));
exactly<{ readonly a: Tensor<"int32", readonly []> }>()(
  fori(0, 4, { a: n }, (i, c) => ({ a: c.a.add(i) })),
);
exactly<Tensor<"float32", readonly [128]>>()(
  cond(
    n.gt(0),
    () => y,
    () => y.neg(),
  ),
);

// Kernels: refs have the shapes of their blocks, inputs and outputs those of their arrays.
const product = kernel(
  "product",
  {
    grid: { i: 4, k: 8 },
    inputs: {
      a: tensor("float32", [512, 512]).blocks([128, 64], ({ i, k }) => [i, k]),
      b: tensor("float32", [512, 128]).blocks([64, 128], ({ k }) => [k, 0]),
    },
    outputs: { c: tensor("float32", [512, 128]).blocks([128, 128], ({ i }) => [i, 0]) },
    scratch: { acc: vmem("float32", [128, 128]) },
  },
  ({ a, b, c, acc }, { i, k }) => {
    exactly<Tensor<"float32", readonly [128, 64]>>()(a.get());
    exactly<Tensor<"float32", readonly [64]>>()(a.get(0));
    exactly<Tensor<"float32", readonly [128]>>()(a.get(":", i));
    exactly<Tensor<"float32", readonly [128, 128]>>()(dot(a.get(), b.get()));
    // @ts-expect-error shapes [64, 128] and [128, 64] contract, [128, 64] and [128, 128] do not
    dot(a.get(), acc.get());
    // @ts-expect-error there is no axis j
    k.add(j);
    acc.set(k.isFirst.astype("float32"));
    c.set(acc.get(ds(0, 128)));
  },
);
graph({ x: tensor("float32", [512, 512]), w: tensor("float32", [512, 128]) }, ({ x, w }) => {
  exactly<Tensor<"float32", readonly [512, 128]>>()(product({ a: x, b: w }).c);
  // @ts-expect-error the blocks of b are cut from [512, 128]
  product({ a: x, b: x });
  // @ts-expect-error b is missing
  product({ a: x });
  return product({ a: x, b: w });
});
// @ts-expect-error a block of rank 1 for an array of rank 2
tensor("float32", [8, 8]).blocks([8]);

export { known, plain, wrong };
