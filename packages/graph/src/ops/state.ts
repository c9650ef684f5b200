/**
 * Reading and writing refs through views.
 *
 * A view is a chain of indexers. Within one link, ints drop their dimension; arrays broadcast
 * together and put the broadcast dims where NumPy's advanced indexing puts them: in place of the
 * first when all advanced indexers (arrays, and ints beside them) stand together, else in front.
 */
import { BuildError } from "@gridfuse/plan/errors";
import { isInteger } from "@gridfuse/plan/scalar";
import {
  type Dim,
  formatShape,
  type Shape,
  sameShape,
  type TensorType,
  tensorType,
  type ValueType,
} from "../ir/types.ts";
import type { Indexer, IndexSource, RefTransforms } from "../ir/vocabulary.ts";
import {
  describe,
  numeric,
  requireCount,
  requireDType,
  requireRef,
  requireSize,
  requireTensor,
} from "./check.ts";
import { defineOp, type OpDefinition } from "./define.ts";

const fail = (what: string, received: unknown, help: string): never => {
  throw new BuildError("GF2114", `ref indexer: ${what}`, { received, help });
};

function operandType(operands: readonly ValueType[], index: number): TensorType {
  const type = operands[index];
  if (type === undefined) {
    return fail(
      `an indexer names index operand ${index} of ${operands.length}`,
      index,
      "Pass every dynamic index as an operand.",
    );
  }
  return requireTensor("a ref indexer", type);
}

/** Requires the dynamic index to be an integer scalar, and a static one to lie from 0 to `last`. */
function requireIndex(
  what: string,
  source: IndexSource,
  last: number,
  operands: readonly ValueType[],
): void {
  if (typeof source === "number") {
    if (Number.isInteger(source) && source >= 0 && source <= last) return;
    fail(
      `${what} at ${source}`,
      source,
      last < 0 ? "The dimension is empty." : `It must lie from 0 to ${last}.`,
    );
  } else {
    const type = operandType(operands, source.operand);
    if (isInteger(type.dtype) && type.shape.length === 0) return;
    fail(
      `an index is ${describe([type])}`,
      describe([type]),
      "Use an integer scalar, or an array indexer.",
    );
  }
}

function requireInt(source: IndexSource, dim: Dim, operands: readonly ValueType[]): void {
  const size = requireSize("ref index", dim, "the indexed dimension");
  requireIndex(`an element of a dimension of ${size}`, source, size - 1, operands);
}

function requireWindow(
  indexer: Indexer & { kind: "slice" },
  dim: Dim,
  operands: readonly ValueType[],
): void {
  const { start, size, stride } = indexer;
  if (!Number.isInteger(size) || size < 0 || !Number.isInteger(stride) || stride < 1) {
    fail(`a slice of size ${size} and stride ${stride}`, indexer, "Sizes are ≥ 0 and strides ≥ 1.");
  }
  const room = requireSize("ref slice", dim, "the sliced dimension");
  const reach = size === 0 ? 0 : (size - 1) * stride + 1;
  if (reach > room) {
    fail(
      `a slice that spans ${reach} of a dimension of ${room}`,
      indexer,
      "Take fewer elements or a smaller stride.",
    );
  }
  requireIndex(
    `a slice that spans ${reach} of a dimension of ${room}`,
    start,
    room - reach,
    operands,
  );
}

/** The common shape of array indexers, by NumPy's broadcasting. */
function broadcastShapes(shapes: readonly Shape[]): Shape {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, i) => {
    let common: Dim = 1;
    for (const shape of shapes) {
      const dim = shape[i - rank + shape.length] ?? 1;
      if (dim === 1 || dim === common) continue;
      if (common !== 1) {
        fail(
          `array indexers of shapes ${shapes.map(formatShape).join(" and ")}`,
          shapes,
          "They must broadcast together.",
        );
      }
      common = dim;
    }
    return common;
  });
}

/** How the dims of one link's result are laid out. */
export interface ViewLayout {
  /** Common shape of the array indexers; empty where there is none. */
  readonly arrays: Shape;
  /** How many sliced dims stand before the dims of `arrays`. */
  readonly arraysAt: number;
}

