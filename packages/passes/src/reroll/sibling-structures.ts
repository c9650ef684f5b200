/**
 * Numbers for what nodes do with what came before them, all the way down: equal ones where nodes do the same, but for
 * literals and for the places that slices start at. What has been put into one pack counts as alike from there on.
 */
import type { Node, Region, Table, TensorType, ValueId } from "@gridfuse/graph";
import { Lists, Structures, Words } from "../simplify/key.ts";
import { ValueNumbers } from "../tensor/value-numbers.ts";

/** What the first word of a list says that it names. */
const valueMark = 0;
const literalMark = 1;
const sliceMark = 2;
const nodeMark = 3;
const typeMark = 4;

export class SiblingStructures {
  readonly #structures: Structures;
  readonly #named = new Lists();
  readonly #words = new Words();
  readonly #dtypes: string[] = [];
  readonly #ofTypes = new Map<TensorType, number>();
  readonly #table: Table;
  readonly #ofValues: ValueNumbers;
  readonly #inputs: number[] = [];

  constructor(table: Table, region: Region) {
    this.#ofValues = new ValueNumbers(table.types.length, region.nodes.length);
    this.#structures = new Structures(table);
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

  /** The number of what a node does where of operands in packs only the type counts. */
  likenessOf(node: Node, isPacked: (value: ValueId) => boolean): number {
    if (node.op === "slice") return this.#find(node);
    const { inputs } = node;
    const own = this.#inputs;
    own.length = inputs.length;
    for (let i = 0; i < inputs.length; i += 1) {
      const value = inputs[i] as ValueId;
      own[i] = isPacked(value) ? this.#ofType(value) : this.#ofValue(value);
    }
    return 2 * this.#structures.numberOf(node, own);
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
    const own = this.#inputs;
    own.length = inputs.length;
    for (let i = 0; i < inputs.length; i += 1) own[i] = this.#ofValue(inputs[i] as ValueId);
    words.length = 0;
    if (node.op === "slice") {
      const { start, limit, strides } = node.params;
      words.push(sliceMark);
      words.push(own[0] as number);
      for (let d = 0; d < start.length; d += 1) {
        words.push((limit[d] as number) - (start[d] as number));
        words.push(strides[d] as number);
      }
      return this.#name(words);
    }
    if (node.regions.length > 0) {
      words.push(nodeMark);
      words.push(node.id);
      return this.#name(words);
    }
    return 2 * this.#structures.numberOf(node, own);
  }

  #dtype(dtype: string): number {
    const known = this.#dtypes.indexOf(dtype);
    return known < 0 ? this.#dtypes.push(dtype) - 1 : known;
  }

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
