// Packs the compiled files of every package, and of the command, into a few each: dist/packed.
//
// A process that loads gridfuse from node_modules would read four hundred small files one after the other, which takes
// longer than anything it does with them. Bundlers take the small ones (the condition `module`), of which they can leave
// out more. A package is packed by itself, so that each class is there once whoever imports it. Names stay as they are:
// stacks are read by people.
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const packages = fileURLToPath(new URL("..", import.meta.url));
const names = ["plan", "graph", "interpret", "passes", "exec-cpu", "exec-gpu", "jaxpr", "gridfuse"];

/** What is no entry of the package itself: what `bin` starts, and the hooks that Node loads by their address. */
const commands = { gridfuse: ["cli", "strip-types"] };

/** @param {string} name */
function entriesOf(name) {
  /** @type {{ exports: Record<string, string | Record<string, string>> }} */
  const { exports } = JSON.parse(readFileSync(join(packages, name, "package.json"), "utf8"));
  const entries = (commands[name] ?? []).map((command) => ({
    in: `./dist/${command}.js`,
    out: command,
  }));
  for (const target of Object.values(exports)) {
    if (typeof target === "string" || target.module === undefined) continue;
    const out = /^\.\/dist\/packed\/(.*)\.js$/.exec(target.default)?.[1];
    if (out === undefined) throw new Error(`${name}: ${target.default} is not in dist/packed`);
    entries.push({ in: target.module, out });
  }
  return entries;
}

for (const name of names) {
  const root = join(packages, name);
  const outdir = join(root, "dist", "packed");
  rmSync(outdir, { recursive: true, force: true });
  await build({
    absWorkingDir: root,
    entryPoints: entriesOf(name),
    outdir,
    bundle: true,
    splitting: true,
    chunkNames: "shared-[hash]",
    format: "esm",
    platform: "neutral",
    target: "es2023",
    packages: "external",
    external: ["node:*"],
    minifyWhitespace: true,
    minifySyntax: true,
    // Node prints the line that threw an error nobody caught.
    lineLimit: 120,
    sourcemap: true,
    sourcesContent: false,
    legalComments: "none",
    logLevel: "warning",
  });
}
