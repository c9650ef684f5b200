/**
 * re-roll: an unrolled program becomes few ops on whole arrays (design §4).
 *
 * Kernels for machines with small registers come unrolled: thousands of ops on tiles that were cut out of
 * the same arrays one by one. Tiles that are treated alike are packed, side by side, and treated at once. What
 * comes out is what one would have written on the whole array, and everything after this pass (index maps,
 * fusion, orbits) sees it so.
 */
import {
  type BatchOperand,
  censusOf,
  definitionOf,
  Emitter,
  type Node,
  newRegion,
  type Region,
  sizes,
  type Table,
  type ValueId,
} from "@gridfuse/graph";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import { copyNode, type Environment, hasEffect, resolve } from "../tensor/rebuild.ts";
import { coordinates } from "../tensor/views.ts";
import type { Assembly } from "./assemblies.ts";
import type { Choice, Column, Group } from "./columns.ts";
import { type Decision, decide } from "./decide.ts";
import { prepare } from "./forward.ts";
import { type Grouping, groupSiblings } from "./groups.ts";
import { lanesWhere, literalColumn } from "./literals.ts";

/** The region with isomorphic siblings merged, its inner regions too; the same one where there are none. */
export function rerollRegion(table: Table, region: Region): Region {
  if (!mayBeUnrolled(table, region)) return region;
  let changedInside = false;
  const inner = (given: Region): Region => {
    const made = rerollRegion(table, given);
    changedInside ||= made !== given;
    return made;
  };
  const prepared = prepare(table, region, inner);
  const grouping = groupSiblings(table, prepared);
  const decision = decide(table, prepared.region, grouping);
  if (decision.groups.size > 0) return new Packer(table, prepared.region, grouping, decision).run();
  return changedInside ? prepared.region : region;
}

/** Tiles are cut out of something: without slices there is nothing to do, here or inside. */
function mayBeUnrolled(table: Table, region: Region): boolean {
  const { ops } = censusOf(table, region);
  if (!ops.has("slice") && !ops.has("dynamic_slice")) return false;
  let slices = 0;
  for (const id of region.nodes) {
    const node = table.nodes[id] as Node;
    if (node.op === "slice" || node.op === "dynamic_slice") slices += 1;
    if (slices > 1 || node.regions.some((inner) => mayBeUnrolled(table, inner))) return true;
  }
  return false;
}

const noFill = { lo: 0, hi: 0 };

class Packer {
  readonly #table: Table;
  readonly #region: Region;
  readonly #grouping: Grouping;
  readonly #decision: Decision;
  readonly #e: Emitter;
  readonly #env: Environment = new Map();
  readonly #packs = new Map<Group, ValueId>();
  readonly #effects = new Set<Node>();
  /** What each effect comes after. */
  readonly #effectBefore = new Map<Node, Node>();
  /** Columns and lanes that have been put together, by what they are. */
  readonly #made = new Map<string, ValueId>();

  constructor(table: Table, region: Region, grouping: Grouping, decision: Decision) {
    this.#table = table;
    this.#region = region;
    this.#grouping = grouping;
    this.#decision = decision;
    const result = newRegion();
    result.params.push(...region.params);
    this.#e = new Emitter(table, result);
    let last: Node | undefined;
    for (const id of region.nodes) {
      const node = table.nodes[id] as Node;
      if (!hasEffect(table, node)) continue;
      this.#effects.add(node);
      if (last !== undefined) this.#effectBefore.set(node, last);
      last = node;
    }
  }

  run(): Region {
    for (const unit of this.#order()) {
      if ("members" in unit) this.#emitGroup(unit);
      else if ("box" in unit) this.#emitAssembly(unit);
      else this.#emitNode(unit);
    }
    const { region } = this.#e;
    region.results.push(...this.#region.results.map((value) => this.#value(value)));
    return region;
  }

  // ── Order ─────────────────────────────────────────────────────────────────────────────────

  #groupOf(value: ValueId): Group | undefined {
    const group = this.#grouping.homes.groupOf(value);
    return group !== undefined && this.#decision.groups.has(group) ? group : undefined;
  }

  /** What makes `value`; undefined for params. */
  #unitOf(value: ValueId): Unit | undefined {
    const group = this.#groupOf(value);
    if (group !== undefined) return group;
    const assembly = this.#grouping.assemblies.get(value);
    if (assembly !== undefined && this.#decision.assemblies.has(assembly)) return assembly;
    return this.#table.producer(value);
  }

