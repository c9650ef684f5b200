/**
 * Through which index maps the kernels that a value flows into read it, all movement on the way put together.
 *
 * A value may have one reader and yet be computed at many places: what is added to an array before it is transposed is
 * read straight by one step and transposed by the next, and after a few of those at every turn of the square. So maps are
 * carried on from what is stored towards memory, through whatever computes in between.
 */
import { type Node, sizes, type Table, type ValueId } from "@gridfuse/graph";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import { coordinates, viewOf } from "../tensor/views.ts";
import { kindOf } from "./op-kinds.ts";
import type { RegionNumbers } from "./region-numbers.ts";

/** Coordinates of a value as functions of those of the kernel that reads it. */
interface ReadingMap {
  /** Shape of what the kernel makes. */
  readonly domain: string;
  /** What index expressions do not say: the nodes on the way that are no plain movement. */
  readonly detour: string;
  readonly index: readonly IndexExpr[];
  /** A reduction is in between: a stage of its own reads it so. */
  readonly isFolded: boolean;
}

/** How one value is read. */
interface Reading {
  /** Numbers of maps, from the kernels on. */
  readonly turned: number[];
  /** The same, from the nearest readers on that compute something or are stored. */
  readonly direct: number[];
}
const nobody: Reading = { turned: [], direct: [] };
const straightMap = -1;

/** So many maps of one value say as much as more. */
const mostMaps = 8;
const mostMapNumbers = 2 ** 26;
/** Axes that a reduction folds have names that no coordinate has. */
const foldedAxis = 2 ** 20;

export class Readings {
  readonly #table: Table;
  readonly #maps: ReadingMap[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #views = new Map<string, number>();
  readonly #moved = new Map<number, number>();
  readonly #chains = new Map<string, number>();
  readonly #known: (Reading | undefined)[];
  readonly #numbersOfValues: RegionNumbers;

  constructor(table: Table, numbers: RegionNumbers) {
    this.#table = table;
    this.#numbersOfValues = numbers;
    this.#known = new Array<undefined>(numbers.values.length).fill(undefined);
  }

  /** Different maps through which points of kernels over one domain read `value`, or stages that fold over it do. */
  mapsOf(value: ValueId): number {
    const { turned, direct } = this.#of(value);
    if (turned.length < 2) return Math.max(turned.length, direct.length);
    const counts = new Map<string, number>();
    let most = direct.length;
    for (const map of turned) {
      const { domain, isFolded } = this.#maps[map] as ReadingMap;
      const group = isFolded ? `+${domain}` : domain;
      const count = (counts.get(group) ?? 0) + 1;
      counts.set(group, count);
      most = Math.max(most, count);
    }
    return most;
  }

  #of(value: ValueId): Reading {
    const number = this.#numbersOfValues.of(value);
    let reading = this.#known[number];
    if (reading === undefined) {
      reading = { turned: [], direct: [] };
      this.#known[number] = reading;
    }
    return reading;
  }

  /** Carries the readings of what `node` makes on to its operands; anew from there where that is stored. */
  passOn(node: Node, isStored: boolean): void {
    if (node.inputs.length === 0) return;
    const result = node.outputs[0] as ValueId;
    const own = isStored ? nobody : this.#of(result);
    const kind = kindOf(node);
    // A reduction that is wanted at different places gets a kernel of its own, whatever is planned.
    const isAnew = own.turned.length === 0 || (own.turned.length > 1 && kind === "reduction");
    const from = isAnew ? [this.#straight(result)] : own.turned;
    const view = kind === "movement" ? viewOf(this.#table, node) : undefined;
    const viewNumber = view === undefined ? -1 : this.#view(view.index);
    for (const [i, value] of node.inputs.entries()) {
      const reading = this.#of(value);
      for (const map of from) addMap(reading.turned, this.#through(node, i, map));
      if (kind === "elementwise" || kind === "reduction") addMap(reading.direct, straightMap);
      else if (view === undefined) addMap(reading.direct, -2 - node.id);
      else if (own.direct.length === 0)
        addMap(reading.direct, this.#after(viewNumber, straightMap));
      else for (const map of own.direct) addMap(reading.direct, this.#after(viewNumber, map));
    }
  }

  /** A number for movement through a view before the movement `map`. */
  #after(view: number, map: number): number {
    const key = `${view};${map}`;
    let number = this.#chains.get(key);
    if (number === undefined) {
      number = this.#chains.size;
      this.#chains.set(key, number);
    }
    return number;
  }

  #number(map: ReadingMap): number {
    const key = `${map.isFolded ? "+" : ""}${map.domain}${map.detour}[${keyOf(map.index)}]`;
    let number = this.#numbers.get(key);
    if (number === undefined) {
      number = this.#maps.push(map) - 1;
      this.#numbers.set(key, number);
    }
    return number;
  }

  #shape(value: ValueId): readonly number[] {
    return sizes(this.#table.tensor(value).shape);
  }

  #straight(value: ValueId): number {
    const shape = this.#shape(value);
    const domain = shape.join();
    return this.#number({ domain, detour: "", index: coordinates(shape), isFolded: false });
  }

  #through(node: Node, operand: number, map: number): number {
    const reading = this.#maps[map] as ReadingMap;
    const { index } = reading;
    const shape = this.#shape(node.inputs[operand] as ValueId);
    switch (kindOf(node)) {
      case "elementwise":
        if (shape.length === index.length) return map;
        if (shape.length === 0) return this.#number({ ...reading, index: [] });
        return this.#around(node, operand, map);
      case "movement": {
        const view = viewOf(this.#table, node);
        return view === undefined ? this.#around(node, operand, map) : this.#moves(view.index, map);
      }
      case "reduction": {
        const folded = foldedDims(node);
        let kept = 0;
        const through = shape.map((extent, d) =>
          folded.includes(d) ? ix.axis(foldedAxis + d, extent) : (index[kept++] as IndexExpr),
        );
        return this.#number({ ...reading, index: through, isFolded: true });
      }
      default:
        return this.#around(node, operand, map);
    }
  }

  #moves(view: readonly IndexExpr[], map: number): number {
    const key = this.#view(view) * mostMapNumbers + map;
    let moved = this.#moved.get(key);
    if (moved === undefined) {
      const reading = this.#maps[map] as ReadingMap;
      const index = view.map((e) => ix.substituteAxes(e, reading.index));
      moved = this.#number({ ...reading, index });
      this.#moved.set(key, moved);
    }
    return moved;
  }

  #around(node: Node, operand: number, map: number): number {
    const reading = this.#maps[map] as ReadingMap;
    return this.#number({
      ...reading,
      detour: `${reading.detour};${node.id}.${operand};${keyOf(reading.index)}`,
      index: coordinates(this.#shape(node.inputs[operand] as ValueId)),
    });
  }

  #view(index: readonly IndexExpr[]): number {
    const key = keyOf(index);
    let number = this.#views.get(key);
    if (number === undefined) {
      number = this.#views.size;
      this.#views.set(key, number);
    }
    return number;
  }
}

function addMap(maps: number[], map: number): void {
  if (maps.length < mostMaps && !maps.includes(map)) maps.push(map);
}

function keyOf(index: readonly IndexExpr[]): string {
  let key = "";
  for (const e of index) key += `${e.key},`;
  return key;
}

const foldedDims = (node: Node): readonly number[] =>
  node.op === "argmax" || node.op === "argmin"
    ? [node.params.axis]
    : (node.params as { axes: readonly number[] }).axes;
