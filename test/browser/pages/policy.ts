/** One kernel under whatever content security policy the page came with. */
import { compile, cpu, f32, type GridfuseError, graph, tensor } from "gridfuse";
import { answer } from "./answer.ts";

export interface Seen {
  readonly y: readonly number[];
  readonly backend: string;
  readonly notes: readonly string[];
  /** What becomes of `backend: "wasm"`. */
  readonly wasm: string;
}

await answer(async (): Promise<Seen> => {
  const plan = compile(graph({ x: tensor(f32, [4]) }, ({ x }) => ({ y: x.mul(2).add(1) })));
  const inputs = { x: Float32Array.of(1, 2, 3, 4) };
  using executable = await (await cpu()).prepare(plan);
  const { y } = await executable.run(inputs);
  const { backend, notes } = executable.report();
  const wasm = await cpu({ backend: "wasm" })
    .then((executor) => executor.prepare(plan))
    .then(
      (prepared) => prepared.report().backend,
      (error: GridfuseError) => `${error.name} ${error.code}`,
    );
  return { y: [...(y as Float32Array)], backend, notes, wasm };
});
