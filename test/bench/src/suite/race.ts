/**
 * One work of one size, by all subjects in turns: a machine drifts by tens of percent within minutes, so figures that are
 * compared come from the same minutes. Every subject gets the same data and shows its first result, which is compared.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { median, quantile } from "@gridfuse/docs/examples";
import { processOf, type SubjectProcess } from "./processes.ts";
import type { Contender, Job, SubjectName } from "./subject.ts";
import { makeInputs, type Result, shapeOfSize, trafficOf, type WorkName, works } from "./works.ts";

/** What the JSON file holds. */
export interface Row {
  readonly work: string;
  readonly size: string;
  readonly subject: SubjectName;
  readonly threads: number;
  readonly medianUs: number;
  /** Ninth decile over first decile of the rounds. */
  readonly spread: number;
  /** The first call, with whatever tracing and compiling it takes. */
  readonly firstUs?: number;
  /** Bytes that must be read and written at least, in 10⁹ a second; what a copy on one thread reached in the same turns. */
  readonly gigabytesPerSecond?: number;
  readonly copyGigabytesPerSecond?: number;
  /** Resident memory of a process that did only this, at its height: runtime, data and all. */
  readonly peakMiB?: number;
}

export interface Absence {
  readonly work: string;
  readonly size: string;
  readonly subject: SubjectName;
  readonly threads: number;
  readonly why: string;
}

export interface Race {
  readonly rows: readonly Row[];
  readonly absences: readonly Absence[];
}

export interface Entry {
  readonly subject: SubjectName;
  readonly threads: number;
}

export interface RaceOptions {
  readonly rounds: number;
  /** Turns in which others had the processors are done over; the least disturbed one counts. */
  readonly quiet: boolean;
  /** Every job gets a process of its own, whose memory is watched. */
  readonly memory: boolean;
}

/** What a subject measures in one turn; less where only undisturbed turns count, since short ones are more often that. */
const turnMs = 20;
const quietTurnMs = 6;
/** Between turns: thread pools of the one before have gone to sleep. */
const pauseMs = 30;
/** The share of a turn that a subject may wait for a processor, and how often a turn is done over for it. */
const mostWaiting = 0.02;
const mostTries = 12;

export class RaceTrack {
  readonly #folder: string;
  readonly #entries: readonly (Entry & { readonly process: SubjectProcess })[];
  readonly #copy: SubjectProcess;

