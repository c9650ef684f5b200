/**
 * Every tensor-level pass alone keeps the meaning and leaves a well-formed region; passes may be repeated
 * or left out. What each one promises beyond that stands below, with the smallest cases of bugs it had.
 */
import { type Program, tensorType, verifyProgram } from "@gridfuse/graph";
import { type HostTensor, interpret, tensorOf, valuesOf } from "@gridfuse/interpret";
import { describe, expect, it } from "vitest";
import { expectNoFaults } from "../../../test/differential/support/property.ts";
import { buildGraph, graphPlans } from "../../../test/differential/support/random-graph.ts";
import { buildKernel, kernelPlans } from "../../../test/differential/support/random-kernel.ts";
import {
  disagreements,
  lowerVerified,
  ownCopy,
} from "../../../test/differential/support/three-way.ts";
import { compareTensors } from "../../interpret/src/index.ts";
import { vectoriseRegion } from "../src/grid/vectorise-region.ts";
import { lower, regionPasses, stepPasses } from "../src/lower.ts";
import { simplifyRegion } from "../src/simplify/simplify.ts";
import { dischargeRegion } from "../src/tensor/discharge.ts";
import { settleNaNs } from "../src/tensor/settle-nans.ts";
import { opsOf, programOf, regionOf } from "./support/build.ts";

type Pass = (program: Program) => Program;
type Inputs = Readonly<Record<string, HostTensor>>;

const simplify: Pass = (p) => ({ ...p, main: simplifyRegion(p.table, p.main) });
const discharge: Pass = (p) => ({ ...p, main: dischargeRegion(p.table, p.main) });
const settle: Pass = (p) => ({ ...p, main: settleNaNs(p.table, p.main) });
const vectorise: Pass = (p) => ({
  ...p,
  main: vectoriseRegion(p.table, p.main, {
    reassociate: false,
    loops: { next: 0 },
    axes: [],
    notes: [],
  }),
});

const quiet = { onPrint: () => {} };

/** What is other after the passes than before. */
function changes(given: Program, inputs: Inputs, passes: Readonly<Record<string, Pass>>): string[] {
  const expected = interpret(given, inputs, quiet);
  let program = ownCopy(given);
  const lines: string[] = [];
  for (const [name, pass] of Object.entries(passes)) {
    program = pass(program);
    verifyProgram(program, {}, name);
    const actual = interpret(program, inputs, quiet);
    for (const output of program.outputs) {
      const difference = compareTensors(actual[output]!, expected[output]!);
      if (difference !== undefined) lines.push(`${name}, "${output}": ${difference.message}`);
    }
  }
  return lines;
}

describe("on random graphs", () => {
  it.each(Object.entries({ simplify, settle, vectorise }))("%s keeps the meaning", (name, pass) => {
    expectNoFaults(graphPlans(12), 40, (plan) => {
      const { program, inputs } = buildGraph(plan);
      return changes(program, inputs, { [name]: pass });
    });
  });

  it("simplify finds nothing more the second time, with what it knew forgotten", () => {
    expectNoFaults(graphPlans(12), 40, (plan) => {
      const { program } = buildGraph(plan);
      const once = simplify(ownCopy(program));
      const ops = opsOf(once.table, once.main);
      const again = simplify(ownCopy(once));
      const more = opsOf(again.table, again.main);
      return more.join() === ops.join() ? [] : [`${ops}`, `${more}`];
    });
  });

  it("simplify gives the region itself the second time", () => {
    expectNoFaults(graphPlans(12), 20, (plan) => {
      const once = simplify(ownCopy(buildGraph(plan).program));
      return simplify(once).main === once.main ? [] : ["another region"];
    });
  });
});

