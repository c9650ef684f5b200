/**
 * From a region of tensor nodes to plan steps.
 *
 * Values are given memory on demand: asking for one emits the steps that compute it, before whatever
 * asked. Structured ops lower their regions in a scope of their own; what a scope takes from outside
 * is computed outside, once.
 */
import {
  elementCount,
  type Node,
  type NodeNamed,
  type Region,
  sizes,
  type Table,
  type ValueId,
} from "@gridfuse/graph";
import { CompileError, type Step } from "@gridfuse/plan";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import { flatten, unflatten, viewOf } from "../tensor/views.ts";
import { atStart, indexIn, type Place, type PlanBuilder } from "./builder.ts";
import { collapseAxes, finishCollapsed } from "./collapse.ts";
import { lowerCond, lowerScan, lowerWhile } from "./control-steps.ts";
import type { CoordinateTable } from "./coordinates.ts";
import { lowerDot } from "./dot.ts";
import { foldNodes } from "./fold-nodes.ts";
import { keepBits } from "./keep-bits.ts";
import { kernelName } from "./kernel-names.ts";
import {
  lowerCumLogSumExp,
  lowerCumulative,
  lowerScatter,
  lowerSort,
  lowerTopK,
} from "./library-steps.ts";
import { hasManyPieces, isFusable, kindOf } from "./op-kinds.ts";
import type { Orbit } from "./orbit-growth.ts";
import { pointsOf } from "./orbit-points.ts";
import { findOrbits } from "./orbits.ts";
import { containsPrint, lowerPrint } from "./print-steps.ts";
import { OrbitBroken, Puller, type Surroundings } from "./pull.ts";
import { decideRoots, type Roots } from "./roots.ts";
import { shiftedSource } from "./shifted-source.ts";
import { KernelBuilder } from "./stage.ts";
import type { ValueMap } from "./value-map.ts";

/** Shared by all scopes of one program. */
export interface Lowering {
  readonly table: Table;
  readonly plan: PlanBuilder;
  readonly coordinates: CoordinateTable;
  readonly places: ValueMap<Place>;
  readonly symbols: Map<ValueId, IndexExpr>;
  readonly renames: Map<ValueId, ValueId>;
  /** Which scope's region makes a value. */
  readonly homes: ValueMap<Scope>;
  /** Memory in which a value should be made, if it is made by a step that can choose. */
  readonly destinations: Map<ValueId, Place>;
  readonly loops: { next: number };
  readonly fuel: number;
}

export class Scope implements Surroundings {
  readonly lowering: Lowering;
  readonly table: Table;
  readonly steps: Step[] = [];
  readonly #roots: Set<ValueId>;
  /** Orbits by the values that they make. */
  readonly #orbits = new Map<ValueId, Orbit>();
  readonly #stored: Roots["stored"];
  readonly #making = new Set<ValueId>();

