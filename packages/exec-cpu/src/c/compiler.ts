/**
 * The system's C compiler, and a directory of what it made.
 *
 * An entry is named by a digest of everything it depends on: the source, the flags, the compiler, the processor. It is written
 * beside its name and renamed, and comes with a digest of its own, so that a damaged one is a miss. Because its entries are
 * run, the directory must be the user's own and nobody else may write to it; where that is not so, what is compiled
 * goes to a temporary directory and is deleted when it is loaded.
 */
import { CapabilityError } from "@gridfuse/plan";
import { builtin, userCacheDirectory } from "@gridfuse/plan/executor";
import { mostBytes, prune, touch } from "./kept-code.ts";

type Files = typeof import("node:fs");
type Children = typeof import("node:child_process");
type Crypto = typeof import("node:crypto");
type System = typeof import("node:os");

/** A call that gives 0, or 1 + the number of a loop that ran out of fuel. */
export type NativeRun = (
  memory: Uint8Array,
  mostFuel: number,
  print: (step: number) => void,
  section: number,
) => number;

interface Host {
  readonly files: Files;
  readonly children: Children;
  readonly crypto: Crypto;
  readonly system: System;
  readonly process: NodeJS.Process;
}

export interface Compiled {
  readonly run: NativeRun;
  readonly notes: readonly string[];
}

/** Milliseconds after which a compiler is given up. */
const patience = 600_000;
const layout = "native-v1";

/** @throws CapabilityError GF5013 where this host cannot load what a compiler makes */
function hostOf(): Host {
  const files = builtin<Files>("node:fs");
  const children = builtin<Children>("node:child_process");
  const crypto = builtin<Crypto>("node:crypto");
  const system = builtin<System>("node:os");
  const process = builtin<NodeJS.Process>("node:process");
  const known = files && children && crypto && system && process;
  if (!known || typeof process.dlopen !== "function" || process.platform === "win32") {
    throw new CapabilityError("GF5013", "this host has no native code", {
      received: process?.platform,
      help: 'backend "native" needs Node on Linux or macOS. Use backend "auto".',
    });
  }
  return { files, children, crypto, system, process };
}

interface Command {
  readonly program: string;
  readonly options: readonly string[];
}

/** The compiler that CC names, or `cc`. @throws CapabilityError GF5013 */
function compilerOf({ files, process }: Host): Command {
  const [name = "cc", ...options] = (process.env.CC || "cc").trim().split(/\s+/);
  // An empty entry of PATH would be wherever the process happens to be.
  const folders = (process.env.PATH ?? "").split(":").filter((folder) => folder !== "");
  const places = name.includes("/") ? [name] : folders.map((folder) => `${folder}/${name}`);
  for (const program of places) {
    try {
      files.accessSync(program, files.constants.X_OK);
      return { program: files.realpathSync(program), options };
    } catch {
      // Not here.
    }
  }
  throw new CapabilityError("GF5013", `there is no C compiler "${name}"`, {
    received: name,
    help: 'Install one, name one by CC, or use backend "auto".',
  });
}

/**
 * Looks for a compiler, unless nothing is to be kept beside what is kept already (GRIDFUSE_CACHE=ro): then a plan that was
 * compiled elsewhere, when an image was built say, needs none.
 *
 * @throws CapabilityError GF5013 where this host cannot load what a compiler makes, or has none
 */
export function requireCompiler(): void {
  const host = hostOf();
  if (host.process.env.GRIDFUSE_CACHE !== "ro") compilerOf(host);
}

/** What floats mean is that of IEEE 754, each operation rounded by itself; the rest is for speed. */
function flagsFor({ process: { arch, platform } }: Host): readonly string[] {
  const machine = { x64: ["-march=native", "-mprefer-vector-width=512"], arm64: ["-mcpu=native"] };
  return [
    ...["-x", "c", "-std=gnu11", "-O3", "-w", "-fPIC", "-shared", "-pthread"],
    ...["-ffp-contract=off", "-fno-fast-math", "-fno-math-errno", "-fno-trapping-math"],
    ...["-fno-strict-aliasing", "-fvisibility=hidden"],
    ...(machine[arch as "x64"] ?? []),
    ...(platform === "darwin" ? ["-undefined", "dynamic_lookup"] : []),
  ];
}

/** What tells this processor from others, for code that uses all it has. */
function processorOf({ files, system, process }: Host): string {
  const names = [process.platform, process.arch, system.cpus()[0]?.model ?? ""];
  try {
    const flags = /^(flags|Features)\s*:.*$/m.exec(files.readFileSync("/proc/cpuinfo", "utf8"));
    names.push(flags?.[0] ?? "");
  } catch {
    // Only Linux says so.
  }
  return names.join("\n");
}

const loaded = new Map<string, NativeRun>();

interface Task {
  readonly host: Host;
  readonly source: string;
  readonly key: string;
  /** Undefined where nothing is kept. */
  readonly directory: string | undefined;
  readonly mayWrite: boolean;
  readonly notes: readonly string[];
}

/** @throws CapabilityError GF5013, GF5014 */
export async function compileC(source: string, signal?: AbortSignal): Promise<Compiled> {
  const task = taskOf(source);
  return found(task) ?? finish(task, await runCompiler(task, signal));
}

/** Like `compileC`, at once. */
export function compileCSync(source: string): Compiled {
  const task = taskOf(source);
  return found(task) ?? finish(task, runCompilerSync(task));
}