describe("on random kernels", () => {
  it("discharge, vectorise and settle keep the meaning without simplify", () => {
    expectNoFaults(kernelPlans, 40, (plan) => {
      const { program, inputs } = buildKernel(plan);
      return changes(program, inputs, { discharge, vectorise, settle });
    });
  });

  it("and so they do with simplify everywhere", () => {
    expectNoFaults(kernelPlans, 40, (plan) => {
      const { program, inputs } = buildKernel(plan);
      const passes = { discharge, simplify, again: simplify, vectorise, last: simplify };
      return changes(program, inputs, passes);
    });
  });

  it("discharge leaves no ref, vectorise no grid", () => {
    expectNoFaults(kernelPlans, 25, (plan) => {
      const { program } = buildKernel(plan);
      const ops: string[] = [];
      lower(ownCopy(program), {
        afterPass: (pass, { table, main }) => {
          const left = pass === "discharge" ? ["get", "set", "addupdate"] : ["grid"];
          if (pass !== "discharge" && pass !== "vectorise-grid") return;
          ops.push(...opsOf(table, main).filter((op) => left.includes(op)));
        },
      });
      return ops;
    });
  });
});

describe("simplify", () => {
  const simplified = (program: Program): string[] => {
    const { table, main } = simplify(program);
    return opsOf(table, main);
  };
  const run = (program: Program, inputs: Inputs = {}): unknown[] =>
    valuesOf(interpret(simplify(program), inputs).y0!);

  it("merges equal nodes and drops what nobody needs", () => {
    const program = programOf({ x: ["float32", [4]] }, (e, { x }) => {
      const [a, b] = [e.emit("neg", [x!], {}), e.emit("neg", [x!], {})];
      e.emit("exp", [a], {});
      return [e.emit("add", [a, b], {})];
    });
    expect(simplified(program)).toEqual(["neg", "add"]);
  });

  it("keeps −0 + 0, NaN·0 and sums over no axes, whose results are not their operands", () => {
    const x: Inputs = { x: tensorOf("float32", [3], [-0, Number.NaN, 1]) };
    const zeros = (op: "add" | "mul") =>
      programOf({ x: ["float32", [3]] }, (e, values) => [
        e.emit(op, [values.x!, e.full("float32", [3], 0)], {}),
      ]);
    expect(run(zeros("add"), x)).toEqual([0, Number.NaN, 1]);
    expect(run(zeros("mul"), x)).toEqual([-0, Number.NaN, 0]);
    const sum = programOf({ x: ["float32", [3]] }, (e, values) => [
      e.emit("reduce_sum", [values.x!], { axes: [] }),
    ]);
    expect(run(sum, x)).toEqual([0, Number.NaN, 1]);
  });

  it("absorbs: x and false, x or −1, x·0 of integers", () => {
    const absorbed = (op: "and" | "or" | "mul", element: number) =>
      programOf({ x: ["int32", [2]] }, (e, { x }) => [
        e.emit(op, [x!, e.full("int32", [2], element)], {}),
      ]);
    expect(simplified(absorbed("and", 0))).toEqual(["full"]);
    expect(simplified(absorbed("or", -1))).toEqual(["full"]);
    expect(simplified(absorbed("mul", 0))).toEqual(["full"]);
    expect(simplified(absorbed("mul", 3))).toEqual(["full", "mul"]);
  });

  it("gives reductions of nothing their identity, and values without elements no nodes", () => {
    const program = programOf({ x: ["int8", [2, 0]] }, (e, { x }) => [
      e.emit("reduce_min", [e.emit("neg", [x!], {})], { axes: [1] }),
    ]);
    expect(simplified(program)).toEqual(["full"]);
    expect(run(program, { x: tensorOf("int8", [2, 0], []) })).toEqual([127, 127]);
  });

  it("does not fold a bitcast to another width as if it were elementwise", () => {
    const program = programOf({}, (e) => [
      e.emit("bitcast_convert_type", [e.full("uint64", [2], 1n)], { dtype: "int32" }),
    ]);
    expect(run(program)).toEqual([1, 0, 1, 0]);
  });

  it("runs a branch that is known in place, and chooses between cheap ones", () => {
    const branch = (known: boolean) =>
      programOf({ p: ["bool", []], x: ["float32", [4]] }, (e, { p, x }) => {
        const type = tensorType("float32", [4]);
        const regions = (["neg", "abs"] as const).map((op) =>
          regionOf(e, [type], (inner, [v]) => [inner.emit(op, [v!], {})]),
        );
        return e.emitAll("cond", [known ? e.full("bool", [], true) : p!, x!], {}, regions);
      });
    expect(simplified(branch(true))).toEqual(["abs"]);
    expect(simplified(branch(false))).toEqual(["neg", "abs", "select_n"]);
  });
});

