/**
 * A tensor is a name for a value that a graph will compute: a scope and an id in it.
 *
 * It carries no data, so it cannot be a JS number or condition; trying says what to use instead.
 * Its methods are those of `fluent.ts`, which are the functions of `functions/` with the tensor first.
 */
import { BuildError } from "@gridfuse/plan/errors";
import { type DType, shortName } from "@gridfuse/plan/scalar";
import type { Methods } from "./fluent.ts";
import type { ValueId } from "./ir/table.ts";
import type { Shape, TensorType } from "./ir/types.ts";
import { captureOrigin } from "./origin.ts";
import { activeScope, located, type Scope } from "./scope.ts";

// biome-ignore lint/correctness/noUnusedVariables: both declarations need the same parameters
export interface Tensor<out D extends DType = DType, out S extends Shape = Shape> extends Methods {}

// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: `fluent.ts` puts the methods on the prototype
export class Tensor<out D extends DType = DType, out S extends Shape = Shape> {
  /** @internal */
  readonly scope: Scope;
  /** @internal */
  readonly id: ValueId;
  readonly dtype: D;
  readonly shape: S;

  /** @internal */
  constructor(scope: Scope, id: ValueId) {
    const type: TensorType = scope.table.tensor(id);
    this.scope = scope;
    this.id = id;
    this.dtype = type.dtype as D;
    this.shape = type.shape as S;
  }

  get ndim(): number {
    return this.shape.length;
  }

  toString(): string {
    return `Tensor<${shortName(this.dtype)}[${this.shape.join(",")}]>`;
  }

  /**
   * Text in a template literal.
   * @throws BuildError GF2004 where a number is wanted
   */
  [Symbol.toPrimitive](hint: "string" | "number" | "default"): string {
    if (hint === "string") return this.toString();
    return located(captureOrigin(), activeScope(), () => {
      throw new BuildError("GF2004", `${this.toString()} was used as a JS number or condition`, {
        help: "write x.add(y), x.lt(y) instead of x + y, x < y; `where(condition, a, b)` or `cond` instead of ?: and if, `when` in kernels",
      });
    });
  }
}

/** What an op takes: a tensor, or a literal that adopts the dtype of its partner. */
export type Operand = Tensor | number | bigint | boolean;

export const isTensor = (value: unknown): value is Tensor => value instanceof Tensor;
