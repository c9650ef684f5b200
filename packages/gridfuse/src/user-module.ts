/** Loads a module of the user's and finds the graph in it. */
import { existsSync } from "node:fs";
import { register } from "node:module";
import { basename, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { Graph, graph, type Kernel } from "@gridfuse/graph";
import { GridfuseError } from "@gridfuse/plan";
import { CommandError } from "./errors.ts";

const stripsTypes = (): boolean =>
  Boolean((process.features as { readonly typescript?: unknown }).typescript);
let registered = false;

/** Imports `path`, TypeScript included. @throws CommandError GF6002, GF6003 */
export async function importUserModule(
  path: string,
): Promise<{ readonly [name: string]: unknown }> {
  const file = resolve(path);
  if (!existsSync(file))
    throw new CommandError("GF6002", `cannot read ${path}: no such file`, { path });
  if (!stripsTypes() && !registered) {
    const hooks = import.meta.url.endsWith(".ts") ? "./strip-types.ts" : "./strip-types.js";
    register(hooks, import.meta.url);
    registered = true;
  }
  try {
    return await import(pathToFileURL(file).href);
  } catch (cause) {
    if (cause instanceof GridfuseError) throw cause;
    const what =
      cause instanceof Error
        ? cause.message
        : String((cause as { message?: unknown }).message ?? cause);
    throw new CommandError("GF6003", `cannot load ${path}: ${what}`, {
      path,
      cause,
      help:
        thrownAt(cause, path) ??
        "if it is TypeScript, only erasable syntax is accepted: no enums, namespaces or parameter properties",
    });
  }
}

/** Where the module, or what it called, threw; nothing where it could not be parsed. */
function thrownAt(cause: unknown, path: string): string | undefined {
  if (!(cause instanceof Error) || cause instanceof SyntaxError) return undefined;
  const frames = (cause.stack ?? "").split("\n").filter((line) => line.startsWith("    at "));
  const own = frames.find((line) => line.includes(basename(path))) ?? frames[0];
  return own && `it parsed, and then threw a ${cause.name} ${own.trim()}`;
}

/** By what it has, not by its class: the user's gridfuse may be another copy than the command's. */
const isGraph = (value: unknown): value is Graph =>
  value instanceof Graph ||
  (typeof value === "object" &&
    value !== null &&
    "program" in value &&
    typeof value.program === "object" &&
    value.program !== null &&
    "table" in value.program &&
    "main" in value.program);

const isKernel = (value: unknown): value is Kernel =>
  typeof value === "function" && "inputs" in value && "template" in value;

const isProgram = (value: unknown): value is Graph | Kernel => isGraph(value) || isKernel(value);

/**
 * The graph, or the graph of the kernel, exported under `name`; without one, the default export, else the only one.
 *
 * @throws CommandError GF6004
 */
export function graphOf(
  module: { readonly [name: string]: unknown },
  path: string,
  name: string | undefined,
): Graph {
  const graphs = Object.entries(module).filter(([, value]) => isProgram(value));
  const only = graphs.length === 1 ? graphs[0]![0] : "default";
  const wanted = name ?? (isProgram(module.default) ? "default" : only);
  const found = module[wanted];
  if (isGraph(found)) return found;
  if (isKernel(found)) return graph(found.inputs, found as never, { name: found.name });
  throw new CommandError("GF6004", `${path} exports no graph as "${wanted}"`, {
    path: wanted,
    received: typeof found,
    help:
      graphs.length === 0
        ? "export the graph: export default graph({ … }, …)"
        : `it exports ${graphs.map(([known]) => `"${known}"`).join(", ")}: choose with --export`,
  });
}
