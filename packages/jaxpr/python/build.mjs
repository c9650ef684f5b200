// Bundles the engine into the Python package: server.cjs, all of it, boot.cjs, which Node runs, and warm-up.json, the
// programs that it warms up with.
//
//   node packages/jaxpr/python/build.mjs
import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const target = join(here, "src", "gridfuse", "_engine");

const { outputFiles } = await build({
  entryPoints: [join(here, "server", "main.ts")],
  bundle: true,
  write: false,
  format: "cjs",
  platform: "node",
  target: "node20",
  conditions: ["@gridfuse/source"],
  define: {
    "import.meta.url": "GRIDFUSE_URL",
    // Its native half is not shipped, and looking for it takes longer than it would save.
    "process.env.MSGPACKR_NATIVE_ACCELERATION_DISABLED": '"true"',
  },
  external: ["msgpackr-extract"],
  minify: true,
  legalComments: "none",
  charset: "ascii",
});
const code = outputFiles[0].text;
const digest = createHash("sha256").update(code).digest("hex").slice(0, 16);
rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });
writeFileSync(
  join(target, "server.cjs"),
  `(function(require,GRIDFUSE_PATH,keepCode){const GRIDFUSE_ENGINE="${digest}",` +
    `GRIDFUSE_URL=require("node:url").pathToFileURL(GRIDFUSE_PATH).href,module={exports:{}},exports=module.exports;${code}})`,
);
writeFileSync(join(target, "digest"), digest);
copyFileSync(join(here, "server", "boot.cjs"), join(target, "boot.cjs"));
const recorded = join(here, "..", "..", "..", "test", "jaxpr", "fixtures");
// Those first that are most like kernels that take no time to trace, then a long one between six short ones each: what takes
// long to compile does other things than what does not.
const FIRST = [
  "matmul_accumulates",
  "reductions",
  "ragged",
  "loop_of_known_length",
  "copies_through_a_buffer",
  "rolls",
  "masked",
].map((name) => `${name}.json`);
const LONG = /^network_/;
const names = readdirSync(recorded).sort();
const short = names.filter((name) => !LONG.test(name));
const long = names.filter((name) => LONG.test(name));
const order = [...FIRST];
for (let at = 0; at < short.length; at += 6) {
  order.push(long[(at / 6) % long.length], ...short.slice(at, at + 6));
}
const programs = Object.fromEntries(
  names.map((name) => [name, JSON.parse(readFileSync(join(recorded, name), "utf8")).program]),
);
writeFileSync(join(target, "warm-up.json"), JSON.stringify({ order, programs }));
console.log(`server.cjs: ${Math.round(code.length / 1024)} KiB, engine ${digest}`);
