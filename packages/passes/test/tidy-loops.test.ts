/**
 * What is left of loops: nothing is carried that nobody looks at, nothing costly is done in every trip that
 * could be done once, and a sum of products is one product. Results stay those of the interpreter.
 */

import { interpret } from "@gridfuse/interpret";
import {
  cond,
  cpuSync,
  ds,
  f32,
  fori,
  type Graph,
  graph,
  i32,
  type NodeNamed,
  type Region,
  type RunInputs,
  scan,
  type Table,
  type Tensor,
  tensor,
  walk,
  whileLoop,
} from "gridfuse";
import { describe, expect, it } from "vitest";
import { compile, lower } from "../src/index.ts";

const n = 4;
const vector = tensor(f32, [n]);
const matrix = tensor(f32, [n, n]);
const counting = (count: number): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => ((i * 7) % 11) / 4 - 1);

/** The program after the pass. */
function tidied(g: Graph, reassociate = true): { table: Table; main: Region } {
  let main: Region = g.program.main;
  lower(g.program, {
    reassociate,
    afterPass: (pass, program) => {
      if (pass === "tidy-loops") main = program.main;
    },
  });
  return { table: g.program.table, main };
}

const topOps = ({ table, main }: { table: Table; main: Region }): string[] =>
  main.nodes.map((id) => table.nodes[id]!.op);
function loopsOf({
  table,
  main,
}: {
  table: Table;
  main: Region;
}): (NodeNamed<"scan"> | NodeNamed<"while">)[] {
  const found: (NodeNamed<"scan"> | NodeNamed<"while">)[] = [];
  walk(table, main, (node) => {
    if (node.op === "scan" || node.op === "while") found.push(node);
  });
  return found;
}

function expectSameResults(g: Graph, inputs: RunInputs, digits?: number): void {
  using executable = cpuSync().prepareSync(compile(g));
  const compiled = executable.runSync(inputs);
  for (const [name, { data }] of Object.entries(interpret(g.program, inputs as never))) {
    const [actual, expected] = [[...compiled[name]!].map(Number), [...data].map(Number)];
    if (digits === undefined) expect(actual).toEqual(expected);
    else for (const [i, value] of expected.entries()) expect(actual[i]).toBeCloseTo(value, digits);
  }
}

describe("carries", () => {
  const twoCarries = () =>
    graph({ x: vector }, ({ x }) => {
      const [sum] = fori(0, 5, [x, x, x] as [Tensor, Tensor, Tensor], (_, [a, b, c]) => [
        a.mul(0.5).add(c) as Tensor,
        b.add(1) as Tensor,
        c,
      ]);
      return { sum };
    });

  it("that nobody looks at are dropped, and those that never change are captures", () => {
    const [loop] = loopsOf(tidied(twoCarries()));
    expect(loop?.params.carries).toBe(1);
    expect(loop?.inputs.length).toBe(2);
    expectSameResults(twoCarries(), { x: counting(n) });
  });

  it("that another live one looks at stay, through as many trips as it takes", () => {
    const g = graph({ x: vector }, ({ x }) => {
      const [a] = fori(0, 6, [x, x, x] as [Tensor, Tensor, Tensor], (_, [a, b, c]) => [
        b,
        c,
        a.add(1) as Tensor,
      ]);
      return { a };
    });
    expect(loopsOf(tidied(g))[0]?.params.carries).toBe(3);
    expectSameResults(g, { x: counting(n) });
  });

  it("of a while stay where its condition looks at them", () => {
    const g = graph({ x: vector }, ({ x }) => {
      const [, value] = whileLoop(
        ([i]) => i.lt(4),
        ([i, value, unseen]) => [i.add(1), value.mul(2), unseen.add(value)] as never,
        [x.sum().mul(0).astype(i32), x, x] as [Tensor, Tensor, Tensor],
      );
      return { value };
    });
    expect(loopsOf(tidied(g))[0]?.params.carries).toBe(2);
    expectSameResults(g, { x: counting(n) });
  });

  it("and stacked outputs that nobody reads leave no loop", () => {
    const g = graph({ x: vector }, ({ x }) => {
      const [last, all] = scan(
        (carry: Tensor, row: Tensor) => [carry, row.add(1) as Tensor] as const,
        x.index(0),
        x,
      ) as readonly [Tensor, Tensor];
      return { last, first: all.mul(0).index(0) };
    });
    const only = graph({ x: vector }, ({ x }) => ({
      last: (
        scan((carry: Tensor, row: Tensor) => [carry, row] as const, x.index(0), x) as readonly [
          Tensor,
          Tensor,
        ]
      )[0],
    }));
    expect(loopsOf(tidied(g))).toHaveLength(1);
    expect(loopsOf(tidied(only))).toHaveLength(0);
    expectSameResults(only, { x: counting(n) });
  });
});

