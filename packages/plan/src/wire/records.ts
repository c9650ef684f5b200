/**
 * The shape of a plan in a file, record by record. What is here once is written as a map, what comes in
 * numbers as a list; the MessagePack layer sorts map keys. Reading order is writing order: the index
 * table depends on it.
 */
import type { DType } from "../dtype.ts";
import type { IndexExpr } from "../index-expr/expr.ts";
import type { Wire } from "../msgpack/decode.ts";
import type {
  AxisReport,
  BranchStep,
  CopyStep,
  DotStep,
  KernelStep,
  LoopStep,
  Plan,
  PlanBuffer,
  PlanDebug,
  PlanOutput,
  PlanPort,
  PrintStep,
  Reduction,
  ScanStep,
  ScatterStep,
  SortStep,
  Stage,
  Step,
  StepKind,
  Strided,
  TopKStep,
  WhileStep,
  Write,
} from "../plan.ts";
import { reduceOps } from "../plan.ts";
import type { IndexRange } from "../scalar/node.ts";
import {
  type Codec,
  coded,
  figure,
  flag,
  integer,
  list,
  optional,
  Place,
  type ReadContext,
  record,
  show,
  text,
  tuple,
  type WriteContext,
  word,
} from "./codec.ts";
import { IndexTableReader, IndexTableWriter } from "./index-table.ts";
import { nodesCodec } from "./scalar-nodes.ts";
import { dtypeVocabulary } from "./vocabulary.ts";

