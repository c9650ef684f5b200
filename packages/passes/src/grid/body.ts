/**
 * The body of a grid as a function of program ids and state: index maps applied, blocks read and
 * written, everything else free. `classify` asks questions of it, `vectorise` removes its axes one
 * by one, innermost first.
 *
 * State comes in two kinds. *Tiled*: the block's place is an injective function of some axes, so every
 * grid point that differs in them has a block of its own. *Whole*: anything else that is written; the
 * array (or the scratch memory) is carried from one grid point to the next.
 */
import {
  type BlockMapping,
  Emitter,
  type NodeNamed,
  newRegion,
  type PaddingConfig,
  padMapping,
  type Region,
  sizes,
  tensorType,
  type ValueId,
} from "@gridfuse/graph";
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import * as ix from "@gridfuse/plan/index-expr";
import {
  blockShape,
  type ComputedMap,
  gatherBlock,
  invertPlacement,
  type Placement,
  refShape,
  scatterBlock,
  symbolicPlacement,
  type Tiling,
  viewBlock,
} from "./blocks.ts";
import { type GuardedAxes, runPoint } from "./call-extents.ts";
import { fillBits } from "./fill.ts";

export interface State {
  readonly name: string;
  readonly kind: "output" | "scratch" | "input";
  readonly type: { readonly dtype: BlockMapping["dtype"]; readonly shape: readonly number[] };
  /** Absent for scratch; over the padded array for whole states. */
  readonly mapping?: BlockMapping;
  /** What a whole array has around it, because blocks overhang. */
  readonly padding: readonly PaddingConfig[];
  readonly placement?: Placement;
  readonly tiling?: Tiling;
  /** Array whose contents the state starts with; fresh memory otherwise. */
  readonly initial: ValueId | undefined;
}

export interface GridBody {
  readonly name: string;
  readonly extents: readonly number[];
  readonly axisNames: readonly string[];
  readonly loopIds: readonly number[];
  readonly states: readonly State[];
  readonly fill: NodeNamed<"grid">["params"]["fill"];
}

export interface OpenBody {
  readonly body: GridBody;
  /** Params [program ids…, states…], results [states…]; outer values are free. */
  readonly region: Region;
}

/** A fresh number for every loop that index expressions may name. */
export interface LoopCounter {
  next: number;
}

export function openBody(
  e: Emitter,
  node: NodeNamed<"grid">,
  operands: readonly ValueId[],
  loops: LoopCounter,
  guarded: GuardedAxes = new Set(),
): OpenBody {
  const { params } = node;
  const { table } = e;
  const [, ...maps] = node.regions as readonly [Region, ...Region[]];
  const extents = sizes(params.axes.map(({ size }) => size));
  const loopIds = extents.map(() => {
    loops.next += 1;
    return loops.next - 1;
  });
  const coordinates = extents.map((extent, a) => ix.loop(loopIds[a] as number, extent));
  const prefetched = operands.slice(0, params.prefetch);
  const arrays = operands.slice(params.prefetch, params.prefetch + params.inputs.length);
  const captures = operands.slice(params.prefetch + params.inputs.length);

  const outputMaps = maps.slice(params.inputs.length);
  const states: State[] = [
    ...params.outputs.map((mapping, i) => {
      const alias = params.aliases.find(([, output]) => output === i);
      const initial = alias === undefined ? undefined : arrays[alias[0]];
      return arrayState(e, "output", mapping, outputMaps[i] as Region, initial);
    }),
    ...params.scratch.map(
      ({ name, dtype, shape }): State => ({
        name,
        kind: "scratch",
        type: { dtype, shape: sizes(shape) },
        padding: [],
        initial: undefined,
      }),
    ),
    ...params.mutated.map((i) =>
      arrayState(e, "input", params.inputs[i]!, maps[i] as Region, arrays[i]),
    ),
  ];

  function arrayState(
    emitter: Emitter,
    kind: "output" | "input",
    given: BlockMapping,
    map: Region,
    initial: ValueId | undefined,
  ): State {
    const tiled = symbolicPlacement(emitter, given, map, coordinates);
    const tiling =
      tiled === undefined ? undefined : invertPlacement(given, tiled, extents, loopIds);
    const padded = padMapping(given, sizes(given.shape));
    const mapping = tiling === undefined ? padded.mapping : given;
    const placement =
      tiling === undefined ? symbolicPlacement(emitter, mapping, map, coordinates) : tiled;
    const shape = tiling === undefined ? sizes(mapping.shape) : blockShape(mapping);
    return {
      name: mapping.name,
      kind,
      type: { dtype: mapping.dtype, shape },
      mapping,
      padding: tiling === undefined ? padded.padding : [],
      ...(placement === undefined ? {} : { placement }),
      ...(tiling === undefined ? {} : { tiling }),
      initial,
    };
  }

  const region = newRegion();
  const b = new Emitter(table, region, node.origin);
  const ids = extents.map(() => table.newParam(region, tensorType("int32", [])));
  const stateParams = states.map(({ type }) =>
    table.newParam(region, tensorType(type.dtype, type.shape)),
  );
  const mapArgs = [...ids, ...prefetched];
  const computed = (map: Region): ComputedMap => ({ region: map, args: mapArgs, coordinates });

  const readInput = (mapping: BlockMapping, i: number): ValueId => {
    const map = maps[i] as Region;
    const fill = fillBits(params.fill, mapping.dtype);
    const placement = symbolicPlacement(b, mapping, map, coordinates);
    const block =
      placement === undefined
        ? gatherBlock(b, arrays[i] as ValueId, mapping, computed(map), fill)
        : viewBlock(b, arrays[i] as ValueId, mapping, placement, fill);
    return b.reshape(block, refShape(mapping));
  };
  const mapOf = (s: number): Region =>
    s < params.outputs.length
      ? (outputMaps[s] as Region)
      : (maps[
          params.mutated[s - params.outputs.length - params.scratch.length] as number
        ] as Region);
  const readState = (state: State, s: number): ValueId => {
    const value = stateParams[s] as ValueId;
    const { mapping, placement, tiling } = state;
    if (mapping === undefined) return value;
    if (tiling !== undefined) return b.reshape(value, refShape(mapping));
    const fill = fillBits(params.fill, mapping.dtype);
    const block =
      placement === undefined
        ? gatherBlock(b, value, mapping, computed(mapOf(s)), fill)
        : viewBlock(b, value, mapping, placement, fill);
    return b.reshape(block, refShape(mapping));
  };

  const inputBlocks = params.inputs.map(readInput);
  const stateBlocks = states.map(readState);
  const point = {
    ids,
    prefetched,
    all: [...ids, ...prefetched, ...inputBlocks, ...stateBlocks, ...captures],
    before: stateBlocks,
    isScratch: states.map(({ kind }) => kind === "scratch"),
  };
  const updated = runPoint(b, node, point, guarded);
  states.forEach((state, s) => {
    const { mapping, placement, tiling } = state;
    const value = updated[s] as ValueId;
    if (value === stateBlocks[s]) {
      region.results.push(stateParams[s] as ValueId);
    } else if (mapping === undefined) {
      region.results.push(value);
    } else {
      const block = b.reshape(value, blockShape(mapping));
      region.results.push(
        tiling !== undefined
          ? block
          : scatterBlock(
              b,
              stateParams[s] as ValueId,
              mapping,
              computed(mapOf(s)),
              placement,
              block,
            ),
      );
    }
  });
  return {
    body: {
      name: params.name,
      extents,
      axisNames: params.axes.map(({ name }) => name),
      loopIds,
      states,
      fill: params.fill,
    },
    region,
  };
}

