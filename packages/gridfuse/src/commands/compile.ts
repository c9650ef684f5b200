/** `gridfuse compile`: a graph in a module becomes a plan file. */
import { compileNative } from "@gridfuse/exec-cpu";
import { type CompileOptions, compile, counted, type PlanReport, report } from "@gridfuse/passes";
import { planId, savePlan } from "@gridfuse/plan/encode";
import { assignment, type Command, type CommandLine } from "../command.ts";
import { exitCodes, UsageError } from "../errors.ts";
import { writeText } from "../files.ts";
import { explainPage } from "../html/page.ts";
import { traceCompile } from "../html/trace.ts";
import { table } from "../terminal.ts";
import { graphOf, importUserModule } from "../user-module.ts";

function dimsOf(line: CommandLine): { readonly [name: string]: number } {
  const dims: { [name: string]: number } = {};
  for (const text of line.texts("dim")) {
    const { name, value } = assignment(text, "dim");
    const size = Number(value);
    if (!Number.isSafeInteger(size) || size < 0) throw new UsageError(`--dim ${text}: not a size`);
    dims[name] = size;
  }
  return dims;
}

/** One row a pass: time, and how many nodes (steps, from fuse on) it was given and left. */
function passTable({
  nodesBefore,
  passes,
}: Pick<PlanReport, "nodesBefore" | "passes">): readonly string[] {
  const fuse = passes.findIndex(({ name }) => name === "fuse");
  const rows = passes.map(({ name, ms, nodes }, i) => {
    const before = passes[i - 1]?.nodes ?? nodesBefore;
    const left = counted(nodes, i < fuse ? "node" : "step");
    const change = i === fuse ? `${counted(before, "node")} → ${left}` : `${before} → ${left}`;
    return [name, `${ms.toFixed(2)} ms`, change];
  });
  return table([["pass", "time", "before → after"], ...rows]);
}

export const command: Command = {
  arguments: ["FILE"],
  options: {
    output: {
      type: "string",
      short: "o",
      value: "PLAN",
      about: "where to write the plan (required)",
    },
    export: { type: "string", value: "NAME", about: "which export; default: the default one" },
    dim: { type: "string", multiple: true, value: "NAME=SIZE", about: "size of a named dimension" },
    cache: { type: "string", value: "DIR", about: "keep compiled plans there" },
    "ordered-sums": { type: "boolean", about: "do not reassociate sums along grid axes" },
    native: { type: "boolean", about: "add WebAssembly for loaders that trust the file" },
    "no-debug": { type: "boolean", about: "leave the debug section out" },
    explain: { type: "boolean", about: "print what became of passes, axes and kernels" },
    html: { type: "string", value: "PAGE", about: "write a page that shows every pass at work" },
  },
  async run(line, terminal) {
    const [path] = line.positionals as [string];
    const output = line.text("output");
    if (output === undefined) throw new UsageError("compile needs -o PLAN");
    const dims = dimsOf(line);
    const cache = line.text("cache");
    const graph = graphOf(await importUserModule(path), path, line.text("export"));
    const options: CompileOptions = {
      ...(Object.keys(dims).length > 0 && { dims }),
      ...(line.flag("ordered-sums") && { reassociate: false }),
    };
    const page = line.text("html");
    const trace = page === undefined ? undefined : traceCompile(graph, options);
    const plan =
      trace?.plan ?? compile(graph, { ...options, ...(cache !== undefined && { cache }) });
    if (page !== undefined && trace !== undefined) writeText(page, explainPage(trace));
    await savePlan(output, plan, {
      debug: !line.flag("no-debug"),
      ...(line.flag("native") && { native: [await compileNative(plan)] }),
    });
    const { text, ...facts } = report(plan);
    if (line.flag("json")) {
      const document = { ok: true, plan: output, id: planId(plan), report: facts };
      terminal.out(JSON.stringify(document, undefined, 2));
      return exitCodes.ok;
    }
    if (line.flag("explain")) {
      for (const row of passTable(facts)) terminal.out(row);
      terminal.out(text);
    }
    terminal.err(
      `${output}: ${counted(facts.planKernels, "kernel")} in ${counted(facts.planSteps, "step")}, id ${planId(plan).slice(0, 16)}`,
    );
    return exitCodes.ok;
  },
};
