/** Random small programs for property tests: every op family, regions and kernels included. */
import fc from "fast-check";
import {
  cond,
  dot,
  fori,
  type Graph,
  graph,
  kernel,
  random,
  scan,
  sort,
  type Tensor,
  tensor,
  topK,
  vmem,
  when,
} from "../src/index.ts";

const double = (name: string) =>
  kernel(
    name,
    {
      grid: { i: 2, k: 2 },
      inputs: { x: tensor("float32", [4, 4]).blocks([2, 4], ({ i }) => [i, 0]) },
      outputs: { y: tensor("float32", [4, 4]).blocks([2, 4], ({ i }) => [i, 0]) },
      scratch: { acc: vmem("float32", [2, 4]) },
    },
    ({ x, y, acc }, { k }) => {
      when(k.isFirst, () => acc.set(0));
      acc.add(x.get());
      when(k.isLast, () => y.set(acc.get()));
    },
  );

type Step = (x: Tensor, y: Tensor, name: string) => Tensor;

/** Functions of two [4, 4] float32 tensors that give one. */
const steps: readonly Step[] = [
  (x, y) => x.add(y),
  (x, y) => x.mul(0.5).maximum(y).exp(),
  (x) => x.transpose(),
  (x, y) => x.gt(y).where(x, -1),
  (x) => x.softmax(),
  (x, y) => dot(x, y),
  (x) => x.index([3, 0, 0, 1]),
  (x, y) => x.at(1, "1:3").set(y.index(0, ":2")),
  (x) => sort([x, x.neg()])[1],
  (x) => topK(x, 4).values,
  (x, y) => fori(0, 3, x, (_i, c) => c.add(y)),
  (x, y) => scan((c, row) => [c.add(row), c], x.index(0), y)[1],
  (x, y) =>
    cond(
      x.sum().gt(0),
      () => x.add(y),
      () => y,
    ),
  (x, _y, name) => double(name)({ x }).y,
  (x) => x.add(random.uniform(random.key(3), [4, 4])),
];

/** A program of up to eight steps, and the same one under other names. */
export const programs: fc.Arbitrary<{ readonly first: Graph; readonly renamed: Graph }> = fc
  .array(fc.tuple(fc.nat(steps.length - 1), fc.nat(9), fc.nat(9)), { minLength: 1, maxLength: 8 })
  .map((picks) => {
    const build = (name: string, input: string) =>
      graph(
        { [input]: tensor("float32", [4, 4]), other: tensor("float32", [4, 4]) },
        (inputs) => {
          const values = Object.values(inputs) as Tensor[];
          for (const [step, a, b] of picks) {
            const at = (i: number) => values[i % values.length];
            values.push(steps[step](at(a), at(b), name));
          }
          return { [`${name}Out`]: values.at(-1) as Tensor };
        },
        { name },
      );
    return { first: build("first", "x"), renamed: build("renamed", "y") };
  });
