/**
 * What an example is: a graph, its inputs, and a check that does not go through gridfuse. The suite runs
 * each at a realistic size; the tests run it at a small one as well, where the interpreter keeps up.
 */
import type { Graph } from "gridfuse";
import type { Check, Inputs, Outputs } from "./check.ts";

/** Something to run, and to know whether it ran well. */
export interface Instance {
  readonly graph: () => Graph;
  readonly inputs: () => Inputs;
  readonly check: (inputs: Inputs, outputs: Outputs) => Check;
}

export interface Example extends Instance {
  readonly name: string;
}

/** What has to become of the grid, at any size. */
export interface Expectation {
  /** Loops over grid axes that are left in the plan. */
  readonly gridLoops: number;
  /** The axes that stay in order, "kernel.axis", each with the reason why no other order would do. */
  readonly sequential?: Readonly<Record<string, string>>;
}

/** An example of the suite. */
export interface SuiteExample extends Example {
  /** What it shows, in a line. */
  readonly about: string;
  readonly expects: Expectation;
  readonly small: Instance;
}

interface Definition<Size> {
  readonly name: string;
  readonly about: string;
  readonly full: Size;
  readonly small: Size;
  readonly graph: (size: Size) => Graph;
  readonly inputs: (size: Size) => Inputs;
  readonly check: (size: Size) => (inputs: Inputs, outputs: Outputs) => Check;
  /** Default: no axis is sequential, no loop is left. */
  readonly expects?: Expectation;
}

/** An example from functions of its size. */
export function defineExample<Size>(definition: Definition<Size>): SuiteExample {
  const { name, about, graph, inputs, check, expects = { gridLoops: 0 } } = definition;
  const at = (size: Size): Instance => ({
    graph: () => graph(size),
    inputs: () => inputs(size),
    check: check(size),
  });
  return { name, about, expects, ...at(definition.full), small: at(definition.small) };
}
