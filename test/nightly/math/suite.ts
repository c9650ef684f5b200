/**
 * `npm run nightly -- math`: every function of one float32 at all 2^32 arguments, every 16-bit one at all of its
 * own, those of two operands and of float64 at many, each held to the bound it states.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { scalarMath } from "@gridfuse/graph";
import { mathFunctions } from "./functions.ts";
import { type FloatDType, jobsFor, joined } from "./measure.ts";
import { Team } from "./team.ts";

/** Bounds of functions that are exact, or one rounding. */
const exactBounds: { readonly [name: string]: number } = { sqrt: 0.5, rem: 0, nextafter: 0 };
/** A result that was right to a few units of float32 is rounded once more. */
const halfBound = 0.51;

export interface MathOptions {
  readonly functions?: string;
  readonly dtypes?: string;
  /** Every how-many-eth argument. */
  readonly sample?: string;
  readonly threads?: string;
  readonly seed?: string;
  readonly json?: string;
  /** A table of the largest errors, for the documentation; what was measured now replaces what stands there. */
  readonly record?: string;
}

export interface Measured {
  readonly function: string;
  readonly dtype: FloatDType;
  readonly inputs: number;
  /** Whether these are all there are. */
  readonly exhaustive: boolean;
  readonly bound: number;
  readonly ulp: number;
  readonly at: readonly number[];
  readonly got: number;
  readonly expected: number;
  readonly ms: number;
}

/** The dtypes in which a function is measured: float64 where long arithmetic knows it. */
export function dtypesOf(name: string): readonly FloatDType[] {
  const wide: readonly FloatDType[] = name in scalarMath.ulpBounds ? ["float64"] : [];
  return mathFunctions[name]?.arity === 1
    ? ["float16", "bfloat16", "float32", ...wide]
    : ["float32", ...wide];
}

export function boundOf(name: string, dtype: FloatDType): number {
  if (dtype === "float16" || dtype === "bfloat16") return halfBound;
  return scalarMath.ulpBounds[name]?.[dtype] ?? (exactBounds[name] as number);
}

const listOf = (text: string | undefined, all: readonly string[]): readonly string[] => {
  const asked = text?.split(",") ?? all;
  const unknown = asked.filter((name) => !all.includes(name));
  if (unknown.length > 0) throw new Error(`math: no ${unknown.join(", ")} among ${all.join(", ")}`);
  return asked;
};

/** Runs the suite; gives the number of functions beyond their bounds. */
export async function runMath(options: MathOptions): Promise<number> {
  const names = listOf(options.functions, Object.keys(mathFunctions));
  const dtypes = listOf(options.dtypes, ["float16", "bfloat16", "float32", "float64"]);
  const step = Number(options.sample ?? 1);
  const seed = Number(options.seed ?? 1);
  const team = new Team(Number(options.threads ?? availableParallelism()));
  const found: Measured[] = [];
  for (const name of names) {
    for (const dtype of dtypesOf(name)) {
      const bound = boundOf(name, dtype);
      if (!dtypes.includes(dtype)) continue;
      const started = performance.now();
      const { inputs, worst } = (await team.all(jobsFor(name, dtype, { step, seed }))).reduce(
        joined,
      );
      const isSmall = dtype === "float16" || dtype === "bfloat16";
      const measured: Measured = {
        function: name,
        dtype,
        inputs,
        exhaustive: mathFunctions[name]?.arity === 1 && (isSmall || inputs === 2 ** 32),
        bound,
        ulp: Math.ceil((worst?.error ?? 0) * 1e4) / 1e4,
        at: worst?.at ?? [],
        got: worst?.got ?? 0,
        expected: worst?.expected ?? 0,
        ms: Math.round(performance.now() - started),
      };
      found.push(measured);
      console.log(lineOf(measured));
      if (options.json !== undefined) save(options.json, { step, seed, found });
      if (options.record !== undefined) record(options.record, measured);
    }
  }
  await team.end();
  return found.filter(({ ulp, bound }) => !(ulp <= bound)).length;
}

function lineOf({
  function: name,
  dtype,
  ulp,
  bound,
  at,
  inputs,
  exhaustive,
  ms,
}: Measured): string {
  const verdict = ulp <= bound ? "" : "  BEYOND ITS BOUND";
  const all = exhaustive ? "all " : "";
  return `${name.padEnd(10)} ${dtype.padEnd(9)} ${ulp.toFixed(4)} ≤ ${bound} ulp at ${at.join(", ")}; ${all}${inputs} arguments, ${(ms / 1000).toFixed(1)} s${verdict}`;
}

/** Errors by function and dtype, in the order of their names. */
type Records = Record<string, Record<string, { readonly ulp: number; readonly inputs: string }>>;

function record(path: string, { function: name, dtype, ulp, inputs, exhaustive }: Measured): void {
  if (dtype !== "float32" && dtype !== "float64") return;
  const known = JSON.parse(readFileSync(path, "utf8")) as Records;
  const count = exhaustive ? "all" : inputs.toLocaleString("en");
  known[name] = { ...known[name], [dtype]: { ulp, inputs: count } };
  const sorted = Object.fromEntries(Object.entries(known).sort(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(path, `${JSON.stringify(sorted, undefined, 2)}\n`);
}

function save(
  path: string,
  { step, seed, found }: { step: number; seed: number; found: readonly Measured[] },
): void {
  const functions = found.map((each) => ({
    ...each,
    // JSON has no infinities and no NaN.
    at: each.at.map(String),
    got: String(each.got),
    expected: String(each.expected),
    ulp: Number.isFinite(each.ulp) ? each.ulp : String(each.ulp),
    ok: each.ulp <= each.bound,
  }));
  const beyond = functions.filter(({ ok }) => !ok).map((each) => `${each.function} ${each.dtype}`);
  const figures = { suite: "math", sample: step, seed, failures: beyond, functions };
  writeFileSync(path, `${JSON.stringify(figures, undefined, 2)}\n`);
}
