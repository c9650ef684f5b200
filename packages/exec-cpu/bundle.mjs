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
    resolve: { conditions: ["module", ...conditions] },
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
 * parentheses they expect to be called, and compile with the file. All that a start loads is there to be called. They
 * look for the word `function`, so arrow functions and methods are written with it.
 *
 * @param {string} code
 */
function parsedOnce(code) {
  const text = asFunctions(code);
  const functions = parseAst(text).body.filter(({ type }) => type === "FunctionDeclaration");
  const bindings = [];
  let others = "";
  let at = 0;
  for (const node of functions) {
    const { id, start, end } = /** @type {Declaration} */ (node);
    bindings.push(`${id.name}=(${text.slice(start, id.start).trim()}${text.slice(id.end, end)})`);
    others += text.slice(at, start);
    at = end;
  }
  return `var ${bindings.join(",")};${others}${text.slice(at)}${defineMethod}`;
}

const defineMethod =
  "function $method(of,its){for(const name in its)Object.defineProperty(of.prototype,name,{value:its[name],writable:true,configurable:true})}";

/** @param {string} code minified: between parameters and body there is nothing but the arrow */
function asFunctions(code) {
  /** @type {{ start: number, end: number, text: string }[]} */
  const edits = [];
  const visit = (/** @type {unknown} */ node) => {
    if (Array.isArray(node)) return node.forEach(visit);
    if (typeof node !== "object" || node === null) return;
    if (isArrow(node) && !bound.test(code.slice(node.start, node.end))) arrow(node);
    else if (isMethod(node) && !/\bsuper\b/.test(code.slice(node.start, node.end))) method(node);
    else Object.values(node).forEach(visit);
  };
  const arrow = (/** @type {Arrow} */ { start, end, async, params, body, expression }) => {
    const from = code.indexOf("=>", params.at(-1)?.end ?? start) + 2;
    const list = params.map((param) => code.slice(param.start, param.end)).join(",");
    const word = async ? "async function" : "function";
    edits.push({ start, end: from, text: `(${word}(${list})${expression ? "{return " : ""}` });
    visit(body);
    edits.push({ start: end, end, text: expression ? "})" : ")" });
  };
  const method = (/** @type {Method} */ { start, end, key, value }) => {
    const word = value.async ? "async function" : "function";
    edits.push({
      start,
      end: value.start,
      text: `static#$${key.name}=$method(this,{${key.name}:(${word}`,
    });
    visit(value);
    edits.push({ start: end, end, text: ")});" });
  };
  visit(parseAst(code));
  let result = "";
  let at = 0;
  for (const { start, end, text } of edits) {
    result += code.slice(at, start) + text;
    at = end;
  }
  return result + code.slice(at);
}

/** What an arrow function takes from the function around it. */
const bound = /\b(this|arguments|super|new\.target)\b/;

/** @type {(node: object) => node is Arrow} */
const isArrow = (node) => "type" in node && node.type === "ArrowFunctionExpression";

/** @type {(node: object) => node is Method} */
const isMethod = (node) => {
  if (!("type" in node) || node.type !== "MethodDefinition") return false;
  const { kind, computed, static: isStatic, key, value } = /** @type {Method} */ (node);
  const isPlain = kind === "method" && !computed && !isStatic && !value.generator;
  return isPlain && key.type === "Identifier";
};

/**
 * @typedef {{ start: number, end: number }} Place
 * @typedef {import("estree").FunctionDeclaration & Place & { id: Place }} Declaration
 * @typedef {Omit<import("estree").ArrowFunctionExpression, "params" | "body"> & Place & { params: Place[], body: Place }} Arrow
 * @typedef {import("estree").MethodDefinition & Place & { key: import("estree").Identifier, value: Place }} Method
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