  constructor(lowering: Lowering, region: Region) {
    this.lowering = lowering;
    this.table = lowering.table;
    const { homes, places } = lowering;
    for (let i = 0; i < region.nodes.length; i += 1) {
      const { outputs } = this.table.nodes[region.nodes[i] as number] as Node;
      for (let o = 0; o < outputs.length; o += 1) {
        homes.set(outputs[o] as ValueId, this);
        places.delete(outputs[o] as ValueId);
      }
    }
    const { decided, orbits } = decideRoots(lowering.table, region, (roots) =>
      findOrbits(lowering.table, roots, (value) => this.#base(value)),
    );
    this.#roots = decided.roots;
    this.#stored = decided.stored;
    for (const orbit of orbits) for (const final of orbit.finals) this.#orbits.set(final, orbit);
  }

  /** The scope of a region inside. */
  within(region: Region): Scope {
    return new Scope(this.lowering, region);
  }

  // ── Surroundings of a kernel ──────────────────────────────────────────────────────────────

  get coordinates(): CoordinateTable {
    return this.lowering.coordinates;
  }

  renamed(value: ValueId): ValueId {
    if (this.lowering.renames.size === 0) return value;
    let current = value;
    for (;;) {
      const next = this.lowering.renames.get(current);
      if (next === undefined) return current;
      current = next;
    }
  }

  symbol(value: ValueId): IndexExpr | undefined {
    return this.lowering.symbols.get(value);
  }

  isStored(given: ValueId): boolean {
    const value = this.renamed(given);
    const home = this.lowering.homes.get(value) ?? this;
    return this.lowering.places.has(value) || home !== this || this.#roots.has(value);
  }

  placeOf(value: ValueId): Place | undefined {
    const place = this.lowering.places.get(value);
    if (place !== undefined) return place;
    if (this.#making.has(value)) return undefined;
    const home = this.lowering.homes.get(value);
    const node = this.table.producer(value);
    if (node === undefined) return undefined;
    if (home !== undefined && home !== this) {
      // From outside: cheap index arithmetic may be repeated, anything else is computed there.
      return isFusable(node) && viewOf(this.table, node) !== undefined
        ? undefined
        : home.materialise(value);
    }
    return this.#roots.has(value) || !isFusable(node) ? this.materialise(value) : undefined;
  }

  // ── Memory ────────────────────────────────────────────────────────────────────────────────

  materialise(given: ValueId): Place {
    const value = this.renamed(given);
    const known = this.lowering.places.get(value);
    if (known !== undefined) return known;
    const home = this.lowering.homes.get(value);
    if (home !== undefined && home !== this) return home.materialise(value);
    const node = this.table.producer(value);
    if (node === undefined) {
      const symbol = this.symbol(value);
      if (symbol === undefined) throw new CompileError("GF3901", `value %${value} has no memory`);
      const place = this.#makeKernel(value);
      // A loop counter has another value at the next trip: nobody may find this one later.
      this.lowering.places.delete(value);
      return place;
    }
    if (node.op === "constant") {
      return this.setPlace(value, atStart(this.plan.constant(node.params.dtype, node.params.data)));
    }
    if (isFusable(node)) return this.#aliasOf(value) ?? this.#makeKernel(value);
    this.#lowerNode(node);
    return this.lowering.places.get(value) as Place;
  }

  get plan(): PlanBuilder {
    return this.lowering.plan;
  }

  setPlace(value: ValueId, place: Place): Place {
    this.lowering.places.set(value, place);
    return place;
  }

  /** Fresh memory for `value`, or the place it was promised to. */
  allocate(value: ValueId): Place {
    const promised = this.lowering.destinations.get(value);
    if (promised !== undefined) return this.setPlace(value, promised);
    const { dtype, shape } = this.table.tensor(value);
    return this.setPlace(
      value,
      atStart(this.plan.newBuffer("temporary", dtype, elementCount(shape))),
    );
  }

  /** A reshape, or a leading slice of a batch, needs no kernel: it lies where its source lies. */
  #aliasOf(value: ValueId): Place | undefined {
    if (this.lowering.destinations.has(value)) return undefined;
    const shifted = shiftedSource(this, value);
    if (shifted === undefined) return undefined;
    const { source, shift } = shifted;
    if (shift.k !== "const" && !this.lowering.places.has(source)) return undefined;
    const producer = this.table.producer(source);
    if (producer?.op === "full" || producer?.op === "iota") return undefined;
    const { buffer, offset } = this.materialise(source);
    return this.setPlace(value, { buffer, offset: ix.add(offset, shift) });
  }

  /** The value that fills exactly the memory of `value`, through reshapes. */
  #base(value: ValueId): ValueId {
    const node = this.table.producer(value);
    if (node === undefined || this.lowering.places.has(value)) return value;
    if (this.lowering.homes.get(value) !== this || node.op === "full") return value;
    const shifted = shiftedSource(this, value);
    if (shifted === undefined || shifted.shift.k !== "const" || shifted.shift.value !== 0) {
      return value;
    }
    const count = (v: ValueId): number => elementCount(this.table.tensor(v).shape);
    const { source } = shifted;
    const producer = this.table.producer(source);
    if (producer === undefined || producer.op === "full" || producer.op === "iota") return value;
    return count(source) === count(value) ? this.#base(source) : value;
  }

