/** `gridfuse doctor`: what this machine offers; a block to paste into a bug report. */
import { accessSync, constants, existsSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, cpus, totalmem } from "node:os";
import { join } from "node:path";
import { version } from "@gridfuse/plan";
import { PlanCache } from "@gridfuse/plan/cache";
import type { Command } from "../command.ts";
import { exitCodes } from "../errors.ts";
import { byteCount, table } from "../terminal.ts";
import { wasmFeatures } from "../wasm-features.ts";

interface Diagnosis {
  readonly gridfuse: string;
  readonly node: string;
  readonly platform: string;
  readonly cpu: { readonly model: string; readonly threads: number };
  readonly memoryBytes: number;
  readonly typescript: "node" | "amaro";
  readonly wasm: Readonly<Record<string, boolean>>;
  /** Version of the optional package, "built in", or null. */
  readonly webgpu: string | null;
  readonly cache: {
    readonly directory: string;
    readonly mode: string;
    readonly state: "writable" | "not writable" | "not there yet";
  };
  readonly environment: Readonly<Record<string, string>>;
}

function diagnose(): Diagnosis {
  return {
    gridfuse: version,
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cpu: { model: cpus()[0]?.model ?? "unknown", threads: availableParallelism() },
    memoryBytes: totalmem(),
    typescript: (process.features as { typescript?: unknown }).typescript ? "node" : "amaro",
    wasm: wasmFeatures(),
    webgpu: webgpuVersion(),
    cache: cacheState(),
    environment: Object.fromEntries(
      Object.entries(process.env).filter(([name]) => name.startsWith("GRIDFUSE_")),
    ) as Record<string, string>,
  };
}

/** Looks beside the user's project first, then beside gridfuse. */
function webgpuVersion(): string | null {
  if (globalThis.navigator?.gpu !== undefined) return "built in";
  for (const from of [join(process.cwd(), "package.json"), import.meta.url]) {
    try {
      const manifest: unknown = createRequire(from)("webgpu/package.json");
      return String((manifest as { version?: unknown }).version);
    } catch {
      // Not installed there.
    }
  }
  return null;
}

function cacheState(): Diagnosis["cache"] {
  const { directory, mode } = new PlanCache({ onWarning: () => {} });
  if (!existsSync(directory)) return { directory, mode, state: "not there yet" };
  try {
    accessSync(directory, constants.R_OK | constants.W_OK);
    return { directory, mode, state: "writable" };
  } catch {
    return { directory, mode, state: "not writable" };
  }
}

function rowsOf(found: Diagnosis): readonly (readonly string[])[] {
  const { cpu, wasm, cache } = found;
  const has = Object.entries(wasm).map(([name, present]) => `${name} ${present ? "yes" : "no"}`);
  return [
    ["gridfuse", found.gridfuse],
    ["node", found.node],
    ["platform", found.platform],
    ["cpu", `${cpu.threads} × ${cpu.model}`],
    ["memory", byteCount(found.memoryBytes)],
    ["wasm", has.join(", ")],
    ["webgpu", found.webgpu ?? "none (npm install webgpu)"],
    ["typescript", `types stripped by ${found.typescript}`],
    ["cache", `${cache.directory} (${cache.mode}, ${cache.state})`],
    ...Object.entries(found.environment),
  ];
}

export const command: Command = {
  arguments: [],
  options: {},
  async run(line, terminal) {
    const found = diagnose();
    if (line.flag("json")) terminal.out(JSON.stringify({ ok: true, ...found }, undefined, 2));
    else for (const text of table(rowsOf(found), "")) terminal.out(text);
    return exitCodes.ok;
  },
};
