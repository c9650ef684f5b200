/**
 * fuse: a kernel of several stages takes in its neighbours. Two reductions of the same rows are one pass over
 * them, and what is written for every row (a scale, a maximum) goes with what is written for every element.
 *
 * An elementwise kernel, whose axes were merged into one long one, is cut into rows again where that costs
 * no division. Stages of the later kernel join stages of the earlier one with the same axes as soon as what
 * they take from others is there; the rest follow behind.
 */
import {
  isArg,
  isOrdered,
  type KernelStep,
  type Reduction,
  type Stage,
  type Write,
} from "@gridfuse/plan";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import {
  argsOf,
  type IndexNode,
  type LoadNode,
  type ReducedNode,
  ScalarBuilder,
  type ScalarNode,
} from "@gridfuse/plan/scalar";
import { appendNodes, movedWrite, takesValues } from "./append-nodes.ts";
import { countDivisions } from "./collapse.ts";
import { calledBy, isCall } from "./formulas.ts";
import { cutting, type IndexMap } from "./index-maps.ts";
import { exceed, leavesOf } from "./leaves.ts";
import { dropDead, rebuildStage } from "./rewrite-stage.ts";
import { sameExtents } from "./stage.ts";

const identity: IndexMap = (e) => e;

const maxNodes = 512;
/** Loads and operations that are cheaper done twice than not joining at all. */
const cheapAgain = 6;
/** Below so many rows there is too little to share out among them. */
const fewRows = 8;

function product(extents: readonly number[]): number {
  let count = 1;
  for (let i = 0; i < extents.length; i += 1) count *= extents[i] as number;
  return count;
}

/**
 * One kernel in place of two, where it can be. The caller knows that they have to do with each other, and that nothing
 * between them is in the way.
 */
export function joinStages(earlier: KernelStep, later: KernelStep): KernelStep | undefined {
  if (isElementwise(earlier) && isElementwise(later)) return undefined;
  if (exceed(maxNodes, [...earlier.stages, ...later.stages])) return undefined;
  const rows = onSameRows(earlier, later);
  if (rows === undefined) return undefined;
  const [first, second] = [cutAlike(rows[0], rows[1]), cutAlike(rows[1], rows[0])];
  const seats = new Seating(first).seatAll(second.stages);
  if (seats === undefined) return undefined;
  // Stages one behind the other share only the rows: without many of them nothing is won.
  const isLonger = seats.some((seat) => seat >= first.stages.length);
  if (isLonger && product(first.axes) < fewRows) return undefined;
  const joined = new JoinedStages(first);
  for (const [s, stage] of second.stages.entries()) joined.add(stage, s, seats[s] as number);
  return { ...earlier, axes: first.axes, stages: joined.finish() };
}

const isElementwise = ({ stages }: KernelStep): boolean =>
  stages.length === 1 && (stages[0] as Stage).reductions.length === 0;

// ── Rows ────────────────────────────────────────────────────────────────────────────────────

function onSameRows(a: KernelStep, b: KernelStep): readonly [KernelStep, KernelStep] | undefined {
  if (sameExtents(a.axes, b.axes)) return [a, b];
  const cutA = cutIntoRows(a, b);
  if (cutA !== undefined) return [cutA, b];
  const cutB = cutIntoRows(b, a);
  return cutB === undefined ? undefined : [a, cutB];
}

/** An elementwise kernel over the rows of `other` and the inner axes of one of its stages. */
function cutIntoRows(kernel: KernelStep, other: KernelStep): KernelStep | undefined {
  if (!isElementwise(kernel) || product(other.axes) < fewRows) return undefined;
  const total = product(kernel.axes) * product((kernel.stages[0] as Stage).axes);
  for (const { axes } of other.stages) {
    if (axes.length === 0 || product(other.axes) * product(axes) !== total) continue;
    const cut = cutInto(kernel, other.axes, axes);
    if (cut !== undefined) return cut;
  }
  return undefined;
}

interface Cut {
  readonly rows: readonly number[];
  readonly inner: readonly number[];
  /** The kernel in rows; undefined where that costs a division. */
  readonly kernel: KernelStep | undefined;
}

/** Cuts of kernels: many others ask for the same ones. */
const cuts = new WeakMap<KernelStep, Cut[]>();

function cutInto(
  kernel: KernelStep,
  rows: readonly number[],
  inner: readonly number[],
): KernelStep | undefined {
  let known = cuts.get(kernel);
  if (known === undefined) {
    known = [];
    cuts.set(kernel, known);
  }
  for (let i = 0; i < known.length; i += 1) {
    const cut = known[i] as Cut;
    if (sameExtents(cut.rows, rows) && sameExtents(cut.inner, inner)) return cut.kernel;
  }
  const [stage] = kernel.stages as readonly [Stage];
  const map = axisMap([...kernel.axes, ...stage.axes], [...rows, ...inner]);
  const isFree = map !== undefined && costsNoDivision(stage, map);
  const made = isFree
    ? { ...kernel, axes: rows, stages: [rebuildStage(stage, map, inner)] }
    : undefined;
  known.push({ rows, inner, kernel: made });
  return made;
}

