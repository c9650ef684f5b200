// Bundles what production processes load, from the compiled files, into dist/bundle:
//
//   runtime.js      starts trusted plans; what verifies plans and makes code of them are pieces of their own,
//                   loaded when a plan asks for them
//   standalone.js   everything in one file
//
// Rollup (through Vite) makes the pieces, because it puts what they share into runtime.js, so that a start loads one
// file. Classes whose names are seen say them themselves, so all others may be short: a start feels every kilobyte.
// It feels every function as well, see `parsedOnce`.
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { transform } from "esbuild";
import { build, parseAst } from "vite";

const root = fileURLToPath(new URL(".", import.meta.url));

/**
 * @param {string} entry a file of this package
 * @param {{ pieces: boolean, conditions?: string[] }} options
 * @returns {Promise<{ fileName: string, imports: readonly string[], code: string }[]>}
 */
export async function bundle(entry, { pieces, conditions = [] }) {
  const name = entry.replace(/^.*\/|\.[jt]s$/g, "");
  const results = await build({
    root,
    configFile: false,
    logLevel: "warn",
    resolve: { conditions },
    build: {
      write: false,
      target: "es2023",
      minify: false,
      lib: { entry, formats: ["es"], fileName: name },
      rollupOptions: {
        preserveEntrySignatures: "allow-extension",
        output: { chunkFileNames: `${name}-[name].js`, inlineDynamicImports: !pieces },
      },
    },
  });
  const { output } = /** @type {import("vite").Rollup.RollupOutput[]} */ (results)[0];
  return Promise.all(
    output
      .filter((file) => file.type === "chunk")
      .map(async ({ fileName, imports, isEntry, code }) => {
        const { code: small } = await transform(code, options);
        return { fileName, imports, code: isEntry && pieces ? parsedOnce(small) : small };
      }),
  );
}

/**
 * JavaScript engines look over a function to find its end and read it again when it is first called; one that stands in
 * parentheses they expect to be called, and compile with the file. All that a start loads is there to be called.
 *
 * @param {string} code
 */
function parsedOnce(code) {
  const functions = parseAst(code).body.filter(({ type }) => type === "FunctionDeclaration");
  const bindings = [];
  let others = "";
  let at = 0;
  for (const node of functions) {
    const { id, start, end } = /** @type {Declaration} */ (node);
    bindings.push(`${id.name}=(${code.slice(start, id.start).trim()}${code.slice(id.end, end)})`);
    others += code.slice(at, start);
    at = end;
  }
  return `var ${bindings.join(",")};${others}${code.slice(at)}`;
}
/**
 * @typedef {{ start: number, end: number }} Place
 * @typedef {import("estree").FunctionDeclaration & Place & { id: Place }} Declaration
 */

/** @type {import("esbuild").TransformOptions} */
const options = {
  format: "esm",
  target: "es2023",
  minify: true,
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const folder = join(root, "dist/bundle");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const files = [
    ...(await bundle("dist/runtime.js", { pieces: true })),
    ...(await bundle("dist/standalone.js", { pieces: false })),
  ];
  for (const { fileName, code } of files) writeFileSync(join(folder, fileName), code);
}
