/** What was measured, as Markdown: medians, how many times as fast as each peer, the figures to reach, means over the suite. */
import type { Absence, Row } from "./race.ts";
import { type SubjectName, subjectNames } from "./subject.ts";
import { targets } from "./targets.ts";

type Lines = readonly (readonly string[])[];

export function markdownTable(header: readonly string[], lines: Lines): string {
  const rows = [header, header.map((_, i) => (i === 0 ? "---" : "---:")), ...lines];
  return `${rows.map((cells) => `| ${cells.join(" | ")} |`).join("\n")}\n`;
}

const us = (value: number): string =>
  value < 10 ? value.toFixed(2) : value < 100 ? value.toFixed(1) : value.toFixed(0);
const times = (value: number): string => `${value.toPrecision(value < 100 ? 2 : 3)}×`;
const worksOf = (rows: readonly Row[]): string[] => [
  ...new Set(rows.map(({ work, size }) => `${work} ${size}`)),
];
const label = ({ subject, threads }: Pick<Row, "subject" | "threads">): string =>
  subject === "gridfuse" ? `gridfuse, ${threads}T` : subject;

/** The fastest that gridfuse (as it is installed, with any number of threads) is at each work. */
function bestOf(rows: readonly Row[], name: string): Row | undefined {
  return rows
    .filter((row) => row.subject === "gridfuse" && `${row.work} ${row.size}` === name)
    .toSorted((a, b) => a.medianUs - b.medianUs)[0];
}
const findRow = (rows: readonly Row[], name: string, subject: SubjectName): Row | undefined =>
  rows.find((row) => row.subject === subject && `${row.work} ${row.size}` === name);

/** A line for each work, a column for each subject that `rows` know. */
function tableBySubject(title: string, rows: readonly Row[], cell: (row: Row) => string): string {
  const columns = [...new Set(rows.map(label))];
  return markdownTable(
    [title, ...columns],
    worksOf(rows).map((name) => [
      name,
      ...columns.map((column) => {
        const row = rows.find(
          (each) => `${each.work} ${each.size}` === name && label(each) === column,
        );
        return row === undefined ? "" : cell(row);
      }),
    ]),
  );
}

export const mediansTable = (rows: readonly Row[]): string =>
  tableBySubject(
    "median µs (spread)",
    rows,
    ({ medianUs, spread }) => `${us(medianUs)} (${spread.toFixed(1)})`,
  );

const peersIn = (rows: readonly Row[]): SubjectName[] =>
  subjectNames.filter(
    (name) => !name.startsWith("gridfuse") && rows.some(({ subject }) => subject === name),
  );
const geometricMean = (values: readonly number[]): number =>
  Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);

export function ratiosTable(rows: readonly Row[]): string {
  const peers = peersIn(rows);
  const names = worksOf(rows);
  const ratio = (name: string, peer: SubjectName): number | undefined => {
    const [own, other] = [bestOf(rows, name), findRow(rows, name, peer)];
    return own === undefined || other === undefined ? undefined : other.medianUs / own.medianUs;
  };
  const all = peers.map((peer) => names.flatMap((name) => ratio(name, peer) ?? []));
  return markdownTable(
    ["gridfuse is as fast as … times", ...peers],
    [
      ...names.map((name) => [
        name,
        ...peers.map((peer) => {
          const value = ratio(name, peer);
          return value === undefined ? "" : times(value);
        }),
      ]),
      [
        "geometric mean",
        ...all.map((values) => (values.length > 0 ? times(geometricMean(values)) : "")),
      ],
      ["slowest", ...all.map((values) => (values.length > 0 ? times(Math.min(...values)) : ""))],
    ],
  );
}

export function targetsTable(rows: readonly Row[]): string {
  const lines = targets.flatMap(({ work, size, against, least, aim }) => {
    const name = `${work} ${size}`;
    const [own, other] = [bestOf(rows, name), findRow(rows, name, against)];
    if (own === undefined || other === undefined) return [];
    const reached = other.medianUs / own.medianUs;
    const verdict = reached >= aim ? "aim" : reached >= least ? "yes" : "no";
    return [[name, against, `${own.threads}`, times(reached), times(least), times(aim), verdict]];
  });
  return lines.length === 0
    ? ""
    : markdownTable(["figure", "against", "threads", "reached", "at least", "aim", "there"], lines);
}

