/**
 * Batching: the same computation for every point of a new leading dimension, as vmap does.
 *
 * This is how a parallel grid axis turns into an array axis. Ordinary ops bring their own rule
 * (op table, `batch`); here are the structured ones: a branch whose predicate differs between points
 * becomes a select, a loop whose predicate differs runs until all are done and finished points keep
 * their values, and views that name the axis get it as a dimension.
 */
import {
  type BatchOperand,
  definitionOf,
  type Emitter,
  InternalError,
  type Node,
  type NodeNamed,
  newRegion,
  type Region,
  sizes,
  tensorType,
  type ValueId,
} from "@gridfuse/graph";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import { hasEffect, silenced } from "./rebuild.ts";

export interface BatchAxis {
  readonly size: number;
  /** Loop leaf of index expressions that stands for this axis's coordinate, if any. */
  readonly loop?: number;
}

interface Scope {
  readonly e: Emitter;
  readonly axis: BatchAxis;
  readonly env: Map<ValueId, BatchOperand>;
  /** Batched bool: the points that are here at all; undefined for all. The others have no effects and wait for no loop. */
  readonly mask: ValueId | undefined;
}

const lookup = (scope: Scope, value: ValueId): BatchOperand =>
  scope.env.get(value) ?? { value, batched: false };

/** Appends the batched nodes of `region` to `e`, its params bound to `args`. */
export function batchRegion(
  e: Emitter,
  region: Region,
  args: readonly BatchOperand[],
  axis: BatchAxis,
  mask?: ValueId,
): BatchOperand[] {
  const env = new Map<ValueId, BatchOperand>();
  region.params.forEach((param, i) => {
    env.set(param, args[i] as BatchOperand);
  });
  const scope: Scope = { e, axis, env, mask };
  for (const id of region.nodes) {
    const node = e.table.nodes[id] as Node;
    e.origin = node.origin;
    const results = batchNode(scope, node);
    node.outputs.forEach((value, i) => {
      env.set(value, results[i] as BatchOperand);
    });
  }
  return region.results.map((value) => lookup(scope, value));
}

/** The value with its batch dimension, added if it has none. */
export function asBatched(e: Emitter, { value, batched }: BatchOperand, size: number): ValueId {
  return batched ? value : e.addBatch(value, size);
}

const namesAxis = (index: readonly IndexExpr[], loop: number | undefined): boolean => {
  let found = false;
  for (const part of index) {
    ix.forEachLeaf(part, (leaf) => {
      if (leaf.k === "loop" && leaf.loop === loop) found = true;
    });
  }
  return found;
};

/** Whether a node inside (a region of) `node` names the axis by its loop leaf. */
function mentionsAxis(scope: Scope, node: Node): boolean {
  if (scope.axis.loop === undefined) return false;
  if (node.op === "view") return namesAxis(node.params.index, scope.axis.loop);
  return node.regions.some((region) =>
    region.nodes.some((id) => mentionsAxis(scope, scope.e.table.nodes[id] as Node)),
  );
}

function batchNode(scope: Scope, node: Node): readonly BatchOperand[] {
  const operands = node.inputs.map((value) => lookup(scope, value));
  const touched = operands.some(({ batched }) => batched) || mentionsAxis(scope, node);
  if (!touched && !hasEffect(scope.e.table, node) && guardOf(scope, node) === undefined) {
    const plain = operands.map(({ value }) => value);
    return copyUnbatched(scope, node, plain);
  }
  switch (node.op) {
    case "view":
      return [{ value: batchView(scope, node, operands[0] as BatchOperand), batched: true }];
    case "cond":
      return batchCond(scope, node, operands);
    case "scan":
      return batchScan(scope, node, operands);
    case "while":
      return batchWhile(scope, node, operands);
    case "debug_print":
      return batchPrint(scope, node, operands);
    default: {
      const rule = definitionOf(node.op).batch as
        | ((
            e: Emitter,
            node: Node,
            operands: readonly BatchOperand[],
            size: number,
          ) => readonly ValueId[])
        | undefined;
      if (rule === undefined) {
        throw new InternalError("GF9301", `no batching rule for "${node.op}"`);
      }
      return rule(scope.e, node, operands, scope.axis.size).map((value) => ({
        value,
        batched: true,
      }));
    }
  }
}

