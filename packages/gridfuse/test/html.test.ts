/** The page of `gridfuse compile --html`: what it shows, what it refuses to run, and hostile names. */
import { createHash } from "node:crypto";
import {
  f32,
  type Graph,
  graph,
  kernel,
  report,
  scan,
  type Tensor,
  tensor,
  vmem,
  when,
} from "gridfuse";
import { describe, expect, it } from "vitest";
import { diffLines } from "../src/html/line-diff.ts";
import { escapeText, markup } from "../src/html/markup.ts";
import { lifetimesOf } from "../src/html/memory-svg.ts";
import { explainPage } from "../src/html/page.ts";
import { traceCompile } from "../src/html/trace.ts";

/** Row sums by a kernel that keeps its accumulator in scratch. */
function rowSums(name = "row sums"): Graph {
  const sums = kernel(
    name,
    {
      grid: { i: 2, k: 4 },
      inputs: { x: tensor(f32, [8, 64]).blocks([4, 16], ({ i, k }) => [i, k]) },
      outputs: { y: tensor(f32, [8]).blocks([4], ({ i }) => [i]) },
      scratch: { acc: vmem(f32, [4]) },
    },
    ({ x, y, acc }, { k }) => {
      when(k.isFirst, () => acc.set(0));
      acc.add(x.get().sum({ axis: 1 }));
      when(k.isLast, () => y.set(acc.get()));
    },
  );
  return graph(sums.inputs, sums, { name });
}

/** A graph whose intermediates are stored: sorted rows, then a running sum. */
const stored = (): Graph =>
  graph({ x: tensor(f32, [6, 5]) }, ({ x }) => {
    const sorted = x.sort() as Tensor;
    const [, sums] = scan(
      (carry: Tensor, row: Tensor) => [carry.add(row) as Tensor, carry] as const,
      sorted.index(0) as Tensor,
      sorted,
    );
    return (sums as unknown as Tensor).sort().mul(2) as Tensor;
  });

const pageOf = (given: Graph): string => explainPage(traceCompile(given));

