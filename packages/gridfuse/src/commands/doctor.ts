/**
 * `gridfuse doctor`: what this machine offers; a block to paste into a bug report. With `--jaxpr FILE`: what a
 * program exported from JAX asks for, and every primitive of it that does not import.
 */
import { accessSync, constants, existsSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, cpus, totalmem } from "node:os";
import { join } from "node:path";
import { importProgram, inspectJaxpr, type JaxprSummary } from "@gridfuse/jaxpr";
import { version } from "@gridfuse/plan";
import { PlanCache } from "@gridfuse/plan/cache";
import type { Command } from "../command.ts";
import { exitCodes } from "../errors.ts";
import { readBytes } from "../files.ts";
import { byteCount, describeError, errorAsJson, type Terminal, table } from "../terminal.ts";
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

const PLACES_SHOWN = 5;

/** What does not import of a program from JAX: unknown primitives all at once, else the first other fault. */
function examine(path: string, json: boolean, terminal: Terminal): number {
  const bytes = readBytes(path);
  const summary = inspectJaxpr(bytes);
  const unknown = summary.primitives.filter(({ known }) => !known);
  const fault = unknown.length > 0 ? undefined : importFault(bytes);
  const ok = unknown.length === 0 && fault === undefined;
  if (json) {
    const error = fault === undefined ? {} : { error: errorAsJson(fault) };
    terminal.out(JSON.stringify({ ok, ...summary, ...error }, undefined, 2));
  } else {
    for (const line of jaxprLines(path, summary)) terminal.out(line);
    if (fault !== undefined) terminal.out(describeError(fault, terminal.style));
  }
  return ok ? exitCodes.ok : exitCodes.failure;
}

function importFault(bytes: Uint8Array): unknown {
  try {
    importProgram(bytes);
    return undefined;
  } catch (error) {
    return error;
  }
}

function jaxprLines(path: string, summary: JaxprSummary): readonly string[] {
  const { jax, jaxprs, equations, primitives } = summary;
  const unknown = primitives.filter(({ known }) => !known);
  return [
    `${path}: JAX ${jax ?? "?"}, ${equations} equations in ${jaxprs} jaxprs, ${primitives.length} primitives`,
    unknown.length === 0 ? "every primitive is known" : `${unknown.length} unknown:`,
    ...unknown.flatMap(({ primitive, count, places }) => [
      `  ${primitive} (${count} equation${count === 1 ? "" : "s"})`,
      ...places.slice(0, PLACES_SHOWN).map((place) => `    at ${place}`),
      ...(places.length > PLACES_SHOWN ? [`    and ${places.length - PLACES_SHOWN} more`] : []),
    ]),
  ];
}

export const command: Command = {
  arguments: [],
  options: {
    jaxpr: { type: "string", value: "FILE", about: "what of a program from JAX does not import" },
  },
  async run(line, terminal) {
    const program = line.text("jaxpr");
    if (program !== undefined) return examine(program, line.flag("json"), terminal);
    const found = diagnose();
    if (line.flag("json")) terminal.out(JSON.stringify({ ok: true, ...found }, undefined, 2));
    else for (const text of table(rowsOf(found), "")) terminal.out(text);
    return exitCodes.ok;
  },
};
