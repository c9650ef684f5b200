// Adds to package-lock.json the optional platform packages that npm left out of it.
//
//   node test/tools/complete-lock.mjs [lock file, default: package-lock.json]
//
// npm records the native packages of every platform, but only those that the registry in use can
// serve; a mirror which lags behind leaves holes, and `npm ci` refuses such a lock ("Missing: …"). What
// is missing is an exactly pinned optional dependency whose name says its platform, so the entry can
// be written down without asking anybody; only the integrity is left for the registry to tell.
import { readFileSync, writeFileSync } from "node:fs";

/**
 * @typedef {{ version?: string, dev?: boolean, optional?: boolean, os?: string[], cpu?: string[],
 *   libc?: string[], optionalDependencies?: Record<string, string> }} Entry
 */

/** The words of package names → Node's names of systems and processors. */
const OS = new Map(
  ["android", "darwin", "freebsd", "linux", "netbsd", "openbsd", "openharmony", "win32"]
    .map((name) => /** @type {[string, string]} */ ([name, name]))
    .concat([["windows", "win32"]]),
);
const CPU = new Map(
  ["arm", "arm64", "ia32", "loong64", "ppc64", "riscv64", "s390x", "x64"]
    .map((name) => /** @type {[string, string]} */ ([name, name]))
    .concat([["64", "x64"]]),
);
const LIBC = new Map([
  ["gnu", "glibc"],
  ["gnueabihf", "glibc"],
  ["musl", "musl"],
  ["musleabihf", "musl"],
]);

const file = process.argv[2] ?? "package-lock.json";
const lock = JSON.parse(readFileSync(file, "utf8"));
/** @type {Record<string, Entry>} */
const packages = lock.packages;

/**
 * Is `name` in the lock where the package at `from` would find it?
 * @param {string} from
 * @param {string} name
 */
function has(from, name) {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf("/node_modules/")))) {
    if (`${at === "" ? "" : `${at}/`}node_modules/${name}` in packages) return true;
    if (at === "") return false;
  }
}

/**
 * What the name of a native package says about where it runs.
 * @param {string} name
 */
function platformOf(name) {
  const words = name.slice(name.lastIndexOf("/") + 1).split("-");
  /** @type {(map: Map<string, string>) => string | undefined} */
  const find = (map) => words.map((word) => map.get(word)).find((value) => value !== undefined);
  return { os: find(OS), cpu: find(CPU), libc: find(LIBC) };
}

let added = 0;
for (const [at, entry] of Object.entries(packages))
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    if (has(at, name)) continue;
    const { os, cpu, libc } = platformOf(name);
    if (!/^\d+\.\d+\.\d+$/.test(version) || os === undefined || cpu === undefined) {
      console.error(`complete-lock: cannot tell the platform of ${name}@${version}`);
      process.exitCode = 1;
      continue;
    }
    packages[`node_modules/${name}`] = {
      version,
      cpu: [cpu],
      ...(entry.dev && { dev: true }),
      ...(libc && os === "linux" && { libc: [libc] }),
      optional: true,
      os: [os],
    };
    added++;
  }

lock.packages = Object.fromEntries(
  Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)),
);
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
console.log(`complete-lock: ${added} added`);
