/** A graph for people: its graphology view, its exports, its hash and its named dims. */
import fc from "fast-check";
import { topologicalSort } from "graphology-dag";
import { describe, expect, it } from "vitest";
import {
  add,
  arange,
  constant,
  full,
  Graph,
  graph,
  kernel,
  sourceLocation,
  structuralBytes,
  type Tensor,
  tensor,
} from "../src/index.ts";
import { programs } from "./programs.ts";

const affine = graph(
  { x: tensor("float32", ["batch", 4]), w: tensor("float32", [4]) },
  ({ x, w }) => ({ y: x.mul(w).add(1) }),
  { name: "affine" },
);

describe("the graphology view", () => {
  it("goes back to the same program", () => {
    fc.assert(
      fc.property(programs, ({ first }) => {
        const back = Graph.fromGraphology(first.graphology);
        expect(String(back)).toBe(String(first));
        expect(structuralBytes(back.program)).toEqual(structuralBytes(first.program));
      }),
      { numRuns: 40 },
    );
  });

  it("can be walked: nodes by id with op and type, edges with their ports", () => {
    const { graphology } = affine;
    const add = graphology.findNode((_key, { op }) => op === "add") as string;
    expect(graphology.getNodeAttributes(add)).toMatchObject({
      op: "add",
      dtype: "float32",
      shape: ["batch", 4],
      region: "main",
    });
    const operands = graphology
      .inEdges(add)
      .map((edge) => [
        graphology.getEdgeAttribute(edge, "port"),
        graphology.getNodeAttribute(graphology.source(edge), "op"),
      ]);
    expect(operands).toEqual([
      [0, "mul"],
      [1, "full"],
    ]);
    expect(topologicalSort(graphology).at(-1)).toBe(add);
  });

  it("becomes a graph again after a node was replaced", () => {
    const { graphology } = affine;
    const copy = graphology.copy();
    const key = copy.findNode((_key, { op }) => op === "add") as string;
    copy.setNodeAttribute(key, "op", "sub");
    expect(
      Graph.fromGraphology(copy)
        .nodes()
        .map(({ op }) => op),
    ).toContain("sub");
    expect(affine.nodes().map(({ op }) => op)).not.toContain("sub");
  });
});

describe("the structural hash", () => {
  it("is the same under other names and after another trace", () => {
    fc.assert(
      fc.property(programs, ({ first, renamed }) => {
        expect(renamed.structuralHash()).toBe(first.structuralHash());
      }),
      { numRuns: 40 },
    );
  });

  it("tells apart programs that differ in an op, a param, a type, a constant or the wiring", () => {
    const of = (f: (x: Tensor) => Tensor, shape: readonly (number | string)[] = [4]) =>
      graph({ x: tensor("float32", shape) }, ({ x }) => f(x)).structuralHash();
    const hashes = [
      of((x) => add(x, 1)),
      of((x) => add(x, 2)),
      of((x) => add(x, -0)),
      of((x) => add(x, 0)),
      of((x) => add(1, x)),
      of((x) => add(x, x)),
      of((x) => add(x, 1), [5]),
      of((x) => add(x, 1), ["n"]),
      of((x) => add(x, constant([1, 2, 3, 4]))),
      of((x) => add(x, constant([1, 2, 3, 5]))),
      of((x) => add(x, arange(4))),
      of((x) => add(x, full("float32", [4], Number.NaN))),
    ];
    expect(new Set(hashes).size).toBe(hashes.length);
  });
});

describe("named dims", () => {
  it("are listed and take their sizes everywhere", () => {
    const rows = kernel(
      "rows",
      {
        grid: { i: "batch" },
        inputs: { x: tensor("float32", ["batch", 4]).blocks([1, 4], ({ i }) => [i, 0]) },
        outputs: { y: tensor("float32", ["batch", 4]).blocks([1, 4], ({ i }) => [i, 0]) },
      },
      ({ x, y }) => y.set(x.get().neg()),
    );
    const g = graph({ x: tensor("float32", ["batch", 4]) }, ({ x }) => rows({ x }).y.mul(2), {
      name: "g",
    });
    expect(g.dims).toEqual(["batch"]);
    expect(String(g.bindDims({ batch: 32 }))).toMatchInlineSnapshot(`
      "graph g(x: f32[32,4])
        a: f32[32,4] = grid rows(i: 32)
          in x2: f32[1,4] = x at (i, 0)
          out y: f32[1,4] of [32,4] at (i, 0)
          do:
            b: f32[1,4] = x2[]
            c: f32[1,4] = neg b
            y[] = c
        d: f32[32,4] = mul a 2.0
        return { out: d }"
    `);
    expect(g.bindDims({ batch: 32 }).dims).toEqual([]);
    expect(g.dims).toEqual(["batch"]);
  });

  it("bind to what tracing with the sizes gives", () => {
    const f = (batch: number | string) =>
      graph({ x: tensor("float32", [batch, 4]) }, ({ x }) => x.softmax().add(x.max({ axis: 0 })));
    expect(f("batch").bindDims({ batch: 8 }).structuralHash()).toBe(f(8).structuralHash());
  });
});