/** The mask, where what `node` does depends on which points are here: by its effects, and by loops that may not end. */
function guardOf({ e, mask }: Scope, node: Node): ValueId | undefined {
  if (mask === undefined) return undefined;
  return hasEffect(e.table, node) || mayNotEnd(e, node) ? mask : undefined;
}

const mayNotEnd = (e: Emitter, node: Node): boolean =>
  node.op === "while" ||
  node.regions.some(({ nodes }) => nodes.some((id) => mayNotEnd(e, e.table.nodes[id] as Node)));

const listed = (value: ValueId | undefined): readonly ValueId[] =>
  value === undefined ? [] : [value];

/** A new trailing param of `region` for `value`. */
const capture = (e: Emitter, region: Region, value: ValueId | undefined): ValueId | undefined =>
  value === undefined ? undefined : e.table.newParam(region, e.table.tensor(value));

function copyUnbatched(
  { e }: Scope,
  node: Node,
  inputs: readonly ValueId[],
): readonly BatchOperand[] {
  const types = node.outputs.map((value) => e.table.types[value]!);
  const { outputs } = e.table.newNode(
    e.region,
    node.op,
    node.params,
    inputs,
    types,
    node.regions,
    node.origin,
  );
  return outputs.map((value) => ({ value, batched: false }));
}

function batchView(scope: Scope, node: NodeNamed<"view">, source: BatchOperand): ValueId {
  const { e, axis } = scope;
  const point = ix.axis(0, axis.size);
  const shift = (part: IndexExpr): IndexExpr =>
    ix.substitute(part, (leaf) =>
      leaf.k === "axis"
        ? ix.axis(leaf.axis + 1, leaf.hi + 1)
        : leaf.k === "loop" && leaf.loop === axis.loop
          ? point
          : leaf,
    );
  const index = node.params.index.map(shift);
  return e.emit("view", [source.value], {
    shape: [axis.size, ...node.params.shape],
    index: source.batched ? [point, ...index] : index,
    fill: node.params.fill,
  });
}

// ── Branches ────────────────────────────────────────────────────────────────────────────────

function batchCond(
  scope: Scope,
  node: NodeNamed<"cond">,
  [which, ...operands]: readonly BatchOperand[],
): readonly BatchOperand[] {
  const { e, axis } = scope;
  const selector = which as BatchOperand;
  if (selector.batched) return selectBranches(scope, node, selector, operands);

  const guard = guardOf(scope, node as Node);
  const branches = node.regions.map((region) => openBatched(scope, region, operands, guard));
  const batched = node.outputs.map((_, i) => branches.some(({ results }) => results[i]?.batched));
  const regions = branches.map(({ region, emitter, results }) => {
    results.forEach((result, i) => {
      region.results.push(batched[i] ? asBatched(emitter, result, axis.size) : result.value);
    });
    return region;
  });
  const values = [selector.value, ...operands.map(({ value }) => value), ...listed(guard)];
  const types = (regions[0] as Region).results.map((value) => e.table.types[value]!);
  const { outputs } = e.table.newNode(e.region, "cond", {}, values, types, regions, node.origin);
  return outputs.map((value, i) => ({ value, batched: batched[i] as boolean }));
}

/** A new region with the params of `region` (batched as the operands are) and its batched nodes. */
function openBatched(
  { e, axis }: Scope,
  region: Region,
  operands: readonly BatchOperand[],
  guard: ValueId | undefined,
): { region: Region; emitter: Emitter; results: BatchOperand[] } {
  const open = newRegion();
  const emitter = e.nested(open);
  const args = operands.map(({ value, batched }) => ({
    value: e.table.newParam(open, e.table.types[value]!),
    batched,
  }));
  const mask = capture(e, open, guard);
  return { region: open, emitter, results: batchRegion(emitter, region, args, axis, mask) };
}

