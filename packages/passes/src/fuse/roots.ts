/**
 * fuse, first half: which values are written to memory.
 *
 * What a library step, a loop or a caller needs must be. Of the rest, a value that is computed and
 * then read through two different index maps is (butterflies would double at every stage), and one
 * that is dear and wanted by several kernels, or repeated along a broadcast. Everything else is
 * computed where it is read.
 *
 * Orbits are looked for in between: while every layer of a network still counts as stored, however cheap a
 * layer is by itself. What is in no orbit is then looked at again.
 */
import type { Node, Region, Table, ValueId } from "@gridfuse/graph";
import {
  longestChain,
  memoryTrip,
  operationsOf,
  operationsOfScatter,
  type Readers,
  reductionWeight,
  type Stored,
  storeOrRecompute,
} from "./cost.ts";
import { hasManyPieces, isMovement, type OpKind } from "./op-kinds.ts";
import { Readings } from "./readings.ts";
import { RegionNumbers } from "./region-numbers.ts";

export interface Roots {
  /** Values that get memory of their own. */
  readonly roots: Set<ValueId>;
  /** Those of them that need it only because computing them again would cost more, and why. */
  readonly stored: ReadonlyMap<ValueId, Stored>;
  /** The region that was decided about. */
  readonly numbers: RegionNumbers;
}

/** Values that one kernel makes, without memory for what is in between. */
interface MadeTogether {
  readonly finals: readonly ValueId[];
  readonly inner: ReadonlyMap<ValueId, number>;
}

/** @param findOrbits takes what is inner to an orbit out of the roots that it is given */
export function decideRoots<O extends MadeTogether>(
  table: Table,
  region: Region,
  findOrbits: (roots: Roots) => readonly O[],
): { readonly decided: Roots; readonly orbits: readonly O[] } {
  const decided = new Decision(table, region);
  decided.store();
  const orbits = findOrbits(decided);
  if (decided.stored.size > 0) decided.release(orbits);
  if (decided.mayChain()) decided.cutLongChains();
  return { decided, orbits };
}

/** Costs beyond this are all the same. */
const highestCost = 1e6;
/** Arrays with memory that a value flows into: three say as much as more. */
const mostSinks = 3;

/** Values of a region have numbers in order of appearance, and what is known of them lies in arrays. */
class Decision implements Roots {
  readonly roots: Set<ValueId>;
  readonly stored = new Map<ValueId, Stored>();
  readonly numbers: RegionNumbers;
  readonly #table: Table;
  /** Undefined where every value that is worth a thought has one reader: then there is one way to read it. */
  readonly #readings: Readings | undefined;
  /** Scalar operations of each node. */
  readonly #operations: Int32Array;
  /** The same as `roots`, by number. */
  readonly #isRoot: Uint8Array;
  /** Scalar operations to compute one element, all producers inlined. */
  readonly #costs: Int32Array;
  /** Contains a reduction: such values are hoisted per row and never worth a kernel of their own. */
  readonly #reduces: Uint8Array;
  /** Elements of a reader per element of the value, at most. */
  readonly #repeats: Float64Array;
  readonly #sinks: Int32Array;
  /** Made by an orbit, by number: once, whoever reads it. */
  readonly #isMadeTogether: Uint8Array;
  /** Operands that a value is, and results. */
  readonly #uses: Int32Array;

  constructor(table: Table, region: Region) {
    this.#table = table;
    this.roots = new Set(region.results);
    const numbers = new RegionNumbers(table, region);
    const { values, operands } = numbers;
    this.numbers = numbers;
    const count = values.length;
    this.#operations = new Int32Array(numbers.nodes.length);
    for (let i = 0; i < numbers.nodes.length; i += 1) {
      this.#operations[i] = operationsOf((numbers.nodes[i] as Node).op);
    }
    this.#isRoot = new Uint8Array(count);
    this.#costs = new Int32Array(count);
    this.#reduces = new Uint8Array(count);
    this.#repeats = new Float64Array(count);
    this.#sinks = new Int32Array(count * mostSinks).fill(-1);
    this.#isMadeTogether = new Uint8Array(count);
    const uses = new Int32Array(count);
    for (let i = 0; i < operands.length; i += 1) {
      const number = operands[i] as number;
      uses[number] = (uses[number] as number) + 1;
    }
    for (const value of region.results) {
      const number = numbers.of(value);
      uses[number] = (uses[number] as number) + 1;
      this.#isRoot[number] = 1;
    }
    this.#uses = uses;
    for (let i = 0; i < numbers.nodes.length; i += 1) this.#summarise(i);
    this.#readings = this.#hasTurns() ? new Readings(table, numbers) : undefined;
  }

