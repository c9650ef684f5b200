// Starts the engine from code that V8 compiled before: most of what starting takes is reading the source.
// The compiled code lies in the user's cache, beside the plans of this engine; whose version of V8 or of the engine
// it is not for, V8 itself refuses. It holds the functions that had run when it was kept, so one of a process that found
// a plan ("found") is better than one of a process that only compiled plans ("made").
"use strict";
const { readFileSync, writeFileSync, renameSync, statSync } = require("node:fs");
const { join } = require("node:path");
const { setFlagsFromString } = require("node:v8");
const { Script } = require("node:vm");

// Programs compile while they are made ready, which is often while JAX does something else, and not in their first run.
setFlagsFromString("--no-wasm-lazy-compilation");

// V8 optimises a function when it has run for a while, and starts over when it meets kinds of objects that are new to
// it. A compiler meets them until it has seen a few programs: waiting five times as long halves the time of the first
// ones. Later versions have another compiler in between, and no such flag.
if (process.versions.v8.startsWith("11.")) setFlagsFromString("--interrupt-budget=300000");

const path = join(__dirname, "server.cjs");
const source = readFileSync(path, "latin1");
const folder = process.argv[2];
const fileOf = (kind) => join(folder, `code-${process.versions.v8}-${kind}`);

function isOwn() {
  try {
    const { uid, mode } = statSync(folder);
    return (process.getuid === undefined || uid === process.getuid()) && (mode & 0o022) === 0;
  } catch {
    return false;
  }
}

let kept;
let script;
for (const kind of folder !== undefined && isOwn() ? ["found", "made"] : []) {
  try {
    script = new Script(source, { filename: path, cachedData: readFileSync(fileOf(kind)) });
  } catch {
    continue;
  }
  if (script.cachedDataRejected) continue;
  kept = kind;
  break;
}
script ??= new Script(source, { filename: path });

function keepCode(kind) {
  if (folder === undefined || kept === "found" || kept === kind) return;
  try {
    const temporary = `${fileOf(kind)}.${process.pid}`;
    writeFileSync(temporary, script.createCachedData(), { flag: "wx" });
    renameSync(temporary, fileOf(kind));
  } catch {
    // There is no such folder, or no room.
  }
}

script.runInThisContext()(require, path, keepCode);
