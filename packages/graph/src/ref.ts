/**
 * A ref is mutable memory inside a kernel: a block of an input or output, or scratch. It is read and
 * written whole or through indexers; `at` gives a view that can be passed on and indexed again.
 * Reads and writes happen in the order in which they are written.
 */
import { BuildError } from "@gridfuse/plan/errors";
import type { DType } from "@gridfuse/plan/scalar";
import { constant } from "./functions/create.ts";
import { type Indexer, type Selection, selections, type Window } from "./indexer.ts";
import type { ValueId } from "./ir/table.ts";
import { formatShape, type RefType, refType, type Shape, sameShape } from "./ir/types.ts";
import type { IndexSource, Indexer as IrIndexer, RefTransforms } from "./ir/vocabulary.ts";
import { materialise, tensorOf } from "./operand.ts";
import { viewShape } from "./ops/state.ts";
import { type Handle, type Scope, traced } from "./scope.ts";
import { isTensor, type Operand, type Tensor } from "./tensor.ts";

type Link = readonly Selection[];

/** Refs written so far, by kernel scope: a kernel must write its outputs. */
const written = new WeakMap<Scope, Set<ValueId>>();
export const isWritten = (kernel: Scope, ref: ValueId): boolean =>
  written.get(kernel)?.has(ref) ?? false;

/** Shape of a view of `S` through indexers `X`. */
export type Indexed<
  S extends Shape,
  X extends readonly Indexer[],
  Done extends Shape = readonly [],
> = X extends readonly []
  ? readonly [...Done, ...S]
  : number extends X["length"] | S["length"]
    ? Shape
    : X extends readonly [infer First, ...infer Rest extends readonly Indexer[]]
      ? S extends readonly [infer D extends Shape[number], ...infer Others extends Shape]
        ? First extends ":"
          ? Indexed<Others, Rest, readonly [...Done, D]>
          : First extends number
            ? Indexed<Others, Rest, Done>
            : First extends SizedWindow<infer N>
              ? Indexed<Others, Rest, readonly [...Done, N]>
              : First extends Tensor<DType, readonly []>
                ? Indexed<Others, Rest, Done>
                : Shape
        : Shape
      : Shape;
type SizedWindow<N extends number> = Window & { readonly size: N };

export class Ref<D extends DType = DType, S extends Shape = Shape> implements Handle {
  /** @internal */
  readonly scope: Scope;
  /** @internal */
  readonly id: ValueId;
  /** @internal */
  readonly links: readonly Link[];
  readonly dtype: D;
  readonly shape: S;

  /** @internal */
  constructor(scope: Scope, id: ValueId, links: readonly Link[] = []) {
    const type = scope.table.types[id] as RefType;
    this.scope = scope;
    this.id = id;
    this.links = links;
    this.dtype = type.dtype as D;
    this.shape = links.reduce<Shape>(linkShape, type.shape) as S;
  }

  get ndim(): number {
    return this.shape.length;
  }
  /** As in the kernel's declaration. */
  get name(): string {
    return this.scope.nameOf(this.id) ?? "ref";
  }

  toString(): string {
    return `Ref<${this.dtype}${formatShape(this.shape)}>`;
  }
  [Symbol.toPrimitive](hint: "string" | "number" | "default"): string {
    if (hint === "string") return this.toString();
    throw new BuildError("GF2004", `${this.name} was used as a JS number or condition`, {
      help: "read it with `.get()`",
    });
  }

  /** The value of the ref, or of the view that the indexers select. */
  get<const X extends readonly Indexer[]>(...indexers: X): Tensor<D, Indexed<S, X>> {
    return traced("get", (scope) => {
      const { transforms, operands } = this.view(scope, indexers);
      const inputs = [scope.resolve(this), ...operands];
      return tensorOf(scope, scope.emitter.emit("get", inputs, { transforms }));
    }) as unknown as Tensor<D, Indexed<S, X>>;
  }

  /** Writes a value, broadcast to the ref or to the view that the indexers select. */
  set(value: Operand, ...indexers: readonly Indexer[]): void {
    traced("set", (scope) => this.write(scope, "set", value, indexers));
  }

  /** Adds a value to the ref or to the view that the indexers select. */
  add(value: Operand, ...indexers: readonly Indexer[]): void {
    traced("add", (scope) => this.write(scope, "addupdate", value, indexers));
  }

  /** A view: further indexers apply to it. */
  at<const X extends readonly Indexer[]>(...indexers: X): Ref<D, Indexed<S, X>> {
    return traced("at", () => {
      const link = selections(`view of ${this.name}`, this.shape, indexers);
      return new Ref<D, Indexed<S, X>>(this.scope, this.id, [...this.links, link]);
    });
  }