  constructor(entries: readonly Entry[], folder: string) {
    this.#folder = folder;
    this.#entries = entries.map((entry) => ({
      ...entry,
      process: processOf(entry.subject, folder),
    }));
    this.#copy = processOf("copy", folder);
  }

  close(): void {
    for (const { process } of this.#entries) process.end();
    this.#copy.end();
  }

  async race(work: WorkName, size: string, { rounds, quiet, memory }: RaceOptions): Promise<Race> {
    const { shapeOf, resultShape, resultType } = works[work];
    const shape = shapeOfSize(size);
    const inputs = Object.entries(makeInputs(work, size)).map(([name, data], i) => {
      const file = join(this.#folder, `${work}-${size}-${name}.f32`);
      writeFileSync(file, data);
      return { name, shape: shapeOf(shape, i), file };
    });
    const traffic = trafficOf(work, size);
    const job = { work, shape, inputs, resultShape: resultShape(shape), resultType, traffic };
    const turnUs = (quiet ? quietTurnMs : turnMs) * 1000;
    const callsOf = (callUs: number): number =>
      Math.max(1, Math.round(turnUs / Math.max(callUs, 0.05)));

    const absences: Absence[] = [];
    const running: Running[] = [];
    let expected: Result | undefined;
    for (const [i, { subject, threads, process }] of this.#entries.entries()) {
      const resultFile = join(this.#folder, `result-${i}`);
      if (memory) process.end();
      const reply = await process.begin({ ...job, threads, resultFile } satisfies Job);
      const missing = (why: string): void => {
        absences.push({ work, size, subject, threads, why });
      };
      if (!("ready" in reply)) {
        missing("missing" in reply ? reply.missing : "it did not answer");
        continue;
      }
      const result = readResult(resultFile, resultType);
      expected ??= result;
      const difference = greatestDifference(result, expected);
      if (difference > works[work].tolerance) {
        missing(`another result: off by ${difference.toExponential(1)} of the greatest`);
        continue;
      }
      const calls = callsOf(reply.ready.callUs);
      const peakBytes = memory ? process.peakBytes() : undefined;
      running.push({ subject, threads, process, ...reply.ready, calls, peakBytes, times: [] });
    }
    const copy: Running | undefined = await this.#startCopy(job, callsOf);
    for (let round = 0; round < rounds; round++) {
      // Whoever begins has the coldest machine: it is somebody else every time.
      for (const each of rotated([...running, ...(copy === undefined ? [] : [copy])], round)) {
        const isSlow = each.callUs > 300_000;
        if (isSlow && each.times.length >= 3) continue;
        const us = await turn(each, quiet ? mostTries : 1);
        if (us !== undefined) each.times.push(us);
      }
    }
    const rate = (times: readonly number[]): number => round(traffic / median(times) / 1000);
    const rows = running.map(
      ({ subject, threads, firstUs, peakBytes, times }): Row => ({
        work,
        size,
        subject: subject as SubjectName,
        threads,
        medianUs: round(median(times)),
        spread: round(quantile(times, 0.9) / quantile(times, 0.1)),
        firstUs: round(firstUs),
        gigabytesPerSecond: rate(times),
        ...(copy !== undefined && { copyGigabytesPerSecond: rate(copy.times) }),
        ...(peakBytes !== undefined && { peakMiB: round(peakBytes / 2 ** 20) }),
      }),
    );
    return { rows, absences };
  }

  async #startCopy(
    job: Omit<Job, "threads" | "resultFile">,
    callsOf: (callUs: number) => number,
  ): Promise<Running | undefined> {
    const resultFile = join(this.#folder, "result-copy");
    const reply = await this.#copy.begin({ ...job, inputs: [], threads: 1, resultFile });
    if (!("ready" in reply)) return undefined;
    const calls = callsOf(reply.ready.callUs);
    const own = { process: this.#copy, ...reply.ready, calls, times: [] };
    return { subject: "copy", threads: 1, ...own, peakBytes: undefined };
  }
}

interface Running {
  readonly subject: Contender;
  readonly threads: number;
  readonly process: SubjectProcess;
  readonly firstUs: number;
  readonly peakBytes: number | undefined;
  readonly callUs: number;
  readonly calls: number;
  readonly times: number[];
}

/** Microseconds of a call, in the least disturbed of some tries. */
async function turn({ process, calls }: Running, tries: number): Promise<number | undefined> {
  let best: { readonly us: number; readonly share: number } | undefined;
  for (let n = 0; n < tries; n++) {
    await sleep(pauseMs);
    const before = process.waitedMs();
    const reply = await process.time(calls);
    if (!("us" in reply)) return best?.us;
    const share = ((process.waitedMs() - before) * 1000) / (reply.us * calls);
    if (best === undefined || share < best.share) best = { us: reply.us, share };
    if (share <= mostWaiting) break;
  }
  return best?.us;
}

const rotated = <T>(list: readonly T[], by: number): readonly T[] =>
  list.map((_, i) => list[(i + by) % list.length]);
const round = (x: number): number => Number(x.toPrecision(4));

function readResult(file: string, type: "float32" | "int32"): Result {
  const { buffer } = new Uint8Array(readFileSync(file));
  return type === "int32" ? new Int32Array(buffer) : new Float32Array(buffer);
}

/** The greatest difference, relative to the greatest value. */
function greatestDifference(result: Result, expected: Result): number {
  if (result.length !== expected.length) return Number.POSITIVE_INFINITY;
  let [most, greatest] = [0, 0];
  for (let i = 0; i < result.length; i++) {
    most = Math.max(most, Math.abs(result[i] - expected[i]));
    greatest = Math.max(greatest, Math.abs(expected[i]));
  }
  return most === 0 ? 0 : most / greatest;
}
