/**
 * Builds scalar programs: hash-consing (the same node is never made twice) and nothing else.
 * Folding of constants belongs to `canonicalise`; a builder that rewrites hides what was asked for.
 */
import { type Bits, type ScalarValue, toBits } from "../bits.ts";
import type { DType } from "../dtype.ts";
import type { IndexExpr } from "../index-expr/expr.ts";
import type { BinaryOp, CompareOp, IndexRange, ScalarNode, UnaryOp } from "./node.ts";

/** Index of a node in the program under construction. */
export type Scalar = number;

export class ScalarBuilder {
  readonly nodes: ScalarNode[] = [];
  readonly #known = new Map<string, Scalar>();

  /** Appends `node`, or finds the equal one; `key` must say everything about it. */
  #intern(key: string, node: ScalarNode): Scalar {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const index = this.nodes.push(node) - 1;
    this.#known.set(key, index);
    return index;
  }

  dtypeOf(x: Scalar): DType {
    return (this.nodes[x] as ScalarNode).dtype;
  }

  /** An immediate of `dtype`; the value is rounded or wrapped to it. */
  const(dtype: DType, value: ScalarValue): Scalar {
    return this.constBits(dtype, toBits(dtype, value));
  }
  constBits(dtype: DType, bits: Bits): Scalar {
    return this.#intern(`c${dtype}${bits.lo}:${bits.hi}`, { op: "const", dtype, bits });
  }
  index(dtype: DType, index: IndexExpr): Scalar {
    return this.#intern(`i${dtype}${index.key}`, { op: "index", dtype, index });
  }
  load(
    dtype: DType,
    buffer: number,
    index: IndexExpr,
    guard: readonly IndexRange[],
    fill: Bits,
  ): Scalar {
    const ranges = guard.map(({ index: g, lo, hi }) => `${lo}<=${g.key}<${hi}`).join("&");
    return this.#intern(`l${dtype}${buffer}[${index.key}]${ranges}?${fill.lo}:${fill.hi}`, {
      op: "load",
      dtype,
      buffer,
      index,
      guard,
      fill,
    });
  }
  reduced(dtype: DType, stage: number, reduction: number): Scalar {
    return this.#intern(`r${stage}.${reduction}`, { op: "reduced", dtype, stage, reduction });
  }
  argument(dtype: DType, index: number): Scalar {
    return this.#intern(`a${index}`, { op: "argument", dtype, index });
  }
  unary(op: UnaryOp, x: Scalar): Scalar {
    return this.#intern(`${op} ${x}`, { op, dtype: this.dtypeOf(x), args: [x] });
  }
  binary(op: BinaryOp, x: Scalar, y: Scalar): Scalar {
    return this.#intern(`${op} ${x} ${y}`, { op, dtype: this.dtypeOf(x), args: [x, y] });
  }
  compare(op: CompareOp, x: Scalar, y: Scalar): Scalar {
    return this.#intern(`${op} ${x} ${y}`, { op, dtype: "bool", args: [x, y] });
  }
  select(condition: Scalar, onTrue: Scalar, onFalse: Scalar): Scalar {
    return this.#intern(`select ${condition} ${onTrue} ${onFalse}`, {
      op: "select",
      dtype: this.dtypeOf(onTrue),
      args: [condition, onTrue, onFalse],
    });
  }
  rare(condition: Scalar, slow: Scalar, fast: Scalar): Scalar {
    return this.#intern(`rare ${condition} ${slow} ${fast}`, {
      op: "rare",
      dtype: this.dtypeOf(slow),
      args: [condition, slow, fast],
    });
  }
  convert(x: Scalar, dtype: DType): Scalar {
    if (this.dtypeOf(x) === dtype) return x;
    return this.#intern(`convert ${dtype} ${x}`, { op: "convert", dtype, args: [x] });
  }
  bitcast(x: Scalar, dtype: DType): Scalar {
    if (this.dtypeOf(x) === dtype) return x;
    return this.#intern(`bitcast ${dtype} ${x}`, { op: "bitcast", dtype, args: [x] });
  }

  // Shorthands that read like the formula they come from.
  add(x: Scalar, y: Scalar): Scalar {
    return this.binary("add", x, y);
  }
  sub(x: Scalar, y: Scalar): Scalar {
    return this.binary("sub", x, y);
  }
  mul(x: Scalar, y: Scalar): Scalar {
    return this.binary("mul", x, y);
  }
  div(x: Scalar, y: Scalar): Scalar {
    return this.binary("div", x, y);
  }
  neg(x: Scalar): Scalar {
    return this.unary("neg", x);
  }
  abs(x: Scalar): Scalar {
    return this.unary("abs", x);
  }
}
