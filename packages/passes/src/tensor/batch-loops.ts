/**
 * Loops of every point of a batch: as long as all points go round together they stay what they are. Where each decides for
 * itself, the loop runs until all are done, and finished points keep their values.
 */
import {
  type BatchOperand,
  type Emitter,
  type Node,
  type NodeNamed,
  newRegion,
  type Region,
  tensorType,
  type ValueId,
} from "@gridfuse/graph";
import { asBatched, capture, guardOf, listed, type Scope, selectPoints } from "./batch-scope.ts";
import { hasEffect, silenced } from "./rebuild.ts";

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
  const { e, axis, inside } = scope;
  const scratch = e.nested(newRegion());
  const args = region.params.map((param, i) => {
    const type = e.table.tensor(param);
    const batched = flags[i] as boolean;
    const shape = batched ? [axis.size, ...type.shape] : type.shape;
    return { value: e.table.newParam(scratch.region, tensorType(type.dtype, shape)), batched };
  });
  return inside(scratch, region, args).map(({ batched }) => batched);
}

export function batchScan(
  scope: Scope,
  node: NodeNamed<"scan">,
  operands: readonly BatchOperand[],
): readonly BatchOperand[] {
  const { e, axis, inside } = scope;
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
  const results = inside(inner, region, params, capture(e, body, guard));
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

export function batchWhile(
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
  const { e, axis, mask, inside } = scope;
  const { node, inputs, batched } = loop;
  const [condition, body] = node.regions as readonly [Region, Region];
  const anyone = mask === undefined ? undefined : e.emit("reduce_or", [mask], { axes: [0] });
  const values = [...inputs, ...listed(mask), ...listed(anyone)];
  const here = mask === undefined ? undefined : inputs.length;

  const test = openLoopRegion(e, values);
  const inTest = here === undefined ? undefined : (test.params[here] as ValueId);
  const [going] = inside(test.inner, condition, operandsFor(loop, test.params), inTest);
  const goOn = (going as BatchOperand).value;
  test.region.results.push(
    here === undefined
      ? goOn
      : test.inner.emit("and", [goOn, test.params[here + 1] as ValueId], {}),
  );

  const step = openLoopRegion(e, values);
  const inStep = here === undefined ? undefined : (step.params[here] as ValueId);
  const next = inside(step.inner, body, operandsFor(loop, step.params), inStep);
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
  const { e, axis, mask, inside } = scope;
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
    const [going] = inside(inner, region, operands, present);
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
    const next = inside(step.inner, body, split(step.params).operands);
    step.region.results.push(...next.map((result) => asBatched(step.inner, result, axis.size)));
    return emitWhile(e, node, node.params, values, [test.region, step.region]);
  }
  const active = goingOn(step.inner, silenced(e.table, condition), step.params);
  const { operands } = split(step.params);
  const next = inside(step.inner, body, operands, active).map((result, i) =>
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
