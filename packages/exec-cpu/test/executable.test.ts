/** The life of an executable: memory limits, results, disposal, concurrency, reports. */
import {
  CapabilityError,
  DisposedError,
  GridfuseError,
  OutOfMemoryError,
  type Plan,
} from "@gridfuse/plan";
import { axis } from "@gridfuse/plan/index-expr";
import { afterEach, describe, expect, test, vi } from "vitest";
import { compilePlan } from "../src/codegen/driver.ts";
import { cpu, cpuSync } from "../src/index.ts";
import { PlanBuilder, write, zeroBits } from "./plan-builder.ts";

function doubling(n: number): Plan {
  const p = new PlanBuilder();
  const [x, y] = [p.input("x", "float32", [n]), p.output("y", "float32", [n])];
  p.map([n], (s) => {
    const value = s.load("float32", x, axis(0, n), [], zeroBits);
    return [write(y, "float32", axis(0, n), s.add(value, value))];
  });
  return p.build("doubling");
}

afterEach(() => vi.unstubAllGlobals());

describe.each(["wasm", "js"] as const)("%s", (backend) => {
  test("results are fresh arrays, or the caller's", () => {
    const executable = cpuSync({ backend }).prepareSync(doubling(3));
    const first = executable.runSync({ x: Float32Array.of(1, 2, 3) });
    const out = { y: new Float32Array(3) };
    const second = executable.runSync({ x: Float32Array.of(4, 5, 6) }, { out });
    expect(first.y).toEqual(Float32Array.of(2, 4, 6));
    expect(second.y).toBe(out.y);
    expect(out.y).toEqual(Float32Array.of(8, 10, 12));
  });

  test("its own tensors need no copy: filled in place, read in place", () => {
    const executable = cpuSync({ backend }).prepareSync(doubling(3));
    const [x, y] = [executable.tensor("x"), executable.tensor("y")];
    x.set([1, 2, 3] as never);
    const { y: result } = executable.runSync({ x }, { out: { y } });
    expect(result).toBe(y);
    expect(y).toEqual(Float32Array.of(2, 4, 6));
    executable.runSync({ x: Float32Array.of(5, 5, 5) });
    expect(x).toEqual(Float32Array.of(5, 5, 5));
    expect(y).toEqual(Float32Array.of(10, 10, 10));
    expect(() => executable.tensor("z")).toThrow(
      expect.objectContaining({ code: "GF1014", expected: ["x", "y"] }),
    );
  });

  test("concurrent runs each settle with their own result", async () => {
    const executable = await (await cpu({ backend })).prepare(doubling(1));
    const runs = Array.from({ length: 20 }, (_, i) => executable.run({ x: Float32Array.of(i) }));
    expect((await Promise.all(runs)).map(({ y }) => y?.[0])).toEqual(runs.map((_, i) => 2 * i));
  });

  test("after dispose runs are refused; a second dispose does nothing", async () => {
    const executable = cpuSync({ backend }).prepareSync(doubling(1));
    executable.dispose();
    executable.dispose();
    expect(executable.state).toBe("disposed");
    expect(() => executable.runSync({ x: Float32Array.of(1) })).toThrow(DisposedError);
    await expect(executable.run({ x: Float32Array.of(1) })).rejects.toThrow(/GF5003/);
  });

  test("memory beyond maxBytes is refused with the numbers, before it is allocated", () => {
    const executor = cpuSync({ backend, maxBytes: 10_000 });
    expect(() => executor.prepareSync(doubling(100_000))).toThrow(OutOfMemoryError);
    expect(() => executor.prepareSync(doubling(100_000))).toThrow(
      /GF5001.*8\d{5} bytes.*10000 bytes/,
    );
    expect(() => cpuSync({ backend }).prepareSync(doubling(2 ** 30))).toThrow(/4294967296 bytes/);
  });

  test("an aborted signal stops prepare and run", async () => {
    const reason = new Error("no longer needed");
    const signal = AbortSignal.abort(reason);
    const executor = await cpu({ backend });
    await expect(executor.prepare(doubling(1), { signal })).rejects.toBe(reason);
    const executable = await executor.prepare(doubling(1));
    await expect(executable.run({ x: Float32Array.of(1) }, { signal })).rejects.toBe(reason);
  });

  test("runSync from a print callback is refused, run waits", async () => {
    const p = new PlanBuilder();
    const x = p.input("x", "int32", []);
    p.step({
      kind: "print",
      name: "print",
      format: "{}",
      batch: 1,
      operands: [{ buffer: x, dtype: "int32", shape: [] }],
    });
    const lines: string[] = [];
    let waiting: Promise<unknown> = Promise.resolve();
    const executable = cpuSync({ backend }).prepareSync(p.build(), {
      onPrint: (line) => {
        lines.push(line);
        if (line !== "1") return;
        expect(() => executable.runSync({ x: 2 })).toThrow(GridfuseError);
        waiting = executable.run({ x: 3 });
      },
    });
    executable.runSync({ x: 1 });
    await waiting;
    expect(lines).toEqual(["1", "3"]);
  });
});

