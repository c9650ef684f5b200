// The import rules of the house, checked on the syntax tree of every source file:
//
//   direction     a package imports only the packages below it, by name, through a declared entry
//   dependency    what is imported from outside is in the package's own dependencies
//   cycle         no circle of run-time imports between the files of a package
//   production    graphology and msgpackr are not reachable from what a production process loads
//
//   node test/tools/check-imports.mjs [workspace root, default: the current folder]
//
// Prints `file:line: [rule] message` for each violation and exits with 1 if there is any. A type-only
// import obeys the direction like any other; it makes no cycle and loads nothing.
import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { builtinModules } from "node:module";
import { dirname, join, relative, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

/**
 * @typedef {{ specifier: string, line: number, typeOnly: boolean }} Import
 * @typedef {{ file: string, line: number, rule: string, message: string }} Violation
 * @typedef {{ folder: string, name: string, path: string, entries: Map<string, string>,
 *   external: Set<string> }} Package
 */

/**
 * Who may import whom: package folder → what it may import of ours, either a whole package or one
 * entry of it.
 * @type {Record<string, readonly string[]>}
 */
const MAY_IMPORT = {
  plan: [],
  graph: ["plan/scalar", "plan/index-expr", "plan/errors", "plan/options"],
  interpret: ["graph"],
  passes: ["graph", "plan"],
  "exec-cpu": ["plan"],
  "exec-gpu": ["plan"],
  jaxpr: ["graph"],
  gridfuse: ["plan", "graph", "interpret", "passes", "exec-cpu", "exec-gpu", "jaxpr"],
};

/** The entries that a production process loads; "*" stands for every entry of the package. */
const PRODUCTION = ["plan/.", "exec-cpu/*", "exec-gpu/*"];

/** What those entries must never load. @param {string} name */
const isBuildTimeOnly = (name) => /^(graphology|msgpackr)(-|$)/.test(name);

const SOURCE_CONDITION = "@gridfuse/source";
const BUILTIN = new Set(builtinModules);

/**
 * Every violation of the import rules below `root`/packages, in the order of the files.
 * @param {string} root
 * @returns {Violation[]}
 */
export function checkImports(root) {
  const packages = readPackages(root);
  const sources = new Map(
    packages.flatMap((p) => sourceFiles(join(p.path, "src")).map((file) => [file, parse(file)])),
  );
  const violations = [
    ...packages.flatMap((p) => checkDirection(p, packages, sources)),
    ...packages.flatMap((p) => checkCycles(p, sources)),
    ...checkProduction(packages, sources),
  ];
  return violations.map((v) => ({ ...v, file: relative(root, v.file).split(sep).join("/") }));
}

/**
 * @param {string} root
 * @returns {Package[]}
 */
function readPackages(root) {
  const folder = join(root, "packages");
  return readdirSync(folder)
    .filter((name) => existsSync(join(folder, name, "package.json")))
    .sort()
    .map((name) => {
      const path = join(folder, name);
      const manifest = JSON.parse(readFileSync(join(path, "package.json"), "utf8"));
      const entries = Object.entries(manifest.exports ?? {})
        .filter(([, target]) => typeof target === "object" && target?.[SOURCE_CONDITION])
        .map(([key, target]) => /** @type {const} */ ([key, join(path, target[SOURCE_CONDITION])]));
      const external = ["dependencies", "peerDependencies", "optionalDependencies"].flatMap((key) =>
        Object.keys(manifest[key] ?? {}),
      );
      return {
        folder: name,
        name: manifest.name,
        path,
        entries: new Map(entries),
        external: new Set(external),
      };
    });
}

/**
 * @param {string} folder
 * @returns {string[]}
 */
function sourceFiles(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.[cm]?tsx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

/**
 * The import specifiers of one file: import and export declarations, `import("…")` as an expression
 * and as a type, `import x = require("…")`.
 * @param {string} file
 * @returns {Import[]}
 */
function parse(file) {
  const source = ts.createSourceFile(
    file,
    readFileSync(file, "utf8"),
    ts.ScriptTarget.Latest,
    false,
  );
  /** @type {Import[]} */
  const imports = [];
  /** @type {(node: ts.Node | undefined, typeOnly: boolean) => void} */
  const add = (node, typeOnly) => {
    if (node === undefined || !ts.isStringLiteralLike(node)) return;
    const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
    imports.push({ specifier: node.text, line: line + 1, typeOnly });
  };
  /** @type {(node: ts.Node) => void} */
  const visit = (node) => {
    if (ts.isImportDeclaration(node))
      add(node.moduleSpecifier, node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword);
    else if (ts.isExportDeclaration(node)) add(node.moduleSpecifier, node.isTypeOnly);
    else if (ts.isExternalModuleReference(node)) add(node.expression, false);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument))
      add(node.argument.literal, true);
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node.arguments[0], false);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return imports;
}

/**
 * @param {Package} from
 * @param {Package[]} packages
 * @param {Map<string, Import[]>} sources
 * @returns {Violation[]}
 */
