/**
 * What a random kernel does last to an output, so that it is written: the ways in which kernels treat their
 * outputs along a grid axis. Most of them have one axis in mind, as their authors have.
 */
import {
  exp,
  full,
  gt,
  lt,
  maximum,
  mul,
  type Ref,
  type Tensor,
  when,
  where,
} from "@gridfuse/graph";
import { isFloat } from "@gridfuse/plan";
import type { Dice } from "../dice.ts";
import { type Body, combinable, fit, fitTo, sizesOf } from "./body.ts";

export interface Ending {
  /** `state` is scratch of the output's block and dtype. */
  run(body: Body, out: Ref, dice: Dice, state: readonly Ref[]): void;
  /** How much scratch it needs. */
  readonly states: number;
}

const zeros = (ref: Ref): Tensor => full(ref.dtype, sizesOf(ref), 0) as Tensor;
const read = (ref: Ref): Tensor => ref.get() as Tensor;

function addTo(ref: Ref, value: Tensor): void {
  if (combinable(ref)) ref.add(value);
  else ref.set(maximum(read(ref), value) as Tensor);
}

const ending = (states: number, run: Ending["run"]): Ending => ({ states, run });

export const endings: { readonly [name: string]: Ending } = {
  overwrite: ending(0, (body, out, dice) => out.set(fitTo(body.any(dice), out))),
  accumulate: ending(0, (body, out, dice) => {
    const value = fitTo(body.any(dice), out);
    when(dice.pick(body.world.ids).isFirst, () => out.set(zeros(out)));
    addTo(out, value);
  }),
  /** Adds only where conditions hold, once or twice. */
  masked: ending(0, (body, out, dice) => {
    const [value, other] = [fitTo(body.any(dice), out), fitTo(body.any(dice), out)];
    when(dice.pick(body.world.ids).isFirst, () => out.set(zeros(out)));
    when(body.condition(dice), () => {
      addTo(out, value);
      when(body.condition(dice), () => addTo(out, other));
    });
  }),
  extreme: ending(0, (body, out, dice) => {
    const value = fitTo(body.any(dice), out);
    when(dice.pick(body.world.ids).isFirst, () => out.set(value));
    out.set(maximum(read(out), value) as Tensor);
  }),
  product: ending(0, (body, out, dice) => {
    const value = fitTo(body.any(dice), out);
    when(dice.pick(body.world.ids).isFirst, () => out.set(full(out.dtype, sizesOf(out), 1)));
    out.set((combinable(out) ? mul(read(out), value) : maximum(read(out), value)) as Tensor);
  }),
  last: ending(0, (body, out, dice) => {
    const value = fitTo(body.any(dice), out);
    when(dice.pick(body.world.ids).isLast, () => out.set(value));
  }),
  sometimes: ending(0, (body, out, dice) => {
    const value = fitTo(body.any(dice), out);
    when(body.condition(dice), () => out.set(value));
  }),
  /** As matmul does: a sum in scratch that the last point publishes. */
  publishSum: ending(1, (body, out, dice, [acc]) => {
    const value = fitTo(body.any(dice), out);
    const axis = dice.pick(body.world.ids);
    when(axis.isFirst, () => acc!.set(zeros(acc!)));
    addTo(acc!, value);
    when(axis.isLast, () => out.set(read(acc!)));
  }),
  /** Every point shows the sum so far. */
  running: ending(1, (body, out, dice, [acc]) => {
    const value = fitTo(body.any(dice), out);
    when(dice.pick(body.world.ids).isFirst, () => acc!.set(zeros(acc!)));
    addTo(acc!, value);
    out.set(read(acc!));
  }),
  /** As softmax does in one pass: the greatest so far, and a sum that is scaled when it grows. */
  online: ending(2, (body, out, dice, [top, sum]) => {
    if (!isFloat(out.dtype)) {
      out.set(fitTo(body.any(dice), out));
      return;
    }
    const value = fitTo(body.any(dice), out);
    const axis = dice.pick(body.world.ids);
    when(axis.isFirst, () => {
      top!.set(full(out.dtype, sizesOf(out), Number.NEGATIVE_INFINITY));
      sum!.set(zeros(sum!));
    });
    const next = maximum(read(top!), value) as Tensor;
    const scale = exp(read(top!).sub(next) as Tensor) as Tensor;
    sum!.set(
      read(sum!)
        .mul(scale)
        .add(exp(value.sub(next) as Tensor)) as Tensor,
    );
    top!.set(next);
    when(axis.isLast, () => out.set(read(sum!)));
  }),
  /** The first coordinate at which the greatest value was. */
  best: ending(2, (body, out, dice, [top, where0]) => {
    const value = fitTo(body.any(dice), out);
    const axis = dice.pick(body.world.ids);
    when(axis.isFirst, () => {
      top!.set(value);
      where0!.set(zeros(where0!));
    });
    const better = (combinable(out) ? gt(value, read(top!)) : lt(read(top!), value)) as Tensor;
    where0!.set(where(better, fitTo(axis, where0!), read(where0!)) as Tensor);
    top!.set(where(better, value, read(top!)) as Tensor);
    when(axis.isLast, () => out.set(read(where0!)));
  }),
  /** Points hand a value on: each shows what the one before it left. */
  handOn: ending(1, (body, out, dice, [held]) => {
    const value = fitTo(body.any(dice), out);
    when(fit(dice.pick(body.world.ids), "int32", []).eq(0) as Tensor, () => held!.set(value));
    out.set(read(held!));
    held!.set(value);
  }),
};
