/**
 * Every example of the documentation at a size that the interpreter gets through: against its own check
 * and against the interpreter. What it expects of its plan holds at the size of `npm run examples` too.
 */

import { type Inputs, type Instance, meetsExpectation, suite } from "@gridfuse/docs/examples";
import { cpuSync } from "@gridfuse/exec-cpu";
import type { Graph } from "@gridfuse/graph";
import type { HostTensor } from "@gridfuse/interpret";
import { compile, report } from "@gridfuse/passes";
import { describe, expect, it } from "vitest";
import { disagreements } from "../differential/support/three-way.ts";

const passed = { ok: true, detail: expect.any(String) };

function checked({ graph, inputs, check }: Instance): void {
  const plan = compile(graph());
  using executable = cpuSync().prepareSync(plan);
  const given = inputs();
  expect(check(given, executable.runSync(given))).toEqual(passed);
}

/** The inputs with the dtypes and shapes that the graph declares. */
function asTensors({ program }: Graph, inputs: Inputs): Record<string, HostTensor> {
  const { table, main } = program;
  return Object.fromEntries(
    program.inputs.map((name, i) => {
      const { dtype, shape } = table.tensor(main.params[i]);
      const data = inputs[name] as HostTensor["data"];
      return [name, { dtype, shape: shape as readonly number[], data }];
    }),
  );
}

describe.each(suite)("$name", (example) => {
  it("gives what its check expects", () => checked(example.small));

  it("gives what the interpreter says it means", () => {
    const graph = example.small.graph();
    const inputs = asTensors(graph, example.small.inputs());
    expect(disagreements(graph.program, inputs)).toEqual([]);
  });

  it("leaves no loop over the grid but those that it names, at either size", () => {
    for (const { graph } of [example, example.small]) {
      const facts = report(compile(graph()));
      expect(meetsExpectation(facts, example.expects)).toEqual(passed);
    }
  });
});

it("names every example once", () => {
  const names = suite.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});