/** Tags that are opened and closed in order: as much as a page needs to be read by any parser. */
function unbalanced(html: string): readonly string[] {
  const open: string[] = [];
  const faults: string[] = [];
  const voids = ["meta", "input", "path", "rect", "br"];
  const bare = html.replaceAll(/<(script|style)>[\s\S]*?<\/\1>/g, "");
  for (const [, closing, name, attributes] of bare.matchAll(
    /<(\/?)([a-z][a-z0-9]*)((?:\s+[\w:-]+(?:="[^"]*")?)*)\s*\/?>/gi,
  )) {
    if (attributes?.includes("<")) faults.push(`attributes of ${name}`);
    if (voids.includes(name as string)) continue;
    if (closing === "") open.push(name as string);
    else if (open.pop() !== name) faults.push(`</${name}>`);
  }
  return [...faults, ...open];
}

describe("the page", () => {
  it("is well-formed", () => {
    for (const given of [rowSums(), stored()]) expect(unbalanced(pageOf(given))).toEqual([]);
  });

  it("shows every pass, with its time and what it was given and left", () => {
    const { plan, snapshots } = traceCompile(rowSums());
    const page = explainPage({ plan, snapshots });
    const names = report(plan).passes.map(({ name }) => name);
    expect(snapshots.map(({ name }) => name)).toEqual(["traced", ...names]);
    for (const name of names) expect(page).toContain(`data-name="${name}"`);
    expect(snapshots.every(({ ms, nodes }) => ms >= 0 && nodes > 0)).toBe(true);
  });

  it("marks the lines that a pass changed, and no others", () => {
    const page = pageOf(rowSums());
    const section = page
      .split("<section")
      .find((part) => part.includes('data-name="vectorise-grid"'))!;
    const marked = (kind: string): readonly string[] =>
      [...section.matchAll(new RegExp(`<span class="${kind}">([^<]*)</span>`, "g"))].map(
        ([, line]) => line!,
      );
    expect(marked("gone").some((line) => line.includes("grid row sums"))).toBe(true);
    expect(marked("new").some((line) => line.includes("reduce_sum"))).toBe(true);
    expect(marked("new").some((line) => line.includes("graph row sums"))).toBe(false);
  });

  it("says the verdict of every axis, the kernels and the lines they come from", () => {
    const page = pageOf(rowSums());
    expect(page).toContain("<td>row sums.k</td>");
    expect(page).toMatch(/<td>reduction<\/td>/);
    expect(page).toMatch(/html\.test\.ts:\d+/);
    expect(page).toContain("acc.add(x.get()");
  });

  it("draws small graphs, and none of steps", () => {
    const { snapshots } = traceCompile(rowSums());
    const drawn = snapshots.filter(({ graph: nodes }) => nodes !== undefined);
    expect(drawn.map(({ unit }) => unit)).not.toContain("steps");
    expect(drawn.length).toBeGreaterThan(3);
    expect(pageOf(rowSums())).toContain('<svg class="graph"');
  });

  it("draws every intermediate inside the arena, and none over another that lives at the time", () => {
    const { plan } = traceCompile(stored());
    const lives = lifetimesOf(plan);
    expect(lives.length).toBeGreaterThan(0);
    for (const [i, a] of lives.entries()) {
      expect(a.offset + a.bytes).toBeLessThanOrEqual(plan.arenaBytes);
      for (const b of lives.slice(i + 1)) {
        const together = a.first < b.last && b.first < a.last;
        const over = a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
        expect(together && over).toBe(false);
      }
    }
    expect(pageOf(stored())).toContain('<svg class="memory"');
  });

  it("runs its own script and style only, and asks nobody for anything", () => {
    const page = pageOf(rowSums());
    const policy = /Content-Security-Policy" content="([^"]*)"/.exec(page)?.[1];
    const hash = (tag: string): string => {
      const text = new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`).exec(page)?.[1] ?? "";
      return `'sha256-${createHash("sha256").update(text).digest("base64")}'`;
    };
    expect(policy).toBe(
      `default-src 'none'; style-src ${hash("style")}; script-src ${hash("script")}`,
    );
    expect(page).not.toMatch(/ style="| on\w+="|https?:|src=|@import|url\(/);
  });

  it("is the same every time but for times", () => {
    const timeless = (page: string): string => page.replaceAll(/\d+\.\d+ ms/g, "");
    expect(timeless(pageOf(rowSums()))).toBe(timeless(pageOf(rowSums())));
  });
});

describe("hostile names", () => {
  const hostile = `</title><script>alert("1")</script><b a='&`;

  it("stand on the page as they are written", () => {
    const page = pageOf(rowSums(hostile));
    expect(page).not.toContain("<script>alert");
    expect(page).toContain(escapeText(hostile));
    expect(unbalanced(page)).toEqual([]);
  });

  it("are escaped in every hole of a template, markup is not", () => {
    const inner = markup`<i>${hostile}</i>`;
    expect(markup`<b title="${hostile}">${[inner, inner]}</b>`.text).toBe(
      `<b title="${escapeText(hostile)}"><i>${escapeText(hostile)}</i><i>${escapeText(hostile)}</i></b>`,
    );
    expect(escapeText("a\u0000b")).toBe("a\ufffdb");
  });
});

describe("a diff of lines", () => {
  it("keeps what both have in order", () => {
    const changes = diffLines([..."abcde"], [..."xbcye"]);
    expect(changes.map(({ sign, line }) => sign + line).join(" ")).toBe("-a +x  b  c -d +y  e");
  });

  it("compares by a key and shows the later line", () => {
    const changes = diffLines(["A", "b"], ["a", "c"], (line) => line.toLowerCase());
    expect(changes.map(({ sign, line }) => sign + line)).toEqual([" a", "-b", "+c"]);
  });
});
