/** Programs as Mermaid flow charts, for READMEs and issues. */
import type { Node, Program, Region, Table, ValueId } from "../ir/table.ts";
import type { ValueType } from "../ir/types.ts";
import { printType } from "../print-parts.ts";
import { paramNames, regionTitles } from "./titles.ts";

/** Mermaid reads HTML entities in quoted labels. */
const quote = (text: string): string =>
  `"${text.replace(/&/g, "&amp;").replace(/"/g, "&quot;").replace(/</g, "&lt;").replace(/>/g, "&gt;")}"`;

/** The program as a Mermaid flow chart. */
export function toMermaid(program: Program): string {
  const { table } = program;
  const lines = ["flowchart TD"];
  writeRegion(lines, table, program.main, program.inputs, "  ");
  for (const [i, value] of program.main.results.entries()) {
    lines.push(`  out${i}([${quote(program.outputs[i] ?? "out")}])`);
    lines.push(`  ${makerOf(table, value)} -->|${quote(typeOf(table, value))}| out${i}`);
  }
  return lines.join("\n");
}

const typeOf = (table: Table, value: ValueId): string => printType(table.types[value] as ValueType);
const makerOf = (table: Table, value: ValueId): string => {
  const maker = table.producer(value);
  return maker === undefined ? `p${value}` : `n${maker.id}`;
};

function writeRegion(
  lines: string[],
  table: Table,
  region: Region,
  names: readonly string[],
  indent: string,
): void {
  for (const [i, param] of region.params.entries()) {
    const name = names[i] ?? `captured ${i}`;
    lines.push(`${indent}p${param}([${quote(`${name}: ${typeOf(table, param)}`)}])`);
  }
  for (const id of region.nodes) writeNode(lines, table, table.nodes[id] as Node, indent);
}

function writeNode(lines: string[], table: Table, node: Node, indent: string): void {
  lines.push(`${indent}n${node.id}[${quote(node.op)}]`);
  for (const value of node.inputs) {
    lines.push(`${indent}${makerOf(table, value)} -->|${quote(typeOf(table, value))}| n${node.id}`);
  }
  const titles = regionTitles(node);
  for (const [i, region] of node.regions.entries()) {
    if (region.nodes.length === 0) continue;
    lines.push(`${indent}subgraph s${node.id}_${i} [${quote(titles[i] as string)}]`);
    writeRegion(lines, table, region, paramNames(node, i), `${indent}  `);
    lines.push(`${indent}end`);
  }
}
