/**
 * Through which index maps the kernels that a value flows into read it, all movement on the way put together.
 *
 * A value may have one reader and yet be computed at many places: what is added to an array before it is transposed is
 * read straight by one step and transposed by the next, and after a few of those at every turn of the square. So maps are
 * carried on from what is stored towards memory, through whatever computes in between.
 */
import type { Node, Table, ValueId } from "@gridfuse/graph";
import { sizes } from "@gridfuse/graph";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import { coordinates, viewOf } from "../tensor/views.ts";

/** Coordinates of a value as functions of those of the kernel that reads it. */
interface ReadingMap {
  /** What index expressions do not say: the nodes on the way that are no plain movement. */
  readonly detour: string;
  readonly index: readonly IndexExpr[];
  /** A reduction is in between: a stage of its own reads it so. */
  readonly isFolded: boolean;
}

/** So many maps of one value say as much as more. */
const mostMaps = 4;
/** Axes that a reduction folds have names that no coordinate has. */
const foldedAxis = 1 << 20;

export class Readings {
  readonly #table: Table;
  readonly #maps: ReadingMap[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #views = new Map<string, number>();
  readonly #moved = new Map<number, number>();
  readonly #byValue = new Map<ValueId, number[]>();

  constructor(table: Table) {
    this.#table = table;
  }

  /** Different maps through which points of kernels read `value`, or through which stages that fold do. */
  countOf(value: ValueId): number {
    let folded = 0;
    const all = this.#byValue.get(value) ?? [];
    for (const map of all) if (this.#maps[map]?.isFolded) folded += 1;
    return Math.max(folded, all.length - folded);
  }

  /** Carries the readings of what `node` makes on to its operands; anew from there where that is stored. */
  passOn(node: Node, isStored: boolean, kind: "elementwise" | "reduction" | "other"): void {
    const result = node.outputs[0] as ValueId;
    const known = isStored ? undefined : this.#byValue.get(result);
    // A reduction that is wanted at different places gets a kernel of its own, whatever is planned.
    const isOwn = known === undefined || (kind === "reduction" && known.length > 1);
    const from = isOwn ? [this.#straight(result)] : known;
    const view = kind === "other" ? viewOf(this.#table, node) : undefined;
    for (const [i, value] of node.inputs.entries()) {
      for (const map of from) this.#add(value, this.#through(node, i, map, kind, view?.index));
    }
  }

  #add(value: ValueId, map: number): void {
    const maps = this.#byValue.get(value);
    if (maps === undefined) this.#byValue.set(value, [map]);
    else if (maps.length < mostMaps && !maps.includes(map)) maps.push(map);
  }

  #number(map: ReadingMap): number {
    const key = `${map.isFolded ? "+" : ""}${map.detour}[${map.index.map((e) => e.key).join()}]`;
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
    return this.#number({ detour: "", index: coordinates(this.#shape(value)), isFolded: false });
  }

  #through(
    node: Node,
    operand: number,
    map: number,
    kind: "elementwise" | "reduction" | "other",
    view: readonly IndexExpr[] | undefined,
  ): number {
    const { detour, index, isFolded } = this.#maps[map] as ReadingMap;
    const shape = this.#shape(node.inputs[operand] as ValueId);
    if (kind === "elementwise") {
      return shape.length === index.length ? map : this.#number({ detour, index: [], isFolded });
    }
    if (kind === "reduction") {
      const folded = foldedDims(node);
      let kept = 0;
      const through = shape.map((extent, d) =>
        folded.includes(d) ? ix.axis(foldedAxis + d, extent) : (index[kept++] as IndexExpr),
      );
      return this.#number({ detour, index: through, isFolded: true });
    }
    if (view === undefined) {
      return this.#number({
        detour: `${detour}${node.id}.${operand};${index.map((e) => e.key).join()};`,
        index: coordinates(shape),
        isFolded,
      });
    }
    const key = this.#view(view) * 2 ** 26 + map;
    let moved = this.#moved.get(key);
    if (moved === undefined) {
      const after = view.map((e) => ix.substituteAxes(e, index));
      moved = this.#number({ detour, index: after, isFolded });
      this.#moved.set(key, moved);
    }
    return moved;
  }

  #view(index: readonly IndexExpr[]): number {
    const key = index.map((e) => e.key).join();
    let number = this.#views.get(key);
    if (number === undefined) {
      number = this.#views.size;
      this.#views.set(key, number);
    }
    return number;
  }
}

const foldedDims = (node: Node): readonly number[] =>
  node.op === "argmax" || node.op === "argmin"
    ? [node.params.axis]
    : (node.params as { axes: readonly number[] }).axes;
