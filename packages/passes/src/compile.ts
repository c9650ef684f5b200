/**
 * `compile(graph)`: binds named dims, asks the cache, lowers.
 */
import {
  bindDims,
  type DimSizes,
  dimNames,
  type Graph,
  type Program,
  sourceLocation,
  structuralBytes,
  Table,
} from "@gridfuse/graph";
import { CompileError, irVersion, type Plan } from "@gridfuse/plan";
import { cacheKey, PlanCache } from "@gridfuse/plan/cache";
import { type OptionCheck, type OptionNames, optionCheck } from "@gridfuse/plan/options";
import { type LowerOptions, lower } from "./lower.ts";
import type { TileBudget } from "./tile/trips.ts";

export interface CompileOptions extends LowerOptions {
  /** Sizes of named dimensions. */
  readonly dims?: DimSizes;
  /** Where compiled plans are kept: a cache, a directory, or true for the user's cache directory. */
  readonly cache?: PlanCache | string | boolean;
}
const compileOptions: OptionNames<CompileOptions> = {
  dims: true,
  cache: true,
  reassociate: true,
  fuel: true,
  tiles: true,
  afterPass: true,
  afterSteps: true,
};
const ofExecutors = { precision: "cpu", backend: "cpu", threads: "cpu", simd: "cpu" };
const tileBudget: OptionNames<TileBudget> = {
  bytes: true,
  laneBytes: true,
  leastBytes: true,
  smallElements: true,
};
const checked: OptionCheck = optionCheck(CompileError, "GF3003", () =>
  sourceLocation({ stack: new Error() }),
);

/** Raised whenever the same graph and options may give another plan. */
export const compilerVersion = 10;

const directories = new Map<string, PlanCache>();

function openCache(cache: PlanCache | string | boolean): PlanCache | undefined {
  if (cache === false) return undefined;
  if (cache instanceof PlanCache) return cache;
  const directory = cache === true ? "" : cache;
  let known = directories.get(directory);
  if (known === undefined) {
    known = new PlanCache(directory === "" ? {} : { directory });
    directories.set(directory, known);
  }
  return known;
}

function keyOf(program: Program, options: CompileOptions): string {
  return cacheKey([
    ["graph", structuralBytes(program)],
    ["names", JSON.stringify([program.name, program.inputs, program.outputs])],
    ["ir", String(irVersion)],
    ["compiler", String(compilerVersion)],
    ["reassociate", String(options.reassociate ?? true)],
    ["fuel", String(options.fuel ?? "")],
    ["tiles", JSON.stringify(options.tiles ?? null)],
  ]);
}

/**
 * Turns a graph into a plan: what runs, on any executor, without this compiler.
 *
 * The same graph and options give the same plan on every machine. With `cache`, a plan that was compiled
 * before is read instead; a damaged entry counts as a miss.
 *
 * @throws CompileError GF3001 where a named dimension has no size, GF3002 where `graph` is none, GF3003 for options there are not
 */
export function compile(graph: Graph | Program, options: CompileOptions = {}): Plan {
  const given = programOf(graph);
  checked("compile", options, compileOptions, ofExecutors);
  if (options.tiles !== undefined) checked("compile: tiles", options.tiles, tileBudget);
  const bound = options.dims === undefined ? given : bindDims(given, options.dims);
  const open = dimNames(bound);
  if (open.length > 0) refuseOpen(given.name, open);
  const cache = options.cache === undefined ? undefined : openCache(options.cache);
  if (cache === undefined) return lower(ownCopy(bound), options);
  const key = keyOf(bound, options);
  const known = cache.get(key);
  if (known !== undefined) return known;
  const plan = lower(ownCopy(bound), options);
  cache.put(key, plan);
  return plan;
}

function refuseOpen(name: string, open: readonly string[]): never {
  const several = open.length > 1;
  throw new CompileError(
    "GF3001",
    `graph "${name}": dimension${several ? "s" : ""} ${open.map((dim) => `"${dim}"`).join(", ")} ${several ? "have" : "has"} no size`,
    {
      path: open[0] as string,
      help: `compile(graph, { dims: { ${open.map((dim) => `${dim}: …`).join(", ")} } })`,
    },
  );
}

function programOf(graph: unknown): Program {
  if (typeof graph === "object" && graph !== null) {
    if ("program" in graph) return graph.program as Program;
    if ("main" in graph && "table" in graph) return graph as Program;
  }
  return refuse(graph);
}

function refuse(graph: unknown): never {
  const isFunction = typeof graph === "function";
  const isKernel = isFunction && "inputs" in graph;
  throw new CompileError(
    "GF3002",
    `compile was given ${isKernel ? "a kernel" : isFunction ? "a function" : String(graph)} where it takes a graph`,
    {
      expected: "Graph",
      received: graph,
      help: isKernel
        ? "trace it first: compile(graph(kernel.inputs, kernel))"
        : "make one with graph(inputs, f): compile(graph({ x: tensor(f32, [8]) }, ({ x }) => x.mul(2)))",
    },
  );
}

/** Passes append to a program's table: they get one of their own. What is in it already stays as it is. */
const ownCopy = (program: Program): Program => ({ ...program, table: new Table(program.table) });
