/** The suite: every work in every size, by everybody who is there. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Cold, measureCold } from "./cold.ts";
import { type Absence, type Entry, RaceTrack, type Row } from "./race.ts";
import { type SubjectName, subjectNames } from "./subject.ts";
import { type WorkName, works } from "./works.ts";

export interface SuiteOptions {
  readonly works: readonly WorkName[];
  readonly withCold: boolean;
  readonly subjects: readonly SubjectName[];
  /** Only these sizes, where there are any. */
  readonly sizes: readonly string[];
  readonly rounds: number;
  readonly quiet: boolean;
  readonly memory: boolean;
  /** Numbers of threads that gridfuse runs with. */
  readonly threads: readonly number[];
  readonly onProgress: (text: string) => void;
}

export interface SuiteResult {
  readonly rows: readonly Row[];
  readonly absences: readonly Absence[];
  readonly cold: Cold | undefined;
}

/** gridfuse runs with every number of threads; peers as they come, with two where that is theirs to choose. */
const entriesOf = ({ subjects, threads }: SuiteOptions): readonly Entry[] =>
  subjects.flatMap((subject): Entry[] => {
    if (subject === "gridfuse") return threads.map((count) => ({ subject, threads: count }));
    const single = ["jax-js", "tfjs-wasm", "js", "c"].includes(subject);
    return [{ subject, threads: single ? 1 : 2 }];
  });

export async function runSuite(options: SuiteOptions): Promise<SuiteResult> {
  const folder = mkdtempSync(join(tmpdir(), "gridfuse-bench-"));
  const track = new RaceTrack(entriesOf(options), folder);
  const rows: Row[] = [];
  const absences: Absence[] = [];
  let cold: Cold | undefined;
  try {
    for (const work of options.works) {
      for (const size of works[work].sizes) {
        if (options.sizes.length > 0 && !options.sizes.includes(size)) continue;
        options.onProgress(`${work} ${size}`);
        const race = await track.race(work, size, options);
        rows.push(...race.rows);
        absences.push(...race.absences);
      }
    }
  } finally {
    track.close();
    rmSync(folder, { recursive: true });
  }
  if (options.withCold) {
    options.onProgress("cold");
    cold = await measureCold(Math.max(options.rounds, 40));
    rows.push(...cold.rows);
  }
  return { rows, absences, cold };
}

export const allSubjects: readonly SubjectName[] = subjectNames;
