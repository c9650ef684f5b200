/** compile: the same graph gives the same bytes; plans that were compiled before are read from a cache. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Graph, graph, kernel, type Tensor, tensor } from "@gridfuse/graph";
import { CompileError, f32, type Plan } from "@gridfuse/plan";
import { PlanCache } from "@gridfuse/plan/cache";
import { encodePlan, planId } from "@gridfuse/plan/encode";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { expectNoFaults } from "../../../test/differential/support/property.ts";
import { buildGraph, graphPlans } from "../../../test/differential/support/random-graph.ts";
import { compile } from "../src/index.ts";

const traced = (factor: number) =>
  graph(
    { x: tensor(f32, [8, 4]) },
    ({ x }) => (x as Tensor).mul(factor).sum({ axis: 1 }) as Tensor,
  );

const bytesOf = (plan: Plan): string =>
  Buffer.from(encodePlan(plan, { debug: false })).toString("hex");

describe("a kernel of the plan", () => {
  it("names every line that it computes", () => {
    const softmax = graph({ x: tensor(f32, [8, 4]) }, ({ x }) => {
      const weights = x.sub(x.max({ axis: 1, keepDims: true })).exp();
      return weights.div(weights.sum({ axis: 1, keepDims: true }));
    });
    const [lines = []] = Object.values(compile(softmax).debug?.origins ?? {});
    const [first, second] = lines.map((line) => Number(/:(\d+)$/.exec(line)?.[1]));
    expect(lines).toHaveLength(2);
    expect(second).toBe((first as number) + 1);
    for (const line of lines) expect(line).toContain("compile.test.ts");
  });
});

describe("the same graph", () => {
  it("gives the same bytes, traced again or compiled again", () => {
    const program = traced(2);
    expect(bytesOf(compile(program))).toBe(bytesOf(compile(program)));
    expect(bytesOf(compile(traced(2)))).toBe(bytesOf(compile(program)));
    expect(planId(compile(traced(3)))).not.toBe(planId(compile(program)));
  });

  it("is left as it was", () => {
    const program = traced(2);
    const before = program.toString();
    compile(program);
    expect(program.toString()).toBe(before);
  });

  it("gives the same bytes whatever was compiled in between", () => {
    expectNoFaults(graphPlans(10), 25, (plan) => {
      const first = bytesOf(compile(buildGraph(plan).program));
      compile(traced(5));
      return first === bytesOf(compile(buildGraph(plan).program)) ? [] : ["other bytes"];
    });
  });
});

describe("named dimensions", () => {
  const open = graph({ x: tensor(f32, ["n", 4]) }, ({ x }) => (x as Tensor).neg() as Tensor);

  it("are bound at compile", () => {
    expect(compile(open, { dims: { n: 3 } }).inputs[0]?.shape).toEqual([3, 4]);
  });
  it("says how to trace what was never traced", () => {
    const mistaken = (given: unknown) => () => compile(given as Graph);
    const rows = tensor("float32", [8]).blocks([4], ({ i }) => [i]);
    const twice = kernel(
      "twice",
      { grid: { i: 2 }, inputs: { x: rows }, outputs: { y: rows } },
      ({ x, y }) => y.set(x.get().mul(2)),
    );
    expect(mistaken(twice)).toThrow(/GF3002 {2}compile was given a kernel/);
    expect(mistaken(() => 1)).toThrow(/GF3002 {2}compile was given a function/);
    expect(mistaken(undefined)).toThrow(/GF3002 {2}compile was given undefined/);
  });

  it("are named in the error where they have no size", () => {
    expect(() => compile(open)).toThrow(CompileError);
    expect(() => compile(open)).toThrow(/GF3001 .*"n" has no size/);
  });
});

describe("a cache", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "gridfuse-compile-"));
  });
  afterEach(() => rmSync(directory, { recursive: true }));
  const open = () => new PlanCache({ directory });
  const entries = (): string[] =>
    readdirSync(directory, { recursive: true })
      .map((name) => join(directory, String(name)))
      .filter((name) => statSync(name).isFile());

  it("misses once, then hits in memory, then hits on disk in another process", () => {
    const cache = open();
    const plan = compile(traced(2), { cache });
    expect(cache.stats).toMatchObject({ misses: 1, hits: 0, writes: 1 });
    expect(compile(traced(2), { cache })).toBe(plan);
    expect(cache.stats).toMatchObject({ misses: 1, hits: 1 });
    const other = open();
    expect(bytesOf(compile(traced(2), { cache: other }))).toBe(bytesOf(plan));
    expect(other.stats).toMatchObject({ misses: 0, hits: 1, writes: 0 });
  });

  it("keeps plans apart that differ in a literal, an option or a size", () => {
    const cache = open();
    compile(traced(2), { cache });
    compile(traced(3), { cache });
    compile(traced(2), { cache, reassociate: false });
    compile(traced(2), { cache, fuel: 10 });
    expect(cache.stats).toMatchObject({ misses: 4, hits: 0 });
  });

  it("keeps kernels apart that differ only in their fill mode or an index map", () => {
    const cache = open();
    const call = (fill: "hlo" | "tpu", step: number) => {
      const copy = kernel(
        "copy",
        {
          grid: { i: 2 },
          fill,
          inputs: { x: tensor(f32, [5]).blocks([3], ({ i }) => [i!.mul(step)]) },
          outputs: { o: tensor(f32, [6]).blocks([3], ({ i }) => [i!]) },
        },
        ({ x, o }) => o.set(x.get()),
      );
      return graph({ x: tensor(f32, [5]) }, (tensors) => copy(tensors));
    };
    for (const [fill, step] of [
      ["hlo", 1],
      ["tpu", 1],
      ["hlo", 0],
    ] as const) {
      compile(call(fill, step), { cache });
    }
    expect(cache.stats).toMatchObject({ misses: 3, hits: 0 });
  });

  it("takes a damaged entry for a miss and writes it anew", () => {
    const plan = compile(traced(2), { cache: open() });
    const [entry] = entries() as [string];
    const bytes = readFileSync(entry);
    bytes[bytes.length >> 1]! ^= 0x40;
    writeFileSync(entry, bytes);
    const cache = open();
    expect(bytesOf(compile(traced(2), { cache }))).toBe(bytesOf(plan));
    expect(cache.stats).toMatchObject({ misses: 1, damaged: 1, writes: 1 });
    const after = open();
    compile(traced(2), { cache: after });
    expect(after.stats).toMatchObject({ hits: 1, damaged: 0 });
  });
});
