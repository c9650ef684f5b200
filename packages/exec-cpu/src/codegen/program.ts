/**
 * A scalar program being written: every node once, at the loop level that it depends on, in locals that are used again.
 */
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import {
  argsOf,
  type ConstNode,
  type LoadNode,
  type ScalarNode,
  type SelectNode,
} from "@gridfuse/plan/scalar";
import type { ValueType } from "../wasm/code.ts";
import { heldType, laneWord, laneWords, pushConst, type Words } from "../wasm/held.ts";
import type { Push } from "../wasm/scalar-ops.ts";
import { hasLanes, laneShape } from "../wasm/vector-lanes.ts";
import { emitVectorSelect } from "../wasm/vector-ops.ts";
import type { QuadGuard } from "./guards.ts";
import type { LaneQuad } from "./lane-quad.ts";
import {
  type Block,
  type LaneAxis,
  type LaneIndex,
  lanesOf,
  partsOf,
  scalarBlock,
} from "./lanes.ts";
import { findNeighbours } from "./neighbour-loads.ts";
import type { Nest } from "./nest.ts";
import { always, valuesIn } from "./program-facts.ts";
import { pushScalarNode } from "./program-scalar.ts";
import { emitQuadLoad, pushQuadNode } from "./program-vector.ts";
import type { ProgramSource, ProgramView } from "./program-view.ts";

const keysPerNode = 8;
const scalarPart = 7;
const splatPart = 6;

/** What vectors of an immediate are known by. */
const constantKey = ({ dtype, bits }: ConstNode): number | string =>
  hasLanes(dtype) ? -1 - laneWord(dtype, bits) : `c${bits.lo}:${bits.hi}`;
const constantWords = ({ dtype, bits }: ConstNode): Words => laneWords(dtype, bits);

export class Program implements ProgramView {
  readonly nest: Nest;
  readonly source: ProgramSource;
  #block: Block = scalarBlock;
  /** Loop level of the code being written. */
  #bodyLevel = 0;
  #remaining: number[] = [];
  /** Products that exist only as a part of a sum. */
  readonly #contracted: ReadonlySet<number>;
  readonly #free = new Map<ValueType, number[]>();
  /** Loads that read out of the same vectors as others. */
  #neighbours: ReadonlySet<LoadNode> | undefined;
  /** Lane indices of the block being written, by expression. */
  #laneIndices = new Map<string, LaneIndex>();

  constructor(nest: Nest, source: ProgramSource) {
    this.nest = nest;
    this.source = source;
    const { contractions = [], folded = [], nodes } = source;
    const products = [...contractions].map(
      ([sum, position]) => argsOf(nodes[sum] as ScalarNode)[position] as number,
    );
    this.#contracted = new Set([...products, ...folded]);
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
    const { facts, id } = this.source;
    this.nest.program = id;
    this.nest.values = {
      level: (node) => facts.level[node] as number,
      push: (node, lane) => this.#pushIndexValue(node, lane),
    };
  }

  /** Emits all needed nodes at the current place, one block of lanes at a time. */
  emitAll(block: Block): void {
    this.#block = block;
    this.#bodyLevel = this.nest.level;
    this.#laneIndices = new Map();
    this.#remaining = [...this.source.facts.uses];
    this.bind();
    this.#emitRegion(always);
  }

  #emitRegion(region: number): void {
    const { nodes, facts } = this.source;
    const hasContracted = this.#width > 1 && this.#contracted.size > 0;
    for (let i = 0; i < nodes.length; i++) {
      if (!facts.used[i] || facts.region[i] !== region) continue;
      if ((nodes[i] as ScalarNode).op === "const") continue;
      if (hasContracted && this.#contracted.has(i)) continue;
      this.#ensure(i);
    }
  }

