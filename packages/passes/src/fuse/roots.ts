/**
 * fuse, first half: which values are written to memory.
 *
 * What a library step, a loop or a caller needs must be. Of the rest, a value that is computed and
 * then read through two different index maps is (butterflies would double at every stage), and one
 * that is dear and wanted by several kernels, or repeated along a broadcast. Everything else is
 * computed where it is read.
 */
import { elementCount, type Node, type Region, type Table, type ValueId } from "@gridfuse/graph";
import {
  explainStore,
  longestChain,
  operationsOf,
  operationsOfScatter,
  type Readers,
  reductionWeight,
  type StoreReason,
  storeOrRecompute,
} from "./cost.ts";
import { isFusable, isMovement, kindOf } from "./op-kinds.ts";
import { Readings } from "./readings.ts";
import { RegionNumbers } from "./region-numbers.ts";

export interface Roots {
  /** Values that get memory of their own. */
  readonly roots: Set<ValueId>;
  /** Those of them that need it only because computing them again would cost more, and why. */
  readonly stored: ReadonlyMap<ValueId, { readonly reason: StoreReason; readonly why: string }>;
}

export function decideRoots(table: Table, region: Region): Roots {
  const decision = new Decision(table, region);
  decision.store();
  decision.release();
  decision.cutLongChains();
  return decision;
}

/** Costs beyond this are all the same. */
const highestCost = 1e6;
/** Arrays with memory that a value flows into: three say as much as more. */
const mostSinks = 3;

/** Values of a region have numbers in order of appearance, and what is known of them lies in arrays. */
class Decision implements Roots {
  readonly roots: Set<ValueId>;
  readonly stored = new Map<ValueId, { reason: StoreReason; why: string; readers: Readers }>();
  readonly #table: Table;
  readonly #nodes: readonly Node[];
  readonly #numbers: RegionNumbers;
  readonly #readings: Readings;
  /** Scalar operations to compute one element, all producers inlined. */
  readonly #costs: Float64Array;
  /** Contains a reduction: such values are hoisted per row and never worth a kernel of their own. */
  readonly #reduces: Uint8Array;
  readonly #sizes: Float64Array;
  /** Elements of a reader per element of the value, at most. */
  readonly #repeats: Float64Array;
  readonly #sinks: Int32Array;
  /** Operands that a value is, and results. */
  readonly #uses: Int32Array;

  constructor(table: Table, region: Region) {
    this.#table = table;
    this.roots = new Set(region.results);
    this.#nodes = region.nodes.map((id) => table.nodes[id] as Node);
    this.#numbers = new RegionNumbers(table, region);
    const { values } = this.#numbers;
    const count = values.length;
    this.#costs = new Float64Array(count);
    this.#reduces = new Uint8Array(count);
    this.#repeats = new Float64Array(count);
    this.#sinks = new Int32Array(count * mostSinks).fill(-1);
    this.#sizes = new Float64Array(count);
    for (const [number, value] of values.entries()) this.#sizes[number] = sizeOf(table, value);
    this.#uses = new Int32Array(count);
    const use = (value: ValueId): void => {
      const number = this.#numberOf(value);
      this.#uses[number] = (this.#uses[number] as number) + 1;
    };
    for (const node of this.#nodes) node.inputs.forEach(use);
    region.results.forEach(use);
    this.#readings = new Readings(table, this.#numbers);
    this.#summarise();
  }

  #numberOf(value: ValueId): number {
    return this.#numbers.of(value);
  }

  #summarise(): void {
    for (const node of this.#nodes) this.#summariseNode(node);
  }