describe("origins", () => {
  it("lead from a node to the line that made it", () => {
    const g = graph({ x: tensor("float32", [4]) }, ({ x }) => {
      const shifted = x.sub(1);
      return shifted.softmax();
    });
    const lines = g.nodes().map(({ origin }) => sourceLocation(origin)?.text?.trim());
    expect(new Set(lines)).toEqual(
      new Set(["const shifted = x.sub(1);", "return shifted.softmax();"]),
    );
  });
});

describe("exports", () => {
  const halves = kernel(
    "halves",
    {
      grid: { i: 2 },
      inputs: { x: tensor("float32", [8]).blocks([4], ({ i }) => [i]) },
      outputs: { y: tensor("float32", [8]).blocks([4], ({ i }) => [i]) },
    },
    ({ x, y }) => y.set(x.get().neg()),
  );
  const g = graph({ x: tensor("float32", [8]) }, ({ x }) => ({ y: halves({ x }).y }), {
    name: "g",
  });

  it("are Graphviz's language, regions as clusters", () => {
    expect(g.toDot()).toMatchInlineSnapshot(`
      "digraph "g" {
        node [shape=box, fontname="monospace", fontsize=10];
        edge [fontname="monospace", fontsize=9];
        p0 [label="x: f32[8]", shape=oval];
        n3 [label="grid"];
        p0 -> n3 [label="f32[8]"];
        subgraph cluster_3_0 {
          label="body of halves";
          p1 [label="i: i32", shape=oval];
          p2 [label="x: f32[4]", shape=oval];
          p3 [label="y: f32[4]", shape=oval];
          n0 [label="get"];
          p2 -> n0 [label="f32[4]"];
          n1 [label="neg"];
          n0 -> n1 [label="f32[4]"];
          n2 [label="set"];
          p3 -> n2 [label="0: f32[4]"];
          n1 -> n2 [label="1: f32[4]"];
        }
        subgraph cluster_3_1 {
          label="block of x";
          p6 [label="i: i32", shape=oval];
        }
        subgraph cluster_3_2 {
          label="block of y";
          p7 [label="i: i32", shape=oval];
        }
        out0 [label="y", shape=oval];
        n3 -> out0 [label="f32[8]"];
      }"
    `);
  });
  it("are Mermaid's", () => {
    expect(g.toMermaid()).toMatchInlineSnapshot(`
      "flowchart TD
        p0(["x: f32[8]"])
        n3["grid"]
        p0 -->|"f32[8]"| n3
        subgraph s3_0 ["body of halves"]
          p1(["i: i32"])
          p2(["x: f32[4]"])
          p3(["y: f32[4]"])
          n0["get"]
          p2 -->|"f32[4]"| n0
          n1["neg"]
          n0 -->|"f32[4]"| n1
          n2["set"]
          p3 -->|"f32[4]"| n2
          n1 -->|"f32[4]"| n2
        end
        out0(["y"])
        n3 -->|"f32[8]"| out0"
    `);
  });
  it("are Model Explorer's JSON, regions as namespaces", () => {
    const [{ nodes }] = g.toModelExplorer().graphs;
    const ids = new Set(nodes.map(({ id }) => id));
    expect(ids.size).toBe(nodes.length);
    expect(
      nodes.flatMap(({ incomingEdges }) => incomingEdges).every((e) => ids.has(e.sourceNodeId)),
    ).toBe(true);
    const neg = nodes.find(({ label }) => label === "neg");
    expect(neg).toMatchObject({ namespace: expect.stringMatching(/^grid \d+\/body of halves$/) });
    expect(JSON.parse(JSON.stringify(g.toModelExplorer()))).toEqual(g.toModelExplorer());
  });
});
