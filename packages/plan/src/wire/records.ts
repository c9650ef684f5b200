/**
 * The shape of a plan in a file, record by record. What is there once is written as a map, what comes in
 * numbers as a list, and programs as bytes; the MessagePack layer sorts map keys. Reading order is writing order: the index
 * table depends on it.
 */
import type { DType } from "../dtype.ts";
import type { IndexExpr } from "../index-expr/expr.ts";
import type { Wire, WireMap } from "../msgpack/decode.ts";
import type {
  AxisReport,
  BranchStep,
  CopyStep,
  DotStep,
  KernelStep,
  LoopStep,
  OrbitReport,
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
  TileStep,
  TopKStep,
  WhileStep,
  Write,
} from "../plan.ts";
import { reduceOps } from "../plan.ts";
import { PlanInvalid } from "../plan-errors.ts";
import type { IndexRange } from "../scalar/node.ts";
import {
  type Codec,
  coded,
  flag,
  integer,
  list,
  locating,
  Misfit,
  optional,
  type ReadContext,
  record,
  show,
  text,
  tuple,
  union,
  type WriteContext,
  word,
} from "./codec.ts";
import { IndexTableReader, IndexTableWriter } from "./index-table.ts";
import { nodesCodec } from "./scalar-nodes.ts";
import { dtypeVocabulary, stepVocabulary } from "./vocabulary.ts";

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
  read(wire, { indexes }) {
    const found = typeof wire === "number" ? indexes.resolve(wire) : undefined;
    if (found === undefined) throw new Misfit(`no index expression ${show(wire)}`);
    return found;
  },
};

