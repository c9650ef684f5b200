// Bundles what production processes load, from the compiled files, into dist/bundle:
//
//   runtime.js      starts trusted plans; what verifies plans and makes code of them is a piece of its own,
//                   loaded when a plan asks for it
//   standalone.js   everything in one file
//
// Names are kept as they are: errors carry the names of their classes.
import { rmSync } from "node:fs";
import { build } from "esbuild";

/** @type {import("esbuild").BuildOptions} */
const common = {
  absWorkingDir: import.meta.dirname,
  bundle: true,
  format: "esm",
  platform: "neutral",
  target: "es2023",
  minifySyntax: true,
  minifyWhitespace: true,
  outdir: "dist/bundle",
  logLevel: "warning",
};

/** @type {import("esbuild").BuildOptions} */
export const runtimeBundle = { ...common, splitting: true, chunkNames: "runtime-[hash]" };

if (import.meta.filename === process.argv[1]) {
  rmSync(new URL("dist/bundle", import.meta.url), { recursive: true, force: true });
  await build({ ...runtimeBundle, entryPoints: ["dist/runtime.js"], metafile: true });
  await build({ ...common, entryPoints: ["dist/standalone.js"] });
}
