import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { format } from "node:util";
import ts from "typescript";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { codeBlocks, codeBlocksOf, promisedOutput } from "./code-blocks.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
/** Git ignores it; it lies inside the workspace so that packages resolve from it. */
const generated = join(root, "test/.generated/docs");

const skipped = /(^|\/)(node_modules|api|\.vitepress)\//;
const pages = [
  "README.md",
  ...readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" })
    .map((path) => `docs/${path.replaceAll("\\", "/")}`)
    .filter((path) => path.endsWith(".md") && !skipped.test(path))
    .sort(),
];

const modules = pages.flatMap((page) =>
  codeBlocksOf(join(root, page)).map(({ line, code }) => ({
    title: `${page}:${line}`,
    file: join(generated, `${page.replace(/\.md$/, "")}-line-${line}.ts`),
    code,
  })),
);

describe("the code blocks of the documentation", () => {
  beforeAll(() => {
    rmSync(generated, { recursive: true, force: true });
    for (const { title, file, code } of modules) {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, `// From ${title}\n${code}export {};\n`);
    }
  });

  test("there are some", () => {
    expect(modules.length).toBeGreaterThan(0);
  });

  test("compile", { timeout: 120_000 }, () => {
    expect(typeErrors(modules.map(({ file }) => file))).toEqual([]);
  });

  test.each(modules)("$title runs and prints what it says", async ({ file, code }) => {
    const log = vi.spyOn(console, "log").mockImplementation(() => {});
    try {
      await import(/* @vite-ignore */ file);
      const promises = promisedOutput(code);
      const printed = log.mock.calls.map((values) => format(...values));
      if (promises.some((promise) => promise !== undefined)) {
        expect(printed.map((text, i) => (promises[i] === undefined ? undefined : text))).toEqual(
          promises,
        );
      }
    } finally {
      log.mockRestore();
    }
  });
});

describe("codeBlocks", () => {
  const page = (...lines: string[]) => codeBlocks(lines.join("\n"));

  test("takes ts blocks, with the line of their fence", () => {
    expect(page("# Title", "", "```ts", "a;", "```", "```js", "b;", "```")).toEqual([
      { line: 3, code: "a;\n" },
    ]);
  });

  test("leaves out what is marked no-run", () => {
    expect(page("```ts no-run", "a;", "```")).toEqual([]);
  });

  test("puts the continued blocks in front", () => {
    const blocks = page("```ts", "a;", "```", "```ts continues", "b;", "```");
    expect(blocks.map(({ code }) => code)).toEqual(["a;\n", "a;\n\nb;\n"]);
  });

  test("removes the indentation of a block in a list", () => {
    expect(page("1. First", "   ```ts", "   a;", "     b;", "   ```")[0].code).toBe("a;\n  b;\n");
  });

  test("refuses a block that is never closed or continues nothing", () => {
    expect(() => page("```ts", "a;")).toThrow("line 1: the code block is never closed");
    expect(() => page("```ts continues", "```")).toThrow("line 1: there is no block above");
  });
});

describe("promisedOutput", () => {
  test("is behind the statement or below it", () => {
    const code = ["console.log(1); // → 1", "console.log(2);", "console.log(3);", "// → 3"];
    expect(promisedOutput(code.join("\n"))).toEqual(["1", undefined, "3"]);
  });

  test("leaves other comments and nested statements alone", () => {
    expect(promisedOutput("console.log(1); // one\n  console.log(2); // → 2")).toEqual([undefined]);
  });
});

/** What the compiler says about the files, with our packages read from their sources. */
function typeErrors(files: readonly string[]): string[] {
  const config = ts.readConfigFile(join(root, "tsconfig.base.json"), ts.sys.readFile).config;
  const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, root);
  const program = ts.createProgram(files, {
    ...options,
    composite: false,
    declaration: false,
    declarationMap: false,
    isolatedDeclarations: false,
    noEmit: true,
    types: ["node"],
    customConditions: ["@gridfuse/source"],
  });
  return files
    .flatMap((file) => ts.getPreEmitDiagnostics(program, program.getSourceFile(file)))
    .map(({ file, start, messageText }) => {
      const line = file ? file.getLineAndCharacterOfPosition(start ?? 0).line + 1 : 0;
      const place = file ? `${relative(root, file.fileName)}:${line}: ` : "";
      return place + ts.flattenDiagnosticMessageText(messageText, " ");
    });
}
