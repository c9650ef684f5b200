/**
 * Several rows abreast: neighbouring outer points of a kernel whose lanes run along its rows become one, and its rows are folded
 * a segment at a time in turn. A row that comes from memory is fetched ahead only while it is read, and a page at most; with
 * several of them under way there is always one whose next lines have come.
 *
 * It is a kernel like any other, over a shorter axis and with a stage for each row where there was one.
 */
import {
  add,
  axis,
  constant,
  type IndexExpr,
  mul,
  substituteAxes,
} from "@gridfuse/plan/index-expr";
import {
  indicesOf,
  type KernelForm,
  type LoopAxis,
  type Rewrite,
  reads,
  rewriteGuard,
  rewriteNode,
  type StageForm,
} from "./kernel-form.ts";
import { withoutRares } from "./kernel-late.ts";
import { product } from "./kernel-mode.ts";
import { valuesIn } from "./program-facts.ts";

/** Rows that are done at once, and the kernel of them: its last outer axis counts groups of rows. */
export interface Together {
  readonly count: number;
  readonly form: KernelForm;
}

const rowsAbreast = 4;
/** With fewer rows than these there are too few groups to share between threads. */
const fewestRows = 16;
/** Elements of a row that is longer than a page by far, and of rows that no cache holds. */
const [longRow, mostCached] = [8192, 1 << 20];
/** Operations of an element beyond which memory is not what is waited for. */
const mostOperations = 12;

/** Groups of rows as one point; undefined where that would not pay, or not be sure to be right. */
export function togetherOf(form: KernelForm): Together | undefined {
  const count = rowsAbreast;
  const last = form.outer.at(-1);
  if (last === undefined || last.extent < fewestRows) return undefined;
  if (form.outer.length > 1 && last.extent % count !== 0) return undefined;
  if (!isLong(form, last)) return undefined;
  if (!(withoutRares(form) ?? form).stages.every(isLight)) return undefined;
  const groups: LoopAxis = { axis: last.axis, extent: Math.floor(last.extent / count) };
  const rows = Array.from({ length: count }, (_, row): Rewrite => {
    const by: IndexExpr[] = [];
    by[last.axis] = add(mul(axis(last.axis, groups.extent), count), constant(row));
    return (e) => (reads(e, last.axis) ? substituteAxes(e, by) : e);
  });
  const outer = [...form.outer.slice(0, -1), groups];
  const stages = form.stages.flatMap((stage) =>
    rows.map((rewrite, row) => stageOfRow(stage, rewrite, row, count)),
  );
  return { count, form: { outer, stages, rows: count } };
}

/** Whether a single stage goes along the rows: what a second one wants again should still be near. */
function isLong({ outer, stages }: KernelForm, last: LoopAxis): boolean {
  const lengths = stages.map(({ inner }) => product(inner)).filter((length) => length > 1);
  const [length = 0] = lengths;
  const others = product(outer) / last.extent;
  return lengths.length === 1 && length >= longRow && length * last.extent * others > mostCached;
}

/** A stage that is quick enough to wait for memory, or for its own sums, and whose indices are not computed. */
function isLight(stage: StageForm): boolean {
  const operations = stage.nodes.filter(({ op }) => op !== "const").length;
  return operations <= mostOperations && indicesOf(stage).every((e) => valuesIn(e).length === 0);
}

/** A stage of one of the rows; its results have the number that is due to them among those of all rows. */
function stageOfRow(stage: StageForm, rewrite: Rewrite, row: number, count: number): StageForm {
  return {
    inner: stage.inner,
    reductions: stage.reductions,
    nodes: stage.nodes.map((node) =>
      node.op === "reduced"
        ? { ...node, stage: node.stage * count + row }
        : rewriteNode(node, rewrite),
    ),
    writes: stage.writes.map((write) => ({
      ...write,
      index: rewrite(write.index),
      guard: rewriteGuard(write.guard, rewrite),
    })),
  };
}
