/**
 * Stages that fold, in the one order that all executors keep (plan.ts, `Reduction`): a few elements one after the other; more
 * in segments of 256 elements, sixteen accumulators a segment, folded 8, 4, 2, 1, and a balanced tree over the segments.
 *
 * A *row* of 16·k invocations takes k neighbouring segments of one outer point, one accumulator an
 * invocation, and leaves the root of their subtree in scratch memory. With k a power of two and aligned, that
 * is a node of the tree over all segments, so a tree shader can go on from there, 256 nodes at a time.
 * Domains too short for that are folded by one invocation each.
 */
import { accumulators, segmentLength as segment } from "@gridfuse/plan";
import { coordinateLines, pointsIn, requireCountable } from "./domain.ts";
import type { Dispatch } from "./elementwise.ts";
import type { Subnormals } from "./float32.ts";
import {
  accumulateLines,
  accumulatorLines,
  combined,
  type Fold,
  foldOf,
  identity,
  meetLines,
  scratchDeclarations,
} from "./fold.ts";
import { assembleModule } from "./module.ts";
import {
  type ReducedPlace,
  type StageContext,
  scratchLoad,
  scratchStore,
  writeStage,
} from "./stage.ts";
import { literal, shaderDType, toWordText, wgslType } from "./value.ts";

/** Segments in one row, at most; 16 · 16 invocations are what every device offers. */
const maxSegments = 16;
const minWorkgroup = 64;
const treeWidth = 256;
/** Elements that one invocation folds alone. */
const serialLength = 32;

/** Hands out words of scratch memory. */
export class Scratch {
  #words = 0;
  get words(): number {
    return this.#words;
  }
  take(words: number): number {
    const word = this.#words;
    this.#words += words;
    return word;
  }
}

/** Where partial results of one reduction are: `count` for each outer point. */
interface Partials {
  readonly word: number;
  /** The indices of an argmax or argmin. */
  readonly at: number;
  readonly count: number;
}

export interface ReductionDispatches {
  readonly dispatches: readonly Dispatch[];
  readonly reduced: readonly ReducedPlace[];
}

const powerOfTwoFrom = (n: number): number => 2 ** Math.ceil(Math.log2(Math.max(1, n)));
const indented = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);

export function reductionDispatches(
  context: StageContext,
  scratch: Scratch,
  subnormals: Subnormals,
): ReductionDispatches {
  const { stage, outer } = context;
  const folds = stage.reductions.map((reduction) => foldOf(reduction, stage.nodes));
  const rows = pointsIn(outer);
  const length = pointsIn(stage.axes);
  requireCountable(rows * Math.max(1, Math.ceil(length / segment)) * segment);

  const segments = Math.ceil(length / segment);
  const width = length <= serialLength ? 0 : Math.min(maxSegments, powerOfTwoFrom(segments));
  const count = width === 0 ? 1 : Math.ceil(segments / width);
  let partials = folds.map((fold) => takePartials(scratch, fold, rows, count));
  const dispatches =
    width === 0
      ? [serialDispatch(context, folds, partials, subnormals)]
      : [rowDispatch(context, folds, partials, width, subnormals)];
  while ((partials[0] as Partials).count > 1) {
    partials = partials.map((from, i) => {
      const fold = folds[i] as Fold;
      const to = takePartials(scratch, fold, rows, Math.ceil(from.count / treeWidth));
      dispatches.push(treeDispatch(context, fold, from, to, subnormals));
      return to;
    });
  }
  const reduced = folds.map((fold, i): ReducedPlace => {
    const { word, at } = partials[i] as Partials;
    const dtype = shaderDType((stage.reductions[i] as (typeof stage.reductions)[number]).dtype);
    return { word: fold.selects ? at : word, dtype, holds: fold.selects ? "index" : "value" };
  });
  return { dispatches, reduced };
}

function takePartials(scratch: Scratch, fold: Fold, rows: number, count: number): Partials {
  const word = scratch.take(rows * count);
  return { word, at: fold.selects ? scratch.take(rows * count) : word, count };
}