test("constants are shared and stay as they are", () => {
  const p = new PlanBuilder();
  const c = p.constant("float32", Float32Array.of(1, 10, 100));
  const y = p.output("y", "float32", [3]);
  p.map([3], (s) => [
    write(y, "float32", axis(0, 3), s.load("float32", c, axis(0, 3), [], zeroBits)),
  ]);
  const executable = cpuSync().prepareSync(p.build());
  for (let i = 0; i < 2; i++) expect(executable.runSync({}).y).toEqual(Float32Array.of(1, 10, 100));
});

test("without WebAssembly auto says that it fell back, and wasm is refused", () => {
  vi.stubGlobal("WebAssembly", undefined);
  expect(() => cpuSync({ backend: "wasm" })).toThrow(CapabilityError);
  const executable = cpuSync().prepareSync(doubling(1));
  expect(executable.report()).toMatchObject({ backend: "js", notes: [/no WebAssembly/] });
  expect(executable.runSync({ x: Float32Array.of(4) }).y).toEqual(Float32Array.of(8));
});

test("modules are valid, and small", () => {
  const { bytes } = compilePlan(doubling(1000));
  expect(WebAssembly.validate(bytes)).toBe(true);
  expect(bytes.length).toBeLessThan(600);
});

test("kernels that differ only in their buffers share a function", () => {
  const chain = (kernels: number, step: (i: number) => number): Plan => {
    const p = new PlanBuilder();
    const ends = [p.input("x", "float32", [9]), p.output("y", "float32", [9])] as const;
    let from = ends[0];
    for (let i = 0; i < kernels; i++) {
      const [source, to] = [from, i === kernels - 1 ? ends[1] : p.temporary("float32", 9)];
      p.map([9], (s) => {
        const value = s.load("float32", source, axis(0, 9), [], zeroBits);
        return [write(to, "float32", axis(0, 9), s.add(value, s.const("float32", step(i))))];
      });
      from = to;
    }
    return p.build();
  };
  const [alike, different] = [chain(10, () => 1), chain(10, (i) => i)];
  const run = cpuSync()
    .prepareSync(alike)
    .runSync({ x: new Float32Array(9) });
  expect(run.y).toEqual(new Float32Array(9).fill(10));
  const size = (plan: Plan): number => compilePlan(plan).bytes.length;
  expect(size(alike)).toBeLessThan(size(different) / 2);
});

test("the report says what runs", () => {
  const executable = cpuSync().prepareSync(doubling(8));
  expect(executable.report()).toMatchObject({
    executor: "cpu",
    backend: "wasm-simd",
    threads: 1,
    steps: [{ name: "kernel", kind: "kernel", how: "simd, lanes across points" }],
  });
});

describe("what JavaScript lets through", () => {
  const refused = (action: () => unknown): { code?: string; message: string } => {
    try {
      action();
    } catch (error) {
      return error as GridfuseError;
    }
    throw new Error("nothing was thrown");
  };
  const given = (value: unknown): never => value as never;

  test("options that there are not", () => {
    expect(refused(() => cpuSync(given({ threads: 65 })))).toMatchObject({ code: "GF5007" });
    expect(refused(() => cpuSync(given({ backend: "cuda" })))).toMatchObject({ code: "GF5007" });
    expect(refused(() => cpuSync(given({ thread: 1 })))).toMatchObject({ code: "GF5007" });
    expect(refused(() => cpuSync({ maxBytes: Number.NaN }))).toMatchObject({ code: "GF5007" });
  });

  test("a graph in place of a plan, and nothing at all", async () => {
    const graph = given({ program: {} });
    const error = refused(() => cpuSync().prepareSync(graph));
    expect(error).toMatchObject({ name: "InputError", code: "GF1016" });
    expect(error.message).toContain("prepare was given a graph");
    await expect((await cpu()).prepare(given(undefined))).rejects.toMatchObject({ code: "GF1016" });
  });

  test("a run without inputs", () => {
    const executable = cpuSync().prepareSync(doubling(3));
    const error = refused(() => executable.runSync(given(undefined)));
    expect(error).toMatchObject({ name: "InputError", code: "GF1015" });
    expect(error.message).toContain("run({ x })");
  });
});