  /** What has to be made before `unit`. */
  #needs(unit: Unit): readonly Unit[] {
    const needs: Unit[] = [];
    if ("members" in unit) {
      if (unit.kind === "window") this.#addColumn(needs, unit.source);
      else for (const column of unit.columns) this.#addColumn(needs, column);
      return needs;
    }
    if ("box" in unit) {
      const { base } = unit.box;
      for (const pack of unit.column.packs) needs.push(pack);
      if (base !== undefined) this.#addMaker(needs, base);
      return needs;
    }
    const before = this.#effectBefore.get(unit);
    if (before !== undefined) needs.push(before);
    const { inputs } = unit;
    for (let i = 0; i < inputs.length; i += 1) this.#addMaker(needs, inputs[i] as ValueId);
    return needs;
  }

  #addMaker(needs: Unit[], value: ValueId): void {
    const unit = this.#unitOf(value);
    if (unit !== undefined) needs.push(unit);
  }

  #addColumn(needs: Unit[], column: Column): void {
    switch (column.kind) {
      case "same":
        this.#addMaker(needs, column.value);
        return;
      case "literals":
        return;
      case "lanes":
      case "either":
        for (const pack of column.packs) needs.push(pack);
        return;
      default:
        column satisfies never;
    }
  }

  /** What results and effects need. */
  #wanted(): ReadonlyMap<Unit, Wanted> {
    const own = new Set(this.#region.nodes);
    const wanted = new Map<Unit, Wanted>();
    const open: Wanted[] = [];
    const want = (unit: Unit): Wanted => {
      let entry = wanted.get(unit);
      if (entry === undefined) {
        const isOutside = !("members" in unit) && !("box" in unit) && !own.has(unit.id);
        entry = { unit, needs: [], state: isOutside ? "done" : "new" };
        wanted.set(unit, entry);
        if (!isOutside) open.push(entry);
      }
      return entry;
    };
    for (const value of this.#region.results) {
      const unit = this.#unitOf(value);
      if (unit !== undefined) want(unit);
    }
    for (const node of this.#effects) want(node);
    for (let entry = open.pop(); entry !== undefined; entry = open.pop()) {
      for (const need of this.#needs(entry.unit)) entry.needs.push(want(need));
    }
    return wanted;
  }

  /** What results and effects need, in the old order, but for what a group needs sooner. */
  #order(): readonly Unit[] {
    const wanted = this.#wanted();
    const order: Unit[] = [];
    const stack: Wanted[] = [];
    const visit = (first: Wanted): void => {
      stack.push(first);
      while (stack.length > 0) {
        const entry = stack[stack.length - 1] as Wanted;
        if (entry.state !== "new") {
          stack.pop();
          if (entry.state === "open") order.push(entry.unit);
          entry.state = "done";
          continue;
        }
        entry.state = "open";
        for (const need of entry.needs) if (need.state === "new") stack.push(need);
      }
    };
    for (const id of this.#region.nodes) {
      const node = this.#table.nodes[id] as Node;
      const { outputs } = node;
      for (let i = 0; i < outputs.length; i += 1) {
        const unit = this.#unitOf(outputs[i] as ValueId);
        const entry = unit === undefined ? undefined : wanted.get(unit);
        if (entry !== undefined) visit(entry);
      }
      if (this.#effects.has(node)) visit(wanted.get(node) as Wanted);
    }
    return order;
  }

  // ── Values ────────────────────────────────────────────────────────────────────────────────

  #remember(key: string, make: () => ValueId): ValueId {
    let value = this.#made.get(key);
    if (value === undefined) {
      value = make();
      this.#made.set(key, value);
    }
    return value;
  }

  /** The value by itself: a lane is taken out of its pack. */
  #value(value: ValueId): ValueId {
    const group = this.#groupOf(value);
    if (group === undefined) return resolve(this.#env, value);
    const lane = this.#grouping.homes.laneOf(value);
    return this.#remember(`lane ${group.id} ${lane}`, () => {
      const pack = this.#packs.get(group) as ValueId;
      const shape = sizes(this.#e.shape(pack)).slice(1);
      return this.#view(pack, shape, [ix.constant(lane), ...coordinates(shape)]);
    });
  }

  #view(source: ValueId, shape: readonly number[], index: readonly IndexExpr[]): ValueId {
    return this.#e.emit("view", [source], { shape, index, fill: noFill });
  }

  /** The packs of a column, one after the other. */
  #joined(packs: readonly Group[]): ValueId {
    const values = packs.map((pack) => this.#packs.get(pack) as ValueId);
    if (values.length === 1) return values[0] as ValueId;
    const key = `join ${packs.map(({ id }) => id).join()}`;
    return this.#remember(key, () => this.#e.emit("concatenate", values, { dimension: 0 }));
  }

  #operand(column: Column, size: number): BatchOperand {
    switch (column.kind) {
      case "same":
        return { value: this.#value(column.value), batched: false };
      case "literals": {
        const { dtype, shape } = this.#table.tensor(column.like);
        const words = column.bits.map(({ lo, hi }) => `${hi}:${lo}`).join();
        const key = `literals ${dtype} ${shape.join()} ${words}`;
        const value = this.#remember(key, () =>
          literalColumn(this.#e, dtype, sizes(shape), column.bits),
        );
        return { value, batched: true };
      }
      case "lanes": {
        const pack = this.#joined(column.packs);
        const name = column.packs.map(({ id }) => id).join();
        return { value: this.#taken(name, pack, column.lane, size), batched: true };
      }
      case "either":
        return { value: this.#chosen(column, size), batched: true };
      default:
        return column satisfies never;
    }
  }

  /** Lane `lane` of a pack for each of `size` siblings. */
  #taken(name: string, pack: ValueId, lane: IndexExpr | undefined, size: number): ValueId {
    if (lane === undefined) return pack;
    return this.#remember(`lanes ${name} ${size} ${lane.key}`, () => {
      const shape = [size, ...sizes(this.#e.shape(pack)).slice(1)];
      return this.#view(pack, shape, [lane, ...coordinates(shape).slice(1)]);
    });
  }

  #chosen({ packs, isSecond, lanes }: Choice, size: number): ValueId {
    const e = this.#e;
    const choices = isSecond.map(Number).join("");
    const key = `either ${packs.map(({ id }, i) => `${id} ${lanes[i]?.key}`).join()} ${choices}`;
    return this.#remember(key, () => {
      const cases = packs.map((pack, i) =>
        this.#taken(String(pack.id), this.#packs.get(pack) as ValueId, lanes[i], size),
      );
      const shape = e.shape(cases[0] as ValueId);
      const name = `choice ${shape.join()} ${choices}`;
      const choice = this.#remember(name, () =>
        e.broadcastInDim(lanesWhere(e, isSecond), shape, [0]),
      );
      return e.emit("select_n", [choice, ...cases], {});
    });
  }

  // ── Units ─────────────────────────────────────────────────────────────────────────────────

  #emitNode(node: Node): void {
    this.#e.origin = node.origin;
    const outputs = copyNode(
      this.#e,
      node,
      node.inputs.map((value) => this.#value(value)),
    );
    node.outputs.forEach((value, i) => {
      this.#env.set(value, outputs[i] as ValueId);
    });
  }

  #emitGroup(group: Group): void {
    const [first] = group.members as readonly [Node];
    this.#e.origin = first.origin;
    this.#packs.set(
      group,
      group.kind === "op" ? this.#batched(group, first) : this.#windows(group),
    );
  }

  #batched(group: Group & { kind: "op" }, node: Node): ValueId {
    const size = group.members.length;
    const operands = group.columns.map((column) => this.#operand(column, size));
    const batch = definitionOf(node.op).batch as (
      e: Emitter,
      node: Node,
      operands: readonly BatchOperand[],
      size: number,
    ) => readonly ValueId[];
    return batch(this.#e, node, operands, size)[0] as ValueId;
  }

  #windows(group: Group & { kind: "window" }): ValueId {
    const [first] = group.members as readonly [Node & { op: "slice" }];
    const window = sizes(this.#table.tensor(first.outputs[0] as ValueId).shape);
    const shape = [group.members.length, ...window];
    const at = coordinates(shape);
    const index = group.start.map((start, d) =>
      ix.add(start, ix.mul(at[d + 1] as IndexExpr, first.params.strides[d] as number)),
    );
    const { source } = group;
    if (source.kind !== "lanes") {
      return this.#view(this.#operand(source, group.members.length).value, shape, index);
    }
    const lane = source.lane ?? (at[0] as IndexExpr);
    return this.#view(this.#joined(source.packs), shape, [lane, ...index]);
  }

  #emitAssembly({ node, column, box }: Assembly): void {
    this.#e.origin = node.origin;
    const shape = box.tile.map((size, d) => size * (box.counts[d] as number));
    const at = coordinates(shape);
    let cell: IndexExpr = ix.zero;
    for (const [d, size] of box.tile.entries()) {
      cell = ix.add(ix.mul(cell, box.counts[d] as number), ix.floordiv(at[d] as IndexExpr, size));
    }
    const lane = column.lane === undefined ? cell : ix.substituteAxes(column.lane, [cell]);
    const inner = box.tile.map((size, d) => ix.mod(at[d] as IndexExpr, size));
    let value = this.#view(this.#joined(column.packs), shape, [lane, ...inner]);
    if (box.base !== undefined) {
      const starts = box.start.map((start) => this.#e.full("int32", [], start));
      value = this.#e.emit("dynamic_update_slice", [this.#value(box.base), value, ...starts], {});
    }
    this.#env.set(node.outputs[0] as ValueId, value);
  }
}

type Unit = Group | Assembly | Node;

/** A unit that results or effects need, and what it needs itself. */
interface Wanted {
  readonly unit: Unit;
  readonly needs: Wanted[];
  state: "new" | "open" | "done";
}
