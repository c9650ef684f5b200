/** Tables aligned for a terminal, and the units in them. */
export interface Column<Row> {
  readonly title: string;
  readonly cell: (row: Row) => string;
  /** Text columns are aligned left. */
  readonly text?: true;
}

export const milliseconds = (value: number): string => value.toFixed(value < 10 ? 2 : 1);

export function bytes(value: number): string {
  if (value < 1024) return `${value} B`;
  if (value < 1024 ** 2) return `${(value / 1024).toFixed(1)} KiB`;
  return `${(value / 1024 ** 2).toFixed(1)} MiB`;
}

export function printTable<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): void {
  const lines = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map(({ cell }) => cell(row))),
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