  #makeKernel(value: ValueId): Place {
    const orbit = this.#orbits.get(value);
    if (orbit !== undefined && this.#makeOrbitKernel(orbit)) {
      return this.lowering.places.get(value) as Place;
    }
    const { shape } = this.table.tensor(value);
    if (elementCount(shape) === 0) return this.allocate(value);
    const maker = this.table.producer(value);
    if (maker !== undefined && hasManyPieces(maker)) return this.#putTogether(maker, value);
    const domain = sizes(shape);
    return this.#compute(value, value, domain, (place, at) =>
      indexIn(place, this.coordinates.offsetOf(at, domain)),
    );
  }

  /** Every piece of a concatenation where it belongs. */
  #putTogether(node: NodeNamed<"concatenate">, value: ValueId): Place {
    const { dimension } = node.params;
    const whole = sizes(this.table.tensor(value).shape);
    let start = 0;
    for (const piece of node.inputs) {
      const domain = sizes(this.table.tensor(piece).shape);
      const from = start;
      start += domain[dimension] as number;
      if (elementCount(domain) === 0) continue;
      this.#compute(value, piece, domain, (place, at) => {
        const shifted = ix.add(at[dimension] as IndexExpr, ix.constant(from));
        return ix.add(place.offset, flatten(at.with(dimension, shifted), whole));
      });
    }
    return this.lowering.places.get(value) as Place;
  }

  /** A kernel that computes `part` over `domain` and writes it into the memory of `value`. */
  #compute(
    value: ValueId,
    part: ValueId,
    domain: readonly number[],
    index: (place: Place, at: readonly IndexExpr[]) => IndexExpr,
  ): Place {
    const kernel = new KernelBuilder(domain);
    this.#making.add(value);
    const at = this.coordinates.ofShape(domain);
    const node = new Puller(this, kernel).pull(kernel.final, part, at);
    this.#making.delete(value);
    const place = this.lowering.places.get(value) ?? this.allocate(value);
    kernel.final.writes.push({
      buffer: place.buffer,
      dtype: this.table.tensor(value).dtype,
      index: index(place, at),
      guard: [],
      value: node,
    });
    const name = this.plan.name(kernelName(kernel.computed));
    this.steps.push(keepBits(finishCollapsed(kernel, name)));
    this.#note(name, value, kernel);
    return place;
  }

  #note(step: string, value: ValueId, kernel: KernelBuilder): void {
    this.noteOrigins(step, value, kernel);
    const stored = this.#stored.get(value);
    if (stored !== undefined) this.plan.stored.set(step, stored);
  }

  /** One kernel for all layers of an orbit; false, and no orbit any more, where it would do work twice. */
  #makeOrbitKernel(orbit: Orbit): boolean {
    const { finals, inner, layers, space, span } = orbit;
    for (const final of finals) this.#orbits.delete(final);
    if (finals.some((value) => this.lowering.places.has(value))) return this.#giveUp(orbit);
    const shapes = finals.map((value) => sizes(this.table.tensor(value).shape));
    const { domain, positions } = pointsOf(space, span, shapes[0] as readonly number[]);
    const kernel = new KernelBuilder(domain);
    const puller = new Puller(this, kernel);
    for (const [value, elements] of inner) kernel.limits.set(value, elements);
    for (const value of finals) this.#making.add(value);
    let made: number[][];
    try {
      made = finals.map((value, i) =>
        positions.map((position) =>
          puller.pull(kernel.final, value, unflatten(position, shapes[i] as readonly number[])),
        ),
      );
    } catch (error) {
      if (error instanceof OrbitBroken) return this.#giveUp(orbit);
      throw error;
    } finally {
      for (const value of finals) this.#making.delete(value);
    }
    finals.forEach((value, i) => {
      const place = this.allocate(value);
      positions.forEach((position, member) => {
        kernel.final.writes.push({
          buffer: place.buffer,
          dtype: this.table.tensor(value).dtype,
          index: ix.add(place.offset, position),
          guard: [],
          value: made[i]?.[member] as number,
        });
      });
    });
    const name = this.plan.name(kernelName(kernel.computed));
    this.steps.push(collapseAxes(foldNodes(keepBits(kernel.finish(name)))));
    this.#note(name, finals[0] as ValueId, kernel);
    const deltas = span.basis().map((vector) => vector * space.low);
    this.plan.orbits.set(name, { deltas, layers });
    return true;
  }

  #giveUp({ inner }: Orbit): false {
    for (const value of inner.keys()) this.#roots.add(value);
    return false;
  }

  /** Remembers the user's lines that a step comes from: of what its kernel computes, else of its result. */
  noteOrigins(step: string, value: ValueId, kernel?: KernelBuilder): void {
    const computed = kernel?.computed ?? [];
    const producer = this.table.producer(value);
    const own = producer === undefined ? [] : [producer];
    const isKnown = computed.some(({ origin }) => origin !== undefined);
    this.plan.origins.set(step, isKnown ? computed : own);
  }

  // ── Steps of their own ────────────────────────────────────────────────────────────────────

  #lowerNode(node: Node): void {
    switch (node.op) {
      case "dot_general":
        lowerDot(this, node);
        return;
      case "sort":
        lowerSort(this, node);
        return;
      case "top_k":
        lowerTopK(this, node);
        return;
      case "cumsum":
      case "cumprod":
      case "cummax":
      case "cummin":
        lowerCumulative(this, node);
        return;
      case "cumlogsumexp":
        lowerCumLogSumExp(this, node);
        return;
      case "scatter":
        lowerScatter(this, node);
        return;
      case "scan":
        lowerScan(this, node);
        return;
      case "while":
        lowerWhile(this, node);
        return;
      case "cond":
        lowerCond(this, node);
        return;
      default:
        throw new CompileError("GF3902", `no lowering for "${node.op}"`);
    }
  }

  /** Effects and results of the region, in order. */
  lowerEffects(region: Region): void {
    const results = new Set(region.results.map((value) => this.#base(this.renamed(value))));
    for (let i = 0; i < region.nodes.length; i += 1) {
      const node = this.table.nodes[region.nodes[i] as number] as Node;
      const value = node.outputs[0];
      // In order rather than on demand, so that a long program does not become a deep recursion.
      if (
        value !== undefined &&
        this.#isComputedRoot(node, value) &&
        !node.outputs.some((output) => results.has(output))
      ) {
        this.materialise(value);
      }
      if (node.op === "debug_print") lowerPrint(this, node);
      else if (node.regions.length > 0 && node.outputs.length === 0) this.#lowerNode(node);
      else if (node.regions.length > 0 && containsPrint(this.table, node)) {
        this.materialise(node.outputs[0] as ValueId);
      }
    }
  }

  #isComputedRoot(node: Node, value: ValueId): boolean {
    const kind = kindOf(node);
    if (kind === "apart") return node.regions.length === 0 && node.op !== "constant";
    if (kind === "movement" || !this.#roots.has(value)) return false;
    return node.op !== "iota" && node.op !== "full";
  }

  /** Has `value`, if it is still to be made, made in `place`. */
  promise(value: ValueId, place: Place): void {
    const base = this.#base(this.renamed(value));
    const promised = this.lowering.destinations;
    // What is made outside is made once, not at every trip in another place.
    const home = this.lowering.homes.get(base) ?? this;
    const isOwn = home === this && !this.lowering.places.has(base);
    if (isOwn && !promised.has(base)) promised.set(base, place);
  }

  /** Puts the elements of `value` into `place`. */
  store(value: ValueId, place: Place): void {
    const source = this.renamed(value);
    this.promise(value, place);
    const at = this.materialise(this.#base(source));
    if (at.buffer === place.buffer && at.offset.key === place.offset.key) return;
    this.copy(at, place, source);
  }

  copy(from: Place, to: Place, like: ValueId): void {
    const { dtype, shape } = this.table.tensor(like);
    const length = elementCount(shape);
    if (length === 0) return;
    this.steps.push({
      kind: "copy",
      name: this.plan.name("copy"),
      dtype,
      length,
      from: from.buffer,
      fromIndex: from.offset,
      to: to.buffer,
      toIndex: to.offset,
    });
  }
}
