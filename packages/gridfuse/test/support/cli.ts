/** Runs the `gridfuse` command in a process of its own, from source. */
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const cli = fileURLToPath(new URL("../../src/cli.ts", import.meta.url));
const fromSource = new URL("./from-source.mjs", import.meta.url).href;

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  readonly stdin?: Uint8Array;
}

export function gridfuse(args: readonly string[], options: CliOptions = {}): Promise<Outcome> {
  const flags = ["--conditions=@gridfuse/source", "--import", fromSource, "--no-warnings"];
  const child = spawn(process.execPath, [...flags, cli, ...args], {
    cwd: options.cwd,
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...options.env },
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  child.stdin.end(options.stdin);
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

const generated = fileURLToPath(new URL("../.generated/", import.meta.url));

/** A folder of its own inside this package, from where "gridfuse" can be imported. */
export function workFolder(): { readonly path: string; remove(): void } {
  mkdirSync(generated, { recursive: true });
  const path = mkdtempSync(join(generated, "cli-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}
