/** What a command is, and how its line is read. */
import { type ParseArgsConfig, parseArgs } from "node:util";
import { UsageError } from "./errors.ts";
import type { Terminal } from "./terminal.ts";

export interface OptionSpec {
  readonly type: "string" | "boolean";
  readonly short?: string;
  readonly multiple?: boolean;
  /** What stands for the value in the help text. */
  readonly value?: string;
  readonly about: string;
}

/** A command in the table of `main.ts`; its module is loaded when it is called. */
export interface CommandEntry {
  readonly name: string;
  readonly about: string;
  load(): Promise<Command>;
}

export interface Command {
  /** Positional arguments by name; a command takes exactly these. */
  readonly arguments: readonly string[];
  readonly options: { readonly [name: string]: OptionSpec };
  run(line: CommandLine, terminal: Terminal): Promise<number>;
}

/** A parsed line; asking for an option that the command does not have is a bug and throws. */
export class CommandLine {
  readonly positionals: readonly string[];
  readonly #values: { readonly [name: string]: unknown };

  constructor(positionals: readonly string[], values: { readonly [name: string]: unknown }) {
    this.positionals = positionals;
    this.#values = values;
  }

  flag(name: string): boolean {
    return this.#values[name] === true;
  }
  text(name: string): string | undefined {
    return this.#values[name] as string | undefined;
  }
  texts(name: string): readonly string[] {
    return (this.#values[name] as readonly string[] | undefined) ?? [];
  }
}

const common: { readonly [name: string]: OptionSpec } = {
  json: { type: "boolean", about: "print one JSON document" },
  help: { type: "boolean", short: "h", about: "print this text" },
};

export const optionsOf = (command: Command): { readonly [name: string]: OptionSpec } => ({
  ...command.options,
  ...common,
});

/** @throws UsageError */
export function parseLine(name: string, command: Command, args: readonly string[]): CommandLine {
  const options: NonNullable<ParseArgsConfig["options"]> = {};
  for (const [option, { type, short, multiple }] of Object.entries(optionsOf(command))) {
    options[option] = { type, ...(short && { short }), ...(multiple && { multiple }) };
  }
  const help = `gridfuse ${name} --help lists what it takes`;
  let given: readonly string[];
  try {
    const { values, positionals } = parseArgs({ args: [...args], options, allowPositionals: true });
    const line = new CommandLine(positionals, values);
    if (line.flag("help") || positionals.length === command.arguments.length) return line;
    given = positionals;
  } catch (error) {
    throw new UsageError((error as Error).message, help);
  }
  const taken = command.arguments.join(" ") || "no arguments";
  const but = given.length === 0 ? "" : `, and was given ${given.join(" ")}`;
  throw new UsageError(`${name} takes ${taken}${but}`, help);
}

/** Splits NAME=VALUE. */
export function assignment(text: string, option: string): { name: string; value: string } {
  const at = text.indexOf("=");
  if (at > 0 && at < text.length - 1) return { name: text.slice(0, at), value: text.slice(at + 1) };
  throw new UsageError(`--${option} ${text}: expected NAME=VALUE`);
}

export function helpOf({ name: called, about: summary }: CommandEntry, command: Command): string {
  const words = command.arguments.map((name) => ` ${name}`).join("");
  const rows = Object.entries(optionsOf(command)).map(([name, { short, value, about }]) => {
    const long = `--${name}${value === undefined ? "" : ` ${value}`}`;
    return { left: short === undefined ? `    ${long}` : `-${short}, ${long}`, about };
  });
  const width = Math.max(...rows.map(({ left }) => left.length));
  return [
    `gridfuse ${called}${words} [options]`,
    "",
    summary,
    "",
    ...rows.map(({ left, about }) => `  ${left.padEnd(width)}  ${about}`),
  ].join("\n");
}
