/**
 * Interleaved measurement: a machine drifts by tens of percent within minutes, so every contestant runs
 * in every round, and figures that are compared come from the same minutes.
 */
import { median, quantile } from "@gridfuse/docs/examples";

export interface Contestant {
  readonly name: string;
  /** One call; what is timed. */
  readonly run: () => void;
  /** Name of the contestant that it is compared with. */
  readonly baseline?: string;
}

export interface Timing {
  readonly name: string;
  readonly medianMs: number;
  readonly fastestMs: number;
  /** Ninth decile over first decile of the rounds. */
  readonly spread: number;
  readonly rounds: number;
  /** Median over the rounds of own time over the baseline's. */
  readonly ratio?: number;
  readonly baseline?: string;
}

/** Calls are timed in batches of about this length. */
const batchMs = 20;
const warmUpMs = 150;

export function measureInRounds(
  contestants: readonly Contestant[],
  rounds: number,
): readonly Timing[] {
  const batches = contestants.map(({ run }) => batchSize(run));
  const times = contestants.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, { run }] of contestants.entries()) {
      const start = performance.now();
      for (let call = 0; call < batches[i]; call++) run();
      times[i].push((performance.now() - start) / batches[i]);
    }
  }
  return contestants.map(({ name, baseline }, i) => {
    const timing = {
      name,
      medianMs: median(times[i]),
      fastestMs: quantile(times[i], 0),
      spread: quantile(times[i], 0.9) / quantile(times[i], 0.1),
      rounds,
    };
    const other = contestants.findIndex((contestant) => contestant.name === baseline);
    if (baseline === undefined || other < 0) return timing;
    return {
      ...timing,
      baseline,
      ratio: median(times[i].map((ms, round) => ms / times[other][round])),
    };
  });
}

/** Runs until V8 has settled on its best code; gives how many calls fill a batch. */
function batchSize(run: () => void): number {
  let calls = 0;
  const start = performance.now();
  do {
    run();
    calls += 1;
  } while (performance.now() - start < warmUpMs || calls < 8);
  const perCall = (performance.now() - start) / calls;
  return Math.max(1, Math.round(batchMs / perCall));
}
