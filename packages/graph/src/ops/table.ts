/**
 * The op table: every op of the vocabulary with its declaration. The type forces completeness.
 */
import type { TensorType, ValueType } from "../ir/types.ts";
import type { OpName, OpParams } from "../ir/vocabulary.ts";
import * as binary from "./binary.ts";
import * as compare from "./compare.ts";
import * as control from "./control.ts";
import * as convert from "./convert.ts";
import * as cumulative from "./cumulative.ts";
import type { OpDefinition } from "./define.ts";
import * as effect from "./effect.ts";
import * as reading from "./gather.ts";
import * as indexing from "./indexing.ts";
import * as joining from "./joining.ts";
import * as linear from "./linear.ts";
import * as movement from "./movement.ts";
import * as random from "./random.ts";
import * as reduction from "./reduction.ts";
import * as writing from "./scatter.ts";
import * as sorting from "./sorting.ts";
import * as source from "./source.ts";
import * as state from "./state.ts";
import * as transcendental from "./transcendental.ts";
import * as unary from "./unary.ts";

export type OpTable = { readonly [K in OpName]: OpDefinition<K> };

export const opTable: OpTable = {
  full: source.full,
  constant: source.constant,
  iota: source.iota,

  neg: unary.neg,
  abs: unary.abs,
  sign: unary.sign,
  floor: unary.floor,
  ceil: unary.ceil,
  round: unary.round,
  is_finite: unary.isFiniteNumber,
  square: unary.square,
  integer_pow: unary.integerPow,
  sqrt: unary.sqrt,
  not: unary.not,
  population_count: unary.populationCount,
  clz: unary.clz,

  exp: transcendental.exp,
  exp2: transcendental.exp2,
  expm1: transcendental.expm1,
  log: transcendental.log,
  log1p: transcendental.log1p,
  log2: transcendental.log2,
  sin: transcendental.sin,
  cos: transcendental.cos,
  tan: transcendental.tan,
  asin: transcendental.asin,
  acos: transcendental.acos,
  atan: transcendental.atan,
  sinh: transcendental.sinh,
  cosh: transcendental.cosh,
  tanh: transcendental.tanh,
  asinh: transcendental.asinh,
  acosh: transcendental.acosh,
  atanh: transcendental.atanh,
  logistic: transcendental.logistic,
  erf: transcendental.erf,
  erfc: transcendental.erfc,
  erf_inv: transcendental.erfInv,
  lgamma: transcendental.lgamma,
  digamma: transcendental.digamma,
  rsqrt: transcendental.rsqrt,
  cbrt: transcendental.cbrt,
  pow: transcendental.pow,
  atan2: transcendental.atan2,
  nextafter: transcendental.nextafter,

  convert_element_type: convert.convertElementType,
  bitcast_convert_type: convert.bitcastConvertType,
  reduce_precision: convert.reducePrecision,
  multiple_of: convert.multipleOf,

  add: binary.add,
  sub: binary.sub,
  mul: binary.mul,
  div: binary.div,
  rem: binary.rem,
  max: binary.max,
  min: binary.min,
  and: binary.and,
  or: binary.or,
  xor: binary.xor,
  shift_left: binary.shiftLeft,
  shift_right_logical: binary.shiftRightLogical,
  shift_right_arithmetic: binary.shiftRightArithmetic,

  eq: compare.eq,
  ne: compare.ne,
  lt: compare.lt,
  le: compare.le,
  gt: compare.gt,
  ge: compare.ge,
  select_n: compare.selectN,
  clamp: compare.clamp,
  threefry2x32: random.threefry2x32,

  broadcast_in_dim: movement.broadcastInDim,
  reshape: movement.reshape,
  transpose: movement.transpose,
  slice: movement.slice,
  rev: movement.rev,
  view: movement.view,
  pad: joining.pad,
  concatenate: joining.concatenate,

  dynamic_slice: indexing.dynamicSlice,
  dynamic_update_slice: indexing.dynamicUpdateSlice,
  gather: reading.gather,
  scatter: writing.scatter,

  reduce_sum: reduction.reduceSum,
  reduce_prod: reduction.reduceProd,
  reduce_max: reduction.reduceMax,
  reduce_min: reduction.reduceMin,
  reduce_and: reduction.reduceAnd,
  reduce_or: reduction.reduceOr,
  reduce_xor: reduction.reduceXor,
  argmax: reduction.argmax,
  argmin: reduction.argmin,

  cumsum: cumulative.cumsum,
  cumprod: cumulative.cumprod,
  cummax: cumulative.cummax,
  cummin: cumulative.cummin,
  cumlogsumexp: cumulative.cumlogsumexp,

  dot_general: linear.dotGeneral,
  sort: sorting.sort,
  top_k: sorting.topK,

  grid: control.grid,
  scan: control.scan,
  while: control.whileLoop,
  cond: control.cond,

  get: state.get,
  set: state.set,
  addupdate: state.addupdate,
  debug_print: effect.debugPrint,
};

/** The declaration of an op. */
export const definitionOf = <K extends OpName>(op: K): OpDefinition<K> =>
  opTable[op] as OpDefinition<K>;

export const opNames: readonly OpName[] = Object.keys(opTable) as OpName[];

/**
 * Result types of an op, as far as operands and params determine them (see control.ts for regions).
 *
 * @throws BuildError GF21xx where the op has no meaning on these operands
 */
export const infer = <K extends OpName>(
  op: K,
  operands: readonly ValueType[],
  params: OpParams[K],
): readonly TensorType[] => definitionOf(op).infer(operands, params);

// What the rooms above ask of single declarations.
export { greatest, least } from "./binary.ts";
export { isStructured, type StructuredOp, structuredTypes } from "./control.ts";
export { holesOf } from "./effect.ts";
export { freeDims } from "./linear.ts";
export { flatIndex, unflattenIndex } from "./reshape-map.ts";
export { type ViewLayout, viewLayout, viewShape } from "./state.ts";
export { windowDimsOf } from "./windows.ts";
