/** Where the snapshot lies: one text a plan, and a table of figures that a review sees change. */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Figures, Recorded, Snapshot } from "./snapshot.ts";

const tableOf = (root: string): string => join(root, "figures.json");
const plansOf = (root: string): string => join(root, "plans");
const fileOf = (root: string, name: string): string =>
  join(plansOf(root), `${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-")}.txt`);

export function readFigures(root: string): { readonly [example: string]: Figures } {
  return existsSync(tableOf(root)) ? JSON.parse(readFileSync(tableOf(root), "utf8")) : {};
}

export function readSnapshot(root: string): Snapshot {
  return Object.fromEntries(
    Object.entries(readFigures(root)).map(([name, figures]): [string, Recorded] => {
      const file = fileOf(root, name);
      const text = existsSync(file) ? readFileSync(file, "utf8").trimEnd() : "";
      return [name, { figures, text }];
    }),
  );
}

const onOneLine = (figures: Figures): string =>
  `{ ${Object.entries(figures)
    .map(([key, value]) => `"${key}": ${value}`)
    .join(", ")} }`;

export function writeSnapshot(root: string, snapshot: Snapshot): void {
  mkdirSync(plansOf(root), { recursive: true });
  for (const file of readdirSync(plansOf(root))) rmSync(join(plansOf(root), file));
  for (const [name, { text }] of Object.entries(snapshot)) {
    writeFileSync(fileOf(root, name), `${text}\n`);
  }
  const rows = Object.entries(snapshot)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, { figures }]) => `  ${JSON.stringify(name)}: ${onOneLine(figures)}`);
  writeFileSync(tableOf(root), `{\n${rows.join(",\n")}\n}\n`);
}
