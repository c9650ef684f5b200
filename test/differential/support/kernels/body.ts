/** The body of a random kernel under construction: refs, coordinates, and a pool of values made so far. */
import {
  astype,
  broadcastTo,
  ds,
  elementCount,
  eq,
  gt,
  lt,
  pad,
  promoteDTypes,
  type Ref,
  reshape,
  slice,
  type Tensor,
} from "@gridfuse/graph";
import type { DType } from "@gridfuse/plan";
import { Dice } from "../dice.ts";

type Shape = readonly number[];

export interface StatementPlan {
  readonly what: string;
  readonly dice: readonly number[];
  readonly body: readonly StatementPlan[];
}

export type StatementKind = (body: Body, dice: Dice, inner: readonly StatementPlan[]) => void;
export type StatementKinds = { readonly [what: string]: StatementKind };

export type Coordinate = Tensor & { readonly isFirst: Tensor; readonly isLast: Tensor };

export interface World {
  readonly refs: readonly Ref[];
  readonly ids: readonly Coordinate[];
  readonly kinds: StatementKinds;
}

export const sizesOf = (of: { readonly shape: readonly (number | string)[] }): Shape =>
  of.shape as Shape;

/** Any value in any shape and dtype. */
export function fit(given: Tensor, dtype: DType, shape: Shape): Tensor {
  const value = given.dtype === dtype ? given : (astype(given, dtype) as Tensor);
  const own = sizesOf(value);
  if (own.join() === shape.join()) return value;
  const offset = shape.length - own.length;
  if (offset >= 0 && own.every((extent, d) => extent === 1 || extent === shape[d + offset])) {
    return broadcastTo(value, shape) as Tensor;
  }
  const [has, wants] = [elementCount(own), elementCount(shape)];
  let flat = reshape(value, [has]) as Tensor;
  if (has > wants) flat = slice(flat, [0], [wants]);
  if (has < wants) flat = pad(flat, [[0, wants - has]], dtype === "bool" ? false : 0);
  return reshape(flat, shape) as Tensor;
}

export const fitTo = (value: Tensor, like: Tensor | Ref): Tensor =>
  fit(value, like.dtype, sizesOf(like));

const maxElements = 300;

export class Body {
  readonly world: World;
  readonly pool: Tensor[];

  constructor(world: World, pool: readonly Tensor[]) {
    this.world = world;
    this.pool = [...pool];
  }
  any(dice: Dice): Tensor {
    return this.pool[this.pool.length - 1 - dice.below(this.pool.length)] as Tensor;
  }
  integer(dice: Dice): Tensor {
    return fit(this.any(dice), "int32", []);
  }
  ref(dice: Dice): Ref {
    return dice.pick(this.world.refs);
  }
  add(value: Tensor): void {
    if (elementCount(value.shape) <= maxElements && value.ndim <= 5) this.pool.push(value);
  }
  run(statements: readonly StatementPlan[]): void {
    for (const { what, dice, body } of statements) {
      this.world.kinds[what]!(this, new Dice(dice), body);
    }
  }
  /** Runs `statements` in a region of their own; gives the last value there. */
  inside(statements: readonly StatementPlan[], ...more: readonly Tensor[]): Tensor {
    const inner = new Body(this.world, [...this.pool, ...more]);
    inner.run(statements);
    return inner.pool.at(-1) as Tensor;
  }
  /** Two values of one shape and dtype. */
  alike(dice: Dice): readonly [Tensor, Tensor] {
    const [x, y] = [this.any(dice), this.any(dice)];
    const dtype = promoteDTypes(x.dtype, y.dtype);
    const large = elementCount(x.shape) >= elementCount(y.shape) ? x : y;
    return [fit(x, dtype, sizesOf(large)), fit(y, dtype, sizesOf(large))];
  }
  /** A value with at least one dimension. */
  array(dice: Dice): Tensor {
    const x = this.any(dice);
    return x.ndim === 0 ? fit(x, x.dtype, [3]) : x;
  }
  condition(dice: Dice): Tensor {
    const id = dice.pick(this.world.ids);
    switch (dice.below(5)) {
      case 0:
        return id.isFirst;
      case 1:
        return id.isLast;
      case 2:
        return eq(id, dice.below(3)) as Tensor;
      case 3:
        return lt(id, dice.pick(this.world.ids)) as Tensor;
      default:
        return gt(this.integer(dice), 0) as Tensor;
    }
  }
  /** An indexer of a ref: elements, computed elements, computed windows, whole dimensions. */
  window(ref: Ref, dice: Dice): readonly (Tensor | number | ":" | ReturnType<typeof ds>)[] {
    return sizesOf(ref).map((extent) => {
      switch (dice.below(4)) {
        case 0:
          return dice.below(extent);
        case 1:
          return this.integer(dice);
        case 2:
          return ds(this.integer(dice), 1 + dice.below(extent));
        default:
          return ":";
      }
    });
  }
}

export const combinable = ({ dtype }: Ref): boolean => dtype !== "bool";
