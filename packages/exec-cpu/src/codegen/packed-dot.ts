/**
 * The usual scheme for sums that are held in 32 or 64 bits: panels of both operands are packed, and a tile function keeps its
 * sums in registers while it walks over the whole of k. Packing is also where strides and conversions happen.
 *
 * Panels of columns are independent of each other, once the rows are packed; that comes first, as a part of the step that
 * can be cut up by panels of rows. Where there are many batches, each is done by itself instead.
 */
import type { Code } from "../wasm/code.ts";
import type { FunctionBuilder } from "../wasm/module.ts";
import { type DotElements, elementsOf, emitMultiplyAdd, stepsOf } from "./dot-elements.ts";
import { emitPack } from "./dot-pack.ts";
import { loadSums, storeSums } from "./dot-sums.ts";
import { type Tile, tileOf } from "./dot-tile.ts";
import { B, type FlatDot, K, M, N } from "./flat-dot.ts";
import { type Block, blockAxis, fullBlock, type LaneAxis, lastBlock, partsOf } from "./lanes.ts";
import { blockLoop } from "./loops.ts";
import { Nest } from "./nest.ts";
import type { CodegenContext, StepFunction } from "./step-function.ts";

/** Elements of one step along k in a packed panel of rows. */
const rowSlots = 4;
/** From so many batches on each is packed when it is its turn. */
const manyBatches = 8;

interface Packing {
  readonly tile: Tile;
  readonly elements: DotElements;
  readonly rowPanels: number;
  /** Bytes of one of them. */
  readonly rowPanelBytes: number;
  readonly isByBatch: boolean;
  /** Bytes that whoever computes needs for itself. */
  readonly ownBytes: number;
  /** Bytes that everybody reads. */
  readonly sharedBytes: number;
}

export function packingOf(dot: FlatDot, isWide: boolean): Packing {
  const [batches, m, n, k] = dot.extents;
  const tile = tileOf(dot, isWide);
  const rowPanels = Math.ceil(m / tile.rows);
  const isByBatch = batches >= manyBatches;
  const elements = elementsOf(dot);
  const { lanes, size } = elements;
  const steps = stepsOf(k, elements);
  const rowPanelBytes = steps * rowSlots * size;
  const rowBytes = rowPanels * rowPanelBytes;
  const columnBytes = steps * Math.min(tile.columns, Math.ceil(n / lanes) * lanes) * size;
  return {
    tile,
    elements,
    rowPanels,
    rowPanelBytes,
    isByBatch,
    ownBytes: columnBytes + (isByBatch ? rowBytes : 0),
    sharedBytes: isByBatch ? 0 : batches * rowBytes,
  };
}

export class PackedDot {
  readonly #context: CodegenContext;
  readonly #dot: FlatDot;
  readonly #packing: Packing;
  readonly #columnPanel: number;
  readonly #rowPanels: number;
  readonly #columns: LaneAxis;

  constructor(context: CodegenContext, dot: FlatDot) {
    this.#context = context;
    this.#dot = dot;
    this.#packing = packingOf(dot, context.isWide);
    const { isByBatch, ownBytes, rowPanels, rowPanelBytes } = this.#packing;
    const rowBytes = rowPanels * rowPanelBytes;
    this.#columnPanel = context.scratch;
    this.#rowPanels = isByBatch ? context.scratch + ownBytes - rowBytes : context.shared;
    this.#columns = { axis: N, extent: dot.extents[N] };
  }

  /** One after the other. */
  emit(): readonly StepFunction[] {
    const [batches, m, n, k] = this.#dot.extents;
    const { tile, rowPanels, isByBatch } = this.#packing;
    const work = 2 * batches * m * n * k;
    const twos = this.#packing.elements.perLane === 2 ? ", by twos" : "";
    const contracts = this.#contracts;
    const how = `simd, packed${twos}, tiles of ${tile.rows} × ${tile.columns}${contracts ? ", contracted" : ""}`;
    const packRows = k > 0 ? this.#emitPackRows() : undefined;
    const columns = this.#emitColumns();
    const panels = Math.ceil(n / tile.columns);
    if (isByBatch) {
      const index = this.#emitBatches(packRows, columns, panels);
      return [{ index, extent: batches, grain: 1, how, work }];
    }
    const packing = { extent: batches * rowPanels, grain: 1, how, work: batches * m * k };
    return [
      ...(packRows === undefined ? [] : [{ ...packing, index: packRows }]),
      { index: columns, extent: batches * panels, grain: 1, how, work },
    ];
  }

