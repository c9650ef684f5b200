/** Whether a plan is what its example says it should be. */
import type { PlanReport } from "gridfuse";
import type { Check } from "./check.ts";
import type { Expectation } from "./example.ts";

/** The loops that are left, and that exactly the axes named as sequential are. */
export function meetsExpectation(
  { gridLoops, axes }: Pick<PlanReport, "gridLoops" | "axes">,
  expects: Expectation,
): Check {
  const expected = Object.keys(expects.sequential ?? {});
  const found = axes.flatMap(({ kernel, axis, verdict }) =>
    verdict === "sequential" ? [`${kernel}.${axis}`] : [],
  );
  const surprises = [
    ...[...new Set(found)]
      .filter((axis) => !expected.includes(axis))
      .map((axis) => `axis ${axis} is sequential`),
    ...expected
      .filter((axis) => !found.includes(axis))
      .map((axis) => `axis ${axis} is not sequential`),
  ];
  if (gridLoops !== expects.gridLoops) {
    surprises.push(`${gridLoops} grid loops instead of ${expects.gridLoops}`);
  }
  return { ok: surprises.length === 0, detail: surprises.join(", ") || "as expected" };
}