function selectBranches(
  scope: Scope,
  node: NodeNamed<"cond">,
  which: BatchOperand,
  operands: readonly BatchOperand[],
): readonly BatchOperand[] {
  const { e, axis, mask } = scope;
  const selector = asBatched(e, which, axis.size);
  const last = node.regions.length - 1;
  const isBool = e.dtype(selector) === "bool";
  const index = isBool
    ? selector
    : e.emit(
        "clamp",
        [e.full("int32", [], 0), e.convert(selector, "int32"), e.full("int32", [], last)],
        {},
      );
  const results = node.regions.map((region, k) => {
    const chosen = isBool
      ? k === 1
        ? index
        : e.emit("not", [index], {})
      : e.emit("eq", [index, e.full("int32", e.shape(index), k)], {});
    const inner = mask === undefined ? chosen : e.emit("and", [mask, chosen], {});
    return batchRegion(e, region, operands, axis, inner);
  });
  return node.outputs.map((_, i) => {
    const cases = results.map((values) => asBatched(e, values[i] as BatchOperand, axis.size));
    if (cases.length === 1 || cases.every((value) => value === cases[0])) {
      return { value: cases[0] as ValueId, batched: true };
    }
    const which2 = cases.length === 2 && !isBool ? e.convert(index, "bool") : index;
    return { value: selectPoints(e, which2, cases), batched: true };
  });
}

/** select_n with a selector that has only the batch dimension. */
function selectPoints(e: Emitter, which: ValueId, cases: readonly ValueId[]): ValueId {
  const shape = e.shape(cases[0] as ValueId);
  const selector = shape.length === 1 ? which : e.broadcastInDim(which, shape, [0]);
  return e.emit("select_n", [selector, ...cases], {});
}

// ── Loops ───────────────────────────────────────────────────────────────────────────────────

/** Which carries become batched, going round until nothing changes. */
function batchedCarries(
  start: readonly boolean[],
  step: (carries: readonly boolean[]) => readonly boolean[],
): boolean[] {
  let flags = [...start];
  for (;;) {
    const next = step(flags).map((flag, i) => flag || (flags[i] as boolean));
    if (next.every((flag, i) => flag === flags[i])) return next;
    flags = next;
  }
}

/** Flags of the results of `region` when its params have `flags`; builds a throw-away copy. */
function probe(scope: Scope, region: Region, flags: readonly boolean[]): boolean[] {
  const { e, axis } = scope;
  const scratch = e.nested(newRegion());
  const args = region.params.map((param, i) => {
    const type = e.table.tensor(param);
    const batched = flags[i] as boolean;
    const shape = batched ? [axis.size, ...type.shape] : type.shape;
    return { value: e.table.newParam(scratch.region, tensorType(type.dtype, shape)), batched };
  });
  return batchRegion(scratch, region, args, axis).map(({ batched }) => batched);
}

function batchScan(
  scope: Scope,
  node: NodeNamed<"scan">,
  operands: readonly BatchOperand[],
): readonly BatchOperand[] {
  const { e, axis } = scope;
  const { carries, xs, trips } = node.params;
  const region = node.regions[0] as Region;
  const rest = operands.slice(carries).map(({ batched }) => batched);
  const flags = batchedCarries(
    operands.slice(0, carries).map(({ batched }) => batched),
    (now) => probe(scope, region, [false, ...now, ...rest]).slice(0, carries),
  );

  const body = newRegion();
  const inner = e.nested(body);
  const params: BatchOperand[] = [
    { value: e.table.newParam(body, tensorType("int32", [])), batched: false },
  ];
  const inputs = operands.map((operand, i): ValueId => {
    if (i < carries) return flags[i] ? asBatched(e, operand, axis.size) : operand.value;
    if (i >= carries + xs || !operand.batched) return operand.value;
    // [batch, trips, …] → [trips, batch, …], so that a slice has the batch in front.
    return e.transpose(operand.value, swapFirstTwo(e.shape(operand.value).length));
  });
  operands.forEach((operand, i) => {
    const batched = i < carries ? (flags[i] as boolean) : operand.batched;
    const type = e.table.tensor(inputs[i] as ValueId);
    const shape = i >= carries && i < carries + xs ? type.shape.slice(1) : type.shape;
    params.push({ value: e.table.newParam(body, tensorType(type.dtype, shape)), batched });
  });
  const guard = guardOf(scope, node as Node);
  const results = batchRegion(inner, region, params, axis, capture(e, body, guard));
  results.forEach((result, i) => {
    body.results.push(i < carries && flags[i] ? asBatched(inner, result, axis.size) : result.value);
  });
  const types = body.results.map((value, i) => {
    const type = e.table.tensor(value);
    return i < carries ? type : tensorType(type.dtype, [trips, ...type.shape]);
  });
  const { outputs } = e.table.newNode(
    e.region,
    "scan",
    node.params,
    [...inputs, ...listed(guard)],
    types,
    [body],
    node.origin,
  );
  return outputs.map((value, i) => {
    if (i < carries) return { value, batched: flags[i] as boolean };
    if (results[i]?.batched !== true) return { value, batched: false };
    return { value: e.transpose(value, swapFirstTwo(e.shape(value).length)), batched: true };
  });
}

