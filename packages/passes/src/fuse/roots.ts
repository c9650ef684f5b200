/**
 * fuse, first half: which values are written to memory.
 *
 * What a library step, a loop or a caller needs must be. Of the rest, a value that is computed and
 * then read through two different index maps is (butterflies would double at every stage), and one
 * that is dear and wanted by several kernels, or repeated along a broadcast. Everything else is
 * computed where it is read.
 */
import {
  definitionOf,
  elementCount,
  type Node,
  type Region,
  type Table,
  type ValueId,
} from "@gridfuse/graph";
import { viewOf } from "../tensor/views.ts";
import {
  explainStore,
  longestChain,
  operationsOf,
  type Readers,
  reductionWeight,
  type StoreReason,
  storeOrRecompute,
} from "./cost.ts";
import { Readings } from "./readings.ts";

/** Ops whose result a kernel can compute at any point; the others make a step of their own. */
export function isFusable(node: Node): boolean {
  switch (node.op) {
    case "full":
    case "iota":
    case "pad":
    case "concatenate":
    case "dynamic_slice":
    case "dynamic_update_slice":
    case "gather":
    case "reduce_sum":
    case "reduce_prod":
    case "reduce_max":
    case "reduce_min":
    case "reduce_and":
    case "reduce_or":
    case "reduce_xor":
    case "argmax":
    case "argmin":
    case "bitcast_convert_type":
      return true;
    default: {
      const { scalar, indexMap } = definitionOf(node.op);
      return scalar !== undefined || indexMap !== undefined || node.op === "view";
    }
  }
}

export const isReduction = (node: Node): boolean =>
  node.op === "argmax" ||
  node.op === "argmin" ||
  (node.op.startsWith("reduce_") && node.op !== "reduce_precision");

export const isMovement = (node: Node): boolean =>
  node.op === "view" || (definitionOf(node.op).indexMap !== undefined && node.inputs.length === 1);

interface Summary {
  /** Scalar operations to compute one element, all producers inlined. */
  readonly cost: number;
  /** Contains a reduction: such values are hoisted per row and never worth a kernel of their own. */
  readonly reduces: boolean;
}

function summarise(table: Table, region: Region): Map<ValueId, Summary> {
  const known = new Map<ValueId, Summary>();
  for (const id of region.nodes) {
    const node = table.nodes[id] as Node;
    let cost = 0;
    let reduces = false;
    if (isReduction(node)) {
      reduces = true;
    } else if (isFusable(node)) {
      if (definitionOf(node.op).scalar !== undefined) cost += operationsOf(node.op);
      if (node.op === "gather") cost += 2;
      for (const input of node.inputs) {
        const from = known.get(input);
        if (from === undefined) continue;
        cost += from.cost;
        reduces ||= from.reduces;
      }
    }
    for (const value of node.outputs) {
      known.set(value, { cost: Math.min(cost, 1e6), reduces });
    }
  }
  return known;
}

interface Use {
  /** Composition of the movement between the value and its reader. */
  readonly map: string;
  /** Elements of the reader per element of the value. */
  readonly repeat: number;
}

export interface Roots {
  /** Values that get memory of their own. */
  readonly roots: Set<ValueId>;
  /** Those of them that need it only because computing them again would cost more, and why. */
  readonly stored: ReadonlyMap<ValueId, { readonly reason: StoreReason; readonly why: string }>;
}

