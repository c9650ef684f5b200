/**
 * Numbers for what nodes do with what came before them, all the way down: equal ones where nodes do the same, but for
 * literals and for the places that slices start at. What has been put into one pack counts as alike from there on.
 */
import type { Node, Region, Table, TensorType, ValueId } from "@gridfuse/graph";
import { type Kinds, kindsOf, Lists, Words } from "../simplify/key.ts";
import { ValueNumbers } from "../tensor/value-numbers.ts";

/** What the first word of a list says that it names. */
const valueMark = 0;
const literalMark = 1;
const sliceMark = 2;
const nodeMark = 3;
const typeMark = 4;

/** Likenesses are kept by structure and by which operands lie in packs, of nodes with as many operands. */
const mostMarked = 16;

export class SiblingStructures {
  readonly #kinds: Kinds;
  /** Kinds with their operands. */
  readonly #lists = new Lists();
  readonly #named = new Lists();
  readonly #likenesses = new Map<number, number>();
  readonly #words = new Words();
  readonly #dtypes: string[] = [];
  readonly #ofTypes = new Map<TensorType, number>();
  readonly #table: Table;
  readonly #ofValues: ValueNumbers;
  readonly #operands = new Words();

  constructor(table: Table, region: Region) {
    this.#ofValues = new ValueNumbers(table.types.length, region.nodes.length);
    this.#kinds = kindsOf(table);
    this.#table = table;
  }

  /** The number of a node, which its results have too. Nodes come in order of depth. */
  numberOf(node: Node): number {
    const number = this.#find(node);
    const { outputs } = node;
    for (let i = 0; i < outputs.length; i += 1) this.#ofValues.set(outputs[i] as ValueId, number);
    return number;
  }

  /** From here on what `node` makes counts as what has that number. */
  countAs(node: Node, number: number): void {
    const { outputs } = node;
    for (let i = 0; i < outputs.length; i += 1) this.#ofValues.set(outputs[i] as ValueId, number);
  }

  /** The number of what a node of that number does where of operands in packs only the type counts. */
  likenessOf(node: Node, structure: number, isPacked: (value: ValueId) => boolean): number {
    if (node.op === "slice") return structure;
    const { inputs } = node;
    let packed = 0;
    for (let i = 0; i < inputs.length; i += 1) {
      if (isPacked(inputs[i] as ValueId)) packed |= i < mostMarked ? 1 << i : -1;
    }
    if (packed === 0) return structure;
    if (packed < 0) return this.#likeness(node, isPacked);
    const key = structure * 2 ** mostMarked + packed;
    let likeness = this.#likenesses.get(key);
    if (likeness === undefined) {
      likeness = this.#likeness(node, isPacked);
      this.#likenesses.set(key, likeness);
    }
    return likeness;
  }

  #likeness(node: Node, isPacked: (value: ValueId) => boolean): number {
    return this.#withOperands(node, (value) =>
      isPacked(value) ? this.#ofType(value) : this.#ofValue(value),
    );
  }

  #withOperands(node: Node, numberOf: (value: ValueId) => number): number {
    const { inputs } = node;
    const operands = this.#operands;
    operands.length = 0;
    operands.push(this.#kinds.numberOf(node));
    for (let i = 0; i < inputs.length; i += 1) operands.push(numberOf(inputs[i] as ValueId));
    return 2 * this.#lists.numberOf(operands);
  }

  #ofType(value: ValueId): number {
    const type = this.#table.tensor(value);
    let number = this.#ofTypes.get(type);
    if (number === undefined) {
      const words = this.#words;
      words.length = 0;
      words.push(typeMark);
      words.push(this.#dtype(type.dtype));
      for (let d = 0; d < type.shape.length; d += 1) words.push(Number(type.shape[d]));
      number = this.#name(words);
      this.#ofTypes.set(type, number);
    }
    return number;
  }

  /** What has a name of its own has an odd number, what is told by its operands an even one. */
  #name(words: Words): number {
    return 2 * this.#named.numberOf(words) + 1;
  }

  #find(node: Node): number {
    const words = this.#words;
    const { inputs } = node;
    if (node.op === "full") {
      const { dtype, shape } = node.params;
      words.length = 0;
      words.push(literalMark);
      words.push(this.#dtype(dtype));
      for (let d = 0; d < shape.length; d += 1) words.push(Number(shape[d]));
      return this.#name(words);
    }
    if (node.op === "slice") {
      const { start, limit, strides } = node.params;
      const source = this.#ofValue(inputs[0] as ValueId);
      words.length = 0;
      words.push(sliceMark);
      words.push(source);
      for (let d = 0; d < start.length; d += 1) {
        words.push((limit[d] as number) - (start[d] as number));
        words.push(strides[d] as number);
      }
      return this.#name(words);
    }
    if (node.regions.length > 0) {
      words.length = 0;
      words.push(nodeMark);
      words.push(node.id);
      return this.#name(words);
    }
    return this.#withOperands(node, this.#numberOfValue);
  }

  #dtype(dtype: string): number {
    const known = this.#dtypes.indexOf(dtype);
    return known < 0 ? this.#dtypes.push(dtype) - 1 : known;
  }

  readonly #numberOfValue = (value: ValueId): number => this.#ofValue(value);

  #ofValue(value: ValueId): number {
    let number = this.#ofValues.get(value);
    if (number < 0) {
      const words = this.#words;
      words.length = 0;
      words.push(valueMark);
      words.push(value);
      number = this.#name(words);
      this.#ofValues.set(value, number);
    }
    return number;
  }
}