type Kindless<S> = Omit<S, "kind">;

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
const stage = tuple<Stage>({
  axes: extents,
  nodes: nodesCodec,
  reductions: list(reduction),
  writes: list(write),
});
const kernel = tuple<Kindless<KernelStep>>({
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
const dot = tuple<Kindless<DotStep>>({
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
  onto: optional(flag) as Codec<true>,
});
const sort = tuple<Kindless<SortStep>>({
  name: text,
  outer: extent,
  extent,
  inner: extent,
  keys: natural,
  dtypes: list(dtype),
  inputs: list(bufferId),
  sources: list(natural),
  outputs: list(bufferId),
});
const topk = tuple<Kindless<TopKStep>>({
  name: text,
  outer: extent,
  extent,
  k: extent,
  dtype,
  input: bufferId,
  values: bufferId,
  indices: bufferId,
});
const scan = tuple<Kindless<ScanStep>>({
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
const scatter = tuple<Kindless<ScatterStep>>({
  name: text,
  axes: extents,
  nodes: nodesCodec,
  combine: word("set", "add", "mul", "min", "max"),
  write,
});
const copy = tuple<Kindless<CopyStep>>({
  name: text,
  dtype,
  length: natural,
  from: bufferId,
  fromIndex: index,
  to: bufferId,
  toIndex: index,
});

// ── Control flow ────────────────────────────────────────────────────────────────────────────

const step: Codec<Step> = union<Step>(() => stepCodecs, stepVocabulary);
const steps = list(step);
const loop = tuple<Kindless<LoopStep>>({
  name: text,
  loop: natural,
  trips: extent,
  grid: flag,
  body: steps,
});
const tile = tuple<Kindless<TileStep>>({
  name: text,
  loop: natural,
  trips: extent,
  locals: list(bufferId),
  body: steps,
});
const whileStep = tuple<Kindless<WhileStep>>({
  name: text,
  predicate: bufferId,
  condition: steps,
  body: steps,
  fuel: natural,
});
const branch = tuple<Kindless<BranchStep>>({
  name: text,
  selector: bufferId,
  branches: list(steps),
});
const print = tuple<Kindless<PrintStep>>({
  name: text,
  format: text,
  batch: extent,
  mask: optional(bufferId) as Codec<number>,
  operands: list(tuple({ buffer: bufferId, dtype, shape: extents })),
});

const stepCodecs: { readonly [K in StepKind]: Codec<Kindless<Extract<Step, { kind: K }>>> } = {
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
  tile,
};

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
  requirements: record({ dtypes: list(dtype), steps: list(coded("step kind", stepVocabulary)) }),
  inputs: list(tuple<PlanPort>(portFields)),
  outputs: list(tuple<PlanOutput>({ ...portFields, exact: flag })),
  buffers: list(buffer),
  arenaBytes: natural,
  steps,
});

/** The PLAN section: everything that decides what a run computes, except the bytes of constants. */
export function planToWire({ constants: _constants, debug: _debug, ...body }: Plan): Wire {
  const indexes = new IndexTableWriter();
  const wire = locating(() => planBody.write(body, { indexes }));
  return { ...(wire as WireMap), index: indexes.finish() };
}

export function planFromWire(wire: Wire): PlanBody {
  if (typeof wire !== "object" || wire === null || !("index" in wire)) {
    throw new PlanInvalid("V10", "index", "there is no index table");
  }
  const { index: table, ...body } = wire as WireMap;
  const indexes = new IndexTableReader(table!);
  const plan = locating(() => planBody.read(body, { indexes }));
  indexes.finish();
  return plan;
}

// ── Sections beside the plan ────────────────────────────────────────────────────────────────

/** For records that hold no index expressions. */
const noIndexes = { indexes: undefined } as unknown as WriteContext & ReadContext;

/** One constant in CIDX; `offset` counts from the start of CNST. */
export interface ConstantEntry {
  readonly dtype: DType;
  readonly length: number;
  readonly offset: number;
}
const constantIndex = list(tuple<ConstantEntry>({ dtype, length: natural, offset: natural }));

export const constantIndexToWire = (entries: readonly ConstantEntry[]): Wire =>
  locating(() => constantIndex.write(entries, noIndexes));
export const constantIndexFromWire = (wire: Wire): readonly ConstantEntry[] =>
  locating(() => constantIndex.read(wire, noIndexes));

/** META: who wrote the file. Says nothing about what the plan computes. */
export interface PlanMeta {
  readonly producer: string;
  readonly ir: number;
}
const meta = record<PlanMeta>({ producer: text, ir: natural }, "open");

export const metaToWire = (value: PlanMeta): Wire => locating(() => meta.write(value, noIndexes));
export const metaFromWire = (wire: Wire): PlanMeta => locating(() => meta.read(wire, noIndexes));

/** Timings are left out, or the same graph would give other bytes at every compile; they are read as 0. */
interface DebugWire extends Omit<PlanDebug, "origins" | "orbits" | "passes" | "compileMs"> {
  /** As pairs: step names are data and must not become keys. */
  readonly origins: readonly { readonly name: string; readonly lines: readonly string[] }[];
  readonly passes: readonly { readonly name: string; readonly nodes: number }[];
  readonly orbits: readonly (OrbitReport & { readonly name: string })[] | undefined;
}
const debug = record<DebugWire>(
  {
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
    passes: list(tuple({ name: text, nodes: natural })),
    orbits: optional(list(tuple({ name: text, deltas: list(natural), layers: natural }))),
  },
  "open",
);

export function debugToWire(debugOf: PlanDebug): Wire {
  const { origins, orbits, passes, compileMs: _ms, ...rest } = debugOf;
  const untimed: DebugWire = {
    ...rest,
    origins: Object.entries(origins).map(([name, lines]) => ({ name, lines })),
    passes: passes.map(({ name, nodes }) => ({ name, nodes })),
    orbits: orbits && Object.entries(orbits).map(([name, orbit]) => ({ name, ...orbit })),
  };
  return locating(() => debug.write(untimed, noIndexes));
}

/** Files from before there were orbits say nothing of them. */
const withOrbits = (wire: Wire): Wire =>
  typeof wire === "object" && wire !== null && !Array.isArray(wire) && !ArrayBuffer.isView(wire)
    ? { orbits: null, ...wire }
    : wire;

export function debugFromWire(wire: Wire): PlanDebug {
  const { origins, orbits, passes, ...rest } = locating(() =>
    debug.read(withOrbits(wire), noIndexes),
  );
  return {
    ...rest,
    origins: Object.fromEntries(origins.map(({ name, lines }) => [name, lines])),
    passes: passes.map(({ name, nodes }) => ({ name, ms: 0, nodes })),
    ...(orbits && {
      orbits: Object.fromEntries(orbits.map(({ name, ...orbit }) => [name, orbit])),
    }),
  };
}
