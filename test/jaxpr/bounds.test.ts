/** Indices that lie outside of refs: clamped by default, said on demand. */
import { readFileSync } from "node:fs";
import { cpu } from "@gridfuse/exec-cpu";
import type { StorageArray } from "@gridfuse/graph";
import { interpret } from "@gridfuse/interpret";
import { importJaxpr } from "@gridfuse/jaxpr";
import { compile } from "@gridfuse/passes";
import { describe, expect, test } from "vitest";

function recorded(name: string): { readonly program: Uint8Array; readonly lines: string[] } {
  const file = new URL(`fixtures/${name}.json`, import.meta.url);
  const program = Buffer.from(JSON.parse(readFileSync(file, "utf8")).program, "base64");
  const json = program.toString("utf8", 8, 8 + program.readUInt32LE(4));
  return { program, lines: JSON.parse(json).locs };
}

async function faultsOf(
  name: string,
  inputs: readonly StorageArray[],
): Promise<{
  readonly faults: readonly (string | undefined)[];
  readonly names: readonly string[];
}> {
  const { program, lines } = recorded(name);
  const graph = importJaxpr(program, { bounds: "report" });
  const given = Object.fromEntries(
    graph.program.inputs.map((input, i) => [input, inputs[i] as StorageArray]),
  );
  const executable = await (await cpu()).prepare(compile(graph));
  const results = (await executable.run(given)) as { readonly [name: string]: StorageArray };
  const oracle = interpret(graph.program, given);
  for (const output of graph.program.outputs) expect(results[output]).toEqual(oracle[output]?.data);
  const faults = Array.from(results.faults as Int32Array, (at) =>
    at > 0 ? lines[at - 1] : undefined,
  );
  return { faults, names: graph.program.outputs };
}

const x = Float32Array.from({ length: 32 }, (_, i) => i);

describe("what lies outside", () => {
  test("is what nobody wrote where it is read, and lost where it is written", () => {
    const { program } = recorded("dynamic_slices_are_clamped");
    const rows = (first: number): readonly number[] =>
      Array.from({ length: 8 }, (_, i) => first + i);
    const given = { x: Float32Array.from({ length: 64 }, (_, i) => i), i: Int32Array.of(6, 5) };
    const graph = importJaxpr(program, { reads: "fill", writes: "drop" });
    const { inputs } = graph.program;
    const { out0 } = interpret(graph.program, {
      [inputs[0] as string]: given.x,
      [inputs[1] as string]: given.i,
    });
    // Rows 5 to 8 of eight go to places 6 to 9.
    const wanted = [...Array(6 * 8).fill(0), ...rows(40), ...rows(48)];
    expect(Array.from(out0?.data as Float32Array)).toEqual(wanted);
    const high = { [inputs[0] as string]: given.x, [inputs[1] as string]: Int32Array.of(0, 6) };
    const read = interpret(graph.program, high).out0?.data as Float32Array;
    expect(Array.from(read.subarray(0, 16))).toEqual([...rows(48), ...rows(56)]);
    expect(Array.from(read.subarray(16, 32)).every(Number.isNaN)).toBe(true);
  });
});

describe("bounds: report", () => {
  test("is one more output, without faults for what is inside", async () => {
    const { faults, names } = await faultsOf("row_at_a_computed_index", [x, Int32Array.of(1, 6)]);
    expect(names).toEqual(["out0", "faults"]);
    expect(faults).toEqual([undefined]);
  });

  test("names the line", async () => {
    for (const at of [Int32Array.of(1, 7), Int32Array.of(-1, 0)]) {
      const { faults } = await faultsOf("row_at_a_computed_index", [x, at]);
      expect(faults).toEqual([expect.stringMatching(/^refs.py:\d+:row_at_a_computed_index/)]);
    }
  });

  test("says which grid point it was", async () => {
    const at = Int32Array.of(0, 8, 1, 2, -3, 7, 7, 7);
    const { faults } = await faultsOf("rows_at_prefetched_indices", [at, x]);
    expect(faults.map((line) => line !== undefined)).toEqual([0, 1, 0, 0, 1, 0, 0, 0].map(Boolean));
  });
});