  /** Whether a product and a sum are rounded once. */
  get #contracts(): boolean {
    const { accumulate, rounding } = this.#dot;
    return this.#context.contracts && accumulate === "float32" && rounding === undefined;
  }

  #nest(fn: FunctionBuilder): Nest {
    const { helpers, loopGlobals } = this.#context;
    return new Nest(fn, helpers, loopGlobals, this.#packing.elements.lanes);
  }

  /** `(lo, hi)`: batches one by one, rows and columns of each. */
  #emitBatches(packRows: number | undefined, columns: number, panels: number): number {
    const fn = this.#context.module.define(["i32", "i32"], []);
    const { code } = fn;
    const { rowPanels } = this.#packing;
    const all = (index: number, of: number): void => {
      code.get(0).i32(of).op("i32.mul");
      code.get(0).i32(1).op("i32.add").i32(of).op("i32.mul").call(index);
    };
    code.loop();
    if (packRows !== undefined) all(packRows, rowPanels);
    all(columns, panels);
    code.get(0).i32(1).op("i32.add").tee(0).get(1).op("i32.lt_u").brIf(0).end();
    return fn.index;
  }

  /** Splits a number counted over all batches into batch and panel. */
  #split(nest: Nest, number: number, panels: number, batch: number, panel: number): void {
    const { code } = nest;
    code.get(number).i32(panels).op("i32.div_u").tee(batch);
    code.i32(-panels).op("i32.mul").get(number).op("i32.add").set(panel);
  }

  /** `(lo, hi)`: panels of rows, [panel][k][4]; rows past the end repeat what nobody reads. */
  #emitPackRows(): number {
    const [, m] = this.#dot.extents;
    const { tile, elements, rowPanels, rowPanelBytes, isByBatch } = this.#packing;
    const { lanes } = elements;
    const rest = rowPanels === 1 ? m : m % tile.rows;
    const whole = rowPanels > 1 ? this.#emitPackRow(fullBlock(tile.rows, lanes)) : undefined;
    const last = rest > 0 ? this.#emitPackRow({ ...lastRows(m, rest), lanes }) : undefined;

    const fn = this.#context.module.define(["i32", "i32"], []);
    const nest = this.#nest(fn);
    const [batch, panel] = [nest.local("i32"), nest.local("i32")];
    blockLoop(nest, 0, 1, { local: 1 }, true, () => {
      this.#split(nest, 0, rowPanels, batch, panel);
      const { code } = nest;
      const call = (index: number): void => {
        code.get(batch).get(panel).i32(tile.rows).op("i32.mul");
        code.get(isByBatch ? panel : 0);
        code.i32(rowPanelBytes).op("i32.mul").call(index);
      };
      eitherPanel(code, panel, rowPanels, whole, last, call);
    });
    return fn.index;
  }

  /** (batch, row, bytes before the panel) */
  #emitPackRow(block: Block): number {
    const [, m, , k] = this.#dot.extents;
    const fn = this.#context.module.define(["i32", "i32", "i32"], []);
    const nest = this.#nest(fn);
    const inner = nest.local("i32");
    const along: LaneAxis = { axis: M, extent: m };
    nest.axes.set(B, { local: 0, level: 0, unit: 1 });
    nest.axes.set(M, { local: 1, level: 0, unit: 1 });
    nest.axes.set(blockAxis(along), { local: 1, level: 0, unit: block.width });
    nest.axes.set(K, { local: inner, level: 1, unit: 1 });
    const { lhs: operand, accumulate, rounding } = this.#dot;
    const { elements } = this.#packing;
    const held = { accumulate, rounding, elements };
    const panel = { ...held, operand, along, block, width: rowSlots, depth: k };
    emitPack(nest, panel, inner, 2, this.#rowPanels);
    return fn.index;
  }

  /** `(lo, hi)`: panels of columns: each is packed and meets all panels of rows. */
  #emitColumns(): number {
    const [, , n] = this.#dot.extents;
    const { tile, elements, rowPanels, rowPanelBytes, isByBatch } = this.#packing;
    const { lanes } = elements;
    const panels = Math.ceil(n / tile.columns);
    const rest = n % tile.columns;
    const hasWhole = panels > 1 || rest === 0;
    const whole = hasWhole ? this.#emitPanel(fullBlock(tile.columns, lanes)) : undefined;
    const last = rest > 0 ? this.#emitPanel(lastBlock(n, rest, lanes)) : undefined;

    const fn = this.#context.module.define(["i32", "i32"], []);
    const nest = this.#nest(fn);
    const locals = Array.from({ length: 5 }, () => nest.local("i32"));
    const [batch, panel, column, row, rows] = locals as [number, number, number, number, number];
    blockLoop(nest, 0, 1, { local: 1 }, true, () => {
      this.#split(nest, 0, panels, batch, panel);
      nest.code.get(panel).i32(tile.columns).op("i32.mul").set(column);
      if (isByBatch) nest.code.i32(0).set(rows);
      else {
        nest.code
          .get(batch)
          .i32(rowPanels * rowPanelBytes)
          .op("i32.mul")
          .set(rows);
      }
      const run = ({ pack, tiles }: PanelFunctions): void => {
        if (pack !== undefined) nest.code.get(batch).get(column).call(pack);
        nest.code.i32(0).set(row);
        blockLoop(nest, row, tile.rows, { constant: rowPanels * tile.rows }, true, () => {
          nest.code.get(batch).get(row).get(column).get(rows).call(tiles);
          nest.code.get(rows).i32(rowPanelBytes).op("i32.add").set(rows);
        });
      };
      eitherPanel(nest.code, panel, panels, whole, last, run);
    });
    return fn.index;
  }

  #emitPanel(block: Block): PanelFunctions {
    const [, , , k] = this.#dot.extents;
    return {
      pack: k > 0 ? this.#emitPackColumns(block) : undefined,
      tiles: this.#emitTile(block),
    };
  }

  /** (batch, column): a panel of columns, [k][columns]. */
  #emitPackColumns(block: Block): number {
    const [, , , k] = this.#dot.extents;
    const fn = this.#context.module.define(["i32", "i32"], []);
    const nest = this.#nest(fn);
    const [inner, at] = [nest.local("i32"), nest.local("i32")];
    nest.axes.set(B, { local: 0, level: 0, unit: 1 });
    nest.axes.set(N, { local: 1, level: 0, unit: 1 });
    nest.axes.set(blockAxis(this.#columns), { local: 1, level: 0, unit: block.width });
    nest.axes.set(K, { local: inner, level: 1, unit: 1 });
    const { rhs: operand, accumulate, rounding } = this.#dot;
    const { elements } = this.#packing;
    const held = { accumulate, rounding, elements };
    const panel = { ...held, operand, along: this.#columns, block, width: block.width, depth: k };
    emitPack(nest, panel, inner, at, this.#columnPanel);
    return fn.index;
  }

  /** (batch, row, column, bytes before the panel of rows): one tile of results. */
  #emitTile(block: Block): number {
    const [, m, , k] = this.#dot.extents;
    const { tile, elements } = this.#packing;
    const { size } = elements;
    const rows = Math.min(tile.rows, m);
    const contracts = this.#contracts;
    const fn = this.#context.module.define(["i32", "i32", "i32", "i32"], []);
    const nest = this.#nest(fn);
    const { code } = nest;
    const parts = partsOf(block);
    const sums = Array.from({ length: rows }, () => parts.map(() => nest.local("v128")));
    const right = parts.map(() => nest.local("v128"));
    const [left, b, row] = [nest.local("v128"), nest.local("i32"), nest.local("i32")];
    nest.axes.set(B, { local: 0, level: 0, unit: 1 });
    nest.axes.set(M, { local: row, level: 0, unit: 1 });
    nest.axes.set(N, { local: 2, level: 0, unit: 1 });
    nest.axes.set(blockAxis(this.#columns), { local: 2, level: 0, unit: block.width });
    /** Visits the sums that are results: rows past the end are none. */
    const eachSum = (visit: (part: number, sum: number) => void): void => {
      for (const [r, quads] of sums.entries()) {
        code.get(1).i32(r).op("i32.add").set(row);
        const mayLie = m % tile.rows !== 0 && r >= m % tile.rows && m > tile.rows;
        if (mayLie) code.get(row).i32(m).op("i32.lt_u").if();
        code.append(
          nest.branch(() => {
            for (const [part, sum] of quads.entries()) visit(part, sum);
          }),
        );
        if (mayLie) code.end();
      }
    };
    if (this.#dot.onto) eachSum((part, sum) => loadSums(nest, this.#dot, block, part, sum));
    if (k > 0) {
      code.loop();
      for (const [part, local] of right.entries()) {
        code
          .get(b)
          .memory("v128.load", this.#columnPanel + 16 * part)
          .set(local);
      }
      for (const [row, quads] of sums.entries()) {
        code
          .get(3)
          .memory(
            size === 4 ? "v128.load32_splat" : "v128.load64_splat",
            this.#rowPanels + size * row,
          )
          .set(left);
        for (const [part, sum] of quads.entries()) {
          if (contracts) {
            code
              .get(left)
              .get(right[part] as number)
              .get(sum);
            code.op("f32x4.relaxed_madd").set(sum);
            continue;
          }
          emitMultiplyAdd(nest, this.#dot, elements, left, right[part] as number, sum);
        }
      }
      code
        .get(3)
        .i32(size * rowSlots)
        .op("i32.add")
        .set(3);
      code
        .get(b)
        .i32(size * block.width)
        .op("i32.add")
        .tee(b);
      code
        .i32(stepsOf(k, elements) * block.width * size)
        .op("i32.lt_u")
        .brIf(0)
        .end();
    }
    eachSum((part, sum) => storeSums(nest, this.#dot, block, part, sum));
    return fn.index;
  }
}

/** Runs `body` with `last` for the last panel, with `whole` for the others, where both are there. */
function eitherPanel<T>(
  code: Code,
  panel: number,
  panels: number,
  whole: T | undefined,
  last: T | undefined,
  body: (of: T) => void,
): void {
  if (whole === undefined || last === undefined) {
    body((whole ?? last) as T);
    return;
  }
  code
    .get(panel)
    .i32(panels - 1)
    .op("i32.lt_u")
    .if();
  body(whole);
  code.else();
  body(last);
  code.end();
}

interface PanelFunctions {
  readonly pack: number | undefined;
  /** One tile. */
  readonly tiles: number;
}

/** The last rows of a panel that is not full. */
const lastRows = (extent: number, count: number): Block => ({
  width: count,
  lanes: 4,
  valid: count,
  from: extent - count,
});
