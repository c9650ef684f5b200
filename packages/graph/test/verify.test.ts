/**
 * Every rule that the verifier knows, broken on purpose in the smallest program that keeps the others.
 * What it says of whole programs between all passes is in the differential tests.
 */
import * as ix from "@gridfuse/plan/index-expr";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  Emitter,
  graph,
  type Invariant,
  kernel,
  type Node,
  newRegion,
  type Program,
  type Region,
  refType,
  Table,
  type TensorType,
  tensor,
  tensorType,
  type ValueId,
  type VerifyOptions,
  verifyProgram,
  violationsOf,
  vmem,
} from "../src/index.ts";
import { programs } from "./programs.ts";

const vector = tensorType("float32", [4]);
const scalar = tensorType("int32", []);

/** A program of one input x and what `make` appends; its results are the outputs. */
function program(make: (e: Emitter, x: ValueId) => readonly ValueId[]): Program {
  const table = new Table();
  const main = newRegion();
  const x = table.newParam(main, vector);
  main.results.push(...make(new Emitter(table, main), x));
  return { name: "p", table, main, inputs: ["x"], outputs: main.results.map((_, i) => `y${i}`) };
}

/** A region over params of the given types, in the table of `e`. */
function region(
  e: Emitter,
  params: readonly TensorType[],
  make: (inner: Emitter, params: readonly ValueId[]) => readonly ValueId[],
): Region {
  const inner = e.nested();
  const values = params.map((type) => e.table.newParam(inner.region, type));
  inner.region.results.push(...make(inner, values));
  return inner.region;
}

const broken = (given: Program, options?: VerifyOptions): readonly Invariant[] =>
  violationsOf(given, options).map(({ invariant }) => invariant);

/** Puts `changes` over a node of the table. */
function change(table: Table, id: number, changes: Partial<Node>): void {
  table.nodes[id] = { ...(table.nodes[id] as Node), ...changes } as Node;
}

it("finds nothing wrong with what the front end makes", () => {
  fc.assert(
    fc.property(programs, ({ first }) => {
      expect(violationsOf(first.program)).toEqual([]);
    }),
    { numRuns: 50 },
  );
});

describe("the table", () => {
  const negated = (): Program => program((e, x) => [e.emit("neg", [x], {})]);

  it("has the nodes that regions list", () => {
    const given = negated();
    given.main.nodes.push(7);
    expect(broken(given)).toEqual(["table"]);
  });

  it("gives every node its own id", () => {
    const given = negated();
    change(given.table, 0, { id: 3 });
    expect(broken(given)).toEqual(["table"]);
  });

  it("gives every value a type", () => {
    const given = negated();
    given.table.types.length = 1;
    expect(broken(given)).toEqual(["table"]);
  });

  it("has dimensions that are sizes", () => {
    const given = negated();
    given.table.types[0] = tensorType("float32", [-1]);
    given.table.types[1] = tensorType("float32", [-1]);
    expect(new Set(broken(given))).toContain("table");
  });

  it("has dtypes that exist", () => {
    const given = negated();
    given.table.types[0] = tensorType("float24" as "float32", [4]);
    expect(broken(given)).toContain("table");
  });

  it("names the node that made a value, and none for a param", () => {
    const given = negated();
    given.table.producers[1] = 5;
    expect(broken(given)).toEqual(["table"]);
    const other = negated();
    other.table.producers[0] = 0;
    expect(broken(other)).toEqual(["table"]);
  });

  it("has ops that exist", () => {
    const given = negated();
    change(given.table, 0, { op: "teleport" as "neg" });
    expect(broken(given)).toEqual(["table"]);
  });
});

