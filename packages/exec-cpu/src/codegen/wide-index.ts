/** Indices as 64-bit numbers: those of most index expressions fit a word, sums of them may leave it. */
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import type { Nest } from "./nest.ts";

/** Whether all values of e can be told apart in 32 bits, signed where e can be negative. */
const fitsWord = ({ lo, hi }: IndexExpr): boolean =>
  lo >= -(2 ** 31) && hi < (lo < 0 ? 2 ** 31 : 2 ** 32);

/** Pushes e as an i64. */
export function pushIndex64(nest: Nest, e: IndexExpr): void {
  const { code } = nest;
  if (fitsWord(e)) {
    nest.pushIndex(e);
    code.op(e.lo < 0 ? "i64.extend_i32_s" : "i64.extend_i32_u");
    return;
  }
  const { terms, constant } = e.k === "sum" ? e : { terms: [{ factor: 1, of: e }], constant: 0 };
  code.i64(BigInt(constant));
  for (const { factor, of } of terms) {
    nest.pushIndex(of);
    code.op(of.lo < 0 ? "i64.extend_i32_s" : "i64.extend_i32_u");
    code.i64(BigInt(factor)).op("i64.mul").op("i64.add");
  }
}
