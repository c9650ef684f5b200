/**
 * Ops that only move elements: every result element is an operand element, or a fill value.
 *
 * All of them but `view` copy boxes of elements with strides; the strides say what the op does.
 */
import { evaluateIndex, itemSize, type OpParams } from "@gridfuse/graph";
import type { Environment } from "../environment.ts";
import {
  bitsOf,
  copyBox,
  filled,
  forEachCoordinate,
  type HostTensor,
  reshaped,
  stridesOf,
  wholeOf,
  zeros,
} from "../tensor.ts";
import type { Implementations } from "./types.ts";

/** Result element at coordinate c is the operand element at base + Σ c·strides. */
function gatherBox(
  operand: HostTensor,
  shape: readonly number[],
  base: number,
  strides: readonly number[],
): HostTensor {
  const out = zeros(operand.dtype, shape);
  copyBox(shape, bitsOf(operand), { base, strides }, bitsOf(out), wholeOf(shape));
  return out;
}

/** Operand dim d becomes result dim `to[d]`; a size of 1 is repeated. */
export function broadcastInDim(
  operand: HostTensor,
  shape: readonly number[],
  to: readonly number[],
): HostTensor {
  const own = stridesOf(operand.shape);
  const strides = shape.map(() => 0);
  for (const [d, target] of to.entries()) strides[target] = operand.shape[d] === 1 ? 0 : own[d];
  return gatherBox(operand, shape, 0, strides);
}

export function transpose(operand: HostTensor, permutation: readonly number[]): HostTensor {
  const own = stridesOf(operand.shape);
  return gatherBox(
    operand,
    permutation.map((d) => operand.shape[d]),
    0,
    permutation.map((d) => own[d]),
  );
}

function slice(operand: HostTensor, { start, limit, strides }: OpParams["slice"]): HostTensor {
  const own = stridesOf(operand.shape);
  return gatherBox(
    operand,
    start.map((from, d) => Math.max(0, Math.ceil((limit[d] - from) / strides[d]))),
    start.reduce((base, from, d) => base + from * own[d], 0),
    own.map((stride, d) => stride * strides[d]),
  );
}

function rev(operand: HostTensor, { dimensions }: OpParams["rev"]): HostTensor {
  const own = stridesOf(operand.shape);
  return gatherBox(
    operand,
    operand.shape,
    dimensions.reduce((base, d) => base + (operand.shape[d] - 1) * own[d], 0),
    own.map((stride, d) => (dimensions.includes(d) ? -stride : stride)),
  );
}

function pad(operand: HostTensor, padding: HostTensor, { config }: OpParams["pad"]): HostTensor {
  const shape = config.map(({ lo, hi, interior }, d) => {
    const size = operand.shape[d];
    return lo + hi + (size === 0 ? 0 : (size - 1) * (interior + 1) + 1);
  });
  const out = zeros(operand.dtype, shape);
  const to = bitsOf(out).fill(bitsOf(padding)[0]);
  const from = bitsOf(operand);
  const strides = stridesOf(shape);
  forEachCoordinate(operand.shape, (at, flat) => {
    let offset = 0;
    for (let d = 0; d < at.length; d++) {
      const target = config[d].lo + at[d] * (config[d].interior + 1);
      if (target < 0 || target >= shape[d]) return;
      offset += target * strides[d];
    }
    to[offset] = from[flat];
  });
  return out;
}

export function concatenate(operands: readonly HostTensor[], dimension: number): HostTensor {
  const [first] = operands;
  const total = operands.reduce((sum, { shape }) => sum + shape[dimension], 0);
  const shape = first.shape.with(dimension, total);
  const out = zeros(first.dtype, shape);
  const strides = stridesOf(shape);
  let start = 0;
  for (const operand of operands) {
    const base = start * strides[dimension];
    copyBox(operand.shape, bitsOf(operand), wholeOf(operand.shape), bitsOf(out), { base, strides });
    start += operand.shape[dimension];
  }
  return out;
}

function view(
  operand: HostTensor,
  { shape, index, fill }: OpParams["view"],
  { counters }: Environment,
): HostTensor {
  const out = filled(operand.dtype, shape, fill);
  const to = bitsOf(out);
  const from = bitsOf(operand);
  const strides = stridesOf(operand.shape);
  forEachCoordinate(shape, (at, flat) => {
    const leaves = {
      axis: (axis: number) => at[axis],
      loop: (loop: number) => counters.get(loop) ?? Number.NaN,
    };
    let offset = 0;
    for (const [d, expression] of index.entries()) {
      const coordinate = evaluateIndex(expression, leaves);
      if (coordinate < 0 || coordinate >= operand.shape[d]) return;
      offset += coordinate * strides[d];
    }
    to[flat] = from[offset];
  });
  return out;
}

/** (which, …cases): bits of the chosen case, so that NaN payloads survive. */
function select(which: HostTensor, cases: readonly HostTensor[]): HostTensor {
  const [{ dtype, shape }] = cases;
  const out = zeros(dtype, shape);
  const to = bitsOf(out);
  const from = cases.map(bitsOf);
  const everywhere = which.shape.length === 0;
  for (let i = 0; i < to.length; i++) {
    const choice = which.data[everywhere ? 0 : i] as number;
    // Out of range lax leaves the result undefined; here the choice is clamped, as in `cond`.
    to[i] = from[Math.min(Math.max(choice, 0), cases.length - 1)][i];
  }
  return out;
}

/** Reads the bytes as another dtype; a change of width takes or gives a minor dimension. */
function bitcast(operand: HostTensor, { dtype }: OpParams["bitcast_convert_type"]): HostTensor {
  const from = itemSize(operand.dtype);
  const to = itemSize(dtype);
  const same = from === to ? operand.shape : operand.shape.slice(0, -1);
  const out = zeros(dtype, to < from ? [...operand.shape, from / to] : same);
  new Uint8Array(out.data.buffer).set(new Uint8Array(operand.data.slice().buffer));
  if (dtype === "bool")
    out.data.set(Uint8Array.from(out.data as Uint8Array, (byte) => Math.min(byte, 1)) as never);
  return out;
}

export const movement: Implementations<
  | "broadcast_in_dim"
  | "reshape"
  | "transpose"
  | "slice"
  | "pad"
  | "concatenate"
  | "rev"
  | "view"
  | "select_n"
  | "multiple_of"
  | "bitcast_convert_type"
> = {
  broadcast_in_dim: ([x], { shape, broadcastDimensions }, environment) =>
    broadcastInDim(x, environment.sizes(shape), broadcastDimensions),
  reshape: ([x], { shape }, environment) => reshaped(x, environment.sizes(shape)),
  transpose: ([x], { permutation }) => transpose(x, permutation),
  slice: ([x], params) => slice(x, params),
  pad: ([x, padding], params) => pad(x, padding, params),
  concatenate: (operands, { dimension }) => concatenate(operands, dimension),
  rev: ([x], params) => rev(x, params),
  view: ([x], params, environment) => view(x, params, environment),
  select_n: ([which, ...cases]) => select(which, cases),
  multiple_of: ([x]) => x,
  bitcast_convert_type: ([x], params) => bitcast(x, params),
};