const swapFirstTwo = (rank: number): number[] =>
  Array.from({ length: rank }, (_, d) => (d === 0 ? 1 : d === 1 ? 0 : d));

function batchWhile(
  scope: Scope,
  node: NodeNamed<"while">,
  operands: readonly BatchOperand[],
): readonly BatchOperand[] {
  const { e, axis } = scope;
  const { carries } = node.params;
  const [condition, body] = node.regions as readonly [Region, Region];
  const rest = operands.slice(carries).map(({ batched }) => batched);
  let divergent = false;
  let flags = batchedCarries(
    operands.slice(0, carries).map(({ batched }) => batched),
    (now) => {
      divergent = probe(scope, condition, [...now, ...rest])[0] as boolean;
      return divergent ? now.map(() => true) : probe(scope, body, [...now, ...rest]);
    },
  );
  if (divergent) flags = flags.map(() => true);
  const inputs = operands.map((operand, i) =>
    i < carries && flags[i] ? asBatched(e, operand, axis.size) : operand.value,
  );
  const operandsOf = { node, inputs, batched: [...flags, ...rest] };
  const outputs = divergent ? divergentWhile(scope, operandsOf) : uniformWhile(scope, operandsOf);
  return outputs.map((value, i) => ({ value, batched: flags[i] as boolean }));
}

interface BatchedLoop {
  readonly node: NodeNamed<"while">;
  /** Carries and captures, with their batch dimension where they have one. */
  readonly inputs: readonly ValueId[];
  readonly batched: readonly boolean[];
}

/** A region for `values`; gives its params, batched as `loop` says, and the others. */
function openLoopRegion(
  e: Emitter,
  values: readonly ValueId[],
): { region: Region; inner: Emitter; params: ValueId[] } {
  const region = newRegion();
  const params = values.map((value) => e.table.newParam(region, e.table.tensor(value)));
  return { region, inner: e.nested(region), params };
}

const operandsFor = (
  { inputs, batched }: BatchedLoop,
  params: readonly ValueId[],
): BatchOperand[] =>
  inputs.map((_, i) => ({ value: params[i] as ValueId, batched: batched[i] as boolean }));

/** All points go on or stop together, or nobody is here. */
function uniformWhile(scope: Scope, loop: BatchedLoop): readonly ValueId[] {
  const { e, axis, mask } = scope;
  const { node, inputs, batched } = loop;
  const [condition, body] = node.regions as readonly [Region, Region];
  const anyone = mask === undefined ? undefined : e.emit("reduce_or", [mask], { axes: [0] });
  const values = [...inputs, ...listed(mask), ...listed(anyone)];
  const here = mask === undefined ? undefined : inputs.length;

  const test = openLoopRegion(e, values);
  const inTest = here === undefined ? undefined : (test.params[here] as ValueId);
  const [going] = batchRegion(test.inner, condition, operandsFor(loop, test.params), axis, inTest);
  const goOn = (going as BatchOperand).value;
  test.region.results.push(
    here === undefined
      ? goOn
      : test.inner.emit("and", [goOn, test.params[here + 1] as ValueId], {}),
  );

  const step = openLoopRegion(e, values);
  const inStep = here === undefined ? undefined : (step.params[here] as ValueId);
  const next = batchRegion(step.inner, body, operandsFor(loop, step.params), axis, inStep);
  next.forEach((result, i) => {
    step.region.results.push(batched[i] ? asBatched(step.inner, result, axis.size) : result.value);
  });
  return emitWhile(e, node, node.params, values, [test.region, step.region]);
}

/**
 * Each point goes on as long as it wants: the loop runs until all are done, and what is done keeps its
 * values, and with them its will to stop. Where the condition has effects, who stopped is a carry.
 */