/** The results that leave a shader; an argmax that met no element says 0 in the end. */
function publishLines(
  { layout }: StageContext,
  fold: Fold,
  to: Partials,
  index: string,
  value: string,
  at: string,
): string[] {
  const lines = [scratchStore(layout, to.word, index, value)];
  if (!fold.selects) return lines;
  const known = to.count === 1 ? `select(${at}, 0u, ${at} == 0xffffffffu)` : at;
  return [...lines, scratchStore(layout, to.at, index, known)];
}

/** One invocation folds all elements of an outer point. */
function serialDispatch(
  context: StageContext,
  folds: readonly Fold[],
  partials: readonly Partials[],
  subnormals: Subnormals,
): Dispatch {
  const { name, outer, stage } = context;
  const rows = pointsIn(outer);
  const length = pointsIn(stage.axes);
  const program = writeStage(context);
  const isSpread = (fold: Fold): boolean => fold.ordered && length > accumulators;
  const accumulator = (fold: Fold, i: number): string =>
    isSpread(fold) ? `folded${i}[i % ${accumulators}u]` : `folded${i}`;
  const element = folds.flatMap((fold, i) => {
    const value = program.value((stage.reductions[i] as { value: number }).value);
    return accumulateLines(fold, accumulator(fold, i), value, "i");
  });
  const loop =
    length === 0
      ? []
      : [
          `for (var i = 0u; i < ${length}u; i = i + 1u) {`,
          ...indented(coordinateLines("i", stage.axes, outer.length)),
          ...indented(program.lines),
          ...indented(element),
          "}",
        ];
  const body = [
    `let outer = id.x + id.y * groups.x * ${minWorkgroup}u;`,
    `if (outer >= ${rows}u) {`,
    "  return;",
    "}",
    ...coordinateLines("outer", outer, 0),
    ...folds.flatMap((fold, i) =>
      isSpread(fold)
        ? accumulatorArrayLines(fold, `folded${i}`)
        : accumulatorLines(fold, `folded${i}`),
    ),
    ...loop,
    ...folds.flatMap((fold, i) => {
      const name = `folded${i}`;
      const to = partials[i] as Partials;
      if (!isSpread(fold)) {
        return publishLines(context, fold, to, "outer", toWordText(fold.dtype, name), `${name}_at`);
      }
      return [
        `for (var half = ${accumulators / 2}u; half > 0u; half = half >> 1u) {`,
        "  for (var j = 0u; j < half; j = j + 1u) {",
        `    ${name}[j] = ${combined(fold, `${name}[j]`, `${name}[j + half]`)};`,
        "  }",
        "}",
        ...publishLines(context, fold, to, "outer", toWordText(fold.dtype, `${name}[0]`), ""),
      ];
    }),
  ];
  const module = assembleModule(name, minWorkgroup, [], body, subnormals);
  return { ...module, name, workgroups: Math.ceil(rows / minWorkgroup) };
}

function accumulatorArrayLines(fold: Fold, name: string): string[] {
  return [
    `var ${name}: array<${wgslType(fold.dtype)}, ${accumulators}>;`,
    `for (var j = 0u; j < ${accumulators}u; j = j + 1u) {`,
    `  ${name}[j] = ${literal(fold.dtype, identity(fold))};`,
    "}",
  ];
}