describe("regions", () => {
  it("make what they use before it is used", () => {
    const given = program((e, x) => {
      const a = e.emit("neg", [x], {});
      return [e.emit("exp", [a], {})];
    });
    given.main.nodes.reverse();
    expect(broken(given)).toEqual(["order"]);
  });

  it("do not see what stands around them: captures are operands", () => {
    const given = program((e, x) => {
      const body = region(e, [scalar, vector], (inner, [, carry]) => [
        inner.emit("add", [carry as ValueId, x], {}),
      ]);
      return e.emitAll("scan", [x], { trips: 2, carries: 1, xs: 0, reverse: false }, [body]);
    });
    expect(broken(given)).toEqual(["closed"]);
  });

  it("do not give what they do not make", () => {
    const given = program((_, x) => [x]);
    given.main.results[0] = 9;
    given.table.types[9] = vector;
    expect(broken(given)).toEqual(["closed"]);
  });

  it("have every node in one place", () => {
    const given = program((e, x) => [e.emit("neg", [x], {})]);
    given.main.nodes.push(0);
    expect(broken(given)).toEqual(["placed once", "made once"]);
  });

  it("make every value once, those of other regions included", () => {
    const given = program((e, x) => {
      const body = region(e, [scalar, vector], (_, [, carry]) => [carry as ValueId]);
      body.params[1] = x;
      body.results[0] = x;
      return e.emitAll("scan", [x], { trips: 2, carries: 1, xs: 0, reverse: false }, [body]);
    });
    expect(broken(given)).toEqual(["made once"]);
  });
});

describe("types", () => {
  it("are those that the op table infers", () => {
    const given = program((e, x) => [e.emit("neg", [x], {})]);
    given.table.types[1] = tensorType("float32", [5]);
    expect(violationsOf(given)).toEqual([
      {
        invariant: "types",
        where: "main/#0 neg",
        what: "gives (tensor float32[5]), the op table says (tensor float32[4])",
      },
    ]);
  });

  it("of operands fit the op", () => {
    const given = program((e, x) => [e.emit("add", [x, x], {})]);
    change(given.table, 0, { inputs: [0] });
    expect(broken(given)).toEqual(["types"]);
  });

  const loop = (): Program =>
    program((e, x) => {
      const body = region(e, [scalar, vector], (inner, [, carry]) => [
        inner.emit("neg", [carry as ValueId], {}),
      ]);
      return e.emitAll("scan", [x], { trips: 2, carries: 1, xs: 0, reverse: false }, [body]);
    });

  it("of a loop body's params are the counter's, the carries', the elements' and the captures'", () => {
    const given = loop();
    const body = (given.table.nodes.find(({ op }) => op === "scan") as Node).regions[0] as Region;
    body.params.shift();
    expect(broken(given)).toEqual(["types"]);
  });

  it("of a loop body's results are the carries'", () => {
    const given = loop();
    const body = (given.table.nodes.find(({ op }) => op === "scan") as Node).regions[0] as Region;
    body.results[0] = body.params[0] as ValueId;
    expect(broken(given)).toEqual(["types"]);
  });

  it("of a while's condition are one bool", () => {
    const given = program((e, x) => {
      const condition = region(e, [vector], (inner) => [inner.full("bool", [], false)]);
      const body = region(e, [vector], (_, params) => params);
      return e.emitAll("while", [x], { carries: 1 }, [condition, body]);
    });
    expect(broken(given)).toEqual([]);
    const node = given.table.nodes.find(({ op }) => op === "while") as Node;
    (node.regions[0] as Region).results[0] = (node.regions[0] as Region).params[0] as ValueId;
    expect(broken(given)).toEqual(["types"]);
  });

  it("of all branches agree", () => {
    const given = program((e, x) => {
      const which = e.full("bool", [], true);
      const branches = [0, 1].map(() => region(e, [vector], (_, params) => params));
      return e.emitAll("cond", [which, x], {}, branches);
    });
    expect(broken(given)).toEqual([]);
    const node = given.table.nodes.find(({ op }) => op === "cond") as Node;
    (node.regions[1] as Region).results.length = 0;
    expect(broken(given)).toEqual(["types"]);
  });

  it("own no regions but control flow", () => {
    const given = program((e, x) => [e.emit("neg", [x], {})]);
    change(given.table, 0, { regions: [newRegion()] });
    expect(broken(given)).toEqual(["types"]);
  });
});

