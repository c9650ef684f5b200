/**
 * float64 functions, compiled, against 400-bit arithmetic: random arguments, and those built to be hard — beside
 * powers of two, beside multiples of π/4 and ln 2/2 where reductions cancel, and beside 1.
 */
import * as real from "../../../packages/plan/test/big-float.ts";
import { exactFunctions } from "../../../packages/plan/test/exact-functions.ts";
import { random } from "../../../packages/plan/test/math-support.ts";
import { compileFunction } from "./compiled.ts";
import { larger, type Worst } from "./error.ts";
import type { MathFunction } from "./functions.ts";
import type { Sweep } from "./sweep.ts";

/** No float64 lies closer to a multiple of π/2 (Muller, "Elementary Functions", 3rd ed., §11.2). */
const closestToMultipleOfPi = 6381956970095103 * 2 ** 797;

function hardArgument(next: () => number): number {
  const whole = (most: number): number => Math.floor(next() * most);
  const sign = next() < 0.5 ? -1 : 1;
  const besideOne = 1 + (whole(9) - 4) * 2 ** -53;
  const scale = 2 ** whole(40);
  switch (whole(6)) {
    case 0:
      return sign * besideOne * 2 ** (whole(2096) - 1074);
    case 1:
      return sign * besideOne * 2 ** (whole(24) - 12);
    case 2:
      return (sign * whole(scale) * Math.PI) / 4;
    case 3:
      return (sign * whole(2200) * Math.LN2) / 2;
    case 4:
      return (sign * whole(64)) / 4;
    default:
      return sign * (1 - 2 ** -(1 + 52 * next()));
  }
}

/** Arguments for each operand: half from the samplers of the function, half hard ones within their range. */
function argumentsOf(name: string, count: number, seed: number): Float64Array[] {
  const [, samples] = exactFunctions[name] as (typeof exactFunctions)[string];
  const next = random(seed);
  const points = Array.from({ length: count }, (_, i) => {
    const samplers = samples[i % samples.length] as (typeof samples)[number];
    return samplers.map((sampler) => sampler(next));
  });
  const arity = (points[0] as number[]).length;
  const columns = Array.from({ length: arity }, (_, k) =>
    points.map((point) => point[k] as number),
  );
  const ranges = columns.map((column) => [Math.min(...column), Math.max(...column)] as const);
  for (let i = 0; i < count; i += 2) {
    for (const [k, [lo, hi]] of ranges.entries()) {
      const x = hardArgument(next);
      if (x >= lo && x <= hi) (columns[k] as number[])[i] = x;
    }
  }
  if (name === "sin" || name === "cos" || name === "tan") {
    (columns[0] as number[])[0] = closestToMultipleOfPi;
  }
  return columns.map((column) => Float64Array.from(column));
}

export function sweepFloat64(name: string, of: MathFunction, count: number, seed: number): Sweep {
  const columns = argumentsOf(name, count, seed);
  const compiled = compileFunction(of, "float64", count);
  for (const [k, column] of columns.entries()) (compiled.operands[k] as Float64Array).set(column);
  compiled.run();
  const [reference] = exactFunctions[name] as (typeof exactFunctions)[string];
  let worst: Worst | undefined;
  let inputs = 0;
  for (const [i, got] of (compiled.result as Float64Array).entries()) {
    const at = columns.map((column) => column[i] as number);
    // Zeros, infinities and NaN have a table of their own.
    if (!Number.isFinite(got) || got === 0 || at.includes(0)) continue;
    const floor = of.floor?.(at[0] as number) ?? 0;
    const expected = reference(...at.map(real.big));
    const error = real.ulps(got, expected, real.shapes.float64, real.big(floor));
    worst = larger(worst, { error, at, got, expected: real.toNumber(expected) });
    inputs += 1;
  }
  return { inputs, ...(worst && { worst }) };
}
