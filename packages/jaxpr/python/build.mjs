// Bundles the engine into the Python package, as one file that Node runs:
//
//   node packages/jaxpr/python/build.mjs
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "src", "gridfuse", "_engine", "server.mjs");

const { outputFiles } = await build({
  entryPoints: [join(here, "server", "main.ts")],
  bundle: true,
  write: false,
  format: "esm",
  platform: "node",
  target: "node20",
  conditions: ["@gridfuse/source"],
  external: ["msgpackr-extract"],
  banner: {
    js: 'import { createRequire as makeRequire } from "node:module"; const require = makeRequire(import.meta.url);',
  },
  minify: true,
  legalComments: "none",
});
const code = outputFiles[0].text;
const digest = createHash("sha256").update(code).digest("hex").slice(0, 16);
mkdirSync(dirname(target), { recursive: true });
writeFileSync(target, `const GRIDFUSE_ENGINE="${digest}";${code}`);
console.log(`server.mjs: ${Math.round(code.length / 1024)} KiB, engine ${digest}`);
