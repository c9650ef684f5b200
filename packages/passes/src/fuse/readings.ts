/**
 * Through which index maps the kernels that a value flows into read it, all movement on the way put together.
 *
 * A value may have one reader and yet be computed at many places: what is added to an array before it is transposed is
 * read straight by one step and transposed by the next, and after a few of those at every turn of the square. So maps are
 * carried on from what is stored towards memory, through whatever computes in between.
 *
 * Everything here is a number: values and maps, shapes and lists of index expressions. Texts are written once for each
 * list that there is, not for each way that leads to it.
 */
import { type Node, sizes, type Table, type TensorType, type ValueId } from "@gridfuse/graph";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import { coordinates, type ViewForm, viewOf } from "../tensor/views.ts";
import type { OpKind } from "./op-kinds.ts";
import type { RegionNumbers } from "./region-numbers.ts";
import { foldedDims } from "./short-folds.ts";

/** Coordinates of a value as functions of those of the kernel that reads it. */
interface ReadingMap {
  /** Shape of what the kernel makes; apart where a reduction is in between, because a stage of its own reads it so. */
  readonly group: number;
  /** What index expressions do not say: the nodes on the way that are no plain movement; 0 for none. */
  readonly detour: number;
  readonly index: readonly IndexExpr[];
  /** The number of `index`. */
  readonly list: number;
}

const straightMap = -1;

/** So many maps of one value say as much as more. */
const mostMaps = 8;
/** Axes that a reduction folds have names that no coordinate has. */
const foldedAxis = 2 ** 20;
const noCoordinates: readonly IndexExpr[] = [];

/** Numbers 1, 2, 3… for pairs of numbers. */
class Pairs {
  static readonly #most = 2 ** 26;
  readonly #numbers = new Map<number, number>();

  of(a: number, b: number): number {
    const key = a * Pairs.#most + b;
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#numbers.size + 1;
      this.#numbers.set(key, number);
    }
    return number;
  }
}

/** For each value a list of at most `mostMaps` different maps. */
class MapLists {
  /** Map `i` of value `v` is at v · `mostMaps` + i. */
  readonly maps: Int32Array;
  readonly counts: Uint8Array;

  constructor(values: number) {
    this.maps = new Int32Array(values * mostMaps);
    this.counts = new Uint8Array(values);
  }

  add(value: number, map: number): void {
    const { maps, counts } = this;
    const count = counts[value] as number;
    const first = value * mostMaps;
    const end = first + count;
    for (let i = first; i < end; i += 1) if (maps[i] === map) return;
    if (count === mostMaps) return;
    maps[end] = map;
    counts[value] = count + 1;
  }
}

export class Readings {
  readonly #table: Table;
  readonly #numbers: RegionNumbers;
  readonly #maps: ReadingMap[] = [];
  /** Maps, by group and detour, and list. */
  readonly #mapNumbers = new Map<number, number>();
  readonly #pairs = new Pairs();
  readonly #chains = new Pairs();
  readonly #moved = new Map<number, number>();
  readonly #lists = new Map<string, number>();
  readonly #listsOfViews = new Map<readonly IndexExpr[], number>();
  readonly #shapes = new Map<string, number>();
  readonly #shapesOfTypes = new Map<TensorType, number>();
  readonly #straight: number[] = [];
  /** Maps of a value, from the kernels on. */
  readonly #turned: MapLists;
  /** The same, from the nearest readers on that compute something or are stored. */
  readonly #direct: MapLists;
  /** Maps that go on from the result at hand. */
  readonly #from = new Int32Array(mostMaps);

  constructor(table: Table, numbers: RegionNumbers) {
    this.#table = table;
    this.#numbers = numbers;
    this.#turned = new MapLists(numbers.values.length);
    this.#direct = new MapLists(numbers.values.length);
  }

