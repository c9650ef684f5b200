/**
 * The usual scheme for sums that are held in 32 bits: both operands are packed (the rows of the narrow side
 * four by four, the columns of the wide side eight by eight), and a tile function keeps 4 × 8 sums in
 * registers while it walks over the whole of k. Packing is also where strides and conversions happen.
 */
import { heldType } from "../wasm/held.ts";
import type { FunctionBuilder } from "../wasm/module.ts";
import type { PlainOp } from "../wasm/opcodes.ts";
import { emitConvert } from "../wasm/scalar-ops.ts";
import { emitVectorConvert, hasLanes, laneShape } from "../wasm/vector-ops.ts";
import { type LaneQuad, pushElement, pushLanes, storeElement, storeLanes } from "./access.ts";
import { B, type FlatDot, K, M, N, type Operand } from "./flat-dot.ts";
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
import type { CodegenContext } from "./step-function.ts";

const rows = 4;
const columns = 8;

export interface Packing {
  /** Rows of a tile: fewer where the whole dot has fewer. */
  readonly rows: number;
  readonly rowPanels: number;
  readonly rhsBytes: number;
  readonly bytes: number;
}

export function packingOf([, m, , k]: FlatDot["extents"]): Packing {
  const tile = Math.min(m, rows);
  const rowPanels = Math.ceil(m / rows);
  const rhsBytes = k * columns * 4;
  return { rows: tile, rowPanels, rhsBytes, bytes: rhsBytes + rowPanels * k * rows * 4 };
}

export class PackedDot {
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
