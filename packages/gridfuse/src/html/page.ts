/**
 * One page about one compilation, without network and without anything that a strict content policy refuses:
 * the style and the script stand in it and are allowed by their hashes. Without scripts all passes are shown.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { bufferNames, counted, printSteps, report } from "@gridfuse/passes";
import type { Plan, Step } from "@gridfuse/plan";
import { byteCount } from "../terminal.ts";
import { graphSvg } from "./graph-svg.ts";
import { type Change, diffLines } from "./line-diff.ts";
import { type Markup, markup } from "./markup.ts";
import { memorySvg } from "./memory-svg.ts";
import type { PassSnapshot, Trace } from "./trace.ts";

const style = `
:root { color-scheme: light dark; --line: #8884; --kept: #888; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1200px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
table { border-collapse: collapse; } th, td { text-align: left; padding: 0.15rem 0.9rem 0.15rem 0; vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
pre, code { font: 13px/1.45 ui-monospace, monospace; }
pre { overflow-x: auto; border: 1px solid var(--line); padding: 0.6rem; margin: 0; }
.code span { display: block; min-height: 1.45em; } .code .gone { background: #d33a; } .code .new { background: #2a46; }
.sides { display: grid; grid-template-columns: 1fr 1fr; gap: 0.8rem; } .sides > div { min-width: 0; }
.pick { position: sticky; top: 0; background: Canvas; padding: 0.5rem 0; } .pick input { width: 100%; }
.scroll { overflow: auto; max-height: 34rem; border: 1px solid var(--line); }
.node rect { fill: #48f2; stroke: #48f; } .node text { font: 11px ui-monospace, monospace; text-anchor: middle; fill: currentColor; }
.edge { fill: none; stroke: var(--kept); } .memory { width: 100%; border: 1px solid var(--line); }
.life { stroke: Canvas; stroke-width: 0.5; } .life0 { fill: #4e79a7; } .life1 { fill: #f28e2b; } .life2 { fill: #59a14f; }
.life3 { fill: #e15759; } .life4 { fill: #76b7b2; } .life5 { fill: #b07aa1; } .quiet { color: var(--kept); }
`;

const script = `
const passes = [...document.querySelectorAll("section.pass")];
const slider = document.querySelector("#slider");
const shown = document.querySelector("#shown");
function show() {
  passes.forEach((pass, i) => { pass.hidden = i !== slider.valueAsNumber; });
  shown.textContent = passes[slider.valueAsNumber].dataset.name;
}
document.querySelector(".pick").hidden = false;
slider.addEventListener("input", show);
show();
`;

const hashOf = (text: string): string =>
  `'sha256-${createHash("sha256").update(text).digest("base64")}'`;

const policy = `default-src 'none'; style-src ${hashOf(style)}; script-src ${hashOf(script)}`;

/** The page about a compilation. */
export function explainPage({ plan, snapshots }: Trace): string {
  const last = snapshots.length - 1;
  const body = markup`
<h1>${plan.name}</h1>
${overview(plan)}
<h2>Passes</h2>
<div class="pick" hidden><label>after <b id="shown"></b><input id="slider" type="range" min="0" max="${last}" step="1" value="${last}"></label></div>
${snapshots.map((snapshot, i) => passSection(snapshot, snapshots[i - 1]))}
<h2>Steps of the plan</h2>
${stepTable(plan)}
<h2>Memory</h2>
${memorySvg(plan)}
<h2>The whole plan</h2>
<pre>${printSteps(plan.steps, bufferNames(plan)).join("\n")}</pre>`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
${markup`<title>${plan.name} — gridfuse</title>`.text}
<style>${style}</style>
</head>
<body>${body.text}
<script>${script}</script>
</body>
</html>
`;
}

function overview(plan: Plan): Markup {
  const facts = report(plan);
  const { axes, notes, nodesBefore, nodesAfter, planKernels, planSteps, gridLoops } = facts;
  return markup`
<p>${counted(facts.gridPoints, "grid point")}, ${counted(nodesBefore, "node")} → ${counted(nodesAfter, "node")} → ${counted(planSteps, "step")}: ${counted(planKernels, "kernel")}, ${counted(gridLoops, "grid loop")}. Peak memory ${byteCount(facts.peakBytes)}, constants ${byteCount(facts.constantBytes)}.</p>
${axes.length === 0 ? undefined : axisTable(axes)}
${notes.map((note) => markup`<p>${note}</p>`)}`;
}

const axisTable = (axes: ReturnType<typeof report>["axes"]): Markup => markup`
<table><tr><th>axis</th><th class="number">extent</th><th>is</th><th>because</th></tr>
${axes.map(({ kernel, axis, extent, verdict, reason }) => markup`<tr><td>${kernel}.${axis}</td><td class="number">${extent}</td><td>${verdict}</td><td>${reason}</td></tr>`)}
</table>`;

// ── Passes ──────────────────────────────────────────────────────────────────────────────────

function passSection(snapshot: PassSnapshot, before: PassSnapshot | undefined): Markup {
  const { name, ms, nodes, unit, graph } = snapshot;
  const count =
    before === undefined || before.unit !== unit
      ? `${nodes} ${unit}`
      : `${before.nodes} → ${nodes} ${unit}`;
  return markup`
<section class="pass" data-name="${name}">
<h3>${name} <span class="quiet">${ms.toFixed(2)} ms, ${count}</span></h3>
${before === undefined || before.unit !== unit ? listing(snapshot.lines) : sides(before, snapshot)}
${graph === undefined ? undefined : markup`<h4>as a graph</h4><div class="scroll">${graphSvg(graph)}</div>`}
</section>`;
}

const listing = (lines: readonly string[]): Markup =>
  markup`<pre class="code">${lines.map((line) => codeLine(line, ""))}</pre>`;

const codeLine = (line: string, kind: "" | "gone" | "new"): Markup =>
  kind === "" ? markup`<span>${line}</span>` : markup`<span class="${kind}">${line}</span>`;

function sides(before: PassSnapshot, after: PassSnapshot): Markup {
  const changes = changesOf(before.lines, after.lines);
  if (changes.every(({ sign }) => sign === " ")) {
    return markup`<p class="quiet">changed nothing</p>${listing(after.lines)}`;
  }
  return markup`<div class="sides">
<div><pre class="code">${before.lines.map((line, i) => codeLine(line, changes.gone.has(i) ? "gone" : ""))}</pre></div>
<div><pre class="code">${after.lines.map((line, i) => codeLine(line, changes.fresh.has(i) ? "new" : ""))}</pre></div>
</div>`;
}

type LineChanges = readonly Change<string>[] & {
  readonly gone: ReadonlySet<number>;
  readonly fresh: ReadonlySet<number>;
};

/** A pass renames nearly every value; lines are the same where they are but for names. */
function changesOf(before: readonly string[], after: readonly string[]): LineChanges {
  const nameless = [...before.map(withoutNames(before)), ...after.map(withoutNames(after))];
  const changes = diffLines(
    before.map((_, i) => nameless[i] as string),
    after.map((_, i) => nameless[before.length + i] as string),
  );
  const gone = new Set<number>();
  const fresh = new Set<number>();
  let [i, j] = [0, 0];
  for (const { sign } of changes) {
    if (sign === "-") gone.add(i);
    if (sign === "+") fresh.add(j);
    if (sign !== "+") i += 1;
    if (sign !== "-") j += 1;
  }
  return Object.assign([...changes], { gone, fresh });
}

const declaration = /\b([A-Za-z_]\w*): (?:ref )?(?:bool|[iu](?:8|16|32|64)|f(?:16|32|64)|bf16)\b/g;
const word = /\b[A-Za-z_]\w*\b/g;

function withoutNames(lines: readonly string[]): (line: string) => string {
  const names = new Set(
    lines.flatMap((line) => [...line.matchAll(declaration)].map(([, name]) => name as string)),
  );
  return (line) => line.replaceAll(word, (text) => (names.has(text) ? "·" : text));
}

// ── Steps ───────────────────────────────────────────────────────────────────────────────────

function stepTable(plan: Plan): Markup {
  const { steps } = report(plan);
  const kernels = new Map(report(plan).kernels.map((kernel) => [kernel.name, kernel]));
  const rows = steps.map(({ kind, name, depth }) => {
    const kernel = kernels.get(name);
    const work =
      kernel === undefined
        ? ""
        : `over [${kernel.domain.join(", ")}], ${counted(kernel.scalarOps, "scalar op")}, ${counted(kernel.reductions, "reduction")}, ${kernel.inputs} in, ${kernel.outputs} out`;
    return markup`<tr><td>${"\u2003".repeat(depth)}${kind satisfies Step["kind"]} ${name}</td><td>${work}</td><td>${originsOf(plan, name)}</td></tr>`;
  });
  return markup`<table><tr><th>step</th><th>work</th><th>your lines</th></tr>${rows}</table>`;
}

const originsOf = (plan: Plan, step: string): readonly Markup[] =>
  (plan.debug?.origins[step] ?? []).map((origin) => {
    const line = sourceLine(origin);
    return markup`<div>${origin}${line === undefined ? undefined : markup` <code>${line}</code>`}</div>`;
  });

/** The text at "file:line", where the file is still there. */
function sourceLine(origin: string): string | undefined {
  const match = /^(.*):(\d+)$/.exec(origin);
  if (match === null) return undefined;
  try {
    return readFileSync(match[1] as string, "utf8")
      .split("\n")
      [Number(match[2]) - 1]?.trim();
  } catch {
    return undefined;
  }
}