  /** Different maps through which points of kernels over one domain read value `number`, or stages that fold over it do. */
  mapsOf(number: number): number {
    const { maps, counts } = this.#turned;
    const count = counts[number] as number;
    let most = this.#direct.counts[number] as number;
    if (count < 2) return Math.max(count, most);
    const first = number * mostMaps;
    for (let i = first; i < first + count; i += 1) {
      const { group } = this.#maps[maps[i] as number] as ReadingMap;
      let alike = 0;
      for (let j = first; j < first + count; j += 1) {
        if ((this.#maps[maps[j] as number] as ReadingMap).group === group) alike += 1;
      }
      if (alike > most) most = alike;
      // What is of other groups is too little to matter.
      if (most >= count - alike) break;
    }
    return most;
  }

  /** Carries the readings of what node `at` makes on to its operands; anew from there where that is stored. */
  passOn(at: number, isStored: boolean): void {
    const { nodes, kinds, operands, starts, results, ranks } = this.#numbers;
    const first = starts[at] as number;
    const end = starts[at + 1] as number;
    if (first === end) return;
    const node = nodes[at] as Node;
    const kind = kinds[at] as OpKind;
    const result = results[at] as number;
    const count = this.#collect(node, result, isStored, kind === "reduction");
    if (kind === "movement") {
      this.#passThrough(node, operands[first] as number, result, isStored, count);
      return;
    }
    const turned = this.#turned;
    const isDirect = kind === "elementwise" || kind === "reduction";
    for (let i = first; i < end; i += 1) {
      const value = operands[i] as number;
      const isStraight = kind === "elementwise" && ranks[value] === ranks[result];
      for (let m = 0; m < count; m += 1) {
        const map = this.#from[m] as number;
        turned.add(value, isStraight ? map : this.#through(node, kind, i - first, map));
      }
      this.#direct.add(value, isDirect ? straightMap : -2 - node.id);
    }
  }

  #passThrough(node: Node, value: number, result: number, isStored: boolean, count: number): void {
    const { index } = viewOf(this.#table, node) as ViewForm;
    const list = this.#viewList(index);
    for (let m = 0; m < count; m += 1) {
      this.#turned.add(value, this.#moves(index, list, this.#from[m] as number));
    }
    const { maps, counts } = this.#direct;
    const own = isStored ? 0 : (counts[result] as number);
    if (own === 0) this.#direct.add(value, this.#after(list, straightMap));
    for (let m = 0; m < own; m += 1) {
      this.#direct.add(value, this.#after(list, maps[result * mostMaps + m] as number));
    }
  }

  /** Writes the maps that go on from a result to `#from`, and says how many there are. */
  #collect(node: Node, result: number, isStored: boolean, isReduction: boolean): number {
    const { maps, counts } = this.#turned;
    const count = isStored ? 0 : (counts[result] as number);
    // A reduction that is wanted at different places gets a kernel of its own, whatever is planned.
    if (count === 0 || (count > 1 && isReduction)) {
      this.#from[0] = this.#straightTo(this.#table.tensor(node.outputs[0] as ValueId));
      return 1;
    }
    for (let m = 0; m < count; m += 1) this.#from[m] = maps[result * mostMaps + m] as number;
    return count;
  }

  /** A number for movement through a view before the movement `map`, which may be negative. */
  #after(view: number, map: number): number {
    return this.#chains.of(view, map + 2 ** 25);
  }

  #number(group: number, detour: number, index: readonly IndexExpr[], list: number): number {
    const key = this.#pairs.of(group, detour) * 2 ** 26 + list;
    let number = this.#mapNumbers.get(key);
    if (number === undefined) {
      number = this.#maps.push({ group, detour, index, list }) - 1;
      this.#mapNumbers.set(key, number);
    }
    return number;
  }

  #straightTo(type: TensorType): number {
    const shape = this.#shapeNumber(type);
    let map = this.#straight[shape];
    if (map === undefined) {
      const index = coordinates(sizes(type.shape));
      map = this.#number(2 * shape, 0, index, this.#list(index));
      this.#straight[shape] = map;
    }
    return map;
  }

  #through(node: Node, kind: OpKind, operand: number, map: number): number {
    const reading = this.#maps[map] as ReadingMap;
    const { group, detour, index } = reading;
    const { shape } = this.#table.tensor(node.inputs[operand] as ValueId);
    if (kind === "elementwise" && shape.length === 0) {
      return this.#number(group, detour, noCoordinates, this.#list(noCoordinates));
    }
    if (kind === "reduction") {
      const folded = foldedDims(node);
      let kept = 0;
      const through = sizes(shape).map((extent, d) =>
        folded.includes(d) ? ix.axis(foldedAxis + d, extent) : (index[kept++] as IndexExpr),
      );
      return this.#number(group | 1, detour, through, this.#list(through));
    }
    return this.#around(node, operand, reading);
  }

  #moves(view: readonly IndexExpr[], list: number, map: number): number {
    const key = list * 2 ** 26 + map;
    let moved = this.#moved.get(key);
    if (moved === undefined) {
      const { group, detour, index } = this.#maps[map] as ReadingMap;
      const through = view.map((e) => ix.substituteAxes(e, index));
      moved = this.#number(group, detour, through, this.#list(through));
      this.#moved.set(key, moved);
    }
    return moved;
  }

  #around(node: Node, operand: number, { group, detour, list }: ReadingMap): number {
    const way = this.#pairs.of(this.#pairs.of(detour, list), this.#pairs.of(node.id, operand));
    const index = coordinates(sizes(this.#table.tensor(node.inputs[operand] as ValueId).shape));
    return this.#number(group, way, index, this.#list(index));
  }

  /** The number of a list that is the same object whenever it is asked for. */
  #viewList(index: readonly IndexExpr[]): number {
    let number = this.#listsOfViews.get(index);
    if (number === undefined) {
      number = this.#list(index);
      this.#listsOfViews.set(index, number);
    }
    return number;
  }

  #list(index: readonly IndexExpr[]): number {
    let key = "";
    for (const e of index) key += `${e.key},`;
    let number = this.#lists.get(key);
    if (number === undefined) {
      number = this.#lists.size;
      this.#lists.set(key, number);
    }
    return number;
  }

  #shapeNumber(type: TensorType): number {
    let number = this.#shapesOfTypes.get(type);
    if (number === undefined) {
      const text = type.shape.join();
      number = this.#shapes.get(text);
      if (number === undefined) {
        number = this.#shapes.size;
        this.#shapes.set(text, number);
      }
      this.#shapesOfTypes.set(type, number);
    }
    return number;
  }
}
