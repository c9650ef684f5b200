/**
 * Sorting words cannot tell which of several zeros, or of several NaNs, came first: a sort compares them
 * equal, and equal elements keep their order. Rows that have a −0 or a NaN get these back from the input
 * once the rest is sorted.
 */
import type { Code } from "../wasm/code.ts";
import type { ModuleBuilder } from "../wasm/module.ts";

const magnitude = 0x7fffffff;
const infinity = 0x7f800000;

export interface RepairForm {
  /** Bytes between neighbouring elements of the sorted row. */
  readonly distance: number;
  /** Whether the row holds bits as signed words in order (negative numbers flipped) or as they are. */
  readonly ordered: boolean;
}

/**
 * Defines `(input, distance, count, row)`: writes the zeros and the NaNs of `count` float32 elements,
 * `distance` bytes apart, over those of the sorted row, in the order in which they came.
 */
export function emitRepair(module: ModuleBuilder, { distance, ordered }: RepairForm): number {
  const fn = module.define(["i32", "i32", "i32", "i32"], []);
  const { code } = fn;
  const [at, rest, bits] = [fn.local("i32"), fn.local("i32"), fn.local("i32")];
  const [zeros, nans] = [fn.local("i32"), fn.local("i32")];
  const forEachElement = (body: () => void): void => {
    code.get(0).set(at).get(2).set(rest).loop();
    code.get(at).memory("i32.load", 0).set(bits);
    body();
    code.get(at).get(1).op("i32.add").set(at);
    code.get(rest).i32(1).op("i32.sub").tee(rest).brIf(0).end();
  };
  const pushIsNaN = (): Code =>
    code.get(bits).i32(magnitude).op("i32.and").i32(infinity).op("i32.gt_u");
  const writeTo = (pointer: number): void => {
    code.get(pointer).get(bits);
    if (ordered) code.get(bits).i32(31).op("i32.shr_s").i32(1).op("i32.shr_u").op("i32.xor");
    code.memory("i32.store", 0);
    code.get(pointer).i32(distance).op("i32.add").set(pointer);
  };

  code.get(3).set(zeros);
  code.get(3).get(2).i32(distance).op("i32.mul").op("i32.add").set(nans);
  forEachElement(() => {
    pushIsNaN().if();
    code.get(nans).i32(distance).op("i32.sub").set(nans).else();
    // Negative numbers precede the zeros: −0 is the smallest of the words with a sign.
    code.get(bits).i32(-0x80000000).op("i32.gt_u").i32(distance).op("i32.mul");
    code.get(zeros).op("i32.add").set(zeros).end();
  });
  forEachElement(() => {
    code.get(bits).i32(1).op("i32.shl").op("i32.eqz").if();
    writeTo(zeros);
    code.else();
    pushIsNaN().if();
    writeTo(nans);
    code.end().end();
  });
  return fn.index;
}