/** Where the dims of array indexers go in the result of one link. */
export function viewLayout(
  indexers: readonly Indexer[],
  operands: readonly ValueType[],
): ViewLayout {
  const arrays = indexers.flatMap((indexer) =>
    indexer.kind === "array" ? [operandType(operands, indexer.operand).shape] : [],
  );
  if (arrays.length === 0) return { arrays: [], arraysAt: 0 };
  const advanced = indexers.map(({ kind }) => kind !== "slice");
  const first = advanced.indexOf(true);
  const together = advanced.slice(first, advanced.lastIndexOf(true) + 1).every(Boolean);
  return { arrays: broadcastShapes(arrays), arraysAt: together ? first : 0 };
}

function applyIndexers(
  shape: Shape,
  indexers: readonly Indexer[],
  operands: readonly ValueType[],
): Shape {
  if (indexers.length !== shape.length) {
    fail(
      `${indexers.length} indexers for a view of shape ${formatShape(shape)}`,
      indexers,
      "Give one indexer for each dimension; a whole dimension is a slice from 0.",
    );
  }
  const kept: Dim[] = [];
  for (const [i, indexer] of indexers.entries()) {
    const dim = shape[i] as Dim;
    switch (indexer.kind) {
      case "int":
        requireInt(indexer.index, dim, operands);
        break;
      case "slice":
        requireWindow(indexer, dim, operands);
        kept.push(indexer.size);
        break;
      case "array": {
        const type = operandType(operands, indexer.operand);
        if (!isInteger(type.dtype)) {
          fail(
            `an array index is ${describe([type])}`,
            type.dtype,
            "Array indexers hold integers.",
          );
        }
        break;
      }
      default:
        indexer satisfies never;
    }
  }
  const { arrays, arraysAt } = viewLayout(indexers, operands);
  return kept.toSpliced(arraysAt, 0, ...arrays);
}

/**
 * Shape of a ref of `shape` seen through `transforms`.
 *
 * @param operands types of the node's index operands
 * @throws BuildError GF2114 where an indexer does not fit
 */
export const viewShape = (
  shape: Shape,
  transforms: RefTransforms,
  operands: readonly ValueType[],
): Shape => transforms.reduce<Shape>((seen, link) => applyIndexers(seen, link, operands), shape);

export const get: OpDefinition<"get"> = defineOp({
  name: "get",
  category: "state",
  doc: "Reads a view of a ref.",
  arity: 1,
  variadic: true,
  infer(operands, { transforms }) {
    requireCount("get", operands, 1, true);
    const ref = requireRef("get", operands[0]);
    return [tensorType(ref.dtype, viewShape(ref.shape, transforms, operands.slice(1)))];
  },
});

/** Requires the value written to have the view's shape and the ref's dtype. */
function requireWritable(
  op: string,
  operands: readonly ValueType[],
  transforms: RefTransforms,
): void {
  requireCount(op, operands, 2, true);
  const ref = requireRef(op, operands[0]);
  const value = requireTensor(op, operands[1]);
  const shape = viewShape(ref.shape, transforms, operands.slice(2));
  if (value.dtype !== ref.dtype) {
    throw new BuildError("GF2104", `${op} of ${value.dtype} into a ref of ${ref.dtype}`, {
      expected: ref.dtype,
      received: value.dtype,
      help: "Convert the value with `astype`.",
    });
  }
  if (!sameShape(value.shape, shape)) {
    throw new BuildError(
      "GF2103",
      `${op} of shape ${formatShape(value.shape)} into a view of shape ${formatShape(shape)}`,
      {
        expected: shape,
        received: value.shape,
        help: "Broadcast or reshape the value to the view.",
      },
    );
  }
}

export const set: OpDefinition<"set"> = defineOp({
  name: "set",
  category: "state",
  doc: "Writes a value into a view of a ref.",
  arity: 2,
  variadic: true,
  infer(operands, { transforms }) {
    requireWritable("set", operands, transforms);
    return [];
  },
});

export const addupdate: OpDefinition<"addupdate"> = defineOp({
  name: "addupdate",
  category: "state",
  doc: "Adds a value to a view of a ref.",
  arity: 2,
  variadic: true,
  infer(operands, { transforms }) {
    requireWritable("addupdate", operands, transforms);
    requireDType("addupdate", requireRef("addupdate", operands[0]).dtype, numeric);
    return [];
  },
});
