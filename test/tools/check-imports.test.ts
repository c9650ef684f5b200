import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { checkImports } from "./check-imports.mjs";

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

describe("check-imports", () => {
  test("reports every kind of violation with its file and line", () => {
    const found = checkImports(at("../fixtures/imports"));
    expect(found.map((v) => `${v.file}:${v.line} [${v.rule}] ${v.message}`)).toMatchInlineSnapshot(`
      [
        "packages/attic/package.json:1 [direction] packages/attic has no row in the table of check-imports.mjs",
        "packages/exec-cpu/src/index.ts:4 [direction] "@gridfuse/plan/src/one.ts" is not an entry in the exports of @gridfuse/plan",
        "packages/graph/src/index.ts:2 [direction] graph may import plan/scalar, plan/index-expr, plan/errors, plan/options, not "@gridfuse/plan"",
        "packages/graph/src/index.ts:4 [direction] "../../plan/src/one.ts" leaves graph/src: import by package name",
        "packages/graph/src/index.ts:7 [dependency] "not-declared" is missing in the dependencies of @gridfuse/graph",
        "packages/plan/src/index.ts:1 [direction] plan may import nothing of ours, not "@gridfuse/graph"",
        "packages/plan/src/two.ts:1 [cycle] one.ts → two.ts → one.ts",
        "packages/plan/src/encode.ts:1 [production] "msgpackr" is loaded by @gridfuse/exec-cpu, which ships",
      ]
    `);
  });

  test("the workspace itself obeys the rules", () => {
    expect(checkImports(at("../.."))).toEqual([]);
  });
});