function divergentWhile(scope: Scope, loop: BatchedLoop): readonly ValueId[] {
  const { e, axis, mask } = scope;
  const { node, inputs } = loop;
  const { carries } = node.params;
  const [condition, body] = node.regions as readonly [Region, Region];
  const speaks = condition.nodes.some((id) => hasEffect(e.table, e.table.nodes[id] as Node));
  const here = mask ?? (speaks ? e.full("bool", [axis.size], true) : undefined);
  const values = inputs.toSpliced(carries, 0, ...listed(here));
  const split = (params: readonly ValueId[]): { here?: ValueId; operands: BatchOperand[] } =>
    here === undefined
      ? { operands: operandsFor(loop, params) }
      : {
          here: params[carries] as ValueId,
          operands: operandsFor(loop, params.toSpliced(carries, 1)),
        };
  const goingOn = (inner: Emitter, region: Region, params: readonly ValueId[]): ValueId => {
    const { here: present, operands } = split(params);
    const [going] = batchRegion(inner, region, operands, axis, present);
    const { value } = going as BatchOperand;
    return present === undefined ? value : inner.emit("and", [present, value], {});
  };

  const test = openLoopRegion(e, values);
  const going = goingOn(test.inner, condition, test.params);
  const any = node.params.lanes === true ? anyOf : anyPoint;
  test.region.results.push(any(test.inner, going));

  const step = openLoopRegion(e, values);
  if (node.params.lanes === true && here === undefined) {
    // A point of which all lanes are done is left alone already.
    const next = batchRegion(step.inner, body, split(step.params).operands, axis);
    step.region.results.push(...next.map((result) => asBatched(step.inner, result, axis.size)));
    return emitWhile(e, node, node.params, values, [test.region, step.region]);
  }
  const active = goingOn(step.inner, silenced(e.table, condition), step.params);
  const { operands } = split(step.params);
  const next = batchRegion(step.inner, body, operands, axis, active).map((result, i) =>
    selectPoints(step.inner, active, [
      (operands[i] as BatchOperand).value,
      asBatched(step.inner, result, axis.size),
    ]),
  );
  step.region.results.push(...next, ...(speaks ? [active] : []));
  const regions = [test.region, step.region];
  const params = { carries: carries + (speaks ? 1 : 0), lanes: true } as const;
  return emitWhile(e, node, params, values, regions).slice(0, carries);
}

const anyPoint = (e: Emitter, flags: ValueId): ValueId =>
  e.emit("reduce_or", [flags], { axes: [0] });

/** The same for points that have lanes themselves: all lanes are asked at once. */
function anyOf(e: Emitter, flags: ValueId): ValueId {
  const node = e.table.producer(flags);
  if (node?.op !== "reduce_or") return anyPoint(e, flags);
  const [lanes] = node.inputs as readonly [ValueId];
  return e.emit("reduce_or", [lanes], { axes: e.shape(lanes).map((_, d) => d) });
}

function emitWhile(
  { table, region }: Emitter,
  { origin }: NodeNamed<"while">,
  params: NodeNamed<"while">["params"],
  inputs: readonly ValueId[],
  regions: readonly Region[],
): readonly ValueId[] {
  const types = inputs.slice(0, params.carries).map((value) => table.tensor(value));
  return table.newNode(region, "while", params, inputs, types, regions, origin).outputs;
}

// ── Effects ─────────────────────────────────────────────────────────────────────────────────

function batchPrint(
  scope: Scope,
  node: NodeNamed<"debug_print">,
  operands: readonly BatchOperand[],
): readonly BatchOperand[] {
  const { e, axis, mask } = scope;
  const { format, batch, masked } = node.params;
  const values = operands.map((operand) => asBatched(e, operand, axis.size));
  if (mask === undefined) {
    e.emitAll("debug_print", values, { format, batch: batch + 1, masked });
    return [];
  }
  const shape = [axis.size, ...sizes(e.shape(values[0] ?? mask)).slice(1, batch + 1)];
  const wide = batch === 0 ? mask : e.broadcastInDim(mask, shape, [0]);
  const own = masked ? e.emit("and", [wide, values.shift() as ValueId], {}) : wide;
  e.emitAll("debug_print", [own, ...values], { format, batch: batch + 1, masked: true });
  return [];
}
