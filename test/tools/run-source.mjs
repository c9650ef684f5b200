/**
 * Bundles a TypeScript program of the tests from source and runs it: no build, and what runs is what
 * stood in the files when it began, however long it takes.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

/** @param {string} path */
const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const [entry, ...args] = process.argv.slice(2);
const outfile = at(`../../node_modules/.cache/gridfuse-${process.pid}.mjs`);

await build({
  entryPoints: [at(`../../${entry}`)],
  bundle: true,
  platform: "node",
  format: "esm",
  conditions: ["@gridfuse/source"],
  sourcemap: "inline",
  outfile,
  logLevel: "warning",
  external: ["fast-check", "vite", "webgpu"],
});
const { status } = spawnSync(
  process.execPath,
  ["--enable-source-maps", "--stack-trace-limit=20", outfile, ...args],
  { stdio: "inherit" },
);
await import("node:fs/promises").then(({ rm }) => rm(outfile, { force: true }));
process.exit(status ?? 1);
