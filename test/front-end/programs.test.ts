/** Random programs of the front end: what the interpreter says, and what their plans compute. */
import {
  cond,
  ds,
  fori,
  graph,
  kernel,
  loop,
  squeezed,
  type Tensor,
  tensor,
  vmap,
  whileLoop,
} from "@gridfuse/graph";
import { tensorOf } from "@gridfuse/interpret";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { programs } from "../../packages/graph/test/programs.ts";
import { disagreements } from "../differential/support/three-way.ts";

const counted = (dtype: "float32" | "int32", shape: readonly number[]) =>
  tensorOf(
    dtype,
    shape,
    Array.from({ length: shape.reduce((n, dim) => n * dim, 1) }, (_, i) => i),
  );

describe("plans of front-end programs", () => {
  it("compute what the interpreter says, for any mix of ops, loops, branches and kernels", () => {
    const values = fc.array(fc.double({ min: -2, max: 2, noNaN: true }), {
      minLength: 16,
      maxLength: 16,
    });
    fc.assert(
      fc.property(programs, values, values, ({ first }, x, other) => {
        const inputs = {
          x: tensorOf("float32", [4, 4], x),
          other: tensorOf("float32", [4, 4], other),
        };
        expect(disagreements(first.program, inputs)).toEqual([]);
      }),
      { numRuns: 40 },
    );
  });

  it("compute mapped functions: captures, branches, loops and kernels inside", () => {
    const negate = kernel(
      "negate",
      {
        grid: { i: 2 },
        inputs: { x: tensor("float32", [2]).blocks([1], ({ i }) => i) },
        outputs: { y: tensor("float32", [2]).blocks([1], ({ i }) => i) },
      },
      ({ x, y }) => y.set(x.get().neg()),
    );
    const g = graph({ x: tensor("float32", [2, 3]), s: tensor("float32", []) }, ({ x, s }) => {
      const f = (column: Tensor, shared: Tensor) => ({
        sum: cond(
          column.sum().gt(5),
          () => column.sum(),
          () => s,
        ),
        scaled: negate(column).y.mul(shared),
        grown: whileLoop(
          (c) => c.sum().lt(20),
          (c) => c.mul(1.5).add(1),
          column,
        ),
        added: fori(0, 3, column, (i, c) => c.add(i)),
      });
      return vmap(f, { inAxes: [1, null], outAxes: -1 })(x, s);
    });
    const inputs = { x: counted("float32", [2, 3]), s: tensorOf("float32", [], [10]) };
    expect(disagreements(g.program, inputs)).toEqual([]);
  });

  it("compute kernels with prefetched indices and loops of computed length, alone and mapped", () => {
    const ragged = kernel(
      "ragged",
      {
        grid: { b: 4 },
        prefetch: { n: tensor("int32", [4]) },
        inputs: {
          x: tensor("int32", [4, 5]).blocks([squeezed, 5], ({ b }, { n }) => [n.get(b), 0]),
        },
        outputs: { y: tensor("int32", [4, 5]).blocks([squeezed, 5], ({ b }) => [b, 0]) },
      },
      ({ x, y, n }, { b }) => {
        y.set(-1);
        loop(0, n.get(b), (k) => y.at(k).set(x.get(k).add(x.get(ds(k, 2)).sum())));
      },
    );
    const alone = { n: tensorOf("int32", [4], [3, 0, 1, 2]), x: counted("int32", [4, 5]) };
    expect(disagreements(graph(ragged.inputs, ragged).program, alone)).toEqual([]);
    const mapped = vmap(ragged, { size: 2 });
    const both = {
      n: tensorOf("int32", [2, 4], [3, 0, 1, 2, 2, 2, 1, 0]),
      x: counted("int32", [2, 4, 5]),
    };
    expect(disagreements(graph(mapped.inputs, mapped).program, both)).toEqual([]);
  });
});
