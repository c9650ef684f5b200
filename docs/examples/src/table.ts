/** The demo's table, aligned for a terminal. */
import type { Measured } from "./measure.ts";

interface Column {
  readonly title: string;
  readonly cell: (measured: Measured) => string;
  /** Text columns are aligned left. */
  readonly text?: true;
}

const ms = (value: number): string => value.toFixed(value < 10 ? 2 : 1);

function bytes(value: number): string {
  if (value < 1024) return `${value} B`;
  if (value < 1024 ** 2) return `${(value / 1024).toFixed(1)} KiB`;
  return `${(value / 1024 ** 2).toFixed(1)} MiB`;
}

const columns: readonly Column[] = [
  { title: "kernel", cell: ({ row }) => row.name, text: true },
  { title: "grid points", cell: ({ row }) => `${row.gridPoints}` },
  { title: "nodes", cell: ({ row }) => `${row.nodesBefore} → ${row.nodesAfter}` },
  { title: "kernels", cell: ({ row }) => `${row.planKernels}` },
  { title: "grid loops", cell: ({ row }) => `${row.gridLoops}` },
  { title: "compile ms", cell: ({ row }) => ms(row.compileMs) },
  { title: "first run ms", cell: ({ row }) => ms(row.firstRunMs) },
  { title: "run ms", cell: ({ row }) => ms(row.runMs) },
  { title: "peak", cell: ({ peakBytes }) => bytes(peakBytes) },
  { title: "plan", cell: ({ row }) => bytes(row.planBytes) },
  {
    title: "check",
    cell: ({ row, detail }) => `${row.ok ? "ok" : "FAILED"}: ${detail}`,
    text: true,
  },
];

export function printTable(results: readonly Measured[]): void {
  const lines = [
    columns.map(({ title }) => title),
    ...results.map((result) => columns.map(({ cell }) => cell(result))),
  ];
  const widths = columns.map((_, i) => Math.max(...lines.map((line) => line[i].length)));
  for (const [number, line] of lines.entries()) {
    const cells = line.map((cell, i) =>
      columns[i].text ? cell.padEnd(widths[i]) : cell.padStart(widths[i]),
    );
    console.log(cells.join("  ").trimEnd());
    if (number === 0) console.log(widths.map((width) => "─".repeat(width)).join("  "));
  }
}
