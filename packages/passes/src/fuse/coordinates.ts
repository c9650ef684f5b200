/**
 * Coordinates by number. A program is pulled through few movements again and again: where they lead, and at which offset
 * that lies, is found once for all kernels.
 */
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import type { IndexRange } from "@gridfuse/plan/scalar";
import { coordinates, flatten } from "../tensor/views.ts";

type Coordinates = readonly IndexExpr[];

/** More coordinates than a program can have. */
const mostNumbers = 2 ** 24;

/** Numbers for lists of things that are equal where their texts are. */
class Lists<T extends object> {
  readonly #textOf: (list: T) => string;
  readonly #byText = new Map<string, number>();
  readonly #byList = new Map<T, number>();

  constructor(textOf: (list: T) => string) {
    this.#textOf = textOf;
  }

  numberOf(list: T): number {
    let number = this.#byList.get(list);
    if (number === undefined) {
      number = this.numberOfText(this.#textOf(list));
      this.#byList.set(list, number);
    }
    return number;
  }

  numberOfText(text: string): number {
    let number = this.#byText.get(text);
    if (number === undefined) {
      number = this.#byText.size;
      this.#byText.set(text, number);
    }
    return number;
  }
}

export class CoordinateTable {
  readonly #lists = new Lists<Coordinates>(textOf);
  readonly #shapes = new Lists<readonly number[]>((shape) => shape.join());
  readonly #moved = new Map<number, Coordinates>();
  readonly #offsets = new Map<number, IndexExpr>();
  readonly #ofShapes = new Map<number, Coordinates>();
  /** What was asked for last: mostly it is asked for again. */
  #lastAt: Coordinates | undefined;
  #lastNumber = -1;

  /** Coordinates of an array of `shape`: the same list for the same shape. */
  ofShape(shape: readonly number[]): Coordinates {
    const key = this.#shapes.numberOf(shape);
    let at = this.#ofShapes.get(key);
    if (at === undefined) {
      at = coordinates(shape);
      this.#ofShapes.set(key, at);
    }
    return at;
  }

  constructor() {
    this.#lists.numberOfText("");
  }

  /** A number for coordinates under a guard; 0 for those of a scalar. */
  numberOf(at: Coordinates, guard: readonly IndexRange[]): number {
    if (at.length === 0 && guard.length === 0) return 0;
    if (guard.length > 0) return this.#lists.numberOfText(textOf(at) + guardText(guard));
    if (at !== this.#lastAt) {
      this.#lastAt = at;
      this.#lastNumber = this.#lists.numberOf(at);
    }
    return this.#lastNumber;
  }

  /** Coordinates before a movement: those of its operand, where it is asked for `at`. */
  moved(view: Coordinates, at: Coordinates): Coordinates {
    const key = this.#lists.numberOf(view) * mostNumbers + this.#lists.numberOf(at);
    let moved = this.#moved.get(key);
    if (moved === undefined) {
      moved = view.map((e) => ix.substituteAxes(e, at));
      this.#moved.set(key, moved);
    }
    return moved;
  }

  /** Row-major offset of `at` in an array of `shape`. */
  offsetOf(at: Coordinates, shape: readonly number[]): IndexExpr {
    const key = this.#shapes.numberOf(shape) * mostNumbers + this.#lists.numberOf(at);
    let offset = this.#offsets.get(key);
    if (offset === undefined) {
      offset = flatten(at, shape);
      this.#offsets.set(key, offset);
    }
    return offset;
  }
}

function textOf(at: Coordinates): string {
  let text = "";
  for (const e of at) text += `${e.key},`;
  return text;
}

const guardText = (guard: readonly IndexRange[]): string =>
  guard.map(({ index, lo, hi }) => `${lo}<=${index.key}<${hi}`).join("&");