/** Rows of `width` segments; several rows share a workgroup where they are short. */
function rowDispatch(
  context: StageContext,
  folds: readonly Fold[],
  partials: readonly Partials[],
  width: number,
  subnormals: Subnormals,
): Dispatch {
  const { name, outer, stage } = context;
  const length = pointsIn(stage.axes);
  const segments = Math.ceil(length / segment);
  const { count } = partials[0] as Partials;
  const lanes = width * accumulators;
  const rowsPerGroup = Math.max(1, minWorkgroup / lanes);
  const workgroupSize = lanes * rowsPerGroup;
  const rows = pointsIn(outer) * count;
  const program = writeStage(context);
  const body = [
    ...rowLines(lanes, rowsPerGroup, count, rows),
    ...coordinateLines("outer", outer, 0),
    ...folds.flatMap((fold, i) => accumulatorLines(fold, `folded${i}`)),
    `let first = (block * ${width}u + lane / ${accumulators}u) * ${segment}u + lane % ${accumulators}u;`,
    `for (var step = 0u; step < ${segment}u; step = step + ${accumulators}u) {`,
    "  let i = first + step;",
    `  if (inside && i < ${length}u) {`,
    ...indented(indented(coordinateLines("i", stage.axes, outer.length))),
    ...indented(indented(program.lines)),
    ...folds.flatMap((fold, i) => {
      const value = program.value((stage.reductions[i] as { value: number }).value);
      return indented(indented(accumulateLines(fold, `folded${i}`, value, "i")));
    }),
    "  }",
    "}",
    ...folds.flatMap((fold, i) => [
      `scratch[local] = ${toWordText(fold.dtype, `folded${i}`)};`,
      ...(fold.selects ? [`scratch_at[local] = folded${i}_at;`] : []),
      "workgroupBarrier();",
      `for (var half = ${accumulators / 2}u; half > 0u; half = half >> 1u) {`,
      `  if (lane % ${accumulators}u < half) {`,
      ...indented(indented(meetLines(fold, "local", "local + half"))),
      "  }",
      "  workgroupBarrier();",
      "}",
      ...treeLines(fold, lanes, accumulators, `${segments}u - block * ${width}u`),
      ...rootLines(context, fold, partials[i] as Partials),
    ]),
  ];
  const declarations = scratchDeclarations(
    workgroupSize,
    folds.some(({ selects }) => selects),
  );
  const module = assembleModule(name, workgroupSize, declarations, body, subnormals);
  return { ...module, name, workgroups: Math.ceil(rows / rowsPerGroup) };
}

/** `row` and `lane` in the workgroup; `outer` and `block`, which say what the row works on. */
function rowLines(lanes: number, rowsPerGroup: number, count: number, rows: number): string[] {
  return [
    `let lane = local % ${lanes}u;`,
    `let row = (group.x + group.y * groups.x) * ${rowsPerGroup}u + local / ${lanes}u;`,
    `let inside = row < ${rows}u;`,
    `let outer = row / ${count}u;`,
    `let block = row % ${count}u;`,
  ];
}

/** Combines neighbours pairwise, `stride` lanes apart at first, while there is a right neighbour. */
function treeLines(fold: Fold, lanes: number, stride: number, present: string): string[] {
  if (lanes === stride) return [];
  return [
    `for (var reach = ${stride}u; reach < ${lanes}u; reach = reach << 1u) {`,
    `  if (lane % (reach << 1u) == 0u && (lane + reach) / ${stride}u < ${present}) {`,
    ...indented(indented(meetLines(fold, "local", "local + reach"))),
    "  }",
    "  workgroupBarrier();",
    "}",
  ];
}

function rootLines(context: StageContext, fold: Fold, to: Partials): string[] {
  return [
    "if (inside && lane == 0u) {",
    ...indented(publishLines(context, fold, to, "row", "scratch[local]", "scratch_at[local]")),
    "}",
  ];
}

/** Goes on with the tree: up to 256 neighbouring partial results become one. */
function treeDispatch(
  context: StageContext,
  fold: Fold,
  from: Partials,
  to: Partials,
  subnormals: Subnormals,
): Dispatch {
  const { layout, outer } = context;
  const name = `${context.name} tree`;
  const lanes = Math.min(treeWidth, powerOfTwoFrom(from.count));
  const rowsPerGroup = Math.max(1, minWorkgroup / lanes);
  const rows = pointsIn(outer) * to.count;
  const leaf = (word: number): string =>
    scratchLoad(layout, word, `outer * ${from.count}u + block * ${lanes}u + lane`);
  const body = [
    ...rowLines(lanes, rowsPerGroup, to.count, rows),
    `if (inside && block * ${lanes}u + lane < ${from.count}u) {`,
    `  scratch[local] = ${leaf(from.word)};`,
    ...(fold.selects ? [`  scratch_at[local] = ${leaf(from.at)};`] : []),
    "}",
    "workgroupBarrier();",
    ...treeLines(fold, lanes, 1, `${from.count}u - block * ${lanes}u`),
    ...rootLines(context, fold, to),
  ];
  const declarations = scratchDeclarations(lanes * rowsPerGroup, fold.selects);
  const module = assembleModule(name, lanes * rowsPerGroup, declarations, body, subnormals);
  return { ...module, name, workgroups: Math.ceil(rows / rowsPerGroup) };
}
