/** Literals that differ from sibling to sibling, as one array with a lane for each. */
import type { Emitter, ValueId } from "@gridfuse/graph";
import {
  type Bits,
  type DType,
  fromBits,
  isInteger,
  itemSize,
  storageArray,
} from "@gridfuse/plan/scalar";

/**
 * An array of [lanes, ...shape] whose lane k is `bits[k]` everywhere. Integers in even steps are
 * start + k·step, which later passes can reason about; others come from a small table.
 */
export function literalColumn(
  e: Emitter,
  dtype: DType,
  shape: readonly number[],
  bits: readonly Bits[],
): ValueId {
  const whole = [bits.length, ...shape];
  const even = isInteger(dtype) ? evenSteps(dtype, bits) : undefined;
  if (even !== undefined) {
    const steps = e.emit("mul", [e.iota(dtype, whole, 0), e.full(dtype, whole, even.step)], {});
    return e.emit("add", [steps, e.full(dtype, whole, even.start)], {});
  }
  const table = e.emit("constant", [], { dtype, shape: [bits.length], data: tableOf(dtype, bits) });
  return shape.length === 0 ? table : e.broadcastInDim(table, whole, [0]);
}

/** bool[lanes], true where `isSo` says so: a bit of the lane's number, where lanes take turns. */
export function lanesWhere(e: Emitter, isSo: readonly boolean[]): ValueId {
  const lanes = isSo.length;
  const starts = isSo[0] === true;
  const run = isSo.indexOf(!starts);
  const takesTurns =
    Number.isInteger(Math.log2(run)) &&
    isSo.every((is, k) => (is === ((k & run) !== 0)) !== starts);
  if (!takesTurns) {
    const bits = isSo.map((is) => ({ lo: is ? 1 : 0, hi: 0 }));
    return e.emit("constant", [], { dtype: "bool", shape: [lanes], data: tableOf("bool", bits) });
  }
  const bit = e.emit("and", [e.iota("int32", [lanes], 0), e.full("int32", [lanes], run)], {});
  return e.emit(starts ? "eq" : "ne", [bit, e.full("int32", [lanes], 0)], {});
}

function evenSteps(
  dtype: DType,
  bits: readonly Bits[],
): { start: number; step: number } | undefined {
  // Lane numbers must fit the dtype, and sums must be exact in doubles.
  if (bits.length > 2 ** (itemSize(dtype) * 8 - 1)) return undefined;
  const numbers = bits.map((word) => Number(fromBits(dtype, word)));
  if (!numbers.every((number) => Math.abs(number) < 2 ** 31)) return undefined;
  const [start, next] = numbers as [number, number];
  const step = next - start;
  if (step < 0 && !isSignedInteger(dtype)) return undefined;
  return numbers.every((number, k) => number === start + k * step) ? { start, step } : undefined;
}

const isSignedInteger = (dtype: DType): boolean => dtype.startsWith("int");

function tableOf(dtype: DType, bits: readonly Bits[]): ReturnType<typeof storageArray> {
  const data = storageArray(dtype, bits.length);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  for (const [k, { lo, hi }] of bits.entries()) {
    switch (itemSize(dtype)) {
      case 1:
        view.setUint8(k, lo & 0xff);
        break;
      case 2:
        view.setUint16(2 * k, lo & 0xffff, true);
        break;
      case 4:
        view.setUint32(4 * k, lo >>> 0, true);
        break;
      default:
        view.setUint32(8 * k, lo >>> 0, true);
        view.setUint32(8 * k + 4, hi >>> 0, true);
    }
  }
  return data;
}
