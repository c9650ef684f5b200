/** One job of the mathematics suite: what a worker is asked, and the answer. */

import { larger } from "./error.ts";
import { sweepFloat64 } from "./float64.ts";
import { type MathFunction, mathFunctions } from "./functions.ts";
import { sweepPairs } from "./pairs.ts";
import { columnLength, columnsOf, type Sweep, Sweeper, sweepHalf } from "./sweep.ts";

export type FloatDType = "float16" | "bfloat16" | "float32" | "float64";

export interface Job {
  readonly name: string;
  readonly dtype: FloatDType;
  /** Of float32 functions of one operand: every how-many-eth pattern, and which columns of them. */
  readonly step: number;
  readonly from: number;
  readonly to: number;
  /** Of the others: how many points, from which seed. */
  readonly count: number;
  readonly seed: number;
}

const functionOf = (name: string): MathFunction => mathFunctions[name] as MathFunction;

let last: { readonly name: string; readonly sweeper: Sweeper } | undefined;

function sweeperOf(name: string): Sweeper {
  if (last?.name !== name) last = { name, sweeper: new Sweeper(functionOf(name)) };
  return last.sweeper;
}

export function measure({ name, dtype, step, from, to, count, seed }: Job): Sweep {
  const of = functionOf(name);
  if (dtype === "float64") return sweepFloat64(name, of, count, seed);
  if (dtype !== "float32") return sweepHalf(of, dtype);
  if (of.arity === 2) return sweepPairs(of, count, seed);
  const columns = sweeperOf(name);
  const parts = Array.from({ length: to - from }, (_, i) =>
    columns.column((from + i) * columnLength * step, step),
  );
  return parts.reduce(joined);
}

/** What two sweeps found together. */
export function joined(a: Sweep, b: Sweep): Sweep {
  const worst = larger(a.worst, b.worst);
  return { inputs: a.inputs + b.inputs, ...(worst && { worst }) };
}

export interface Extent {
  /** Every how-many-eth float32 of a function of one operand; the others take fewer points by as much. */
  readonly step: number;
  readonly seed: number;
}

/** Columns in one job: some four million arguments. */
const columnsInJob = 64;
const float64Points = 4_000;
const pairs = 2 ** 26;

/** The jobs that measure one function in one dtype. */
export function jobsFor(name: string, dtype: FloatDType, { step, seed }: Extent): Job[] {
  const of = functionOf(name);
  const job = { name, dtype, step, from: 0, to: 0, count: 0, seed };
  if (dtype === "float64") {
    const count = 4 * Math.max(10, Math.round(float64Points / 4 / Math.sqrt(step)));
    return Array.from({ length: 4 }, (_, i) => ({ ...job, count: count / 4, seed: seed + i }));
  }
  if (dtype !== "float32") return [job];
  if (of.arity === 2) {
    const count = Math.max(columnLength, pairs / step);
    return Array.from({ length: 4 }, (_, i) => ({ ...job, count: count / 4, seed: seed + i }));
  }
  const columns = columnsOf(of, step);
  return Array.from({ length: Math.ceil(columns / columnsInJob) }, (_, i) => ({
    ...job,
    from: i * columnsInJob,
    to: Math.min((i + 1) * columnsInJob, columns),
  }));
}