const overhangs = ({ padding }: State): boolean => padding.some(({ lo, hi }) => lo + hi > 0);

/** What a state holds before the first grid point; tiled ones for all points of their axes at once. */
export function initialState(e: Emitter, body: GridBody, state: State): ValueId {
  const { mapping, placement, tiling, type, initial } = state;
  const bits = fillBits(body.fill, type.dtype);
  const axes = tiling?.axes ?? [];
  const lead = axes.map((axis) => body.extents[axis] as number);
  if (initial === undefined || mapping === undefined) {
    return e.emit("full", [], { dtype: type.dtype, shape: [...lead, ...type.shape], bits });
  }
  if (placement === undefined || tiling === undefined) {
    if (!overhangs(state)) return initial;
    const fill = e.emit("full", [], { dtype: type.dtype, shape: [], bits });
    return e.emit("pad", [initial, fill], { config: state.padding });
  }
  const atAxis = (e2: IndexExpr): IndexExpr =>
    ix.substitute(e2, (leaf) => {
      const axis = leaf.k === "loop" ? axes.indexOf(body.loopIds.indexOf(leaf.loop)) : -1;
      return axis < 0 ? leaf : ix.axis(axis, lead[axis] as number);
    });
  return viewBlock(e, initial, mapping, { starts: placement.starts.map(atAxis) }, bits, lead);
}

/** The array after the last grid point. */
export function finalArray(e: Emitter, body: GridBody, state: State, value: ValueId): ValueId {
  const { mapping, tiling, type, initial, padding } = state;
  if (mapping === undefined) return value;
  const shape = sizes(mapping.shape);
  if (tiling === undefined) {
    if (!overhangs(state)) return value;
    return e.emit("slice", [value], {
      start: padding.map(({ lo }) => lo),
      limit: padding.map(({ hi }, d) => (shape[d] as number) - hi),
      strides: padding.map(() => 1),
    });
  }
  const source = sizes(e.shape(value));
  const bits = fillBits(body.fill, type.dtype);
  const assembled = e.emit("view", [value], { shape, index: tiling.owner, fill: bits });
  const covered = tiling.owner.every((at, d) => at.lo >= 0 && at.hi < (source[d] as number));
  if (covered || initial === undefined) return assembled;
  const visited = e.emit("view", [e.full("bool", source, true)], {
    shape,
    index: tiling.owner,
    fill: { lo: 0, hi: 0 },
  });
  return e.emit("select_n", [visited, initial, assembled], {});
}
