/** Contractions. Sums of 16-bit floats are taken in float32 and rounded once. */
import { accumulateIn, type DType, isFloat, type ValueId } from "@gridfuse/graph";
import type { Body } from "../body.ts";
import { dtypeOf } from "../dtypes.ts";
import type { WireDType } from "../format.ts";
import type { Rules } from "./table.ts";

type Sides = readonly [readonly number[], readonly number[]];

interface DotParams {
  readonly contract: Sides;
  readonly batch: Sides;
  readonly pref?: WireDType | null;
}

/** The dtype that holds the values of both. */
function common(a: DType, b: DType, result: DType): DType {
  if (a === b && (isFloat(a) || !isFloat(result))) return a;
  return isFloat(a) && isFloat(b) && !isFloat(result) ? "float32" : result;
}

/** What is multiplied for a result of `dtype`, and the dtype in which products are summed. */
export function factors(
  body: Body,
  [a, b]: readonly [ValueId, ValueId],
  dtype: DType,
): { readonly values: readonly [ValueId, ValueId]; readonly accumulate: DType } {
  const operands = common(body.dtype(a), body.dtype(b), dtype);
  return {
    values: [body.e.convert(a, operands), body.e.convert(b, operands)],
    accumulate: accumulateIn(operands, dtype),
  };
}

export const dots: Rules = {
  "lax:dot_general": (body, [a, b], { contract, batch, pref }: DotParams, eqn) => {
    const result = pref == null ? body.resultType(eqn).dtype : dtypeOf(pref);
    const { values, accumulate } = factors(body, [a as ValueId, b as ValueId], result);
    return body.e.emit("dot_general", values, { contract, batch, dtype: result, accumulate });
  },
};