const anyInteger = integer(Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
const natural = integer(0, Number.MAX_SAFE_INTEGER);
const extent = integer(0, 0xffffffff);
const extents = list(extent, 64);
const strides = list(anyInteger, 64);
const bufferId = integer(0, 65_535);
const nodeId = integer(0, 999_999);
const dtype: Codec<DType> = coded("dtype", dtypeVocabulary);

const index: Codec<IndexExpr> = {
  write: (e, { indexes }) => indexes.refer(e),
  read(wire, { indexes, place }) {
    const found = typeof wire === "number" ? indexes.resolve(wire) : undefined;
    if (found === undefined) throw place.invalid(`no index expression ${show(wire)}`);
    return found;
  },
};

// ── Kernels ─────────────────────────────────────────────────────────────────────────────────

const range = tuple<IndexRange>({ index, lo: anyInteger, hi: anyInteger });
const write = tuple<Write>({
  buffer: bufferId,
  dtype,
  index,
  guard: list(range, 64),
  value: nodeId,
});
const reduction = tuple<Reduction>({ op: word(...reduceOps), dtype, value: nodeId });
const stage = record<Stage>({
  axes: extents,
  nodes: nodesCodec,
  reductions: list(reduction),
  writes: list(write),
});
const kernel = record<KernelStep>({
  kind: word("kernel"),
  name: text,
  axes: extents,
  stages: list(stage),
});

// ── Library steps ───────────────────────────────────────────────────────────────────────────

const strided = tuple<Strided>({
  buffer: bufferId,
  base: index,
  batch: strides,
  free: strides,
  contract: strides,
});
const dot = record<DotStep>({
  kind: word("dot"),
  name: text,
  dtype,
  accumulate: dtype,
  lhsDType: dtype,
  rhsDType: dtype,
  batch: extents,
  m: extents,
  n: extents,
  k: extents,
  lhs: strided,
  rhs: strided,
  out: strided,
});
const sort = record<SortStep>({
  kind: word("sort"),
  name: text,
  outer: extent,
  extent,
  inner: extent,
  keys: natural,
  dtypes: list(dtype),
  inputs: list(bufferId),
  outputs: list(bufferId),
});
const topk = record<TopKStep>({
  kind: word("topk"),
  name: text,
  outer: extent,
  extent,
  k: extent,
  dtype,
  input: bufferId,
  values: bufferId,
  indices: bufferId,
});
const scan = record<ScanStep>({
  kind: word("scan"),
  name: text,
  op: word("add", "mul", "max", "min"),
  reverse: flag,
  outer: extent,
  extent,
  inner: extent,
  dtype,
  input: bufferId,
  output: bufferId,
});
const scatter = record<ScatterStep>({
  kind: word("scatter"),
  name: text,
  axes: extents,
  nodes: nodesCodec,
  combine: word("set", "add", "mul", "min", "max"),
  write,
});
const copy = record<CopyStep>({
  kind: word("copy"),
  name: text,
  dtype,
  length: natural,
  from: bufferId,
  fromIndex: index,
  to: bufferId,
  toIndex: index,
});

// ── Control flow ────────────────────────────────────────────────────────────────────────────

const step: Codec<Step> = {
  write(value, context) {
    const kind: unknown = value?.kind;
    if (typeof kind !== "string" || !Object.hasOwn(stepCodecs, kind)) {
      throw context.place.invalid(`unknown step kind ${show(kind)}`);
    }
    return (stepCodecs[kind as StepKind] as Codec<Step>).write(value, context);
  },
  read(wire, context) {
    const kind: unknown =
      typeof wire === "object" && wire !== null && "kind" in wire ? wire.kind : undefined;
    if (typeof kind !== "string" || !Object.hasOwn(stepCodecs, kind)) {
      throw context.place.invalid(`unknown step kind ${show(kind)}`);
    }
    return stepCodecs[kind as StepKind].read(wire, context);
  },
};
const steps = list(step);
const loop = record<LoopStep>({
  kind: word("loop"),
  name: text,
  loop: natural,
  trips: extent,
  grid: flag,
  body: steps,
});
const whileStep = record<WhileStep>({
  kind: word("while"),
  name: text,
  predicate: bufferId,
  condition: steps,
  body: steps,
  fuel: natural,
});
const branch = record<BranchStep>({
  kind: word("branch"),
  name: text,
  selector: bufferId,
  branches: list(steps),
});
const print = record<PrintStep>({
  kind: word("print"),
  name: text,
  format: text,
  batch: extent,
  mask: optional(bufferId) as Codec<number>,
  operands: list(tuple({ buffer: bufferId, dtype, shape: extents })),
});

const stepCodecs: { readonly [K in StepKind]: Codec<Extract<Step, { kind: K }>> } = {
  kernel,
  dot,
  sort,
  topk,
  scan,
  scatter,
  copy,
  loop,
  while: whileStep,
  branch,
  print,
};
export const stepKinds: readonly StepKind[] = Object.keys(stepCodecs) as StepKind[];

// ── The plan ────────────────────────────────────────────────────────────────────────────────

const buffer = tuple<PlanBuffer>({
  kind: word("input", "output", "constant", "temporary"),
  dtype,
  length: natural,
  offset: optional(natural) as Codec<number>,
  constant: optional(bufferId) as Codec<number>,
});
const portFields = { name: text, dtype, shape: extents, buffer: bufferId };

type PlanBody = Omit<Plan, "constants" | "debug">;
const planBody = record<PlanBody>({
  ir: natural,
  name: text,
  requirements: record({ dtypes: list(dtype), steps: list(word(...stepKinds)) }),
  inputs: list(tuple<PlanPort>(portFields)),
  outputs: list(tuple<PlanOutput>({ ...portFields, exact: flag })),
  buffers: list(buffer),
  arenaBytes: natural,
  steps,
});

/** The PLAN section: everything that decides what a run computes, except the bytes of constants. */
export function planToWire({ constants: _constants, debug: _debug, ...body }: Plan): Wire {
  const context: WriteContext = { place: new Place(), indexes: new IndexTableWriter() };
  const wire = planBody.write(body, context) as { readonly [key: string]: Wire };
  return { ...wire, index: context.indexes.entries };
}

export function planFromWire(wire: Wire): PlanBody {
  if (typeof wire !== "object" || wire === null || !("index" in wire)) {
    throw new Place().invalid("there is no index table");
  }
  const { index: table, ...body } = wire;
  const context: ReadContext = { place: new Place(), indexes: new IndexTableReader(table as Wire) };
  const plan = planBody.read(body as Wire, context);
  context.indexes.finish();
  return plan;
}

// ── Sections beside the plan ────────────────────────────────────────────────────────────────

const noIndexes = (): WriteContext & ReadContext =>
  ({ place: new Place(), indexes: undefined }) as unknown as WriteContext & ReadContext;

/** One constant in CIDX; `offset` counts from the start of CNST. */
export interface ConstantEntry {
  readonly dtype: DType;
  readonly length: number;
  readonly offset: number;
}
const constantIndex = list(tuple<ConstantEntry>({ dtype, length: natural, offset: natural }));

export const constantIndexToWire = (entries: readonly ConstantEntry[]): Wire =>
  constantIndex.write(entries, noIndexes());
export const constantIndexFromWire = (wire: Wire): readonly ConstantEntry[] =>
  constantIndex.read(wire, noIndexes());

/** META: who wrote the file. Says nothing about what the plan computes. */
export interface PlanMeta {
  readonly producer: string;
  readonly ir: number;
}
const meta = record<PlanMeta>({ producer: text, ir: natural }, "open");

export const metaToWire = (value: PlanMeta): Wire => meta.write(value, noIndexes());
export const metaFromWire = (wire: Wire): PlanMeta => meta.read(wire, noIndexes());

interface DebugWire extends Omit<PlanDebug, "origins"> {
  /** As pairs: step names are data and must not become keys. */
  readonly origins: readonly { readonly name: string; readonly lines: readonly string[] }[];
}
const debug = record<DebugWire>(
  {
    compileMs: optional(figure) as Codec<number>,
    nodesBefore: natural,
    nodesAfter: natural,
    gridPoints: natural,
    axes: list(
      tuple<AxisReport>({
        kernel: text,
        axis: text,
        extent: natural,
        verdict: word("parallel", "reduction", "last", "sequential"),
        reason: text,
      }),
    ),
    notes: list(text),
    origins: list(tuple({ name: text, lines: list(text) })),
    passes: list(tuple({ name: text, ms: figure, nodes: natural })),
  },
  "open",
);

export function debugToWire({ origins, ...rest }: PlanDebug): Wire {
  const pairs = Object.entries(origins).map(([name, lines]) => ({ name, lines }));
  return debug.write({ ...rest, origins: pairs }, noIndexes());
}

export function debugFromWire(wire: Wire): PlanDebug {
  const { origins, ...rest } = debug.read(wire, noIndexes());
  return {
    ...rest,
    origins: Object.fromEntries(origins.map(({ name, lines }) => [name, lines])),
  };
}