function axisMap(from: readonly number[], to: readonly number[]): IndexMap | undefined {
  if (sameExtents(from, to)) return identity;
  return from.length === 1 ? cutting(0, to) : undefined;
}

function costsNoDivision({ nodes, writes }: Stage, map: IndexMap): boolean {
  const isCheap = (e: IndexExpr): boolean =>
    countDivisions(map(e), false) <= countDivisions(e, false);
  const access = ({ index, guard }: Pick<LoadNode, "index" | "guard">): boolean =>
    isCheap(index) && guard.every((range) => isCheap(range.index));
  const { loads, positions } = leavesOf(nodes);
  return (
    writes.every(access) &&
    loads.every((at) => access(nodes[at] as LoadNode)) &&
    positions.every((at) => isCheap((nodes[at] as IndexNode).index))
  );
}

/** The kernel with stages of one long axis cut as stages of `other` are, where that costs no division. */
function cutAlike(kernel: KernelStep, other: KernelStep): KernelStep {
  if (other.stages.every(({ axes }) => axes.length <= 1)) return kernel;
  const boxes = other.stages.flatMap(({ axes }) => (axes.length > 1 ? [axes] : []));
  const outer = kernel.axes.length;
  const stages = kernel.stages.map((stage) => {
    // Ordered folds and places of extremes are found along one axis.
    const isFree = stage.reductions.every((each) => !isOrdered(each) && !isArg(each.op));
    if (stage.axes.length !== 1 || !isFree) return stage;
    const box = boxes.find((axes) => product(axes) === stage.axes[0]);
    const map = box && cutting(outer, box);
    return map !== undefined && costsNoDivision(stage, map) ? rebuildStage(stage, map, box) : stage;
  });
  return stages.every((stage, s) => stage === kernel.stages[s]) ? kernel : { ...kernel, stages };
}

// ── Stages ──────────────────────────────────────────────────────────────────────────────────

interface Source {
  readonly stage: number;
  readonly write: Write;
}

/** What a kernel writes, by place. */
class Sources {
  readonly #byPlace = new Map<string, Source>();
  readonly #written = new Set<number>();

  constructor(stages: readonly Stage[]) {
    for (const [s, { writes }] of stages.entries()) {
      for (const write of writes) {
        this.#written.add(write.buffer);
        if (write.guard.length === 0 && !takesValues(write.index)) {
          this.#byPlace.set(placeKey(write), { stage: s, write });
        }
      }
    }
  }

  /** Whether `load` reads a buffer that the kernel writes, wherever. */
  touches(load: LoadNode): boolean {
    return this.#written.has(load.buffer);
  }

  find(load: LoadNode): Source | undefined {
    return this.touches(load) ? this.#byPlace.get(placeKey(load)) : undefined;
  }
}

const knownSources = new WeakMap<readonly Stage[], Sources>();

function sourcesOf(stages: readonly Stage[]): Sources {
  let sources = knownSources.get(stages);
  if (sources === undefined) {
    sources = new Sources(stages);
    knownSources.set(stages, sources);
  }
  return sources;
}

/** Which stage of the earlier kernel each stage of the later one joins, found before anything is built. */
class Seating {
  readonly #stages: readonly Stage[];
  readonly #axes: (readonly number[])[];
  readonly #sources: Sources;

  constructor({ stages }: KernelStep) {
    this.#stages = stages;
    this.#axes = stages.map(({ axes }) => axes);
    this.#sources = sourcesOf(stages);
  }

  /** Undefined where a stage reads something of the earlier kernel that is not at hand. */
  seatAll(stages: readonly Stage[]): readonly number[] | undefined {
    const seats: number[] = [];
    for (const stage of stages) {
      const seat = this.#seat(stage, seats);
      if (seat === undefined) return undefined;
      this.#axes[seat] ??= stage.axes;
      seats.push(seat);
    }
    return seats;
  }

  /**
   * The first stage that `stage` can join, behind the reductions and writes that it takes from; or a new one.
   * A value of a stage with axes is at hand in that stage only; cheap ones are computed again behind it.
   */
  #seat(stage: Stage, seats: readonly number[]): number | undefined {
    let earliest = 0;
    /** The stage that has a value that costs too much to be computed again. */
    let dear = -1;
    const { loads, reduced } = leavesOf(stage.nodes);
    for (let i = 0; i < reduced.length; i += 1) {
      const from = (stage.nodes[reduced[i] as number] as ReducedNode).stage;
      earliest = Math.max(earliest, (seats[from] ?? 0) + 1);
    }
    for (let i = 0; i < loads.length; i += 1) {
      const node = stage.nodes[loads[i] as number] as LoadNode;
      if (!this.#sources.touches(node)) continue;
      const source = this.#sources.find(node);
      if (source === undefined || node.guard.length > 0) return undefined;
      const { axes, nodes } = this.#stages[source.stage] as Stage;
      if (axes.length > 0 && !sameExtents(axes, stage.axes)) return undefined;
      if (axes.length > 0 && dear !== source.stage) {
        if (workOf(nodes, source.write.value) > cheapAgain) {
          if (dear >= 0) return undefined;
          dear = source.stage;
        }
      }
      earliest = Math.max(earliest, source.stage);
    }
    const found = this.#axes.findIndex((axes, s) => s >= earliest && sameExtents(axes, stage.axes));
    const seat = found < 0 ? this.#axes.length : found;
    return dear < 0 || dear === seat ? seat : undefined;
  }
}

