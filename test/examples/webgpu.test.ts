/**
 * Examples at their small size on the software adapter, against their own checks: one in six, because the
 * adapter takes seconds to compile a shader with a sine. GRIDFUSE_EXAMPLES=all runs every one.
 */
import { suite } from "@gridfuse/docs/examples";
import { type GpuExecutor, webgpu as openExecutor } from "@gridfuse/exec-gpu";
import { compile, report } from "@gridfuse/passes";
import { beforeAll, describe, expect, it } from "vitest";
import { webgpu } from "../tools/webgpu.ts";

let executor: GpuExecutor;
beforeAll(async () => {
  executor = await openExecutor({ gpu: webgpu() });
});

/** A loop that ends when the data says so has to be asked about on the host: shaders have none. */
const needsHost = new Set<string>(["while", "branch"]);

const all = process.env.GRIDFUSE_EXAMPLES === "all";
const chosen = suite.filter((_, i) => all || i % 6 === 0);

describe.each(chosen)("$name on WebGPU", ({ small }) => {
  it("gives what its check expects, or says that it cannot", { timeout: 120_000 }, async () => {
    const plan = compile(small.graph());
    if (report(plan).steps.some(({ kind }) => needsHost.has(kind))) {
      await expect(executor.prepare(plan)).rejects.toMatchObject({ code: "GF5202" });
      return;
    }
    using executable = await executor.prepare(plan);
    const inputs = small.inputs();
    const passed = { ok: true, detail: expect.any(String) };
    expect(small.check(inputs, await executable.run(inputs))).toEqual(passed);
  });
});
