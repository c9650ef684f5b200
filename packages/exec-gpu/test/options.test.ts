/** Options that `prepare` and `run` of this executor do not have. */
import { compile, f32, graph, tensor } from "gridfuse";
import { expect, test } from "vitest";
import { gpuExecutor } from "./adapter.ts";

const untyped = (value: unknown): never => value as never;

test("unknown options are refused before anything is done", async () => {
  const plan = compile(graph({ x: tensor(f32, [4]) }, ({ x }) => ({ y: x.mul(2) })));
  const executor = await gpuExecutor();
  await expect(executor.prepare(plan, untyped({ onProgres: () => {} }))).rejects.toMatchObject({
    code: "GF1017",
    what: 'prepare: unknown option "onProgres"',
    help: 'Did you mean "onProgress"?',
  });
  using executable = await executor.prepare(plan, {});
  const x = Float32Array.of(1, 2, 3, 4);
  for (const [options, what] of [
    [{ output: { y: new Float32Array(4) } }, 'run: unknown option "output"'],
    [1, "run: options are 1"],
  ]) {
    await expect(executable.run({ x }, untyped(options))).rejects.toMatchObject({ what });
  }
  const y = new Float32Array(4);
  await executable.run({ x }, { out: { y } });
  expect([...y]).toEqual([2, 4, 6, 8]);
});
