/**
 * `dot` as WebAssembly. Every sum runs over k in order, so blocking never shows in the bits.
 *
 * Where sums are held in 32 bits, the usual scheme: both operands are packed (the rows of the narrow side
 * four by four, the columns of the wide side eight by eight), and a tile function keeps 4 × 8 sums in
 * registers while it walks over the whole of k. Packing is also where strides and conversions happen.
 * Other accumulators go through plain loops.
 */
import type { DotStep, DType } from "@gridfuse/plan";
import { add, axis, floordiv, type IndexExpr, mod, mul } from "@gridfuse/plan/index-expr";
import { heldType, pushConst } from "../wasm/held.ts";
import type { FunctionBuilder } from "../wasm/module.ts";
import type { PlainOp } from "../wasm/opcodes.ts";
import { emitBinary, emitConvert, type Push } from "../wasm/scalar-ops.ts";
import { emitVectorConvert, hasLanes, laneShape } from "../wasm/vector-ops.ts";
import { type LaneQuad, pushElement, pushLanes, storeElement, storeLanes } from "./access.ts";
import {
  type Block,
  blockAxis,
  fullBlock,
  type LaneAxis,
  lanesOf,
  lastBlock,
  partsOf,
} from "./lanes.ts";
import { blockLoop } from "./loops.ts";
import { Nest } from "./nest.ts";
import type { CodegenContext, StepFunction } from "./step-function.ts";

const rows = 4;
const columns = 8;

const product = (extents: readonly number[]): number => extents.reduce((a, b) => a * b, 1);

// Flat axes: batch, row, column, reduced index.
const [B, M, N, K] = [0, 1, 2, 3] as const;

/** One operand seen through flat axes. */
interface Operand {
  readonly dtype: DType;
  readonly address: number;
  readonly index: IndexExpr;
}

/** A dot with flat axes, turned so that the columns are the wide side. */
interface FlatDot {
  readonly extents: readonly [number, number, number, number];
  readonly lhs: Operand;
  readonly rhs: Operand;
  readonly out: Operand;
  readonly accumulate: DType;
}

/** Σ stride·coordinate for the coordinates of a flat axis over `extents`. */
function flatIndex(
  flat: number,
  extents: readonly number[],
  strides: readonly number[],
): IndexExpr {
  const whole = axis(flat, product(extents));
  let below = 1;
  const parts: IndexExpr[] = [];
  for (let i = extents.length - 1; i >= 0; i--) {
    const extent = extents[i] as number;
    const coordinate = i === 0 ? floordiv(whole, below) : mod(floordiv(whole, below), extent);
    parts.push(mul(coordinate, strides[i] as number));
    below *= extent;
  }
  return add(...parts);
}

function flatten(step: DotStep, addresses: readonly number[]): FlatDot {
  const { batch, m, n, k, lhs, rhs, out } = step;
  const address = ({ buffer }: { readonly buffer: number }): number => addresses[buffer] as number;
  const [mCount, nCount] = [product(m), product(n)];
  const swapped = nCount < columns && mCount > nCount;
  const [rowAxis, columnAxis] = swapped ? ([N, M] as const) : ([M, N] as const);
  const operand = (
    of: DotStep["lhs"],
    dtype: DType,
    flat: number,
    extents: readonly number[],
  ): Operand => ({
    dtype,
    address: address(of),
    index: add(
      of.base,
      flatIndex(B, batch, of.batch),
      flatIndex(flat, extents, of.free),
      flatIndex(K, k, of.contract),
    ),
  });
  const left = operand(lhs, step.lhsDType, rowAxis, m);
  const right = operand(rhs, step.rhsDType, columnAxis, n);
  return {
    extents: [product(batch), swapped ? nCount : mCount, swapped ? mCount : nCount, product(k)],
    lhs: swapped ? right : left,
    rhs: swapped ? left : right,
    out: {
      dtype: step.dtype,
      address: address(out),
      index: add(
        out.base,
        flatIndex(B, batch, out.batch),
        flatIndex(rowAxis, m, out.free.slice(0, m.length)),
        flatIndex(columnAxis, n, out.free.slice(m.length)),
      ),
    },
    accumulate: step.accumulate,
  };
}

const isPacked = (step: DotStep): boolean =>
  step.accumulate === "float32" || step.accumulate === "int32" || step.accumulate === "uint32";

interface Packing {
  /** Rows of a tile: fewer where the whole dot has fewer. */
  readonly rows: number;
  readonly rowPanels: number;
  readonly rhsBytes: number;
  readonly bytes: number;
}