function checkDirection(from, packages, sources) {
  /** @type {Violation[]} */
  const violations = [];
  const allowed = MAY_IMPORT[from.folder];
  if (allowed === undefined) {
    const message = `packages/${from.folder} has no row in the table of check-imports.mjs`;
    return [{ file: join(from.path, "package.json"), line: 1, rule: "direction", message }];
  }
  const root = join(from.path, "src") + sep;
  for (const [file, imports] of sources) {
    if (!file.startsWith(root)) continue;
    for (const { specifier, line } of imports) {
      /** @type {(rule: string, message: string) => void} */
      const violate = (rule, message) => {
        violations.push({ file, line, rule, message });
      };
      if (specifier.startsWith(".")) {
        if (!resolve(dirname(file), specifier).startsWith(root))
          violate("direction", `"${specifier}" leaves ${from.folder}/src: import by package name`);
        continue;
      }
      const [name, entry] = splitSpecifier(specifier);
      const target = packages.find((p) => p.name === name);
      if (target === from)
        violate("direction", `"${specifier}" is this package itself: import by relative path`);
      else if (target !== undefined) {
        const key = `${target.folder}${entry.slice(1)}`;
        if (!allowed.includes(target.folder) && !allowed.includes(key))
          violate("direction", `${from.folder} may import ${list(allowed)}, not "${specifier}"`);
        else if (!target.entries.has(entry))
          violate("direction", `"${specifier}" is not an entry in the exports of ${name}`);
        else if (!from.external.has(name))
          violate("dependency", `"${name}" is missing in the dependencies of ${from.name}`);
      } else if (!BUILTIN.has(name) && !specifier.startsWith("node:") && !from.external.has(name))
        violate("dependency", `"${name}" is missing in the dependencies of ${from.name}`);
    }
  }
  return violations;
}

/**
 * Reports each circle once, at the import that closes it.
 * @param {Package} inside
 * @param {Map<string, Import[]>} sources
 * @returns {Violation[]}
 */
function checkCycles(inside, sources) {
  /** @type {Violation[]} */
  const violations = [];
  const root = join(inside.path, "src") + sep;
  /** @type {Map<string, "open" | "done">} */
  const state = new Map();
  /** @type {string[]} */
  const path = [];
  /** @type {(file: string) => void} */
  const visit = (file) => {
    state.set(file, "open");
    path.push(file);
    for (const { specifier, line, typeOnly } of sources.get(file) ?? []) {
      if (typeOnly || !specifier.startsWith(".")) continue;
      const target = resolveRelative(file, specifier);
      if (state.get(target) === "open") {
        const circle = [...path.slice(path.indexOf(target)), target].map((f) => relative(root, f));
        violations.push({ file, line, rule: "cycle", message: circle.join(" → ") });
      } else if (target.startsWith(root) && !state.has(target)) visit(target);
    }
    path.pop();
    state.set(file, "done");
  };
  for (const file of sources.keys()) if (file.startsWith(root) && !state.has(file)) visit(file);
  return violations;
}

/**
 * @param {Package[]} packages
 * @param {Map<string, Import[]>} sources
 * @returns {Violation[]}
 */
function checkProduction(packages, sources) {
  /** @type {Violation[]} */
  const violations = [];
  for (const start of PRODUCTION) {
    const [folder, wanted] = start.split("/");
    const from = packages.find((p) => p.folder === folder);
    for (const [entry, entryFile] of from?.entries ?? []) {
      if (wanted !== "*" && wanted !== entry) continue;
      const seen = new Set([entryFile]);
      for (const file of seen)
        for (const { specifier, line, typeOnly } of sources.get(file) ?? []) {
          if (typeOnly) continue;
          if (specifier.startsWith(".")) {
            seen.add(resolveRelative(file, specifier));
            continue;
          }
          const [name, subpath] = splitSpecifier(specifier);
          const next = packages.find((p) => p.name === name)?.entries.get(subpath);
          if (next !== undefined) seen.add(next);
          if (isBuildTimeOnly(name)) {
            const message = `"${name}" is loaded by ${from?.name}${entry.slice(1)}, which ships`;
            violations.push({ file, line, rule: "production", message });
          }
        }
    }
  }
  return violations;
}

/**
 * The package name and the entry (`.` or `./…`) of a bare specifier.
 * @param {string} specifier
 * @returns {[name: string, entry: string]}
 */
function splitSpecifier(specifier) {
  const parts = specifier.split("/");
  const name = parts.splice(0, specifier.startsWith("@") ? 2 : 1).join("/");
  return [name, [".", ...parts].join("/")];
}

/**
 * The source file that a relative specifier names; the compiler reports one that does not exist.
 * @param {string} from
 * @param {string} specifier
 */
function resolveRelative(from, specifier) {
  const path = resolve(dirname(from), specifier);
  return existsSync(path) ? path : path.replace(/\.([cm]?)js$/, ".$1ts");
}

/** @param {readonly string[]} names */
const list = (names) => (names.length === 0 ? "nothing of ours" : names.join(", "));

/** @param {string} root */
function main(root) {
  const violations = checkImports(root);
  for (const { file, line, rule, message } of violations)
    console.error(`${file}:${line}: [${rule}] ${message}`);
  if (violations.length > 0) process.exitCode = 1;
  else console.log("imports: ok");
}

if (process.argv[1] && realpathSync(process.argv[1]) === fileURLToPath(import.meta.url))
  main(resolve(process.argv[2] ?? "."));