  private write(
    scope: Scope,
    op: "set" | "addupdate",
    value: Operand,
    indexers: readonly Indexer[],
  ): void {
    const { transforms, operands } = this.view(scope, indexers);
    const ref = scope.resolve(this);
    const root = scope.table.types[ref] as RefType;
    const types = operands.map((id) => scope.table.types[id] as RefType);
    const shape = viewShape(root.shape, transforms, types);
    requireFits(this.name, op === "set" ? "set" : "add", value, root.dtype, shape);
    const written = materialise(scope, op, value, root.dtype, shape);
    scope.emitter.emitAll(op, [ref, written, ...operands], { transforms });
    this.markWritten();
  }

  private markWritten(): void {
    const kernel = this.scope.kernel();
    if (kernel === undefined) return;
    if (!written.has(kernel)) written.set(kernel, new Set());
    (written.get(kernel) as Set<ValueId>).add(this.id);
  }

  /** The view as the op's params, with the values of its dynamic indices. */
  private view(
    scope: Scope,
    indexers: readonly Indexer[],
  ): { readonly transforms: RefTransforms; readonly operands: readonly ValueId[] } {
    const last = indexers.length === 0 ? [] : [selections(this.name, this.shape, indexers)];
    const operands: ValueId[] = [];
    const dynamic = (value: Tensor): { readonly operand: number } => {
      operands.push(scope.emitter.convert(scope.resolve(value), "int32"));
      return { operand: operands.length - 1 };
    };
    const source = (index: number | Tensor): IndexSource =>
      isTensor(index) ? dynamic(index) : index;
    const cutting = [...this.links, ...last].filter((link) => link.some((s) => s.kind !== "whole"));
    const transforms = cutting.map((link) =>
      link.map((selection): IrIndexer => {
        switch (selection.kind) {
          case "int":
            return { kind: "int", index: source(selection.index) };
          case "slice":
            return {
              kind: "slice",
              start: source(selection.start),
              size: selection.size,
              stride: selection.stride,
            };
          case "whole":
            return { kind: "slice", start: 0, size: selection.size as number, stride: 1 };
          case "array": {
            const { indices } = selection;
            const tensor = isTensor(indices) ? indices : constant([...indices], { dtype: "int32" });
            return { kind: "array", operand: dynamic(tensor).operand };
          }
          default:
            return selection satisfies never;
        }
      }),
    );
    return { transforms, operands };
  }
}

/** Shape after one link; mirrors the op's own rule. */
function linkShape(shape: Shape, link: Link): Shape {
  const types: RefType[] = [];
  const operandOf = (array: Tensor | readonly number[]) => {
    types.push(refType("int32", isTensor(array) ? array.shape : [array.length], "any"));
    return types.length - 1;
  };
  const indexers = link.map((selection): IrIndexer => {
    switch (selection.kind) {
      case "int":
        return { kind: "int", index: typeof selection.index === "number" ? selection.index : 0 };
      case "slice": {
        const start = typeof selection.start === "number" ? selection.start : 0;
        return { kind: "slice", start, size: selection.size, stride: selection.stride };
      }
      case "whole":
        return { kind: "slice", start: 0, size: selection.size as number, stride: 1 };
      case "array":
        return { kind: "array", operand: operandOf(selection.indices) };
      default:
        return selection satisfies never;
    }
  });
  const tensors = types.map(({ dtype, shape: own }) => ({
    kind: "tensor" as const,
    dtype,
    shape: own,
  }));
  return viewShape(shape, [indexers], tensors);
}

function requireFits(
  name: string,
  method: string,
  value: Operand,
  dtype: DType,
  shape: Shape,
): void {
  if (!isTensor(value)) return;
  const what = `${name}.${method}`;
  if (value.dtype !== dtype) {
    throw new BuildError("GF2210", `${what} of ${value.dtype} into ${dtype}`, {
      expected: dtype,
      received: value.dtype,
      help: `convert the value: \`.astype("${dtype}")\``,
    });
  }
  const offset = shape.length - value.ndim;
  const fits = offset >= 0 && value.shape.every((dim, i) => dim === 1 || dim === shape[i + offset]);
  if (fits || sameShape(value.shape, shape)) return;
  throw new BuildError(
    "GF2211",
    `${what} of shape ${formatShape(value.shape)} into ${formatShape(shape)}`,
    {
      expected: formatShape(shape),
      received: formatShape(value.shape),
      help: "write a value of the shape of the ref or view, or one that broadcasts to it",
    },
  );
}

export const isRef = (value: unknown): value is Ref => value instanceof Ref;