/** Bytes that must be moved over the time taken, and how much of what a copy moves that is. */
export function rooflineTable(rows: readonly Row[]): string {
  const own = rows.filter(
    ({ subject, gigabytesPerSecond }) => subject === "gridfuse" && gigabytesPerSecond !== undefined,
  );
  const threads = [...new Set(own.map((row) => row.threads))];
  const rate = (value: number): string => value.toFixed(value < 1 ? 2 : 1);
  const lines = worksOf(own).map((name) => {
    const group = own.filter(({ work, size }) => `${work} ${size}` === name);
    const copy = group[0]?.copyGigabytesPerSecond;
    const cells = threads.map((count) => {
      const reached = group.find((row) => row.threads === count)?.gigabytesPerSecond;
      if (reached === undefined) return "";
      return copy === undefined
        ? rate(reached)
        : `${rate(reached)} (${((reached / copy) * 100).toFixed(0)} %)`;
    });
    return [name, copy === undefined ? "" : rate(copy), ...cells];
  });
  const header = threads.map((count) => `gridfuse, ${count}T`);
  return lines.length === 0
    ? ""
    : markdownTable(["GB/s (share of a copy's)", "a copy, 1T", ...header], lines);
}

/** How many times as fast as one thread several are. */
export function scalingTable(rows: readonly Row[]): string {
  const own = rows.filter(({ subject, work }) => subject === "gridfuse" && work !== "cold");
  const threads = [...new Set(own.map((row) => row.threads))].filter((count) => count > 1);
  const lines = worksOf(own).flatMap((name) => {
    const of = (count: number): Row | undefined =>
      own.find(({ work, size, threads }) => `${work} ${size}` === name && threads === count);
    const one = of(1);
    if (one === undefined) return [];
    return [
      [
        name,
        ...threads.map((count) => {
          const row = of(count);
          return row === undefined ? "" : times(one.medianUs / row.medianUs);
        }),
      ],
    ];
  });
  return threads.length === 0 || lines.length === 0
    ? ""
    : markdownTable(["as fast as one thread … times", ...threads.map((n) => `${n}T`)], lines);
}

/** Memory of processes that did one work each. */
export function memoryTable(rows: readonly Row[]): string {
  const watched = rows.filter(({ peakMiB }) => peakMiB !== undefined);
  const title = "peak memory of a process, MiB";
  return watched.length === 0
    ? ""
    : tableBySubject(title, watched, ({ peakMiB = 0 }) => peakMiB.toFixed(0));
}

/** What a first call costs beyond a steady one, in process: tracing, compiling, the baseline's code. */
export function firstCallsTable(rows: readonly Row[]): string {
  const lines = worksOf(rows).flatMap((name) => {
    const own = rows.find(
      (row) => row.subject === "gridfuse" && `${row.work} ${row.size}` === name,
    );
    const xla = findRow(rows, name, "xla");
    if (own?.firstUs === undefined || xla?.firstUs === undefined) return [];
    const [mine, theirs] = [own.firstUs - own.medianUs, xla.firstUs - xla.medianUs];
    const ms = (value: number): string => (value / 1000).toFixed(1);
    return [[name, ms(mine), ms(theirs), times(theirs / mine)]];
  });
  return lines.length === 0
    ? ""
    : markdownTable(["first call − steady run, ms", "gridfuse", "xla", "ratio"], lines);
}

/** Why some are not in the tables, once for each reason. */
export function absencesText(absences: readonly Absence[]): string {
  const reasons = new Map<string, string[]>();
  for (const { work, size, why, ...who } of absences) {
    const key = `${label(who)}: ${why}`;
    reasons.set(key, [...(reasons.get(key) ?? []), `${work} ${size}`]);
  }
  const lines = [...reasons].map(([reason, names]) => {
    const shown = names.length > 4 ? `${names.length} works` : names.join(", ");
    return `- ${reason} (${shown})`;
  });
  return lines.length === 0 ? "" : `Not measured:\n\n${lines.join("\n")}\n`;
}