describe("grids", () => {
  const kernels = (): Program => {
    const rows = tensor("float32", [4, 4]).blocks([2, 4], ({ i }) => [i, 0]);
    const twice = kernel(
      "twice",
      {
        grid: { i: 2 },
        inputs: { x: rows },
        outputs: { y: rows },
        scratch: { s: vmem("float32", [4]) },
      },
      ({ x, y }) => y.set(x.get()),
    );
    return graph(twice.inputs, twice).program;
  };
  const gridOf = ({ table }: Program): Node & { op: "grid" } =>
    table.nodes.findLast(({ op }) => op === "grid") as Node & { op: "grid" };

  it("give their body coordinates, operands, state and captures, in this order", () => {
    const given = kernels();
    const { params } = gridOf(given).regions[0] as Region;
    params.push(params.shift() as ValueId);
    expect(broken(given)).toContain("grid");
  });

  it("have index maps with one result for each block dimension", () => {
    const given = kernels();
    (gridOf(given).regions[1] as Region).results.pop();
    expect(broken(given)).toContain("grid");
  });

  it("write down at the tensor level only which inputs are written", () => {
    const given = kernels();
    const node = gridOf(given);
    change(given.table, node.id, { params: { ...node.params, mutated: [0] } });
    expect(broken(given)).toContain("grid");
  });

  it("are gone, and refs are, where a pass removed them", () => {
    expect(broken(kernels(), { noGrids: true })).toEqual(["no grids"]);
    expect(new Set(broken(kernels(), { noRefs: true }))).toEqual(new Set(["no refs"]));
  });
});

describe("loop leaves of index expressions", () => {
  const view = (leaf: ix.IndexExpr): Program =>
    program((e, x) => {
      const body = region(e, [scalar, vector], (inner, [, carry]) => [
        inner.emit("view", [carry as ValueId], {
          shape: [4],
          index: [leaf],
          fill: { lo: 0, hi: 0 },
        }),
      ]);
      const params = { trips: 2, carries: 1, xs: 0, reverse: false, loop: 5 };
      return e.emitAll("scan", [x], params, [body]);
    });

  it("name a scan around them, and its range", () => {
    expect(broken(view(ix.loop(5, 2)))).toEqual([]);
    expect(broken(view(ix.loop(6, 2)))).toEqual(["loops"]);
    expect(broken(view(ix.loop(5, 3)))).toEqual(["loops"]);
  });

  it("stay in the view's shape, and need no stage of a kernel", () => {
    expect(broken(view(ix.axis(0, 9)))).toEqual(["loops"]);
    expect(broken(view(ix.value(0, 0, 3)))).toEqual(["loops"]);
  });

  it("know of two scans inside each other which one is meant", () => {
    const given = program((e, x) => {
      const params = { trips: 2, carries: 1, xs: 0, reverse: false, loop: 5 };
      const body = region(e, [scalar, vector], (inner, [, carry]) => {
        const innermost = region(inner, [scalar, vector], (_, [, value]) => [value as ValueId]);
        return inner.emitAll("scan", [carry as ValueId], params, [innermost]);
      });
      return e.emitAll("scan", [x], params, [body]);
    });
    expect(broken(given)).toEqual(["loops"]);
  });
});

describe("inputs and outputs", () => {
  const plain = (): Program => program((_, x) => [x]);

  it("have a name each, and each its own", () => {
    expect(broken({ ...plain(), inputs: [] })).toEqual(["ports"]);
    const twice = program((_, x) => [x, x]);
    expect(broken({ ...twice, outputs: ["y", "y"] })).toEqual(["ports"]);
  });

  it("are tensors", () => {
    const given = plain();
    given.table.types[0] = refType("float32", [4], "any");
    expect(broken(given)).toEqual(["ports", "ports"]);
  });
});

it("verifyProgram says after which pass, and where", () => {
  const given = program((e, x) => [e.emit("neg", [x], {})]);
  given.table.types[1] = tensorType("float32", [5]);
  expect(() => verifyProgram(given, {}, "tiles")).toThrow(
    /GF2901.*"p" is malformed after tiles: main\/#0 neg: gives \(tensor float32\[5\]\)/s,
  );
});
