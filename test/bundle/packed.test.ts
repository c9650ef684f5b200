/**
 * What a process that finds gridfuse in node_modules loads: a few files, whose names people can still read in a stack,
 * and every class once, whichever package it is asked of. Runs on what `npm run build` made.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, it } from "vitest";

/** Every package of the workspace can be found from here. */
const folder = mkdtempSync(
  fileURLToPath(new URL("../../node_modules/.cache/packed-", import.meta.url)),
);
afterAll(() => rmSync(folder, { recursive: true }));

/** What `body` prints as JSON. */
function inProcess(body: string): unknown {
  const script = join(folder, "script.mjs");
  writeFileSync(script, body);
  const { stdout, stderr, status } = spawnSync(process.execPath, [script], { encoding: "utf8" });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return JSON.parse(stdout);
}

it("is some fifty files, none of them of those that compilation leaves", () => {
  const loaded = inProcess(`
    import { Session } from "node:inspector";
    const session = new Session();
    session.connect();
    const loaded = [];
    session.on("Debugger.scriptParsed", ({ params }) => loaded.push(params.url));
    session.post("Debugger.enable");
    await import("gridfuse");
    console.log(JSON.stringify(loaded.filter((url) => /packages\\/[a-z-]+\\/dist/.test(url))));
  `) as readonly string[];
  expect(loaded.filter((url) => !url.includes("/dist/packed/"))).toEqual([]);
  expect(loaded.length).toBeGreaterThan(7);
  expect(loaded.length).toBeLessThan(60);
});

it("has every class once", () => {
  const same = inProcess(`
    import * as gridfuse from "gridfuse";
    import * as plan from "@gridfuse/plan";
    import * as errors from "@gridfuse/plan/errors";
    import * as executor from "@gridfuse/exec-cpu";
    let isPlanError = false;
    try { gridfuse.decodePlan(new Uint8Array(9)); } catch (error) { isPlanError = error instanceof errors.PlanError; }
    console.log(JSON.stringify([
      gridfuse.GridfuseError === errors.GridfuseError,
      plan.loadPlan === gridfuse.loadPlan,
      executor.cpu === gridfuse.cpu,
      isPlanError,
    ]));
  `);
  expect(same).toEqual([true, true, true, true]);
});

it("knows its own lines from those of the caller", () => {
  const place = inProcess(`
    import { f32, graph, tensor } from "gridfuse";
    try {
      graph({ x: tensor(f32, [2]), y: tensor(f32, [3]) }, ({ x, y }) => x.add(y));
    } catch ({ code, at }) {
      console.log(JSON.stringify([code, at]));
    }
  `);
  expect(place).toMatchObject(["GF2303", { line: 4 }]);
});
