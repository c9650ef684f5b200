/** What web pages need: compiling and running without Node, workers where memory may be shared, and strict policies. */
import { suite } from "@gridfuse/docs/examples/kernels";
import { compile, compileNative, constant, cpu, encodePlan, f32, graph, tensor } from "gridfuse";
import { beforeAll, describe, expect, it } from "vitest";
import { digest } from "./digest.ts";
import type { Seen as SeenExamples } from "./pages/examples.ts";
import type { Seen as SeenPolicy } from "./pages/policy.ts";
import type { Seen as SeenShipped } from "./pages/shipped.ts";
import type { Seen as SeenThreads } from "./pages/threads.ts";
import { hasChromium, openPage, unpackChromium } from "./support/chromium.ts";
import { buildPages } from "./support/pages.ts";
import { type Files, serve } from "./support/server.ts";

const isolation = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
};
const policy = (...sources: readonly string[]) => ({
  "content-security-policy": `default-src 'self'; script-src 'self' ${sources.join(" ")}`,
});

const place = hasChromium()
  ? "in a browser"
  : `in a browser: the package has none for ${process.platform} on ${process.arch}`;

describe.runIf(hasChromium())(place, { timeout: 120_000 }, () => {
  let pages: Files;
  beforeAll(async () => {
    await unpackChromium();
    pages = await buildPages(["examples", "policy", "shipped", "threads"]);
  }, 240_000);

  async function see<T>(
    page: string,
    headers: Readonly<Record<string, string>> = {},
    files: Files = new Map(),
  ): Promise<T> {
    const site = await serve<T>(new Map([...pages, ...files]), headers);
    try {
      return await openPage(`${site.url}/${page}.html`, site.answer, 100);
    } finally {
      site.close();
    }
  }

  it("every example gives the bits that it gives in Node", async () => {
    const executor = await cpu();
    const expected: SeenExamples[number][] = [];
    for (const { name, small } of suite) {
      const executable = await executor.prepare(compile(small.graph()));
      const outputs = await executable.run(small.inputs());
      const { backend } = executable.report();
      expected.push({ name, ok: true, backend, digest: await digest(outputs) });
    }
    expect(await see<SeenExamples>("examples")).toEqual(expected);
  });

  it("two threads share the work of a page that is isolated", async () => {
    expect(await see<SeenThreads>("threads", isolation)).toEqual({
      isolated: true,
      threads: 2,
      notes: [],
      refusals: [],
      helped: true,
      same: true,
    });
  });

  it("one thread does it where memory cannot be shared, and the report says so", async () => {
    const { isolated, threads, notes, same } = await see<SeenThreads>("threads");
    expect({ isolated, threads, same }).toEqual({ isolated: false, threads: 1, same: true });
    expect(notes.join()).toContain("cross-origin isolated");
  });

  it("one thread does it where the policy forbids workers, after the errors of two attempts", async () => {
    const strict = { ...isolation, ...policy("'wasm-unsafe-eval'") };
    const { threads, refusals, notes, same } = await see<SeenThreads>("threads", strict);
    expect({ threads, refusals, same }).toEqual({
      threads: 1,
      refusals: ["GF5011", "GF5011"],
      same: true,
    });
    expect(notes).toEqual(["1 of 2 threads could not be started"]);
  });

  it("a policy that allows WebAssembly and nothing else made at run time is enough", async () => {
    expect(await see<SeenPolicy>("policy", policy("'wasm-unsafe-eval'"))).toEqual({
      y: [3, 5, 7, 9],
      backend: "wasm-simd",
      notes: [],
      wasm: "wasm-simd",
    });
  });

  it("a policy that forbids WebAssembly leaves JavaScript, and the report says so", async () => {
    const { y, backend, notes, wasm } = await see<SeenPolicy>("policy", policy());
    expect({ y, backend, wasm }).toEqual({
      y: [3, 5, 7, 9],
      backend: "js",
      wasm: "CapabilityError GF5005",
    });
    expect(notes.join()).toContain("policy");
  });

  it("a plan file comes from a server, with the small runtime, verified or trusted", async () => {
    const plan = compile(
      graph({ x: tensor(f32, [4]) }, ({ x }) => ({
        y: x.mul(2).add(constant(Float32Array.of(3, 1, 4, 1))),
      })),
    );
    const file = encodePlan(plan, { native: [await compileNative(plan)] });
    const y = [5, 5, 10, 9];
    expect(await see<SeenShipped>("shipped", {}, new Map([["layer.plan", file]]))).toEqual([
      { y, notes: ["native code was not used: the plan was loaded without trust"] },
      { y, notes: ["native code from the plan file"] },
    ]);
  });
});