function packingOf([, m, , k]: FlatDot["extents"]): Packing {
  const tile = Math.min(m, rows);
  const rowPanels = Math.ceil(m / rows);
  const rhsBytes = k * columns * 4;
  return { rows: tile, rowPanels, rhsBytes, bytes: rhsBytes + rowPanels * k * rows * 4 };
}

/** Bytes of scratch memory that a dot uses. */
export const dotScratch = (step: DotStep): number =>
  isPacked(step) ? packingOf(flatten(step, []).extents).bytes : 0;

export function emitDot(context: CodegenContext, step: DotStep): StepFunction | undefined {
  const dot = flatten(step, context.addresses);
  const [b, m, n, k] = dot.extents;
  if (b * m * n === 0) return undefined;
  const work = 2 * b * m * n * k;
  if (!isPacked(step)) {
    return { index: emitPlain(context, dot), extent: 1, grain: 1, how: "scalar", work };
  }
  const index = new PackedDot(context, dot).emit();
  return { index, extent: 1, grain: 1, how: "simd, packed", work };
}

/** The loops as written in plan.ts. */
function emitPlain(context: CodegenContext, dot: FlatDot): number {
  const { accumulate, extents, lhs, rhs, out } = dot;
  const fn = context.module.define(["i32", "i32"], []);
  const nest = new Nest(fn, context.helpers, context.loopGlobals);
  for (const flat of [B, M, N, K]) {
    nest.axes.set(flat, { local: nest.local("i32"), level: flat + 1, unit: 1 });
  }
  const sum = nest.local(heldType(accumulate));
  const operands = [lhs, rhs].map(({ dtype }) => nest.local(heldType(dtype)));
  const converted = [lhs, rhs].map(() => nest.local(heldType(accumulate)));
  const pushSum: Push = (code) => code.get(sum);

  const multiplyAdd = (): void => {
    for (const [i, { dtype, address, index }] of [lhs, rhs].entries()) {
      const [held, value] = [operands[i] as number, converted[i] as number];
      pushElement(nest, dtype, address, index);
      nest.code.set(held);
      if (dtype === accumulate) nest.code.get(held);
      else emitConvert(nest.code, nest.helpers, dtype, accumulate, (code) => code.get(held));
      nest.code.set(value);
    }
    const product = nest.local(heldType(accumulate));
    const [x, y] = converted as [number, number];
    emitBinary(
      nest.code,
      nest.helpers,
      "mul",
      accumulate,
      (c) => c.get(x),
      (c) => c.get(y),
    );
    nest.code.set(product);
    emitBinary(nest.code, nest.helpers, "add", accumulate, pushSum, (c) => c.get(product));
    nest.code.set(sum);
  };
  const loops = (flat: number): void => {
    const { local } = nest.axes.get(flat) as { local: number };
    const end = { constant: extents[flat] as number };
    nest.code.i32(0).set(local);
    if (flat === K) {
      pushConst(nest.code, accumulate, { lo: 0, hi: 0 });
      nest.code.set(sum);
      if (end.constant > 0) blockLoop(nest, local, 1, end, true, multiplyAdd);
      storeElement(nest, out.dtype, out.address, out.index, () => {
        if (out.dtype === accumulate) pushSum(nest.code);
        else emitConvert(nest.code, nest.helpers, accumulate, out.dtype, pushSum);
      });
    } else {
      blockLoop(nest, local, 1, end, true, () => loops(flat + 1));
    }
  };
  loops(B);
  return fn.index;
}

class PackedDot {
  readonly #context: CodegenContext;
  readonly #dot: FlatDot;
  readonly #packing: Packing;
  readonly #rhsPanel: number;
  readonly #lhsPanels: number;
  readonly #columns: LaneAxis;

  constructor(context: CodegenContext, dot: FlatDot) {
    this.#context = context;
    this.#dot = dot;
    this.#packing = packingOf(dot.extents);
    this.#rhsPanel = context.scratch;
    this.#lhsPanels = context.scratch + this.#packing.rhsBytes;
    this.#columns = { axis: N, extent: dot.extents[N] };
  }

