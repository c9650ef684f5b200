/** `gridfuse run`: one run of a plan on arrays in .npy files. */
import { cpu } from "@gridfuse/exec-cpu";
import { webgpu } from "@gridfuse/exec-gpu";
import {
  CapabilityError,
  type Executor,
  fromBits,
  isFloat,
  loadPlan,
  type Plan,
  type PlanPort,
  type RunInput,
  type RunOutputs,
  type StorageArray,
  type Trust,
} from "@gridfuse/plan";
import type { Command, CommandLine } from "../command.ts";
import { exitCodes, UsageError } from "../errors.ts";
import { readBytes, writeBytes } from "../files.ts";
import { encodeNpy, parseNpy, tensorOf } from "../npy.ts";
import type { Terminal } from "../terminal.ts";

/** Port name → path from NAME=PATH, or from a bare path where there is one port to mean. */
function pathsOf(
  line: CommandLine,
  option: "input" | "output",
  ports: readonly PlanPort[],
): ReadonlyMap<string, string> {
  const paths = new Map<string, string>();
  for (const text of line.texts(option)) {
    const at = text.indexOf("=");
    const bare = at <= 0 && ports.length === 1;
    const name = bare ? ports[0]!.name : text.slice(0, Math.max(at, 0));
    const path = bare ? text : text.slice(at + 1);
    if (!ports.some((port) => port.name === name)) {
      throw new UsageError(
        at <= 0 ? `--${option} ${text}: expected NAME=FILE` : `the plan has no ${option} "${name}"`,
        `it has ${ports.map((port) => port.name).join(", ") || "none"}`,
      );
    }
    if (path === "" || paths.has(name))
      throw new UsageError(`--${option} ${text}: ${path === "" ? "no file" : "given twice"}`);
    paths.set(name, path);
  }
  return paths;
}

function readInputs(plan: Plan, paths: ReadonlyMap<string, string>): Record<string, RunInput> {
  const missing = plan.inputs.filter(({ name }) => !paths.has(name)).map(({ name }) => name);
  if (missing.length > 0) {
    throw new UsageError(
      `no file for input ${missing.join(", ")}`,
      `add ${missing.map((name) => `--input ${name}=FILE.npy`).join(" ")}`,
    );
  }
  return Object.fromEntries(
    plan.inputs.map(({ name, dtype }) => {
      const path = paths.get(name)!;
      return [name, tensorOf(parseNpy(readBytes(path), path), dtype, path)];
    }),
  );
}

async function executorFor(line: CommandLine): Promise<Executor> {
  const name = line.text("executor") ?? "cpu";
  switch (name) {
    case "cpu":
      return cpu();
    case "webgpu":
      return webgpu({ gpu: await nodeGpu() });
    default:
      throw new UsageError(`--executor ${name}: expected cpu or webgpu`);
  }
}

/** Node's own WebGPU, or that of the optional package `webgpu` (Dawn). */
async function nodeGpu(): Promise<GPU> {
  if (globalThis.navigator?.gpu !== undefined) return navigator.gpu;
  const optional = "webgpu";
  try {
    const { create, globals } = (await import(optional)) as {
      create(options: readonly string[]): GPU;
      globals: object;
    };
    Object.assign(globalThis, globals);
    return create([]);
  } catch (cause) {
    throw new CapabilityError("GF6020", "there is no WebGPU here", {
      cause,
      help: "npm install webgpu, or use --executor cpu",
    });
  }
}

/** The first few elements, as numbers. */
function preview({ dtype, shape }: PlanPort, data: StorageArray): string {
  const shown = Array.from({ length: Math.min(data.length, 6) }, (_, i) => {
    const element = data[i]!;
    const value =
      dtype === "float16" || dtype === "bfloat16"
        ? fromBits(dtype, { lo: Number(element), hi: 0 })
        : element;
    return isFloat(dtype) ? String(Number(Number(value).toPrecision(7))) : String(value);
  });
  const more = data.length > shown.length ? ", …" : "";
  return `${dtype}[${shape.join(", ")}]  ${shown.join(", ")}${more}`;
}

function writeOutputs(
  plan: Plan,
  results: RunOutputs,
  paths: ReadonlyMap<string, string>,
  terminal: Terminal,
): void {
  for (const { name, dtype, shape } of plan.outputs) {
    const path = paths.get(name);
    if (path === undefined) continue;
    writeBytes(path, encodeNpy(dtype, shape, results[name]!));
    if (dtype === "bfloat16") {
      terminal.err(`note: NumPy has no bfloat16; ${path} holds the bit patterns as uint16`);
    }
  }
}

export const command: Command = {
  arguments: ["PLAN"],
  options: {
    input: {
      type: "string",
      short: "i",
      multiple: true,
      value: "NAME=FILE",
      about: "array for an input; only FILE where there is one input",
    },
    output: {
      type: "string",
      short: "o",
      multiple: true,
      value: "NAME=FILE",
      about: "where to write an output; others are only shown",
    },
    executor: { type: "string", value: "cpu|webgpu", about: "what to run on; default cpu" },
    trust: { type: "string", value: "unsafe", about: "run native code that the file brings" },
  },
  async run(line, terminal) {
    const trust = line.text("trust") as Trust | undefined;
    const plan = await loadPlan(line.positionals[0]!, trust === undefined ? {} : { trust });
    const inputPaths = pathsOf(line, "input", plan.inputs);
    const outputPaths = pathsOf(line, "output", plan.outputs);
    const inputs = readInputs(plan, inputPaths);
    const executor = await executorFor(line);
    const executable = await executor.prepare(plan);
    try {
      const results = await executable.run(inputs);
      writeOutputs(plan, results, outputPaths, terminal);
      if (line.flag("json")) {
        const outputs = plan.outputs.map((port) => ({ ...port, file: outputPaths.get(port.name) }));
        terminal.out(
          JSON.stringify({ ok: true, outputs, report: executable.report() }, undefined, 2),
        );
      } else {
        for (const port of plan.outputs) {
          terminal.out(`${port.name}  ${preview(port, results[port.name]!)}`);
        }
      }
    } finally {
      executable.dispose();
    }
    return exitCodes.ok;
  },
};
