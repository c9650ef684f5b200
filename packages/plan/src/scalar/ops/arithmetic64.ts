/**
 * The arithmetic of node.ts on 64-bit integers: BigInt is exact, and storing into a BigInt64Array or
 * BigUint64Array wraps.
 */
import type { BigLanes } from "../lanes.ts";
import type { BinaryOp, UnaryOp } from "../node.ts";

type Unary = (x: bigint) => bigint;
type Binary = (x: bigint, y: bigint) => bigint;

const inWidth = (amount: bigint): boolean => BigInt.asUintN(64, amount) < 64n;

const sorted = (x: bigint, y: bigint): [bigint, bigint] => (x < y ? [x, y] : [y, x]);

function onesIn(x: bigint): bigint {
  let count = 0n;
  for (let rest = BigInt.asUintN(64, x); rest !== 0n; rest &= rest - 1n) count++;
  return count;
}

function leadingZeros(x: bigint): bigint {
  const unsigned = BigInt.asUintN(64, x);
  const high = Math.clz32(Number(unsigned >> 32n));
  return BigInt(high < 32 ? high : 32 + Math.clz32(Number(unsigned & 0xffffffffn)));
}

const unaryRules: Partial<Record<UnaryOp, Unary>> = {
  neg: (x) => -x,
  abs: (x) => (x < 0n ? -x : x),
  not: (x) => ~x,
  populationCount: onesIn,
  countLeadingZeros: leadingZeros,
};

const binaryRules: Partial<Record<BinaryOp, Binary>> = {
  add: (x, y) => x + y,
  sub: (x, y) => x - y,
  mul: (x, y) => x * y,
  div: (x, y) => (y === 0n ? -1n : x / y),
  rem: (x, y) => (y === 0n ? x : x % y),
  min: (x, y) => sorted(x, y)[0],
  max: (x, y) => sorted(x, y)[1],
  and: (x, y) => x & y,
  or: (x, y) => x | y,
  xor: (x, y) => x ^ y,
  shiftLeft: (x, y) => (inWidth(y) ? x << y : 0n),
  shiftRightLogical: (x, y) => (inWidth(y) ? BigInt.asUintN(64, x) >> y : 0n),
  shiftRightArithmetic: (x, y) => BigInt.asIntN(64, x) >> (inWidth(y) ? y : 63n),
};

/** Applies `op` to n lanes; false where the op has no meaning on 64-bit integers. */
export function applyUnary64(op: UnaryOp, x: BigLanes, out: BigLanes, n: number): boolean {
  const rule = unaryRules[op];
  if (rule === undefined) return false;
  for (let i = 0; i < n; i++) out[i] = rule(x[i] as bigint);
  return true;
}

/** Applies `op` to n pairs of lanes; false where the op has no meaning on 64-bit integers. */
export function applyBinary64(
  op: BinaryOp,
  x: BigLanes,
  y: BigLanes,
  out: BigLanes,
  n: number,
): boolean {
  const rule = binaryRules[op];
  if (rule === undefined) return false;
  for (let i = 0; i < n; i++) out[i] = rule(x[i] as bigint, y[i] as bigint);
  return true;
}
