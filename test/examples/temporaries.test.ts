/**
 * What every example keeps between its steps: as much as a tile may have, or its report says what is kept, by whom and why.
 * The snapshot holds the names, the bytes and the reasons of those that keep more, and the bytes of all others.
 */
import { type Instance, suite } from "@gridfuse/docs/examples";
import { compile, defaultBudget, type PlanReport, report } from "@gridfuse/passes";
import { describe, expect, it } from "vitest";
import { examples } from "../../docs/examples/src/examples.ts";

/** The suite, and the rows of the demo that it does not have. */
const all: ReadonlyMap<string, Pick<Instance, "graph">> = new Map(
  [...suite, ...examples].map((example) => [example.name, example]),
);

const reportOf = (name: string): PlanReport => report(compile(all.get(name)!.graph()));

/** Steps that a reason names. */
const namedIn = (reason: string): string[] =>
  [...reason.matchAll(/"([^"]+)"/g)].map(([, name]) => name as string);

describe("temporaries of the examples", () => {
  const seen = new Map<string, PlanReport>();

  it.each([...all.keys()])("of %s fit a tile, or the report says why not", (name) => {
    const facts = reportOf(name);
    seen.set(name, facts);
    const { fitTiles, bytesPerTile, wholeBytes, reasons } = facts.temporaries;
    expect(fitTiles).toBe(Math.max(bytesPerTile, wholeBytes) <= defaultBudget.bytes);
    expect(reasons.length > 0).toBe(!fitTiles);
    const steps = new Set(facts.steps.map((step) => step.name));
    for (const reason of reasons) {
      expect(namedIn(reason).filter((step) => !steps.has(step))).toEqual([]);
      expect(namedIn(reason)).not.toEqual([]);
    }
  });

  it("are what they were when somebody last read them", () => {
    const lines = [...seen].map(
      ([name, { temporaries }]) => `${name}: ${temporaries.peakBytes} bytes`,
    );
    expect(lines).toMatchSnapshot("bytes");
    const larger = [...seen].flatMap(([name, { temporaries }]) =>
      temporaries.fitTiles ? [] : [[name, temporaries]],
    );
    expect(Object.fromEntries(larger)).toMatchSnapshot("reasons");
  });
});