/** A stage that others have joined. */
interface OpenStage {
  readonly builder: ScalarBuilder;
  /** Nodes were copied that nothing may need. */
  mayHaveDead: boolean;
  readonly reductions: Reduction[];
  readonly writes: Write[];
}

class JoinedStages {
  readonly #stages: Stage[];
  /** Those that are no longer what they were. */
  readonly #open: (OpenStage | undefined)[] = [];
  readonly #sources: Sources;
  /** `stage.reduction` of the later kernel → where it is now. */
  readonly #reductions = new Map<string, { readonly stage: number; readonly reduction: number }>();

  constructor({ stages }: KernelStep) {
    this.#stages = [...stages];
    this.#sources = sourcesOf(stages);
  }

  #opened(at: number, axes: readonly number[]): OpenStage {
    let open = this.#open[at];
    if (open === undefined) {
      this.#stages[at] ??= { axes, nodes: [], reductions: [], writes: [] };
      const { nodes, reductions, writes } = this.#stages[at] as Stage;
      const builder = ScalarBuilder.from(nodes);
      open = {
        builder,
        mayHaveDead: false,
        reductions: reductions.slice(),
        writes: writes.slice(),
      };
      this.#open[at] = open;
      this.#stages[at] = { ...(this.#stages[at] as Stage), nodes: builder.nodes };
    }
    return open;
  }

  /** Stage `number` of the later kernel joins stage `at`. */
  add(stage: Stage, number: number, at: number): void {
    const into = this.#opened(at, stage.axes);
    const moved = appendNodes(into.builder, stage.nodes, identity, undefined, (node) =>
      node.op === "load" || node.op === "reduced" ? this.#replaced(node, at, into) : undefined,
    );
    stage.reductions.forEach((given, r) => {
      const wanted = { ...given, value: moved[given.value] as number };
      let found = into.reductions.findIndex(
        ({ op, dtype, value }) =>
          op === wanted.op && dtype === wanted.dtype && value === wanted.value,
      );
      if (found < 0) found = into.reductions.push(wanted) - 1;
      this.#reductions.set(`${number}.${r}`, { stage: at, reduction: found });
    });
    for (const write of stage.writes) into.writes.push(movedWrite(write, moved));
  }

  finish(): readonly Stage[] {
    return this.#stages.map((stage, s) => {
      const open = this.#open[s];
      if (open === undefined) return stage;
      const { mayHaveDead, reductions, writes } = open;
      const joined: Stage = { axes: stage.axes, nodes: stage.nodes, reductions, writes };
      return mayHaveDead ? dropDead(joined) : joined;
    });
  }

  /** Node `at` for one of the later kernel that changes: values are taken where they were computed. */
  #replaced(node: LoadNode | ReducedNode, at: number, into: OpenStage): number | undefined {
    const { builder } = into;
    if (node.op === "reduced") {
      const made = this.#reductions.get(`${node.stage}.${node.reduction}`);
      return made && builder.reduced(node.dtype, made.stage, made.reduction);
    }
    const source = this.#sources.find(node);
    if (source === undefined) return undefined;
    if (source.stage === at) return source.write.value;
    into.mayHaveDead = true;
    return copyValue((this.#stages[source.stage] as Stage).nodes, source.write.value, builder);
  }
}

const placeKey = ({ buffer, dtype, index }: Pick<LoadNode, "buffer" | "dtype" | "index">): string =>
  `${buffer}:${dtype}:${index.key}`;

/** Operations and loads behind a node, up to the point where it is no longer cheap. */
function workOf(nodes: readonly ScalarNode[], value: number): number {
  const seen = [value];
  let work = 0;
  for (let i = 0; i < seen.length; i += 1) {
    const node = nodes[seen[i] as number] as ScalarNode;
    if (isCall(node.op)) work += calledBy(node.op).operations;
    else if (node.op !== "const" && node.op !== "reduced" && node.op !== "index") work += 1;
    if (work > cheapAgain) return work;
    for (const arg of argsOf(node)) if (!seen.includes(arg)) seen.push(arg);
    if (node.op === "load" && takesValues(node.index)) return Number.POSITIVE_INFINITY;
  }
  return work;
}

/** The value of a node, computed again in another stage. */
function copyValue(nodes: readonly ScalarNode[], value: number, into: ScalarBuilder): number {
  const moved = appendNodes(into, nodes.slice(0, value + 1), identity);
  return moved[value] as number;
}
