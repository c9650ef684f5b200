/** Legal selections of the compiler's passes, drawn from the list that the compiler itself runs. */
import { type RegionPass, regionPasses, type StepPass, stepPasses } from "@gridfuse/passes";
import fc from "fast-check";

type Pass = RegionPass | StepPass;

/** Which passes stay, and which of those that may come next does. */
export interface OrderPlan {
  readonly dropped: readonly boolean[];
  readonly picks: readonly number[];
}

const all: readonly Pass[] = [...regionPasses, ...stepPasses];
const levels = [...new Set(all.map(({ level }) => level))];

/** The passes of one level in an order that their `after` allows. */
function arrange(passes: readonly Pass[], picks: readonly number[]): readonly string[] {
  const left = [...passes];
  const order: string[] = [];
  while (left.length > 0) {
    const ready = left.filter(
      ({ after }) => !left.some(({ name }) => after?.includes(name) === true),
    );
    const next = ready[(picks[order.length] ?? 0) % ready.length] as Pass;
    left.splice(left.indexOf(next), 1);
    order.push(next.name);
  }
  return order;
}

export const orderOf = ({ dropped, picks }: OrderPlan): readonly string[] => {
  const kept = all.filter(({ required }, i) => required === true || dropped[i] !== true);
  return levels.flatMap((level, k) =>
    arrange(
      kept.filter((pass) => pass.level === level),
      picks.slice(k),
    ),
  );
};

/** Shrinks towards all passes in their own order. */
export const orderPlans: fc.Arbitrary<OrderPlan> = fc.record({
  dropped: fc.array(fc.boolean(), { minLength: all.length, maxLength: all.length }),
  picks: fc.array(fc.nat(59), {
    minLength: all.length + levels.length,
    maxLength: all.length + levels.length,
  }),
});
