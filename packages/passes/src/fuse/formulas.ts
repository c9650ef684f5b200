/**
 * Functions that expand to many scalar nodes are expanded once: a program has thousands of tanh, and each of them is the
 * same sixty nodes.
 */
import type { OpName } from "@gridfuse/graph";
import { type DType, type Formula, ScalarBuilder } from "@gridfuse/plan/scalar";
import { hasEntries } from "../simplify/key.ts";

/** An op's meaning: what it makes of operands. */
export type Meaning = (
  b: ScalarBuilder,
  x: readonly number[],
  params: unknown,
  dtype: DType,
) => number;

/** Nodes up to which it is quicker to make them than to find out what they are. */
const fewNodes = 3;

/** Formulas by op and dtypes of operands; null for ops that are a few nodes. They are the same for all programs. */
const formulas = new Map<OpName, Map<string, Formula> | null>();

/** What `op` makes of `operands` in `b`, for a result of `dtype`. */
export function expand(
  b: ScalarBuilder,
  op: OpName,
  meaning: Meaning,
  operands: readonly number[],
  params: unknown,
  dtype: DType,
): number {
  const known = formulas.get(op);
  if (known === null || hasEntries(params)) return meaning(b, operands, params, dtype);
  let key = "";
  for (let i = 0; i < operands.length; i += 1) key += `${b.dtypeOf(operands[i] as number)} `;
  let formula = known?.get(key);
  if (formula === undefined) {
    const dtypes = operands.map((operand) => b.dtypeOf(operand));
    formula = ScalarBuilder.formula(dtypes, (own, x) => meaning(own, x, params, dtype));
    if (formula.nodes.length - operands.length <= fewNodes) formulas.set(op, null);
    else if (known === undefined) formulas.set(op, new Map([[key, formula]]));
    else known.set(key, formula);
  }
  return b.apply(formula, operands);
}
