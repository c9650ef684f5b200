/**
 * `dot` as WebAssembly. Every sum runs over k in order, so blocking never shows in the bits.
 */
import { type DotStep, itemSize } from "@gridfuse/plan";
import { heldType, pushConst } from "../wasm/held.ts";
import { emitBinary, emitConvert, type Push } from "../wasm/scalar-ops.ts";
import { pushElement, storeElement } from "./access.ts";
import { B, type FlatDot, flatten, K, M, N } from "./flat-dot.ts";
import { blockLoop } from "./loops.ts";
import { Nest } from "./nest.ts";
import { PackedDot, packingOf } from "./packed-dot.ts";
import type { CodegenContext, StepFunction } from "./step-function.ts";

const isPacked = ({ accumulate }: FlatDot): boolean => itemSize(accumulate) >= 4;

/** Bytes of scratch memory that a dot uses: of whoever computes, and in common. */
export function dotScratch(
  step: DotStep,
  isWide: boolean,
): { readonly own: number; readonly shared: number } {
  const dot = flatten(step, []);
  if (!isPacked(dot)) return { own: 0, shared: 0 };
  const { ownBytes, sharedBytes } = packingOf(dot, isWide);
  return { own: ownBytes, shared: sharedBytes };
}

/** Functions that run one after the other. */
export function emitDot(context: CodegenContext, step: DotStep): readonly StepFunction[] {
  const dot = flatten(step, context.addresses);
  const [b, m, n, k] = dot.extents;
  if (b * m * n === 0) return [];
  if (isPacked(dot)) return new PackedDot(context, dot).emit();
  const work = 2 * b * m * n * k;
  return [{ index: emitPlain(context, dot), extent: 1, grain: 1, how: "scalar", work }];
}

/** The loops as written in plan.ts. */
function emitPlain(context: CodegenContext, dot: FlatDot): number {
  const { accumulate, extents, lhs, rhs, out } = dot;
  const fn = context.module.define(["i32", "i32"], []);
  const nest = new Nest(fn, context.helpers, context.loopGlobals);
  for (const flat of [B, M, N, K]) {
    nest.axes.set(flat, { local: nest.local("i32"), level: flat + 1, unit: 1 });
  }
  const sum = nest.local(heldType(accumulate));
  const operands = [lhs, rhs].map(({ dtype }) => nest.local(heldType(dtype)));
  const converted = [lhs, rhs].map(() => nest.local(heldType(accumulate)));
  const pushSum: Push = (code) => code.get(sum);

  const multiplyAdd = (): void => {
    for (const [i, { dtype, address, index }] of [lhs, rhs].entries()) {
      const [held, value] = [operands[i] as number, converted[i] as number];
      pushElement(nest, dtype, address, index);
      nest.code.set(held);
      if (dtype === accumulate) nest.code.get(held);
      else emitConvert(nest.code, nest.helpers, dtype, accumulate, (code) => code.get(held));
      nest.code.set(value);
    }
    const product = nest.local(heldType(accumulate));
    const [x, y] = converted as [number, number];
    emitBinary(
      nest.code,
      nest.helpers,
      "mul",
      accumulate,
      (c) => c.get(x),
      (c) => c.get(y),
    );
    nest.code.set(product);
    emitBinary(nest.code, nest.helpers, "add", accumulate, pushSum, (c) => c.get(product));
    nest.code.set(sum);
  };
  const loops = (flat: number): void => {
    const { local } = nest.axes.get(flat) as { local: number };
    const end = { constant: extents[flat] as number };
    nest.code.i32(0).set(local);
    if (flat === K) {
      if (dot.onto) pushElement(nest, out.dtype, out.address, out.index);
      else pushConst(nest.code, accumulate, { lo: 0, hi: 0 });
      nest.code.set(sum);
      if (end.constant > 0) blockLoop(nest, local, 1, end, true, multiplyAdd);
      storeElement(nest, out.dtype, out.address, out.index, () => {
        if (out.dtype === accumulate) pushSum(nest.code);
        else emitConvert(nest.code, nest.helpers, accumulate, out.dtype, pushSum);
      });
    } else {
      blockLoop(nest, local, 1, end, true, () => loops(flat + 1));
    }
  };
  loops(B);
  return fn.index;
}
