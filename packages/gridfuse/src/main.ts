/** Finds the command, runs it, and turns whatever it throws into text and an exit code. */
import { version } from "@gridfuse/plan";
import { type CommandEntry, helpOf, parseLine } from "./command.ts";
import { exitCodeOf, exitCodes, UsageError } from "./errors.ts";
import { describeError, errorAsJson, type Terminal } from "./terminal.ts";

export const commands: readonly CommandEntry[] = [
  {
    name: "compile",
    about: "Compile the graph that FILE (.ts, .mts, .js, .mjs) exports.",
    load: async () => (await import("./commands/compile.ts")).command,
  },
  {
    name: "inspect",
    about: "Show what PLAN holds (- for standard input), and verify it.",
    load: async () => (await import("./commands/inspect.ts")).command,
  },
  {
    name: "run",
    about: "Run PLAN once on arrays from .npy files.",
    load: async () => (await import("./commands/run.ts")).command,
  },
  {
    name: "doctor",
    about: "Say what this machine offers: Node, WebAssembly features, WebGPU, cache.",
    load: async () => (await import("./commands/doctor.ts")).command,
  },
];

/** Runs `gridfuse ARGS` and returns what the process should exit with. */
export async function main(args: readonly string[], terminal: Terminal): Promise<number> {
  try {
    return await dispatch(args, terminal);
  } catch (error) {
    if (args.includes("--json")) {
      terminal.out(JSON.stringify({ ok: false, error: errorAsJson(error) }, undefined, 2));
    }
    terminal.err(describeError(error, terminal.style));
    return exitCodeOf(error);
  }
}

async function dispatch([name, ...rest]: readonly string[], terminal: Terminal): Promise<number> {
  if (name === "--version" || name === "-v") {
    terminal.out(version);
    return exitCodes.ok;
  }
  if (name === "--help" || name === "-h" || name === "help") {
    terminal.out(overview());
    return exitCodes.ok;
  }
  if (name === undefined) {
    terminal.err(overview());
    return exitCodes.usage;
  }
  const entry = commands.find((known) => known.name === name);
  if (entry === undefined) {
    throw new UsageError(
      `there is no command "${name}"`,
      `the commands are ${commands.map((known) => known.name).join(", ")}`,
    );
  }
  const command = await entry.load();
  const line = parseLine(name, command, rest);
  if (line.flag("help")) {
    terminal.out(helpOf(entry, command));
    return exitCodes.ok;
  }
  return command.run(line, terminal);
}

function overview(): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  return [
    "gridfuse COMMAND [options]",
    "",
    ...commands.map(({ name, about }) => `  ${name.padEnd(width)}  ${about}`),
    "",
    "gridfuse COMMAND --help says more. Exit codes: 0 ok, 1 failure, 2 usage, 3 plan not verified,",
    "4 mismatch. NO_COLOR and FORCE_COLOR are respected.",
  ].join("\n");
}
