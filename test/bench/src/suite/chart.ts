/** Bars of how many times as fast as each peer gridfuse is, on a logarithmic scale, as SVG. */
import type { Row } from "./race.ts";
import { type SubjectName, subjectNames } from "./subject.ts";

const colours: Readonly<Partial<Record<SubjectName, string>>> = {
  numpy: "#4c78a8",
  xla: "#e45756",
  "ort-node": "#54a24b",
  "ort-web": "#88d27a",
  "jax-js": "#f58518",
  "tfjs-wasm": "#eeca3b",
  js: "#b279a2",
  c: "#9d755d",
};

const bar = 9;
const gap = 12;
const left = 190;
const width = 620;
const top = 56;

export function chartOf(rows: readonly Row[]): string {
  const names = [...new Set(rows.map(({ work, size }) => `${work} ${size}`))];
  const groups = names.flatMap((name) => {
    const own = rows.filter((row) => `${row.work} ${row.size}` === name);
    const best = Math.min(
      ...own.filter(({ subject }) => subject === "gridfuse").map(({ medianUs }) => medianUs),
    );
    const bars = subjectNames.flatMap((subject) => {
      const row = own.find((each) => each.subject === subject);
      return subject.startsWith("gridfuse") || row === undefined
        ? []
        : [{ subject, ratio: row.medianUs / best }];
    });
    return Number.isFinite(best) && bars.length > 0 ? [{ name, bars }] : [];
  });
  const ratios = groups.flatMap(({ bars }) => bars.map(({ ratio }) => ratio));
  const low = Math.floor(Math.log10(Math.min(0.9, ...ratios)) * 2) / 2;
  const high = Math.ceil(Math.log10(Math.max(10, ...ratios)) * 2) / 2;
  const place = (ratio: number): number =>
    left + ((Math.log10(ratio) - low) / (high - low)) * width;
  const parts: string[] = [];
  let y = top;
  for (const { name, bars } of groups) {
    const middle = y + (bars.length * bar) / 2 + 4;
    parts.push(`<text x="${left - 8}" y="${middle}" text-anchor="end">${name}</text>`);
    for (const { subject, ratio } of bars) {
      const [from, to] = [place(1), place(ratio)].toSorted((a, b) => a - b);
      const title = `<title>${name}: ${ratio.toPrecision(3)} times as fast as ${subject}</title>`;
      parts.push(
        `<rect x="${from.toFixed(1)}" y="${y}" width="${(to - from).toFixed(1)}" height="${bar - 1}" fill="${colours[subject] ?? "#888"}">${title}</rect>`,
      );
      y += bar;
    }
    y += gap;
  }
  const grid: string[] = [];
  for (let power = Math.ceil(low); power <= high; power++) {
    const x = place(10 ** power).toFixed(1);
    grid.push(`<line x1="${x}" x2="${x}" y1="${top - 6}" y2="${y}" stroke="#ccc"/>`);
    grid.push(`<text x="${x}" y="${top - 10}" text-anchor="middle">${10 ** power}×</text>`);
  }
  const shown = subjectNames.filter((name) =>
    groups.some(({ bars }) => bars.some(({ subject }) => subject === name)),
  );
  const legend = shown.map((name, i) => {
    const x = left + i * 82;
    return `<rect x="${x}" y="12" width="9" height="9" fill="${colours[name] ?? "#888"}"/><text x="${x + 13}" y="20">${name}</text>`;
  });
  const one = place(1).toFixed(1);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${left + width + 24} ${y + 8}" font-family="sans-serif" font-size="11">`,
    '<rect width="100%" height="100%" fill="#fff"/>',
    ...legend,
    ...grid,
    ...parts,
    `<line x1="${one}" x2="${one}" y1="${top - 6}" y2="${y}" stroke="#000"/>`,
    "</svg>\n",
  ].join("\n");
}
