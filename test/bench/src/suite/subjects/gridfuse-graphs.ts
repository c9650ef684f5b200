/** The works as kernels over blocks, written as one would for a machine with a small memory beside its cores. */
import { examples } from "@gridfuse/docs/examples";
import {
  argsort,
  cdiv,
  cumsum,
  f32,
  type Graph,
  gelu,
  graph,
  i32,
  kernel,
  sort,
  type Tensor,
  tensor,
  vmem,
  when,
} from "gridfuse";
import { type Job, Missing } from "../subject.ts";

/** Points of an elementwise work that one grid point does. */
const blockPoints = 4096;

function pointwise(names: readonly string[], points: number, f: (...x: Tensor[]) => Tensor): Graph {
  const blocks = tensor(f32, [points]).blocks([blockPoints], ({ i }) => [i]);
  const inputs = Object.fromEntries(names.map((name) => [name, blocks]));
  const each = kernel(
    "each",
    { grid: { i: cdiv(points, blockPoints) }, inputs, outputs: { o: blocks } },
    ({ o, ...given }) => {
      o.set(f(...names.map((name) => (given as Record<string, { get(): Tensor }>)[name].get())));
    },
  );
  return graph(each.inputs, each);
}

/** Rows that one grid point does. */
const blockRows = 8;

function rowwise(rows: number, columns: number, f: (x: Tensor) => Tensor): Graph {
  const blocks = tensor(f32, [rows, columns]).blocks([blockRows, columns], ({ i }) => [i, 0]);
  const each = kernel(
    "rows",
    { grid: { i: cdiv(rows, blockRows) }, inputs: { x: blocks }, outputs: { o: blocks } },
    ({ x, o }) => {
      o.set(f(x.get()));
    },
  );
  return graph(each.inputs, each);
}

const softmax = (x: Tensor): Tensor => {
  const weights = x.sub(x.max({ axis: 1, keepDims: true })).exp();
  return weights.div(weights.sum({ axis: 1, keepDims: true }));
};
const layerNorm = (x: Tensor): Tensor => {
  const centred = x.sub(x.mean({ axis: 1, keepDims: true }));
  return centred.mul(centred.square().mean({ axis: 1, keepDims: true }).add(1e-5).rsqrt());
};

function argmax(rows: number, columns: number): Graph {
  const search = kernel(
    "argmax",
    {
      grid: { i: cdiv(rows, blockRows) },
      inputs: { x: tensor(f32, [rows, columns]).blocks([blockRows, columns], ({ i }) => [i, 0]) },
      outputs: { o: tensor(i32, [rows]).blocks([blockRows], ({ i }) => [i]) },
    },
    ({ x, o }) => o.set(x.get().argmax({ axis: 1 })),
  );
  return graph(search.inputs, search);
}

function argsortRows(rows: number, columns: number): Graph {
  const search = kernel(
    "argsort",
    {
      grid: { i: cdiv(rows, blockRows) },
      inputs: { x: tensor(f32, [rows, columns]).blocks([blockRows, columns], ({ i }) => [i, 0]) },
      outputs: { o: tensor(i32, [rows, columns]).blocks([blockRows, columns], ({ i }) => [i, 0]) },
    },
    ({ x, o }) => o.set(argsort(x.get())),
  );
  return graph(search.inputs, search);
}

/** The sum of a long array, block by block into one place. */
function sumAll(points: number): Graph {
  const block = 65_536;
  const whole = kernel(
    "sum",
    {
      grid: { i: cdiv(points, block) },
      inputs: { x: tensor(f32, [points]).blocks([block], ({ i }) => [i]) },
      outputs: { o: tensor(f32, [1]) },
    },
    ({ x, o }, { i }) => {
      when(i.isFirst, () => o.set(0));
      o.add(x.get().sum({ keepDims: true }));
    },
  );
  return graph(whole.inputs, whole);
}

function matmul(m: number, n: number, k: number): Graph {
  const [tile, depth] = [128, 64];
  const product = kernel(
    "matmul",
    {
      grid: { i: cdiv(m, tile), j: cdiv(n, tile), k: cdiv(k, depth) },
      inputs: {
        a: tensor(f32, [m, k]).blocks([tile, depth], ({ i, k: at }) => [i, at]),
        b: tensor(f32, [k, n]).blocks([depth, tile], ({ k: at, j }) => [at, j]),
      },
      outputs: { c: tensor(f32, [m, n]).blocks([tile, tile], ({ i, j }) => [i, j]) },
      scratch: { sum: vmem(f32, [tile, tile]) },
    },
    ({ a, b, c, sum }, { k: at }) => {
      when(at.isFirst, () => sum.set(0));
      sum.add(a.get().dot(b.get()));
      when(at.isLast, () => c.set(sum.get()));
    },
  );
  return graph(product.inputs, product);
}

function networkOf([rows, n]: readonly number[]): Graph {
  const example = examples.find(({ name }) => name === `sort ${rows}×${n}`);
  if (example === undefined) throw new Missing(`no network for rows of ${n}`);
  return example.graph();
}

export function graphOf({ work, shape }: Job): Graph {
  const points = shape.reduce((a, b) => a * b, 1);
  const [rows, columns] = shape;
  switch (work) {
    case "sinadd":
      return pointwise(["x", "y"], points, (x, y) => x.add(y).mul(2).sin());
    case "add":
      return pointwise(["x", "y"], points, (x, y) => x.add(y));
    case "exp":
      return pointwise(["x"], points, (x) => x.exp());
    case "gelu":
      return pointwise(["x"], points, (x) => gelu(x) as Tensor);
    case "softmax":
      return rowwise(rows, columns, softmax);
    case "layernorm":
      return rowwise(rows, columns, layerNorm);
    case "argmax":
      return argmax(rows, columns);
    case "cumsum":
      return rowwise(rows, columns, (x) => cumsum(x, { axis: 1 }) as Tensor);
    case "sum":
      return sumAll(points);
    case "matmul":
      return matmul(shape[0], shape[1], shape[2]);
    case "sort":
      return rowwise(rows, columns, (x) => sort(x));
    case "argsort":
      return argsortRows(rows, columns);
    case "bitonic":
      return networkOf(shape);
    default:
      throw work satisfies never;
  }
}
