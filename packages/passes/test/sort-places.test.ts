/** Sorts know the places that elements come from, and write all they find where it is wanted. */
import { argsort, graph, iota, kernel, sort, type Tensor, tensor } from "@gridfuse/graph";
import { f32, i32, type Plan } from "@gridfuse/plan";
import { expect, test } from "vitest";
import { compile } from "../src/index.ts";

const shapeOf = (plan: Plan): readonly unknown[] =>
  plan.steps.map((step) => (step.kind === "sort" ? [step.inputs.length, step.sources] : step.kind));

const [rows, columns] = [64, 256];
const x = tensor(f32, [rows, columns]);

test("places of a whole array are no operand", () => {
  const plan = compile(graph({ x }, (t) => ({ i: argsort(t.x as Tensor) })));
  expect(shapeOf(plan)).toEqual([[1, [1]]]);
});

test("nor are those of each block of a grid", () => {
  const each = kernel(
    "argsort",
    {
      grid: { i: 8 },
      inputs: { x: x.blocks([8, columns], ({ i }) => [i, 0]) },
      outputs: { o: tensor(i32, [rows, columns]).blocks([8, columns], ({ i }) => [i, 0]) },
    },
    (t) => t.o.set(argsort(t.x.get())),
  );
  expect(shapeOf(compile(graph(each.inputs, each)))).toEqual([[1, [1]]]);
});

test("numbers of rows, carried along each row, are an operand", () => {
  const plan = compile(
    graph({ x }, (t) => {
      const [, numbers] = sort([t.x, iota(i32, [rows, columns], 0)] as readonly Tensor[]);
      return { numbers: numbers as Tensor };
    }),
  );
  expect(shapeOf(plan).at(-1)).toEqual([2, [1]]);
});

test("several results are written where they are wanted", () => {
  const plan = compile(
    graph({ x, y: x }, (t) => {
      const [keys, carried] = sort([t.x, t.y] as readonly Tensor[]);
      return { keys, carried } as Record<string, Tensor>;
    }),
  );
  expect(shapeOf(plan)).toEqual([[2, [0, 1]]]);
});
