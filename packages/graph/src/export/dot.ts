/** Programs in Graphviz's language: regions are clusters inside which their nodes stand. */
import type { Node, Program, Region, Table, ValueId } from "../ir/table.ts";
import type { ValueType } from "../ir/types.ts";
import { printType } from "../print-parts.ts";
import { paramNames, regionTitles } from "./titles.ts";

const quote = (text: string): string => `"${text.replace(/(["\\])/g, "\\$1")}"`;

/** The program for `dot`. */
export function toDot(program: Program): string {
  const { table } = program;
  const lines = [
    `digraph ${quote(program.name)} {`,
    '  node [shape=box, fontname="monospace", fontsize=10];',
    '  edge [fontname="monospace", fontsize=9];',
  ];
  writeRegion(lines, table, program.main, program.inputs, "  ");
  for (const [i, value] of program.main.results.entries()) {
    lines.push(`  out${i} [label=${quote(program.outputs[i] ?? "out")}, shape=oval];`);
    lines.push(`  ${makerOf(table, value)} -> out${i} [label=${quote(typeOf(table, value))}];`);
  }
  return [...lines, "}"].join("\n");
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
    lines.push(
      `${indent}p${param} [label=${quote(`${name}: ${typeOf(table, param)}`)}, shape=oval];`,
    );
  }
  for (const id of region.nodes) writeNode(lines, table, table.nodes[id] as Node, indent);
}

function writeNode(lines: string[], table: Table, node: Node, indent: string): void {
  lines.push(`${indent}n${node.id} [label=${quote(node.op)}];`);
  for (const [port, value] of node.inputs.entries()) {
    const label =
      node.inputs.length > 1 ? `${port}: ${typeOf(table, value)}` : typeOf(table, value);
    lines.push(`${indent}${makerOf(table, value)} -> n${node.id} [label=${quote(label)}];`);
  }
  const titles = regionTitles(node);
  for (const [i, region] of node.regions.entries()) {
    lines.push(`${indent}subgraph cluster_${node.id}_${i} {`);
    lines.push(`${indent}  label=${quote(titles[i] as string)};`);
    writeRegion(lines, table, region, paramNames(node, i), `${indent}  `);
    lines.push(`${indent}}`);
  }
}
