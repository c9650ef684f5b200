/**
 * A stage that folds nothing: one invocation for each point of outer and inner axes.
 */

import { coordinateLines, pointsIn, requireCountable } from "./domain.ts";
import type { Subnormals } from "./float32.ts";
import { assembleModule, type ShaderModuleText } from "./module.ts";
import { type StageContext, writeStage } from "./stage.ts";

export interface Dispatch extends ShaderModuleText {
  readonly name: string;
  readonly workgroups: number;
}

/** What a step launches, in order. */
export interface Launches {
  readonly dispatches: readonly Dispatch[];
  readonly launches: readonly {
    readonly dispatch: number;
    /** Parameters `params.level` and `params.reach` of this launch. */
    readonly level?: number;
    readonly reach?: number;
  }[];
  readonly scratchWords: number;
}

/** Every dispatch once. */
export const launchEach = (dispatches: readonly Dispatch[], scratchWords = 0): Launches => ({
  dispatches,
  launches: dispatches.map((_, dispatch) => ({ dispatch })),
  scratchWords,
});

const workgroupSize = 64;

export function elementwiseDispatch(context: StageContext, subnormals: Subnormals): Dispatch {
  const { name, outer, stage, reduced } = context;
  const inner = pointsIn(stage.axes);
  const points = pointsIn(outer) * inner;
  requireCountable(points);
  const body = [
    `let point = id.x + id.y * groups.x * ${workgroupSize}u;`,
    `if (point >= ${points}u) {`,
    "  return;",
    "}",
    ...(reduced.length > 0 ? [`let outer = point / ${Math.max(inner, 1)}u;`] : []),
    ...coordinateLines("point", [...outer, ...stage.axes], 0),
    ...writeStage(context).lines,
  ];
  const module = assembleModule(name, workgroupSize, [], body, subnormals);
  return { ...module, name, workgroups: Math.ceil(points / workgroupSize) };
}