  node(index: number): ScalarNode {
    return this.source.nodes[index] as ScalarNode;
  }
  /** Whether the node is held in v128s in the current block. */
  isVector(index: number): boolean {
    return this.#width > 1 && (this.source.facts.varies[index] as boolean);
  }

  // ── Operands ──────────────────────────────────────────────────────────────────────────────

  /** Key under which quad `part` of a node, the scalar, or its splat is remembered. */
  #key(index: number, part: number): number {
    return (this.source.id * 2 ** 24 + index) * keysPerNode + part;
  }

  scalar(index: number): Push {
    const node = this.node(index);
    if (node.op === "const") return (code) => pushConst(code, node.dtype, node.bits);
    const local = this.#ensure(index);
    return (code) => code.get(local);
  }

  vector(index: number, part: number): Push {
    const local = this.#vectorLocal(index, part);
    if (local !== undefined) return (code) => code.get(local);
    const words = constantWords(this.node(index) as ConstNode);
    return (code) => code.v128(words);
  }

  #vectorLocal(index: number, part: number): number | undefined {
    const nest = this.nest;
    const node = this.node(index);
    if (node.op === "const") {
      // On a slow side the immediate is written where it is used.
      if (nest.conditional) return undefined;
      return nest.memoised(constantKey(node), 0, "v128", () => {
        nest.code.v128(constantWords(node));
      });
    }
    if (this.isVector(index)) {
      const first = this.#ensure(index);
      return part === 0 ? first : (nest.recall(this.#key(index, part)) as number);
    }
    const level = this.source.facts.level[index] as number;
    const push = this.scalar(index);
    return nest.memoised(this.#key(index, splatPart), level, "v128", () => {
      if (node.dtype === "bool") nest.code.i32(0);
      push(nest.code);
      if (node.dtype === "bool") nest.code.op("i32.sub");
      nest.code.op(`${laneShape(node.dtype)}.splat`);
    });
  }

  #pushIndexValue(index: number, lane: number): void {
    const { code } = this.nest;
    const { dtype } = this.node(index);
    if (this.isVector(index)) {
      const { lanes } = this.nest;
      this.vector(index, Math.floor(lane / lanes))(code);
      // The low word of a lane is all there is of an index.
      const words = hasLanes(dtype) ? 1 : 4 / lanes;
      code.lane("i32x4.extract_lane", words * (lane % lanes));
    } else {
      this.scalar(index)(code);
      if (heldType(dtype) === "i64") code.op("i32.wrap_i64");
    }
  }

  // ── Emission ──────────────────────────────────────────────────────────────────────────────

  /** Emits node `index` where it was not yet, and gives its (first) local. */
  #ensure(index: number): number {
    const nest = this.nest;
    const vector = this.isVector(index);
    const known = nest.recall(this.#key(index, vector ? 0 : scalarPart));
    if (known !== undefined) return known;
    const level = this.source.facts.level[index] as number;
    if (level >= nest.level) return this.#emit(index, vector);
    return nest.at(level, () => this.#emit(index, vector));
  }

  #emit(index: number, isVector: boolean): number {
    if (isVector) return this.#emitVector(index);
    const nest = this.nest;
    const node = this.node(index);
    const local = this.#newLocal(index, heldType(node.dtype));
    if (node.op === "rare") this.#emitScalarRare(index, node, local);
    else pushScalarNode(this, index, node);
    nest.code.set(local);
    nest.remember(this.#key(index, scalarPart), local);
    this.#release(index);
    return local;
  }

  /** Locals of the innermost code may be used again after the last use of what they held. */
  #isShortLived(index: number): boolean {
    const { varies, uses, level } = this.source.facts;
    return (
      (varies[index] as boolean) && level[index] === this.#bodyLevel && Number.isFinite(uses[index])
    );
  }
  #newLocal(index: number, type: ValueType): number {
    const free = this.#isShortLived(index) ? this.#free.get(type)?.pop() : undefined;
    return free ?? this.nest.local(type);
  }
  /** Notes that node `user` has read its operands; frees the locals of those it was the last to read. */
  #release(user: number): void {
    const args = argsOf(this.node(user));
    for (let i = 0; i < args.length; i++) {
      const arg = args[i] as number;
      const remaining = (this.#remaining[arg] as number) - 1;
      this.#remaining[arg] = remaining;
      if (remaining === 0 && this.#isShortLived(arg)) this.#setFree(arg);
    }
  }
  #setFree(index: number): void {
    const isVector = this.isVector(index);
    const type = isVector ? "v128" : heldType(this.node(index).dtype);
    let pool = this.#free.get(type);
    if (pool === undefined) {
      pool = [];
      this.#free.set(type, pool);
    }
    const first = isVector ? 0 : scalarPart;
    const end = isVector ? this.#width / this.nest.lanes : scalarPart + 1;
    for (let part = first; part < end; part++) {
      const local = this.nest.recall(this.#key(index, part));
      if (local !== undefined) pool.push(local);
    }
  }
  #parts(): number[] {
    return partsOf(this.#block);
  }
  #emitScalarRare(index: number, node: SelectNode, result: number): void {
    const nest = this.nest;
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

  // ── Vectors ───────────────────────────────────────────────────────────────────────────────

  #emitVector(index: number): number {
    const nest = this.nest;
    const node = this.node(index);
    const results: number[] = [];
    const count = this.#width / nest.lanes;
    for (let part = 0; part < count; part++) results.push(this.#newLocal(index, "v128"));
    if (node.op === "rare") {
      this.#emitVectorRare(index, node, results);
    } else {
      for (let part = 0; part < count; part++) {
        const result = results[part] as number;
        if (node.op === "load") {
          emitQuadLoad(this, node, part, result);
        } else {
          pushQuadNode(this, index, node, part);
          nest.code.set(result);
        }
      }
    }
    for (let part = 0; part < count; part++) {
      nest.remember(this.#key(index, part), results[part] as number);
    }
    this.#release(index);
    return results[0] as number;
  }

  #emitVectorRare(index: number, node: SelectNode, results: readonly number[]): void {
    const nest = this.nest;
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
          emitVectorSelect(nest, node.dtype);
          nest.code.set(result);
        }
      }),
    );
    nest.code.end();
  }

  // ── Lanes of an index ─────────────────────────────────────────────────────────────────────

  #varies(e: IndexExpr): boolean {
    const { lanes, facts } = this.source;
    return (
      (lanes !== undefined && e.key.includes(`a${lanes.axis}:`)) ||
      valuesIn(e).some((node) => facts.varies[node])
    );
  }

  laneIndex(e: IndexExpr): LaneIndex {
    let known = this.#laneIndices.get(e.key);
    if (known === undefined) {
      const { facts, lanes } = this.source;
      const varyingValue = valuesIn(e).some((node) => facts.varies[node]);
      known = lanesOf(e, lanes as LaneAxis, this.#block, varyingValue);
      this.#laneIndices.set(e.key, known);
    }
    return known;
  }

  quad(e: IndexExpr, part: number): LaneQuad {
    const { lanes } = this.nest;
    const first = lanes * part;
    return { index: this.laneIndex(e), first, valid: Math.min(this.#valid - first, lanes) };
  }

  quadGuard(guard: LoadNode["guard"], part: number): QuadGuard {
    return {
      uniform: guard.filter(({ index }) => !this.#varies(index)),
      along: guard
        .filter(({ index }) => this.#varies(index))
        .map((range) => ({ range, quad: this.quad(range.index, part) })),
    };
  }

  sharedVectors(node: LoadNode): string | undefined {
    if (this.nest.lanes < 4) return undefined;
    this.#neighbours ??= findNeighbours(this.source);
    return this.#neighbours.has(node) ? `shared ${this.source.id} ${node.buffer}` : undefined;
  }
}