describe("costly work on what no trip changes", () => {
  it("is done before the loop", () => {
    const g = graph({ x: vector, w: matrix }, ({ x, w }) => ({
      y: fori(
        0,
        5,
        x as Tensor,
        (_, y) => y.mul(0.5).add(x.exp().sum()).add(w.dot(w).index(0)) as Tensor,
      ),
    }));
    const left = tidied(g);
    expect(topOps(left)).toEqual(
      expect.arrayContaining(["exp", "reduce_sum", "dot_general", "scan"]),
    );
    const inside = left.table.nodes[left.main.nodes.at(-1)!]!.regions[0]!;
    const ops = topOps({ table: left.table, main: inside });
    expect(ops).not.toContain("reduce_sum");
    expect(ops).not.toContain("dot_general");
    expectSameResults(g, { x: counting(n), w: counting(n * n) });
  });

  it("stays where it runs in some trips only, and where it may not end", () => {
    const g = graph({ x: vector }, ({ x }) => ({
      y: fori(
        0,
        3,
        x as Tensor,
        (i, y) =>
          cond(
            i.gt(5),
            () =>
              whileLoop(
                (z: Tensor) => z.sum().lt(1e30),
                (z: Tensor) => z.mul(1) as Tensor,
                x as Tensor,
              ),
            () => y.add(1) as Tensor,
          ) as Tensor,
      ),
    }));
    expectSameResults(g, { x: counting(n) });
  });

  it("stays inside where it reads at the counter", () => {
    const g = graph({ x: matrix }, ({ x }) => ({
      y: fori(0, n, x.index(0) as Tensor, (i, y) => y.mul(0.5).add(x.index(i).exp()) as Tensor),
    }));
    expectSameResults(g, { x: counting(n * n) });
  });
});

describe("a sum of products", () => {
  const [rows, depth, columns, step] = [3, 12, 5, 4];
  const product = (dtype: "float32" | "int32") =>
    graph({ a: tensor(dtype, [rows, depth]), b: tensor(dtype, [depth, columns]) }, ({ a, b }) => ({
      c: fori(0, depth / step, a.dot(b).mul(0) as Tensor, (k, sum) => {
        const from = k.mul(step);
        return sum.add(a.index(":", ds(from, step)).dot(b.index(ds(from, step)))) as Tensor;
      }),
    }));

  it("over the trips of a loop is one product, without the loop", () => {
    const left = tidied(product("float32"));
    expect(loopsOf(left)).toHaveLength(0);
    const dots = topOps(left).filter((op) => op === "dot_general");
    expect(dots).toHaveLength(2);
    expectSameResults(
      product("float32"),
      { a: counting(rows * depth), b: counting(depth * columns) },
      5,
    );
  });

  it("may be turned before it is added", () => {
    const g = graph({ a: matrix, b: matrix }, ({ a, b }) => ({
      c: fori(0, n, a as Tensor, (k, sum) => {
        const part = a.index(":", ds(k, 1)).dot(b.index(ds(k, 1)));
        return sum.add(part.transpose()) as Tensor;
      }),
    }));
    expect(loopsOf(tidied(g))).toHaveLength(0);
    expectSameResults(g, { a: counting(n * n), b: counting(n * n) }, 5);
  });

  it("keeps its order where that is asked for, unless it is of whole numbers", () => {
    expect(loopsOf(tidied(product("float32"), false))).toHaveLength(1);
    expect(loopsOf(tidied(product("int32"), false))).toHaveLength(0);
    const ints = (count: number) => Int32Array.from(counting(count), (x) => x * 4);
    expectSameResults(product("int32"), { a: ints(rows * depth), b: ints(depth * columns) });
  });

  it("stays a loop where the operands are computed, or the sum is looked at", () => {
    const computed = graph({ a: matrix, b: matrix }, ({ a, b }) => ({
      c: fori(0, n, a as Tensor, (k, sum) => sum.add(a.mul(k.astype(f32)).dot(b)) as Tensor),
    }));
    const seen = graph({ a: matrix, b: matrix }, ({ a, b }) => ({
      c: fori(0, n, [a, b] as [Tensor, Tensor], (k, [sum, other]) => [
        sum.add(a.index(":", ds(k, 1)).dot(b.index(ds(k, 1)))) as Tensor,
        other.add(sum) as Tensor,
      ])[1],
    }));
    for (const g of [computed, seen]) {
      expect(loopsOf(tidied(g))).toHaveLength(1);
      expectSameResults(g, { a: counting(n * n), b: counting(n * n) }, 4);
    }
  });
});