export function decideRoots(table: Table, region: Region): Roots {
  const roots = new Set<ValueId>(region.results);
  const stored = new Map<ValueId, { reason: StoreReason; why: string }>();
  const summaries = summarise(table, region);
  const uses = new Map<ValueId, Use[]>();
  /** Values with memory that each value flows into; three say as much as more. */
  const sinks = new Map<ValueId, Set<ValueId>>();
  const addUse = (value: ValueId, use: Use): void => {
    const list = uses.get(value);
    if (list === undefined) uses.set(value, [use]);
    else list.push(use);
  };
  const addSinks = (value: ValueId, from: Iterable<ValueId>): void => {
    let own = sinks.get(value);
    if (own === undefined) {
      own = new Set();
      sinks.set(value, own);
    }
    for (const sink of from) if (own.size < 3) own.add(sink);
  };
  const readings = new Readings(table);
  const sizeOf = (value: ValueId): number => elementCount(table.tensor(value).shape);

  /** Flows into several arrays that cannot be outputs of one kernel, for want of one domain. */
  const severalDomains = (value: ValueId): boolean => {
    const targets = [...(sinks.get(value) ?? [])];
    return targets.length > 1 && targets.some((sink) => sizeOf(sink) !== sizeOf(value));
  };

  for (const id of [...region.nodes].reverse()) {
    const node = table.nodes[id] as Node;
    if (!isFusable(node)) {
      for (const value of node.inputs) roots.add(value);
      continue;
    }
    const result = node.outputs[0] as ValueId;
    const own = uses.get(result) ?? [];
    if (!roots.has(result) && mayBeStored(node)) {
      const readers: Readers = {
        ...(summaries.get(result) as Summary),
        maps: Math.max(new Set(own.map(({ map }) => map)).size, readings.countOf(result)),
        repeat: own.reduce((most, { repeat }) => Math.max(most, repeat), 1),
        severalDomains: severalDomains(result),
      };
      const reason = storeOrRecompute(readers);
      if (reason !== undefined) {
        roots.add(result);
        stored.set(result, { reason, why: explainStore(reason, readers) });
      }
    }
    readings.passOn(node, roots.has(result), kindOf(node));
    const flowsTo = roots.has(result) ? [result] : (sinks.get(result) ?? []);
    const passThrough = isMovement(node) && !roots.has(result);
    const view = isMovement(node) ? viewOf(table, node) : undefined;
    for (const value of new Set(node.inputs)) {
      addSinks(value, flowsTo);
      const ratio = sizeOf(value) === 0 ? 1 : sizeOf(result) / sizeOf(value);
      if (view !== undefined) {
        const map = view.index.map(({ key }) => key).join();
        if (passThrough) {
          for (const use of own) {
            addUse(value, { map: `${map};${use.map}`, repeat: use.repeat * ratio });
          }
          if (own.length === 0) addUse(value, { map, repeat: ratio });
        } else {
          addUse(value, { map, repeat: ratio });
        }
      } else {
        // Pad, concatenate and friends shift their operands: a map of their own.
        const map =
          definitionOf(node.op).scalar === undefined && !isReduction(node) ? `n${id}` : "";
        addUse(value, { map, repeat: isReduction(node) ? 1 : ratio });
      }
    }
  }
  cutLongChains(table, region, roots);
  return { roots, stored };
}

const kindOf = (node: Node): "elementwise" | "reduction" | "other" =>
  isReduction(node)
    ? "reduction"
    : definitionOf(node.op).scalar === undefined
      ? "other"
      : "elementwise";

/** Adds a root wherever operations that weigh `longestChain` follow each other without one. */
function cutLongChains(table: Table, region: Region, roots: Set<ValueId>): void {
  const weights = new Map<ValueId, number>();
  const weightOf = (value: ValueId): number => weights.get(value) ?? 0;
  for (const id of region.nodes) {
    const node = table.nodes[id] as Node;
    const [value] = node.outputs;
    if (value === undefined || !isFusable(node)) continue;
    let weight = Math.max(1, operationsOf(node.op));
    if (isReduction(node)) {
      const source = computedSource(table, node.inputs[0] as ValueId);
      if (weightOf(source) + reductionWeight > longestChain) {
        roots.add(source);
        weights.set(source, 0);
      }
      weight = reductionWeight;
    }
    weight += node.inputs.reduce((most, input) => Math.max(most, weightOf(input)), 0);
    if (weight > longestChain && !isMovement(node)) roots.add(value);
    weights.set(value, roots.has(value) ? 0 : weight);
  }
}

/** What `value` is moved from. */
function computedSource(table: Table, value: ValueId): ValueId {
  let source = value;
  for (;;) {
    const node = table.producer(source);
    if (node === undefined || !isMovement(node)) return source;
    source = node.inputs[0] as ValueId;
  }
}

const mayBeStored = (node: Node): boolean =>
  !isMovement(node) && !isReduction(node) && node.outputs.length === 1;
