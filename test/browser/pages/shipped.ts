/** A plan file from a server and the small runtime: verified, and trusted with its native code. */
import { cpu, loadPlan } from "@gridfuse/exec-cpu/runtime";
import { answer } from "./answer.ts";

export type Seen = readonly {
  readonly y: readonly number[];
  readonly notes: readonly string[];
}[];

await answer(async (): Promise<Seen> => {
  const executor = await cpu();
  const seen = [];
  for (const options of [{}, { trust: "unsafe" }] as const) {
    using executable = await executor.prepare(await loadPlan("/layer.plan", options));
    const { y } = await executable.run({ x: Float32Array.of(1, 2, 3, 4) });
    seen.push({ y: [...(y as Float32Array)], notes: executable.report().notes });
  }
  return seen;
});