  #summariseNode(node: Node): void {
    const kind = kindOf(node);
    let cost = 0;
    let reduces = 0;
    if (kind === "reduction") {
      reduces = 1;
    } else if (kind !== "apart") {
      if (kind === "elementwise") cost += operationsOf(node.op);
      if (node.op === "gather") cost += 2;
      for (const input of node.inputs) {
        const from = this.#numberOf(input);
        cost += this.#costs[from] as number;
        reduces |= this.#reduces[from] as number;
      }
    }
    for (const value of node.outputs) {
      const number = this.#numberOf(value);
      this.#costs[number] = Math.min(cost, highestCost);
      this.#reduces[number] = reduces;
    }
  }

  /** From results to params: by the time a value is looked at, its readers have been. */
  store(): void {
    const { roots } = this;
    for (let i = this.#nodes.length - 1; i >= 0; i -= 1) {
      const node = this.#nodes[i] as Node;
      if (!isFusable(node)) {
        for (const value of node.inputs) if (!this.#joinsScatter(node, value)) roots.add(value);
        continue;
      }
      const result = node.outputs[0] as ValueId;
      if (!roots.has(result) && mayBeStored(node)) this.#storeWhereItPays(result);
      const isStored = roots.has(result);
      this.#readings.passOn(node, isStored);
      this.#passOn(node, isStored);
    }
  }

  /** A scatter computes cheap indices and updates by itself, one after the other. */
  #joinsScatter(node: Node, value: ValueId): boolean {
    if (node.op !== "scatter" || value === node.inputs[0]) return false;
    return (this.#costs[this.#numberOf(value)] as number) <= operationsOfScatter;
  }

  #storeWhereItPays(result: ValueId): void {
    const number = this.#numberOf(result);
    const readers: Readers = {
      cost: this.#costs[number] as number,
      reduces: this.#reduces[number] === 1,
      maps: this.#readings.mapsOf(result),
      repeat: Math.max(1, this.#repeats[number] as number),
      severalDomains: this.#severalDomains(number),
    };
    const reason = storeOrRecompute(readers);
    if (reason === undefined) return;
    this.roots.add(result);
    this.stored.set(result, { reason, why: explainStore(reason, readers), readers });
  }

  /**
   * From params to results: what is stored stops counting for what is made of it, and some values turn out to be cheap
   * after all. They stay cheap: whatever is inlined in them is, too.
   */
  release(): void {
    for (const node of this.#nodes) {
      this.#summariseNode(node);
      const [value] = node.outputs;
      if (value === undefined || !this.roots.has(value)) continue;
      const number = this.#numberOf(value);
      const known = this.stored.get(value);
      if (known !== undefined && !this.#isMadeOfParts(node)) {
        const cost = this.#costs[number] as number;
        const readers = { ...known.readers, cost, reduces: this.#reduces[number] === 1 };
        const reason = storeOrRecompute(readers);
        if (reason === undefined) {
          this.roots.delete(value);
          this.stored.delete(value);
          continue;
        }
        this.stored.set(value, { reason, why: explainStore(reason, readers), readers });
      }
      this.#costs[number] = 0;
      this.#reduces[number] = 0;
    }
  }

  /** Joined from arrays that are stored for nobody else: they are made where they belong, or beside each other. */
  #isMadeOfParts(node: Node): boolean {
    if (node.op !== "concatenate") return false;
    return node.inputs.some((operand) => {
      let value = operand;
      for (;;) {
        if (this.#uses[this.#numberOf(value)] !== 1) return false;
        if (this.stored.has(value)) return true;
        const maker = this.#table.producer(value);
        if (maker === undefined || !isMovement(maker)) return false;
        value = maker.inputs[0] as ValueId;
      }
    });
  }

  /** Flows into several arrays that cannot be outputs of one kernel, for want of one domain. */
  #severalDomains(number: number): boolean {
    const first = number * mostSinks;
    if (this.#sinks[first + 1] === -1) return false;
    for (let i = first; i < first + mostSinks; i += 1) {
      const sink = this.#sinks[i] as number;
      if (sink >= 0 && this.#sizes[sink] !== this.#sizes[number]) return true;
    }
    return false;
  }

  #addSink(number: number, sink: number): void {
    const first = number * mostSinks;
    for (let i = first; i < first + mostSinks; i += 1) {
      if (this.#sinks[i] === sink) return;
      if (this.#sinks[i] !== -1) continue;
      this.#sinks[i] = sink;
      return;
    }
  }

  /** Tells operands where the result goes, and how often each of their elements is asked for. */
  #passOn(node: Node, isStored: boolean): void {
    const kind = kindOf(node);
    const result = this.#numberOf(node.outputs[0] as ValueId);
    // What is only moved asks as often as whoever reads it.
    const often = kind === "movement" && !isStored ? this.#repeats[result] || 1 : 1;
    for (const value of node.inputs) {
      const number = this.#numberOf(value);
      if (isStored) {
        this.#addSink(number, result);
      } else {
        for (let i = result * mostSinks; i < (result + 1) * mostSinks; i += 1) {
          const sink = this.#sinks[i] as number;
          if (sink >= 0) this.#addSink(number, sink);
        }
      }
      const size = this.#sizes[number] as number;
      const ratio = size === 0 ? 1 : (this.#sizes[result] as number) / size;
      const repeat = kind === "reduction" ? 1 : often * ratio;
      if (repeat > (this.#repeats[number] as number)) this.#repeats[number] = repeat;
    }
  }

  /** Adds a root wherever operations that weigh `longestChain` follow each other without one. */
  cutLongChains(): void {
    const { roots } = this;
    const weights = new Float64Array(this.#numbers.values.length);
    for (const node of this.#nodes) {
      const [value] = node.outputs;
      if (value === undefined || !isFusable(node)) continue;
      let weight = Math.max(1, operationsOf(node.op));
      if (kindOf(node) === "reduction") {
        const source = computedSource(this.#table, node.inputs[0] as ValueId);
        const number = this.#numberOf(source);
        if ((weights[number] as number) + reductionWeight > longestChain) {
          roots.add(source);
          weights[number] = 0;
        }
        weight = reductionWeight;
      }
      let longest = 0;
      for (const input of node.inputs) {
        longest = Math.max(longest, weights[this.#numberOf(input)] as number);
      }
      weight += longest;
      if (weight > longestChain && !isMovement(node)) roots.add(value);
      weights[this.#numberOf(value)] = roots.has(value) ? 0 : weight;
    }
  }
}

const sizeOf = (table: Table, value: ValueId): number => elementCount(table.tensor(value).shape);

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
  !isMovement(node) && kindOf(node) !== "reduction" && node.outputs.length === 1;
