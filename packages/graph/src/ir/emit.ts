/**
 * Appends nodes to a region with their types inferred from the op table.
 * The front end, the batching rules and the passes all build through this.
 */
import { type DType, type ScalarValue, toBits } from "@gridfuse/plan/scalar";
import { isStructured, structuredTypes } from "../ops/control.ts";
import { infer } from "../ops/table.ts";
import type { Origin, Region, Table, ValueId } from "./table.ts";
import { newRegion } from "./table.ts";
import { type Shape, sameShape, type TensorType, type ValueType } from "./types.ts";
import type { OpName, OpParams } from "./vocabulary.ts";

export class Emitter {
  readonly table: Table;
  readonly region: Region;
  /** Given to every node emitted while it is set. */
  origin: Origin | undefined;

  constructor(table: Table, region: Region, origin?: Origin) {
    this.table = table;
    this.region = region;
    this.origin = origin;
  }

  /** An emitter for a region inside, with the same origin. */
  nested(region: Region = newRegion()): Emitter {
    return new Emitter(this.table, region, this.origin);
  }

  /** Appends a node and gives all its results. */
  emitAll<K extends OpName>(
    op: K,
    inputs: readonly ValueId[],
    params: OpParams[K],
    regions: readonly Region[] = [],
  ): readonly ValueId[] {
    const { types: known } = this.table;
    const operands: ValueType[] = [];
    for (let i = 0; i < inputs.length; i += 1) {
      operands.push(known[inputs[i] as ValueId] as ValueType);
    }
    const inferred = infer(op, operands, params);
    const types = isStructured(op)
      ? structuredTypes(this.table, op, params, inputs, regions)
      : inferred;
    return this.table.newNode(this.region, op, params, inputs, types, regions, this.origin).outputs;
  }

  /** Appends a node of one result. */
  emit<K extends OpName>(op: K, inputs: readonly ValueId[], params: OpParams[K]): ValueId {
    return this.emitAll(op, inputs, params)[0] as ValueId;
  }

  type(value: ValueId): TensorType {
    return this.table.tensor(value);
  }
  shape(value: ValueId): Shape {
    return this.table.tensor(value).shape;
  }
  dtype(value: ValueId): DType {
    return this.table.tensor(value).dtype;
  }

  full(dtype: DType, shape: Shape, value: ScalarValue): ValueId {
    return this.emit("full", [], { dtype, shape, bits: toBits(dtype, value) });
  }
  iota(dtype: DType, shape: Shape, dimension: number): ValueId {
    return this.emit("iota", [], { dtype, shape, dimension });
  }
  convert(value: ValueId, dtype: DType): ValueId {
    return this.dtype(value) === dtype
      ? value
      : this.emit("convert_element_type", [value], { dtype });
  }
  reshape(value: ValueId, shape: Shape): ValueId {
    return sameShape(this.shape(value), shape) ? value : this.emit("reshape", [value], { shape });
  }
  transpose(value: ValueId, permutation: readonly number[]): ValueId {
    return permutation.every((to, i) => to === i)
      ? value
      : this.emit("transpose", [value], { permutation });
  }
  broadcastInDim(value: ValueId, shape: Shape, broadcastDimensions: readonly number[]): ValueId {
    return this.emit("broadcast_in_dim", [value], { shape, broadcastDimensions });
  }
  /** NumPy broadcasting to `shape`: dimensions align at the end. */
  broadcastTo(value: ValueId, shape: Shape): ValueId {
    const own = this.shape(value);
    if (sameShape(own, shape)) return value;
    const offset = shape.length - own.length;
    return this.broadcastInDim(
      value,
      shape,
      own.map((_, i) => i + offset),
    );
  }
  /** Adds a leading batch dimension of `size` to a value that has none. */
  addBatch(value: ValueId, size: number): ValueId {
    const own = this.shape(value);
    return this.broadcastInDim(
      value,
      [size, ...own],
      own.map((_, i) => i + 1),
    );
  }
}
