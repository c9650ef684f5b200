/**
 * What all ways to sort share: rows with their operands and results, and how results are gathered once the
 * order of a row is known.
 */
import { type bitsDType, type DType, itemSize } from "@gridfuse/plan";
import type { Code } from "../wasm/code.ts";
import { loadOp, storeOp } from "../wasm/held.ts";
import type { FunctionBuilder } from "../wasm/module.ts";

/** What leaves a sort: an operand in the new order, or the places its elements came from. */
export type Sink =
  | { readonly kind: "operand"; readonly operand: number; readonly to: number }
  | { readonly kind: "places"; readonly to: number };

export interface RowSort {
  readonly outer: number;
  readonly extent: number;
  readonly inner: number;
  /** How many of the first are written. */
  readonly taken: number;
  readonly descending: boolean;
  /** Keys come first. */
  readonly keys: number;
  readonly operands: readonly { readonly dtype: DType; readonly from: number }[];
  readonly sinks: readonly Sink[];
}

export const dtypeOf = ({ operands }: RowSort, operand: number): DType =>
  (operands[operand] as RowSort["operands"][number]).dtype;

const sinkSize = (sort: RowSort, sink: Sink): number =>
  sink.kind === "places" ? 4 : itemSize(dtypeOf(sort, sink.operand));

/** Dtypes whose bits a key word gives back, but for zeros and NaNs. */
export const isWord = (dtype: DType): boolean =>
  dtype === "float32" || dtype === "int32" || dtype === "uint32";

/** Bytes of a row of each result, one after the other. */
export const rowsBytes = (sort: RowSort): number =>
  sort.sinks.reduce((total, sink) => total + rowBytes(sort, sink), 0);

const rowBytes = (sort: RowSort, sink: Sink): number =>
  Math.ceil((sort.taken * sinkSize(sort, sink)) / 8) * 8;

/** Pushes the byte distance from its operand of the element of row `local 0` that `pushPlace` says. */
export function pushElementAt(
  code: Code,
  { inner }: RowSort,
  size: number,
  pushPlace: () => void,
): void {
  code.get(0);
  pushPlace();
  if (inner > 1) code.i32(inner).op("i32.mul");
  code.op("i32.add");
  if (size > 1) code.i32(Math.log2(size)).op("i32.shl");
}

/** The order that was found for a row. */
export interface RowOrder {
  /** Runs `body` for the first `count` places in order. */
  over(count: number, body: () => void): void;
  /** Pushes where in the row the next element comes from. */
  pushPlace(): void;
  /** Pushes the operand's next element if the order knows it. */
  pushOperand?(operand: number): boolean;
}

/**
 * Writes the results of the row whose first element is `local 0` to where `local 1` says. All are gathered in
 * memory at `rows` before any is written: operands and results may share memory.
 */
export function emitResults(
  fn: FunctionBuilder,
  sort: RowSort,
  rows: number,
  order: RowOrder,
): void {
  const { code } = fn;
  const { sinks, taken, operands } = sort;
  const target = fn.local("i32");
  let row = rows;
  const starts = sinks.map((sink) => {
    const at = row;
    row += rowBytes(sort, sink);
    return at;
  });
  for (const [i, sink] of sinks.entries()) {
    const size = sinkSize(sort, sink);
    const bits = bitsOfSize(size);
    code.i32(starts[i] as number).set(target);
    order.over(taken, () => {
      code.get(target);
      if (sink.kind === "places") order.pushPlace();
      else if (order.pushOperand?.(sink.operand) !== true) {
        pushElementAt(code, sort, size, order.pushPlace);
        code.memory(loadOp(bits), (operands[sink.operand] as { from: number }).from);
      }
      code.memory(storeOp(bits), 0);
      code.get(target).i32(size).op("i32.add").set(target);
    });
  }
  for (const [i, sink] of sinks.entries())
    emitRow(fn, sort, sink, () => code.i32(starts[i] as number));
}

/** Copies the row whose address `pushRow` pushes to its place among the results. */
export function emitRow(fn: FunctionBuilder, sort: RowSort, sink: Sink, pushRow: () => void): void {
  const { code } = fn;
  const { taken, inner } = sort;
  const size = sinkSize(sort, sink);
  const bits = bitsOfSize(size);
  code.get(1).i32(size).op("i32.mul").i32(sink.to).op("i32.add");
  if (inner === 1) {
    pushRow();
    code.i32(taken * size).memoryCopy();
    return;
  }
  const [target, from, end] = [fn.local("i32"), fn.local("i32"), fn.local("i32")];
  code.set(target);
  pushRow();
  code
    .tee(from)
    .i32(taken * size)
    .op("i32.add")
    .set(end)
    .loop();
  code.get(target).get(from).memory(loadOp(bits), 0).memory(storeOp(bits), 0);
  code
    .get(target)
    .i32(inner * size)
    .op("i32.add")
    .set(target);
  code.get(from).i32(size).op("i32.add").tee(from).get(end).op("i32.lt_u").brIf(0).end();
}

function bitsOfSize(size: number): ReturnType<typeof bitsDType> {
  const bySize = { 1: "uint8", 2: "uint16", 4: "uint32", 8: "uint64" } as const;
  return bySize[size as 1 | 2 | 4 | 8];
}
