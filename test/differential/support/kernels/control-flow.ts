/** Branches and loops of random kernels: their bodies touch refs, print, and give values. */
import {
  add,
  cond,
  fori,
  loop,
  lt,
  minimum,
  scan,
  switchCase,
  type Tensor,
  when,
  whileLoop,
} from "@gridfuse/graph";
import { fit, fitTo, type StatementKinds, sizesOf } from "./body.ts";

const maxTrips = 3;

export const controlFlow: StatementKinds = {
  when(body, dice, inner) {
    const chain = when(body.condition(dice), () => void body.inside(inner));
    if (dice.flip()) chain.otherwise(() => void body.inside(inner.slice(1)));
  },
  loop(body, dice, inner) {
    const upper = dice.flip() ? dice.below(maxTrips + 1) : minimum(body.integer(dice), maxTrips);
    loop(0, upper, (i) => void body.inside(inner, i as Tensor));
  },
  fori(body, dice, inner) {
    const start = body.any(dice);
    const upper = dice.flip() ? dice.below(maxTrips + 1) : minimum(body.integer(dice), maxTrips);
    const step = (i: Tensor, carry: Tensor): Tensor => fitTo(body.inside(inner, i, carry), start);
    body.add(fori(0, upper, start, step as never) as Tensor);
  },
  while(body, dice, inner) {
    const start = body.any(dice);
    const bound = dice.flip() ? 2 : minimum(body.integer(dice), maxTrips);
    const ref = dice.flip() ? body.ref(dice) : undefined;
    const [, last] = whileLoop(
      ([i]) => {
        const early = lt(i as Tensor, bound) as Tensor;
        if (ref === undefined) return early;
        const own = fit(ref.get() as Tensor, "int32", []);
        return early.logicalAnd(own.lt(maxTrips)) as Tensor;
      },
      ([i, carry]) => [
        add(i as Tensor, 1) as Tensor,
        fitTo(body.inside(inner, i as Tensor, carry as Tensor), start),
      ],
      [fit(body.world.ids[0] as Tensor, "int32", []).mul(0), start] as readonly Tensor[],
    ) as readonly Tensor[];
    body.add(last as Tensor);
  },
  scan(body, dice, inner) {
    const start = body.any(dice);
    const rows = body.array(dice);
    if ((sizesOf(rows)[0] as number) > 4) return;
    const [last, stacked] = scan(
      (carry: Tensor, row: Tensor, i: Tensor) => {
        const next = body.inside(inner, carry, row, i);
        return [fitTo(next, start), next] as const;
      },
      start,
      rows,
      { reverse: dice.flip() },
    ) as unknown as readonly [Tensor, Tensor];
    body.add(last);
    body.add(stacked);
  },
  cond(body, dice, inner) {
    const otherwise = body.any(dice);
    const branches = [
      () => fitTo(body.inside(inner), otherwise),
      () => fitTo(body.inside(inner.slice(1)), otherwise),
    ] as const;
    body.add(cond(body.condition(dice), ...branches) as Tensor);
  },
  switch(body, dice, inner) {
    const otherwise = body.any(dice);
    const branches = [inner, inner.slice(1), inner.slice(2)].map(
      (statements) => () => fitTo(body.inside(statements), otherwise),
    );
    body.add(switchCase(body.integer(dice), branches) as Tensor);
  },
};
