/**
 * An outside opinion: the conformance tests of WebNN (web-platform-tests), traced by the front end
 * and interpreted. A few cases of every operator live here (vectors/); where the whole collection
 * lies beside the checkout, all of it runs.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { compareTensors, interpret } from "@gridfuse/interpret";
import { describe, expect, it } from "vitest";
import { prepare, reasonToSkip, type WebnnCase } from "./webnn/cases.ts";
import { operators } from "./webnn/operators.ts";

const casesIn = (file: URL): WebnnCase[] =>
  (JSON.parse(readFileSync(file, "utf8")) as { tests: WebnnCase[] }).tests;

function check(test: WebnnCase): void {
  const { program, inputs, expected, tolerance } = prepare(test);
  const results = interpret(program, inputs);
  for (const [name, output] of Object.entries(expected)) {
    expect(compareTensors(results[name]!, output, tolerance)?.message).toBeUndefined();
  }
}

const here = new URL("vectors/webnn.json", import.meta.url);
const collection = new URL("../../../shared/conformance/webnn/", import.meta.url);

describe("WebNN conformance, a few cases of each operator", () => {
  const cases = casesIn(here);
  it("has cases of every operator", () => {
    const covered = new Set(cases.map((test) => test.graph.operators[0]!.name));
    expect([...covered].sort()).toEqual(Object.keys(operators).sort());
  });
  for (const test of cases) it(test.name, () => check(test));
});

describe.skipIf(!existsSync(collection))("WebNN conformance, the whole collection", () => {
  const files = existsSync(collection)
    ? readdirSync(collection).filter((name) => name.endsWith(".json"))
    : [];
  for (const file of files) {
    describe(file, () => {
      for (const test of casesIn(new URL(file, collection))) {
        const reason = reasonToSkip(test);
        if (reason === undefined) it(test.name, () => check(test));
        else it.skip(`${test.name}: ${reason}`);
      }
    });
  }
});