  /** Whether something that computes, or folds, is wanted more than once: only then can it be through several maps. */
  #hasTurns(): boolean {
    const uses = this.#uses;
    for (let i = 0; i < uses.length; i += 1) {
      if ((uses[i] as number) < 2) continue;
      if ((this.#costs[i] as number) > memoryTrip || this.#reduces[i] === 1) return true;
    }
    return false;
  }

  /** Whether all nodes in a row would be a chain too long. */
  mayChain(): boolean {
    const { kinds } = this.numbers;
    let weight = 0;
    for (let i = 0; i < kinds.length && weight <= longestChain; i += 1) {
      weight +=
        kinds[i] === "reduction" ? reductionWeight : Math.max(1, this.#operations[i] as number);
    }
    return weight > longestChain;
  }

  #addRoot(number: number): void {
    if (this.#isRoot[number] === 1) return;
    this.#isRoot[number] = 1;
    this.roots.add(this.numbers.values[number] as ValueId);
  }

  #summarise(at: number): void {
    const { nodes, kinds, operands, starts, results } = this.numbers;
    const kind = kinds[at] as OpKind;
    let cost = 0;
    let reduces = 0;
    if (kind === "reduction") {
      reduces = 1;
    } else if (kind !== "apart") {
      if (kind === "elementwise") cost += this.#operations[at] as number;
      if (kind === "indexing" && nodes[at]?.op === "gather") cost += 2;
      const end = starts[at + 1] as number;
      for (let i = starts[at] as number; i < end; i += 1) {
        const from = operands[i] as number;
        cost += this.#costs[from] as number;
        reduces |= this.#reduces[from] as number;
      }
    } else {
      // Costs nothing to whoever reads it, as every result that is stored.
      return;
    }
    const result = results[at] as number;
    this.#costs[result] = Math.min(cost, highestCost);
    this.#reduces[result] = reduces;
  }

  /** From results to params: by the time a value is looked at, its readers have been. */
  store(): void {
    const { nodes, kinds, operands, starts, results } = this.numbers;
    for (let at = nodes.length - 1; at >= 0; at -= 1) {
      const node = nodes[at] as Node;
      const kind = kinds[at] as OpKind;
      if (kind === "apart") {
        const first = starts[at] as number;
        const end = starts[at + 1] as number;
        for (let i = first; i < end; i += 1) {
          const operand = operands[i] as number;
          if (node.op === "scatter" && operand !== operands[first] && this.#isCheap(operand))
            continue;
          this.#addRoot(operand);
        }
        continue;
      }
      const result = results[at] as number;
      const isDear = (this.#costs[result] as number) > memoryTrip;
      if (isDear && this.#isRoot[result] === 0 && mayBeStored(node, kind)) {
        this.#storeWhereItPays(result);
      }
      if (hasManyPieces(node)) this.#addRoot(result);
      const isStored = this.#isRoot[result] === 1;
      this.#readings?.passOn(at, isStored);
      this.#passOn(at, kind, isStored);
    }
  }

  /** A scatter computes cheap indices and updates by itself, one after the other. */
  #isCheap(number: number): boolean {
    return (this.#costs[number] as number) <= operationsOfScatter;
  }

  #storeWhereItPays(number: number): void {
    const readers: Readers = {
      cost: this.#costs[number] as number,
      reduces: this.#reduces[number] === 1,
      maps: this.#readings?.mapsOf(number) ?? 1,
      repeat: Math.max(1, this.#repeats[number] as number),
      severalDomains: this.#severalDomains(number),
    };
    const reason = storeOrRecompute(readers);
    if (reason === undefined) return;
    this.#addRoot(number);
    this.stored.set(this.numbers.values[number] as ValueId, { reason, readers });
  }

  /**
   * From params to results: what is stored stops counting for what is made of it, and some values turn out to be cheap
   * after all. They stay cheap: whatever is inlined in them is, too. What orbits compute is computed once.
   */
  release(orbits: readonly MadeTogether[]): void {
    const { nodes, results, values } = this.numbers;
    const isMadeTogether = this.#isMadeTogether;
    for (const { finals, inner } of orbits) {
      for (const value of finals) isMadeTogether[this.numbers.of(value)] = 1;
      for (const value of inner.keys()) {
        const number = this.numbers.of(value);
        isMadeTogether[number] = 1;
        this.#isRoot[number] = 0;
        this.stored.delete(value);
      }
    }
    for (let at = 0; at < nodes.length; at += 1) {
      this.#summarise(at);
      const number = results[at] as number;
      if (number < 0 || (this.#isRoot[number] === 0 && isMadeTogether[number] === 0)) continue;
      const value = values[number] as ValueId;
      const known = this.stored.get(value);
      const isSettled = isMadeTogether[number] === 1 || this.#isMadeOfParts(nodes[at] as Node);
      if (known !== undefined && !isSettled) {
        const cost = this.#costs[number] as number;
        const readers = { ...known.readers, cost, reduces: this.#reduces[number] === 1 };
        const reason = storeOrRecompute(readers);
        if (reason === undefined) {
          this.#isRoot[number] = 0;
          this.roots.delete(value);
          this.stored.delete(value);
          continue;
        }
        this.stored.set(value, { reason, readers });
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
        if (this.#uses[this.numbers.of(value)] !== 1) return false;
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
    const { sizes } = this.numbers;
    for (let i = first; i < first + mostSinks; i += 1) {
      const sink = this.#sinks[i] as number;
      if (sink >= 0 && sizes[sink] !== sizes[number]) return true;
    }
    return false;
  }

  #addSink(number: number, sink: number): void {
    const sinks = this.#sinks;
    const first = number * mostSinks;
    for (let i = first; i < first + mostSinks; i += 1) {
      if (sinks[i] === sink) return;
      if (sinks[i] !== -1) continue;
      sinks[i] = sink;
      return;
    }
  }

  /** Tells operands where the result goes, and how often each of their elements is asked for. */
  #passOn(at: number, kind: OpKind, isStored: boolean): void {
    const { operands, starts, results, sizes } = this.numbers;
    const sinks = this.#sinks;
    const result = results[at] as number;
    // What is only moved asks as often as whoever reads it.
    const often = kind === "movement" && !isStored ? this.#repeats[result] || 1 : 1;
    const end = starts[at + 1] as number;
    for (let operand = starts[at] as number; operand < end; operand += 1) {
      const number = operands[operand] as number;
      if (isStored) {
        this.#addSink(number, result);
      } else {
        const first = result * mostSinks;
        for (let i = first; i < first + mostSinks && sinks[i] !== -1; i += 1) {
          this.#addSink(number, sinks[i] as number);
        }
      }
      const size = sizes[number] as number;
      const ratio = size === 0 ? 1 : (sizes[result] as number) / size;
      const repeat = kind === "reduction" ? 1 : often * ratio;
      if (repeat > (this.#repeats[number] as number)) this.#repeats[number] = repeat;
    }
  }

  /** Adds a root wherever operations that weigh `longestChain` follow each other without one. */
  cutLongChains(): void {
    const { nodes, kinds, operands, starts, results, values } = this.numbers;
    const weights = new Int32Array(values.length);
    for (let at = 0; at < nodes.length; at += 1) {
      const number = results[at] as number;
      const kind = kinds[at];
      if (number < 0 || kind === "apart") continue;
      let weight = Math.max(1, this.#operations[at] as number);
      if (kind === "reduction") {
        const [folded] = (nodes[at] as Node).inputs as readonly [ValueId];
        const source = this.numbers.of(computedSource(this.#table, folded));
        if ((weights[source] as number) + reductionWeight > longestChain) {
          this.#addRoot(source);
          weights[source] = 0;
        }
        weight = reductionWeight;
      }
      let longest = 0;
      const end = starts[at + 1] as number;
      for (let i = starts[at] as number; i < end; i += 1) {
        const before = weights[operands[i] as number] as number;
        if (before > longest) longest = before;
      }
      weight += longest;
      const mayBeCut = kind !== "movement" && this.#isMadeTogether[number] === 0;
      if (weight > longestChain && mayBeCut) this.#addRoot(number);
      const isMade = this.#isRoot[number] === 1 || this.#isMadeTogether[number] === 1;
      weights[number] = isMade ? 0 : weight;
    }
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

const mayBeStored = (node: Node, kind: OpKind): boolean =>
  kind !== "movement" && kind !== "reduction" && node.outputs.length === 1;