  /** For each batch: pack all rows; for each panel of columns: pack it, then all tiles. */
  emit(): number {
    const [batches, , n, k] = this.#dot.extents;
    const packRows = this.#emitPackRows();
    const tile = this.#emitTiles(fullBlock(columns));
    const packColumns = this.#emitPackColumns(fullBlock(columns));
    const last = n % columns === 0 ? undefined : lastBlock(n, n % columns);
    const lastTile = last && this.#emitTiles(last);
    const packLast = last && this.#emitPackColumns(last);

    const fn = this.#context.module.define(["i32", "i32"], []);
    const nest = new Nest(fn, this.#context.helpers, []);
    const [batch, panel, column] = [nest.local("i32"), nest.local("i32"), nest.local("i32")];
    const panels = (packing: number, tiling: number): void => {
      if (k > 0) nest.code.get(batch).get(column).call(packing);
      nest.code.i32(0).set(panel);
      blockLoop(nest, panel, 1, { constant: this.#packing.rowPanels }, true, () => {
        nest.code.get(batch).get(panel).get(column).call(tiling);
      });
    };
    blockLoop(nest, batch, 1, { constant: batches }, true, () => {
      if (k > 0) nest.code.get(batch).call(packRows);
      nest.code.i32(0).set(column);
      if (n >= columns) {
        blockLoop(nest, column, columns, { constant: n }, true, () => panels(packColumns, tile));
      }
      if (packLast !== undefined && lastTile !== undefined) panels(packLast, lastTile);
    });
    return fn.index;
  }

  #nest(fn: FunctionBuilder): Nest {
    return new Nest(fn, this.#context.helpers, this.#context.loopGlobals);
  }

  /** Pushes four neighbouring elements of an operand, converted to the accumulator's lanes. */
  #pushQuad(nest: Nest, operand: Operand, lanes: LaneAxis, block: Block, part: number): void {
    const { dtype, address } = operand;
    const { accumulate } = this.#dot;
    const index = lanesOf(operand.index, lanes, block, false);
    const first = 4 * part;
    const valid = Math.min(block.valid - first, 4);
    if (!hasLanes(dtype)) {
      this.#pushWideQuad(nest, operand, { index, first, valid });
      return;
    }
    pushLanes(nest, dtype, address, { index, first, valid });
    if (dtype === accumulate) return;
    const raw = nest.local("v128");
    nest.code.set(raw);
    emitVectorConvert(nest, dtype, accumulate, (code) => code.get(raw));
  }

