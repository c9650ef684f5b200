/**
 * Emits the nodes of a scalar program into a nest, for one value or for a block of lanes at a time.
 *
 * Every needed node gets a local, at the level where it can be computed. Nodes that differ between lanes
 * get one v128 for each four lanes; the others stay scalar and are splatted where a vector needs them.
 * Immediates used by vectors wait in locals outside all loops (inside, newer V8s reload them each time).
 */
import { InternalError, itemSize } from "@gridfuse/plan";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import {
  argsOf,
  type BinaryOp,
  binaryOps,
  type CompareOp,
  type ConstNode,
  compareOps,
  type IndexNode,
  type LoadNode,
  type ScalarNode,
  type SelectNode,
  type UnaryOp,
  unaryOps,
} from "@gridfuse/plan/scalar";
import type { Code, ValueType } from "../wasm/code.ts";
import { heldType, laneWord, pushConst } from "../wasm/held.ts";
import {
  emitBinary,
  emitBitcast,
  emitCompare,
  emitConvert,
  emitUnary,
  type Push,
} from "../wasm/scalar-ops.ts";
import {
  emitVectorBinary,
  emitVectorBitcast,
  emitVectorCompare,
  emitVectorConvert,
  emitVectorShift,
  emitVectorUnary,
  laneShape,
  normaliseLanes,
  type ShiftOp,
} from "../wasm/vector-ops.ts";
import {
  guardQuad,
  type LaneQuad,
  openRanges,
  pushElement,
  pushGuard,
  pushLanes,
  type QuadGuard,
} from "./access.ts";
import {
  type Block,
  type LaneAxis,
  type LaneIndex,
  lanesOf,
  partsOf,
  scalarBlock,
} from "./lanes.ts";
import type { Address, Nest } from "./nest.ts";
import { always, type ProgramFacts, valuesIn } from "./program-facts.ts";

const keysPerNode = 8;
const scalarPart = 7;
const splatPart = 6;

/** Whether all values of e can be told apart in 32 bits, signed where e can be negative. */
const fitsWord = ({ lo, hi }: IndexExpr): boolean =>
  lo >= -(2 ** 31) && hi < (lo < 0 ? 2 ** 31 : 2 ** 32);

const constantWord = ({ dtype, bits }: ConstNode): number => laneWord(dtype, bits);

const isUnaryOp = (op: string): op is UnaryOp => (unaryOps as readonly string[]).includes(op);
const isBinaryOp = (op: string): op is BinaryOp => (binaryOps as readonly string[]).includes(op);
const isCompareOp = (op: string): op is CompareOp => (compareOps as readonly string[]).includes(op);
const isShift = (op: BinaryOp): op is ShiftOp => op.startsWith("shift");

/** Where results of earlier stages are: pushes the scalar, or the v128 of four lanes. */
export type ReducedValues = (
  stage: number,
  reduction: number,
  part: number | undefined,
) => (code: Code) => void;

export interface ProgramSource {
  /** Distinguishes the programs of one function. */
  readonly id: number;
  readonly nodes: readonly ScalarNode[];
  readonly facts: ProgramFacts;
  readonly lanes: LaneAxis | undefined;
  readonly addresses: readonly Address[];
  readonly reduced: ReducedValues;
}

export class Program {
  readonly #nest: Nest;
  readonly #source: ProgramSource;
  #block: Block = scalarBlock;
  /** Loop level of the code being written. */
  #bodyLevel = 0;
  #remaining: number[] = [];
  readonly #free = new Map<ValueType, number[]>();
  /** Lane indices of the block being written, by expression. */
  #laneIndices = new Map<string, LaneIndex>();

  constructor(nest: Nest, source: ProgramSource) {
    this.#nest = nest;
    this.#source = source;
  }

