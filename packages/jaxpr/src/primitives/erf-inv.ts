/**
 * The inverse error function of float32 as XLA has it: a polynomial of −log(1 − x²) for its middle, another one for
 * its tails (M. Giles, Approximating the erfinv function, 2010), in the same order, so that the bits are XLA's.
 */
import type { ValueId } from "@gridfuse/graph";
import type { Body } from "../body.ts";

/** Highest power first. */
const middle = [
  2.81022636e-8, 3.43273939e-7, -3.5233877e-6, -4.39150654e-6, 0.00021858087, -0.00125372503,
  -0.00417768164, 0.246640727, 1.50140941,
];
const tails = [
  -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613,
  0.00943887047, 1.00167406, 2.83297682,
];

export function inverseErrorFunction(body: Body, x: ValueId): ValueId {
  const { e } = body;
  const shape = body.shape(x);
  const of = (value: number): ValueId => body.full("float32", shape, Math.fround(value));
  const minus = (a: ValueId, b: ValueId): ValueId => e.emit("sub", [a, b], {});
  const times = (a: ValueId, b: ValueId): ValueId => e.emit("mul", [a, b], {});
  const log = e.emit("log1p", [e.emit("neg", [times(x, x)], {})], {});
  const w = e.emit("neg", [log], {});
  const isTail = e.emit("ge", [w, of(5)], {});
  const either = (a: ValueId, b: ValueId): ValueId => e.emit("select_n", [isTail, a, b], {});
  const at = either(minus(w, of(2.5)), minus(e.emit("sqrt", [w], {}), of(3)));
  const coefficients = middle.map((value, i) => either(of(value), of(tails[i] as number)));
  const polynomial = coefficients.reduce((sum, c) => e.emit("add", [c, times(sum, at)], {}));
  const isOne = e.emit("eq", [e.emit("abs", [x], {}), of(1)], {});
  const factor = e.emit("select_n", [isOne, polynomial, of(Number.POSITIVE_INFINITY)], {});
  return times(factor, x);
}