  /** The same for 64-bit operands, one by one. */
  #pushWideQuad(nest: Nest, { dtype, address }: Operand, { index, first, valid }: LaneQuad): void {
    const { accumulate } = this.#dot;
    const held = nest.local(heldType(dtype));
    const lanes = nest.local("v128");
    nest.code.v128([0, 0, 0, 0]).set(lanes);
    for (let lane = 0; lane < valid; lane++) {
      pushElement(nest, dtype, address, index.at(first + lane));
      nest.code.set(held).get(lanes);
      emitConvert(nest.code, nest.helpers, dtype, accumulate, (code) => code.get(held));
      nest.code.lane(`${laneShape(accumulate)}.replace_lane`, lane).set(lanes);
    }
    nest.code.get(lanes);
  }

  /** (batch): rows of the narrow side, [panel][k][4]; rows past the end repeat garbage nobody reads. */
  #emitPackRows(): number {
    const [, m, , k] = this.#dot.extents;
    const fn = this.#context.module.define(["i32"], []);
    const nest = this.#nest(fn);
    const [row, inner, at] = [nest.local("i32"), nest.local("i32"), nest.local("i32")];
    const lanes: LaneAxis = { axis: M, extent: m };
    nest.axes.set(B, { local: 0, level: 0, unit: 1 });
    nest.axes.set(M, { local: row, level: 1, unit: 1 });
    nest.axes.set(blockAxis(lanes), { local: row, level: 1, unit: rows });
    nest.axes.set(K, { local: inner, level: 2, unit: 1 });
    const panel = (block: Block): void => {
      nest.code.i32(0).set(inner);
      blockLoop(nest, inner, 1, { constant: k }, true, () => {
        nest.code.get(at);
        this.#pushQuad(nest, this.#dot.lhs, lanes, block, 0);
        nest.code.memory("v128.store", this.#lhsPanels);
        nest.code.get(at).i32(16).op("i32.add").set(at);
      });
    };
    if (k > 0) {
      if (m >= rows)
        blockLoop(nest, row, rows, { constant: m }, true, () => panel(fullBlock(rows)));
      const rest = m % rows;
      if (rest > 0) nest.code.append(nest.nested(() => panel(lastBlock(m, rest))));
    }
    return fn.index;
  }

  /** (batch, column): a panel of the wide side, [k][8]. */
  #emitPackColumns(block: Block): number {
    const [, , , k] = this.#dot.extents;
    const fn = this.#context.module.define(["i32", "i32"], []);
    const nest = this.#nest(fn);
    const [inner, at] = [nest.local("i32"), nest.local("i32")];
    nest.axes.set(B, { local: 0, level: 0, unit: 1 });
    nest.axes.set(N, { local: 1, level: 0, unit: 1 });
    nest.axes.set(blockAxis(this.#columns), { local: 1, level: 0, unit: columns });
    nest.axes.set(K, { local: inner, level: 1, unit: 1 });
    if (k > 0) {
      blockLoop(nest, inner, 1, { constant: k }, true, () => {
        for (const part of partsOf(block)) {
          nest.code.get(at);
          this.#pushQuad(nest, this.#dot.rhs, this.#columns, block, part);
          nest.code.memory("v128.store", this.#rhsPanel + 16 * part);
        }
        nest.code
          .get(at)
          .i32(4 * columns)
          .op("i32.add")
          .set(at);
      });
    }
    return fn.index;
  }

  /** (batch, row panel, column): one tile of results. */
  #emitTiles(block: Block): number {
    const [, m, , k] = this.#dot.extents;
    const shape = this.#dot.accumulate === "float32" ? "f32x4" : "i32x4";
    const fn = this.#context.module.define(["i32", "i32", "i32"], []);
    const nest = this.#nest(fn);
    const { code } = nest;
    const parts = partsOf(block);
    const sums = Array.from({ length: this.#packing.rows }, () =>
      parts.map(() => nest.local("v128")),
    );
    const right = parts.map(() => nest.local("v128"));
    const [left, a, b] = [nest.local("v128"), nest.local("i32"), nest.local("i32")];
    if (k > 0) {
      code
        .get(1)
        .i32(k * rows * 4)
        .op("i32.mul")
        .set(a);
      code.loop();
      for (const [part, local] of right.entries()) {
        code
          .get(b)
          .memory("v128.load", this.#rhsPanel + 16 * part)
          .set(local);
      }
      for (const [row, quads] of sums.entries()) {
        code
          .get(a)
          .memory("v128.load32_splat", this.#lhsPanels + 4 * row)
          .set(left);
        for (const [part, sum] of quads.entries()) {
          code
            .get(sum)
            .get(left)
            .get(right[part] as number);
          code
            .op(`${shape}.mul` as PlainOp)
            .op(`${shape}.add` as PlainOp)
            .set(sum);
        }
      }
      code
        .get(a)
        .i32(4 * rows)
        .op("i32.add")
        .set(a);
      code
        .get(b)
        .i32(4 * columns)
        .op("i32.add")
        .tee(b);
      code
        .i32(k * columns * 4)
        .op("i32.lt_u")
        .brIf(0)
        .end();
    }
    const row = nest.local("i32");
    nest.axes.set(B, { local: 0, level: 0, unit: 1 });
    nest.axes.set(M, { local: row, level: 0, unit: 1 });
    nest.axes.set(N, { local: 2, level: 0, unit: 1 });
    nest.axes.set(blockAxis(this.#columns), { local: 2, level: 0, unit: columns });
    for (const [r, quads] of sums.entries()) {
      code.get(1).i32(rows).op("i32.mul").i32(r).op("i32.add").set(row);
      const mayLie = m % rows !== 0 && r >= m % rows && m > rows;
      if (mayLie) code.get(row).i32(m).op("i32.lt_u").if();
      code.append(
        nest.branch(() => {
          for (const [part, sum] of quads.entries()) this.#storeQuad(nest, block, part, sum);
        }),
      );
      if (mayLie) code.end();
    }
    return fn.index;
  }

  #storeQuad(nest: Nest, block: Block, part: number, sum: number): void {
    const { out, accumulate } = this.#dot;
    const index = lanesOf(out.index, this.#columns, block, false);
    const first = 4 * part;
    const valid = Math.min(block.valid - first, 4);
    const quad = { index, first, valid };
    if (hasLanes(out.dtype)) {
      const result = out.dtype === accumulate ? sum : nest.local("v128");
      if (result !== sum) {
        emitVectorConvert(nest, accumulate, out.dtype, (code) => code.get(sum));
        nest.code.set(result);
      }
      storeLanes(nest, out.dtype, out.address, quad, () => nest.code.get(result));
      return;
    }
    const shape = accumulate === "float32" ? "f32x4" : "i32x4";
    const held = nest.local(heldType(accumulate));
    for (let lane = 0; lane < valid; lane++) {
      nest.code.get(sum).lane(`${shape}.extract_lane`, lane).set(held);
      storeElement(nest, out.dtype, out.address, index.at(first + lane), () => {
        emitConvert(nest.code, nest.helpers, accumulate, out.dtype, (code) => code.get(held));
      });
    }
  }
}