describe("settle-nans", () => {
  /** Bits of what arithmetic made of x, passed through memory and a select. */
  const program = programOf({ x: ["float32", [2]], p: ["bool", [2]] }, (e, { x, p }) => {
    const made = e.emit("sqrt", [x!], {});
    const chosen = e.emit("select_n", [p!, made, x!], {});
    return [e.emit("bitcast_convert_type", [chosen], { dtype: "uint32" }), made];
  });

  it("settles arithmetic behind a bitcast, and leaves moved NaNs alone", () => {
    const { table, main } = settle(ownCopy(program));
    expect(opsOf(table, main)).toEqual([
      "sqrt",
      "full",
      "ne",
      "select_n",
      "select_n",
      "bitcast_convert_type",
    ]);
    const payload = new Float32Array(Uint32Array.of(0xffc00001, 0xffc00001).buffer);
    const inputs: Inputs = {
      x: { dtype: "float32", shape: [2], data: payload },
      p: tensorOf("bool", [2], [false, true]),
    };
    const settled = interpret({ ...program, table, main }, inputs).y0!;
    expect(valuesOf(settled)).toEqual([0x7fc00000, 0xffc00001]);
  });

  it("leaves programs that look at no bits as they are", () => {
    const plain = programOf({ x: ["float32", [2]] }, (e, { x }) => [e.emit("sqrt", [x!], {})]);
    expect(settle(plain).main).toBe(plain.main);
  });

  it("follows carries of loops", () => {
    const looped = programOf({ x: ["float32", []] }, (e, { x }) => {
      const body = regionOf(e, [tensorType("int32", []), tensorType("float32", [])], (inner, p) => [
        inner.emit("log", [p[1]!], {}),
      ]);
      const params = { trips: 2, carries: 1, xs: 0, reverse: false };
      const [last] = e.emitAll("scan", [x!], params, [body]);
      return [e.emit("bitcast_convert_type", [last!], { dtype: "int32" })];
    });
    const { table, main } = settle(ownCopy(looped));
    expect(opsOf(table, main)).toContain("ne");
  });
});

describe("fuse", () => {
  it("runs no trip of a loop that has none, though nobody simplified it away", () => {
    const program = programOf({ x: ["bool", []] }, (e, { x }) => {
      const body = regionOf(e, [tensorType("int32", []), tensorType("bool", [])], (_, p) => [
        p[1]!,
        p[1]!,
      ]);
      const params = { trips: 0, carries: 1, xs: 0, reverse: false };
      const [last, ys] = e.emitAll("scan", [x!], params, [body]);
      const padded = e.emit("pad", [ys!, x!], { config: [{ lo: 0, hi: 1, interior: 0 }] });
      return [last!, padded];
    });
    const required = [...regionPasses, ...stepPasses].filter((pass) => pass.required === true);
    const plan = lowerVerified(
      program,
      {},
      required.map(({ name }) => name),
    );
    expect(plan.steps.some(({ kind }) => kind === "loop")).toBe(false);
    expect(disagreements(program, { x: tensorOf("bool", [], [true]) })).toEqual([]);
  });
});

describe("tidy-loops", () => {
  it("drops with a result that nobody needs what only reads it", () => {
    const program = programOf({ x: ["float32", [3]] }, (e, { x }) => {
      const body = regionOf(
        e,
        [tensorType("int32", []), tensorType("float32", [3])],
        (inner, p) => [inner.emit("neg", [p[1]!], {}), p[1]!],
      );
      const params = { trips: 2, carries: 1, xs: 0, reverse: false };
      const [last, stacked] = e.emitAll("scan", [x!], params, [body]);
      e.emit("reshape", [stacked!], { shape: [6] });
      return [last!];
    });
    const passes = [...regionPasses, ...stepPasses]
      .filter((pass) => pass.required === true || pass.name === "tidy-loops")
      .map(({ name }) => name);
    const x = tensorOf("float32", [3], [1, 2, 3]);
    expect(disagreements(program, { x }, { passes })).toEqual([]);
  });
});
