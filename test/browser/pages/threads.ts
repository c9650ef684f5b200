/** The same sums by one thread and by two, as soon as there are two. */
import { compile, cpu, f32, type GridfuseError, graph, tensor } from "gridfuse";
import { digest } from "../digest.ts";
import { answer } from "./answer.ts";

export interface Seen {
  readonly isolated: boolean;
  readonly threads: number;
  readonly notes: readonly string[];
  /** Codes of what runs threw meanwhile. */
  readonly refusals: readonly string[];
  /** Whether the second thread did anything. */
  readonly helped: boolean;
  readonly same: boolean;
}

const length = 1 << 18;

await answer(async (): Promise<Seen> => {
  const plan = compile(
    graph({ x: tensor(f32, [512, length / 512]) }, ({ x }) => ({
      y: x.sin().div(x.sin().sum({ axis: 1, keepDims: true })),
    })),
  );
  const x = Float32Array.from({ length }, (_, i) => (i % 997) / 31);
  const alone = await digest(await (await (await cpu()).prepare(plan)).run({ x }));
  using shared = await (await cpu({ threads: 2 })).prepare(plan);
  let same = true;
  let helped = false;
  const refusals: string[] = [];
  for (let round = 0; round < 400 && !helped; round++) {
    try {
      same &&= (await digest(await shared.run({ x }))) === alone;
    } catch (error) {
      refusals.push((error as GridfuseError).code);
    }
    const { buffer } = shared.tensor("x");
    if (buffer instanceof ArrayBuffer || shared.report().threads === 1) break;
    // The words of the team lie at the start of the memory; the 16th counts the parts that workers took.
    helped = (new Int32Array(buffer)[16] as number) > 0;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  same &&= (await digest(await shared.run({ x }))) === alone;
  const { threads, notes } = shared.report();
  return { isolated: crossOriginIsolated, threads, notes, refusals, helped, same };
});
