/** Compiles and runs every example, at its small size. */
import { suite } from "@gridfuse/docs/examples/kernels";
import { compile, cpu } from "gridfuse";
import { digest } from "../digest.ts";
import { answer } from "./answer.ts";

export type Seen = readonly {
  readonly name: string;
  readonly ok: boolean;
  readonly backend: string;
  readonly digest: string;
}[];

await answer(async (): Promise<Seen> => {
  const executor = await cpu();
  const seen = [];
  for (const { name, small } of suite) {
    const inputs = small.inputs();
    using executable = await executor.prepare(compile(small.graph()));
    const outputs = await executable.run(inputs);
    const { ok } = small.check(inputs, outputs);
    const { backend } = executable.report();
    seen.push({ name, ok, backend, digest: await digest(outputs) });
  }
  return seen;
});
