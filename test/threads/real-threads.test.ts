/** The same bits from one, two and three threads, where chance decides who does what; in long steps, loops and tiles. */
import { suite } from "@gridfuse/docs/examples";
import { compile, cpu, type RunInputs, type RunOutputs } from "gridfuse";
import { expect, it } from "vitest";

const names = [
  "softmax",
  "matmul",
  "bitonic sort",
  "flash attention",
  "prefix sum, carried",
  "k-means step",
];
const chosen = suite.filter(({ name }) => names.includes(name));

const bytesOf = (outputs: RunOutputs): Buffer =>
  Buffer.concat(
    Object.values(outputs).map(({ buffer, byteOffset, byteLength }) =>
      Buffer.from(new Uint8Array(buffer, byteOffset, byteLength)),
    ),
  );

it("are six examples", () => expect(chosen).toHaveLength(names.length));

it.each(chosen)("$name", { timeout: 60_000 }, async ({ graph, inputs }) => {
  const plan = compile(graph());
  const given: RunInputs = inputs();
  const alone = bytesOf(await (await (await cpu()).prepare(plan)).run(given));
  for (const threads of [2, 3]) {
    using executable = await (await cpu({ threads })).prepare(plan);
    for (let round = 0; round < 12; round++) {
      expect(bytesOf(await executable.run(given)).equals(alone), `${threads}`).toBe(true);
      await new Promise((resolve) => setTimeout(resolve, round < 6 ? 30 : 0));
    }
  }
});