  /** Lanes of the block being written: 1 (scalar) or a multiple of 4. */
  get #width(): number {
    return this.#block.width;
  }
  get #valid(): number {
    return this.#block.valid;
  }

  /** Makes computed indices of the nest refer to this program. */
  bind(): void {
    const { facts, id } = this.#source;
    this.#nest.program = id;
    this.#nest.values = {
      level: (node) => facts.level[node] as number,
      push: (node, lane) => this.#pushIndexValue(node, lane),
    };
  }

  /** Emits all needed nodes at the current place, one block of lanes at a time. */
  emitAll(block: Block): void {
    this.#block = block;
    this.#bodyLevel = this.#nest.level;
    this.#laneIndices = new Map();
    this.#remaining = [...this.#source.facts.uses];
    this.bind();
    this.#emitRegion(always);
  }

  #emitRegion(region: number): void {
    const { nodes, facts } = this.#source;
    for (const [i, node] of nodes.entries()) {
      if (facts.used[i] && facts.region[i] === region && node.op !== "const") this.#ensure(i);
    }
  }

  #node(index: number): ScalarNode {
    return this.#source.nodes[index] as ScalarNode;
  }
  /** Whether the node is held in v128s in the current block. */
  isVector(index: number): boolean {
    return this.#width > 1 && (this.#source.facts.varies[index] as boolean);
  }

  // ── Operands ──────────────────────────────────────────────────────────────────────────────

  /** Key under which quad `part` of a node, the scalar, or its splat is remembered. */
  #key(index: number, part: number): number {
    return (this.#source.id * 2 ** 24 + index) * keysPerNode + part;
  }

  /** Pushes a node that is the same in all lanes, as it is held. */
  scalar(index: number): Push {
    const node = this.#node(index);
    if (node.op === "const") return (code) => pushConst(code, node.dtype, node.bits);
    const local = this.#ensure(index);
    return (code) => code.get(local);
  }

  /** Pushes lanes 4·part … 4·part + 3 of a node. */
  vector(index: number, part: number): Push {
    const local = this.#vectorLocal(index, part);
    if (local !== undefined) return (code) => code.get(local);
    const word = constantWord(this.#node(index) as ConstNode);
    return (code) => code.v128([word, word, word, word]);
  }

  #vectorLocal(index: number, part: number): number | undefined {
    const nest = this.#nest;
    const node = this.#node(index);
    if (node.op === "const") {
      // On a slow side the immediate is written where it is used.
      if (nest.conditional) return undefined;
      const word = constantWord(node);
      return nest.memoised(-1 - word, 0, "v128", () => {
        nest.code.v128([word, word, word, word]);
      });
    }
    if (this.isVector(index)) {
      this.#ensure(index);
      return nest.recall(this.#key(index, part)) as number;
    }
    const level = this.#source.facts.level[index] as number;
    const push = this.scalar(index);
    return nest.memoised(this.#key(index, splatPart), level, "v128", () => {
      if (node.dtype === "bool") nest.code.i32(0);
      push(nest.code);
      if (node.dtype === "bool") nest.code.op("i32.sub");
      nest.code.op(`${laneShape(node.dtype)}.splat`);
    });
  }

  #pushIndexValue(index: number, lane: number): void {
    const { code } = this.#nest;
    const { dtype } = this.#node(index);
    if (this.isVector(index)) {
      this.vector(index, Math.floor(lane / 4))(code);
      code.lane("i32x4.extract_lane", lane % 4);
    } else {
      this.scalar(index)(code);
      if (heldType(dtype) === "i64") code.op("i32.wrap_i64");
    }
  }

  // ── Emission ──────────────────────────────────────────────────────────────────────────────

  /** Emits node `index` where it was not yet, and gives its (first) local. */
  #ensure(index: number): number {
    const nest = this.#nest;
    const vector = this.isVector(index);
    const known = nest.recall(this.#key(index, vector ? 0 : scalarPart));
    if (known !== undefined) return known;
    const level = this.#source.facts.level[index] as number;
    return nest.at(level, () => {
      if (vector) return this.#emitVector(index);
      const local = this.#newLocal(index, heldType(this.#node(index).dtype));
      this.#emitScalar(index, local);
      nest.code.set(local);
      nest.remember(this.#key(index, scalarPart), local);
      this.#release(index);
      return local;
    });
  }

  /** Locals of the innermost code may be used again after the last use of what they held. */
  #isShortLived(index: number): boolean {
    const { varies, uses, level } = this.#source.facts;
    return (
      (varies[index] as boolean) && level[index] === this.#bodyLevel && Number.isFinite(uses[index])
    );
  }
  #newLocal(index: number, type: ValueType): number {
    const free = this.#isShortLived(index) ? this.#free.get(type)?.pop() : undefined;
    return free ?? this.#nest.local(type);
  }
  /** Notes that node `user` has read its operands; frees the locals of those it was the last to read. */
  #release(user: number): void {
    for (const arg of argsOf(this.#node(user))) {
      const remaining = (this.#remaining[arg] as number) - 1;
      this.#remaining[arg] = remaining;
      if (remaining !== 0 || !this.#isShortLived(arg)) continue;
      const node = this.#node(arg);
      const [keys, type] = this.isVector(arg)
        ? [this.#parts().map((part) => this.#key(arg, part)), "v128" as const]
        : [[this.#key(arg, scalarPart)], heldType(node.dtype)];
      const pool = this.#free.get(type) ?? [];
      this.#free.set(type, pool);
      for (const key of keys) {
        const local = this.#nest.recall(key);
        if (local !== undefined) pool.push(local);
      }
    }
  }
  #parts(): number[] {
    return partsOf(this.#block);
  }
  #emitScalar(index: number, result: number): void {
    const nest = this.#nest;
    const { helpers } = nest;
    const node = this.#node(index);
    switch (node.op) {
      case "index":
        this.#pushIndexNode(node);
        return;
      case "load":
        this.#pushLoad(node);
        return;
      case "reduced":
        this.#source.reduced(node.stage, node.reduction, undefined)(nest.code);
        return;
      case "select": {
        const [condition, yes, no] = node.args;
        for (const arg of [yes, no, condition]) this.scalar(arg)(nest.code);
        nest.code.op("select");
        return;
      }
      case "rare":
        this.#emitScalarRare(index, node, result);
        return;
      case "convert": {
        const x = this.scalar(node.args[0]);
        emitConvert(nest.code, helpers, this.#node(node.args[0]).dtype, node.dtype, x);
        return;
      }
      case "bitcast": {
        const x = this.scalar(node.args[0]);
        const canonical = this.#source.facts.computed[node.args[0]] as boolean;
        emitBitcast(nest.code, this.#node(node.args[0]).dtype, node.dtype, canonical, x);
        return;
      }
      default:
        this.#emitScalarOp(node);
    }
  }

  #emitScalarOp(node: ScalarNode): void {
    const { code, helpers } = this.#nest;
    const [a, b] = argsOf(node);
    const dtype = a === undefined ? node.dtype : this.#node(a).dtype;
    if (isUnaryOp(node.op)) {
      emitUnary(code, helpers, node.op, dtype, this.scalar(a as number));
    } else if (isBinaryOp(node.op)) {
      emitBinary(code, helpers, node.op, dtype, this.scalar(a as number), this.scalar(b as number));
    } else if (isCompareOp(node.op)) {
      emitCompare(
        code,
        helpers,
        node.op,
        dtype,
        this.scalar(a as number),
        this.scalar(b as number),
      );
    } else {
      throw new InternalError("GF9302", `a ${node.op} node has no meaning inside a kernel`, {
        help: "This is a bug of gridfuse: whatever built the plan should have refused it.",
      });
    }
  }

  #emitScalarRare(index: number, node: SelectNode, result: number): void {
    const nest = this.#nest;
    const [condition, slow, fast] = node.args;
    this.scalar(fast)(nest.code);
    nest.code.set(result);
    this.scalar(condition)(nest.code);
    nest.code.if();
    nest.code.append(
      nest.branch(() => {
        this.#emitRegion(index);
        this.scalar(slow)(nest.code);
        nest.code.set(result);
      }),
    );
    nest.code.end().get(result);
  }

  /** Pushes an index as an integer value, wrapped to its dtype. */
  #pushIndexNode({ index, dtype }: IndexNode): void {
    const nest = this.#nest;
    if (heldType(dtype) === "i64" && !fitsWord(index)) {
      this.#pushWideIndex(index);
      return;
    }
    nest.pushIndex(index);
    if (dtype === "int32" || dtype === "uint32") return;
    const from = index.lo < 0 ? "int32" : "uint32";
    const local = nest.local("i32");
    nest.code.set(local);
    emitConvert(nest.code, nest.helpers, from, dtype, (code) => code.get(local));
  }

  /** A sum that leaves 32 bits, though its parts do not. */
  #pushWideIndex(index: IndexExpr): void {
    const { code } = this.#nest;
    const { terms, constant } =
      index.k === "sum" ? index : { terms: [{ factor: 1, of: index }], constant: 0 };
    code.i64(BigInt(constant));
    for (const { factor, of } of terms) {
      this.#nest.pushIndex(of);
      code.op(of.lo < 0 ? "i64.extend_i32_s" : "i64.extend_i32_u");
      code.i64(BigInt(factor)).op("i64.mul").op("i64.add");
    }
  }

  #pushLoad(node: LoadNode): void {
    const nest = this.#nest;
    const base = this.#source.addresses[node.buffer] as Address;
    const open = openRanges(node.guard);
    if (open === undefined) {
      pushConst(nest.code, node.dtype, node.fill);
      return;
    }
    if (open.length === 0) {
      pushElement(nest, node.dtype, base, node.index);
      return;
    }
    pushGuard(nest, open);
    nest.code.if(heldType(node.dtype));
    nest.code.append(nest.branch(() => pushElement(nest, node.dtype, base, node.index)));
    nest.code.else();
    pushConst(nest.code, node.dtype, node.fill);
    nest.code.end();
  }

  // ── Vectors ───────────────────────────────────────────────────────────────────────────────

  #emitVector(index: number): number {
    const nest = this.#nest;
    const node = this.#node(index);
    const results = this.#parts().map(() => this.#newLocal(index, "v128"));
    if (node.op === "rare") {
      this.#emitVectorRare(index, node, results);
    } else if (node.op === "load") {
      for (const [part, result] of results.entries()) this.#emitQuadLoad(node, part, result);
    } else {
      for (const [part, result] of results.entries()) {
        this.#pushQuad(node, part);
        nest.code.set(result);
      }
    }
    for (const [part, result] of results.entries()) {
      nest.remember(this.#key(index, part), result);
    }
    this.#release(index);
    return results[0] as number;
  }

  #pushQuad(node: Exclude<ScalarNode, LoadNode>, part: number): void {
    const { code } = this.#nest;
    switch (node.op) {
      case "index":
        this.#pushIndexQuad(node, part);
        return;
      case "reduced":
        this.#source.reduced(node.stage, node.reduction, part)(code);
        return;
      case "select":
      case "rare": {
        const [condition, yes, no] = node.args;
        for (const arg of [yes, no, condition]) this.vector(arg, part)(code);
        code.op("v128.bitselect");
        return;
      }
      case "convert": {
        const x = this.vector(node.args[0], part);
        emitVectorConvert(this.#nest, this.#node(node.args[0]).dtype, node.dtype, x);
        return;
      }
      case "bitcast": {
        const x = this.vector(node.args[0], part);
        const canonical = this.#source.facts.computed[node.args[0]] as boolean;
        emitVectorBitcast(this.#nest, this.#node(node.args[0]).dtype, node.dtype, canonical, x);
        return;
      }
      default:
        this.#pushQuadOp(node, part);
    }
  }

  #pushQuadOp(node: ScalarNode, part: number): void {
    const nest = this.#nest;
    const [a, b] = argsOf(node) as readonly [number, number];
    const { dtype } = this.#node(a);
    const x = this.vector(a, part);
    if (isUnaryOp(node.op)) {
      emitVectorUnary(nest, node.op, dtype, x);
    } else if (isCompareOp(node.op)) {
      emitVectorCompare(nest, node.op, dtype, x, this.vector(b, part));
    } else if (isBinaryOp(node.op)) {
      if (isShift(node.op) && !this.isVector(b) && itemSize(dtype) === 4) {
        this.#pushUniformShift(node.op, x, b);
      } else {
        emitVectorBinary(nest, node.op, dtype, x, this.vector(b, part));
      }
    } else {
      throw new InternalError("GF9302", `a ${node.op} node has no meaning inside a kernel`, {
        help: "This is a bug of gridfuse: whatever built the plan should have refused it.",
      });
    }
  }

  #pushUniformShift(op: ShiftOp, x: Push, amount: number): void {
    const { code } = this.#nest;
    const node = this.#node(amount);
    if (node.op === "const" && node.bits.lo < 32) {
      x(code);
      code.i32(node.bits.lo);
      code.op(
        op === "shiftLeft"
          ? "i32x4.shl"
          : op === "shiftRightLogical"
            ? "i32x4.shr_u"
            : "i32x4.shr_s",
      );
    } else {
      emitVectorShift(code, op, x, this.scalar(amount));
    }
  }

  #emitVectorRare(index: number, node: SelectNode, results: readonly number[]): void {
    const nest = this.#nest;
    const [condition, slow, fast] = node.args;
    const parts = this.#parts();
    for (const part of parts) {
      this.vector(fast, part)(nest.code);
      nest.code.set(results[part] as number);
    }
    const conditions = parts.map((part) => this.vector(condition, part));
    for (const [part, push] of conditions.entries()) {
      push(nest.code);
      if (part > 0) nest.code.op("v128.or");
    }
    nest.code.op("v128.any_true").if();
    nest.code.append(
      nest.branch(() => {
        this.#emitRegion(index);
        for (const part of parts) {
          const result = results[part] as number;
          this.vector(slow, part)(nest.code);
          nest.code.get(result);
          conditions[part]?.(nest.code);
          nest.code.op("v128.bitselect").set(result);
        }
      }),
    );
    nest.code.end();
  }

  // ── Lanes of an index ─────────────────────────────────────────────────────────────────────

  #varies(e: IndexExpr): boolean {
    const { lanes, facts } = this.#source;
    return (
      (lanes !== undefined && e.key.includes(`a${lanes.axis}:`)) ||
      valuesIn(e).some((node) => facts.varies[node])
    );
  }

  #laneIndex(e: IndexExpr): LaneIndex {
    let known = this.#laneIndices.get(e.key);
    if (known === undefined) {
      const { facts, lanes } = this.#source;
      const varyingValue = valuesIn(e).some((node) => facts.varies[node]);
      known = lanesOf(e, lanes as LaneAxis, this.#block, varyingValue);
      this.#laneIndices.set(e.key, known);
    }
    return known;
  }

  /** The four lanes of `part` of an index. */
  quad(e: IndexExpr, part: number): LaneQuad {
    const first = 4 * part;
    return { index: this.#laneIndex(e), first, valid: Math.min(this.#valid - first, 4) };
  }

  quadGuard(guard: LoadNode["guard"], part: number): QuadGuard {
    return {
      uniform: guard.filter(({ index }) => !this.#varies(index)),
      along: guard
        .filter(({ index }) => this.#varies(index))
        .map((range) => ({ range, quad: this.quad(range.index, part) })),
    };
  }

  #pushIndexQuad({ index, dtype }: IndexNode, part: number): void {
    const nest = this.#nest;
    const lanes = this.#laneIndex(index);
    const first = 4 * part;
    if (lanes.offsets !== undefined) {
      nest.pushIndex(lanes.at(0));
      nest.code.op("i32x4.splat");
      const [a, b, c, d] = lanes.offsets.slice(first, first + 4) as [
        number,
        number,
        number,
        number,
      ];
      const words = `${a},${b},${c},${d}`;
      const steps = nest.memoised(`o${words}`, 0, "v128", () => nest.code.v128([a, b, c, d]));
      nest.code.get(steps).op("i32x4.add");
      normaliseLanes(nest.code, dtype);
      return;
    }
    for (let lane = first; lane < first + 4; lane++) {
      nest.lane = lane;
      nest.pushIndex(lanes.at(lane));
      if (lane === first) nest.code.op("i32x4.splat");
      else nest.code.lane("i32x4.replace_lane", lane - first);
    }
    normaliseLanes(nest.code, dtype);
  }

  #emitQuadLoad(node: LoadNode, part: number, result: number): void {
    const nest = this.#nest;
    const base = this.#source.addresses[node.buffer] as Address;
    const quad = this.quad(node.index, part);
    const pushWhole = (): void => {
      pushLanes(nest, node.dtype, base, quad);
      nest.code.set(result);
    };
    const open = openRanges(node.guard);
    if (open !== undefined && open.length === 0) {
      pushWhole();
      return;
    }
    const fill = laneWord(node.dtype, node.fill);
    nest.code.v128([fill, fill, fill, fill]).set(result);
    if (open === undefined) return;
    guardQuad(nest, this.quadGuard(open, part), pushWhole, (lane) => {
      const { code } = nest;
      const index = quad.index.at(quad.first + lane);
      if (node.dtype === "bool") {
        code.get(result).i32(0);
        pushElement(nest, "bool", base, index);
        code.i32(0).op("i32.ne").op("i32.sub").lane("i32x4.replace_lane", lane);
      } else if (itemSize(node.dtype) < 4) {
        code.get(result);
        pushElement(nest, node.dtype, base, index);
        code.lane("i32x4.replace_lane", lane);
      } else {
        const offset = nest.pushAddress(index, 4, base);
        code.get(result).memoryLane("v128.load32_lane", offset, lane);
      }
      code.set(result);
    });
  }
}