function taskOf(source: string): Task {
  const host = hostOf();
  const { files, crypto, process } = host;
  const digest = crypto.createHash("sha256");
  const parts = [source, ...flagsFor(host), processorOf(host)];
  // Without a compiler, what one made earlier is as good.
  parts.push(process.env.CC ?? "");
  for (const part of parts) digest.update(`${part.length}:${part}`);
  const key = digest.digest("hex");
  const mode = process.env.GRIDFUSE_CACHE || "rw";
  if (mode !== "rw" && mode !== "ro") {
    return { host, source, key, directory: undefined, mayWrite: false, notes: [] };
  }
  const root = process.env.GRIDFUSE_CACHE_DIR ?? userCacheDirectory();
  const directory = `${root}/${layout}`;
  try {
    if (mode === "rw") files.mkdirSync(directory, { recursive: true, mode: 0o700 });
    const reason = strangerTo(host, directory);
    if (reason === undefined) {
      return { host, source, key, directory, mayWrite: mode === "rw", notes: [] };
    }
    throw new Error(reason);
  } catch (error) {
    const notes = [`compiled code is not kept: ${directory}: ${(error as Error).message}`];
    return { host, source, key, directory: undefined, mayWrite: false, notes };
  }
}

function strangerTo({ files, process }: Host, directory: string): string | undefined {
  const { uid, mode } = files.statSync(directory);
  if (process.getuid !== undefined && uid !== process.getuid()) return "it belongs to another user";
  return (mode & 0o022) !== 0 ? "others may write to it" : undefined;
}

/** What is loaded already, or lies in the directory and is sound. */
function found(task: Task): Compiled | undefined {
  const { host, key, directory, notes } = task;
  const run = loaded.get(key);
  if (run !== undefined) return { run, notes };
  if (directory === undefined) return undefined;
  const { files, crypto } = host;
  const path = `${directory}/${key}`;
  try {
    const sum = files.readFileSync(`${path}.sum`, "utf8");
    const bytes = files.readFileSync(`${path}.node`);
    if (crypto.createHash("sha256").update(bytes).digest("hex") !== sum) return undefined;
    if (task.mayWrite) touch(files, `${path}.node`);
    return { run: load(task, `${path}.node`), notes };
  } catch {
    return undefined;
  }
}

function load({ host, key }: Task, path: string): NativeRun {
  const module: { exports: unknown } = { exports: {} };
  host.process.dlopen(module, path);
  const run = module.exports as NativeRun;
  loaded.set(key, run);
  return run;
}

interface Output {
  readonly path: string;
  /** To be deleted with all that is in it. */
  readonly folder: string | undefined;
}

function outputOf({ host: { files, system, process }, key, directory, mayWrite }: Task): Output {
  if (directory !== undefined && mayWrite) {
    const mark = `${process.pid}.${Math.random().toString(36).slice(2)}`;
    return { path: `${directory}/${key}.${mark}.tmp`, folder: undefined };
  }
  const folder = files.mkdtempSync(`${system.tmpdir()}/gridfuse-`);
  return { path: `${folder}/code.node`, folder };
}

/** Loads what was compiled, and keeps it where that is possible. */
function finish(task: Task, { path, folder }: Output): Compiled {
  const { host, key, directory, notes } = task;
  const { files, crypto } = host;
  if (folder !== undefined || directory === undefined) {
    const run = load(task, path);
    if (folder !== undefined) files.rmSync(folder, { recursive: true, force: true });
    return { run, notes };
  }
  const sum = crypto.createHash("sha256").update(files.readFileSync(path)).digest("hex");
  const kept = `${directory}/${key}`;
  files.writeFileSync(`${path}.sum`, sum, { mode: 0o600 });
  files.renameSync(path, `${kept}.node`);
  files.renameSync(`${path}.sum`, `${kept}.sum`);
  const run = load(task, `${kept}.node`);
  prune(files, directory, mostBytes(host.process.env.GRIDFUSE_CACHE_MAX_MB));
  return { run, notes };
}

async function runCompiler(task: Task, signal?: AbortSignal): Promise<Output> {
  const { program, options } = compilerOf(task.host);
  const output = outputOf(task);
  const args = [...options, ...flagsFor(task.host), "-o", output.path, "-", "-lm"];
  const settings = { timeout: patience, ...(signal && { signal }) };
  const ended = await new Promise<Ended>((resolve, reject) => {
    const child = task.host.children.execFile(program, args, settings, (error, _, stderr) => {
      if (error !== null && signal?.aborted) reject(signal.reason);
      else resolve({ isGood: error === null, stderr: stderr || String(error) });
    });
    child.stdin?.on("error", () => {});
    child.stdin?.end(task.source);
  });
  return check(task, output, program, ended);
}

function runCompilerSync(task: Task): Output {
  const { program, options } = compilerOf(task.host);
  const output = outputOf(task);
  const args = [...options, ...flagsFor(task.host), "-o", output.path, "-", "-lm"];
  const { status, stderr, error } = task.host.children.spawnSync(program, args, {
    input: task.source,
    encoding: "utf8",
    timeout: patience,
  });
  return check(task, output, program, { isGood: status === 0, stderr: stderr || String(error) });
}

interface Ended {
  readonly isGood: boolean;
  readonly stderr: string;
}

/** @throws CapabilityError GF5014 */
function check(task: Task, output: Output, program: string, { isGood, stderr }: Ended): Output {
  if (isGood) return output;
  const { files } = task.host;
  files.rmSync(output.folder ?? output.path, { recursive: true, force: true });
  throw new CapabilityError("GF5014", `the C compiler ${program} failed`, {
    received: program,
    notes: stderr.trim().split("\n").slice(0, 5),
    help: 'Name another compiler by CC, or use backend "auto".',
  });
}
