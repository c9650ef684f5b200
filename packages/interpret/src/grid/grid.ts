/**
 * The grid node: nested sequential loops, last axis fastest, over the state of a kernel call.
 *
 * The state is the arrays of the outputs, the scratch, and the caller's inputs and prefetch values in
 * copies of their own, so that a kernel that writes to an input sees its writes again when the block
 * comes back. At every point the blocks are read, the body runs, and what it wrote is written back.
 * At the kernel level the body works on refs; at the tensor level it maps block values to block values.
 */
import {
  type BlockMapping,
  type GridParams,
  type NodeNamed,
  type PaddingConfig,
  padMapping,
  type Region,
} from "@gridfuse/graph";
import { asTensor, type Context, newRef, type RefCell, type Value } from "../context.ts";
import { copied, filled, type HostTensor, integerOf, scalarOf, sizeOf } from "../tensor.ts";
import {
  cropArray,
  fillBits,
  padArray,
  readBlock,
  type Window,
  windowAt,
  writeBlock,
} from "./blocks.ts";

/** An array of the call that blocks are cut from. */
interface BlockedArray {
  /** Over the padded array. */
  readonly mapping: BlockMapping;
  readonly padding: readonly PaddingConfig[];
  readonly indexMap: Region;
  readonly memory: HostTensor;
}

interface GridState {
  readonly prefetch: readonly RefCell[];
  readonly inputs: readonly BlockedArray[];
  readonly outputs: readonly BlockedArray[];
  readonly scratch: readonly RefCell[];
  readonly captures: readonly Value[];
}

/** Runs a grid. Gives the outputs' arrays. */
export function interpretGrid(
  context: Context,
  node: NodeNamed<"grid">,
  operands: readonly Value[],
): readonly HostTensor[] {
  const { params } = node;
  const state = initialState(context, node, operands);
  const most = context.environment.sizes(params.axes.map(({ size }) => size));
  const extents = most.map((size, axis) => {
    const { count } = params.axes[axis];
    if (count === undefined) return size;
    return Math.max(0, Math.min(size, integerOf(asTensor(operands[count]))));
  });
  const points = sizeOf(extents);
  const order = context.inlineGridOrder?.(params, points);
  for (let i = 0; i < points; i++) {
    const at = coordinateOf(order === undefined ? i : order[i], extents);
    const ids = at.map((id) => scalarOf("int32", id));
    if (params.level === "kernel") runKernelPoint(context, node, state, ids);
    else runTensorPoint(context, node, state, ids);
  }
  return state.outputs.map(({ memory, padding }) => cropArray(memory, padding));
}

function coordinateOf(flat: number, extents: readonly number[]): number[] {
  const at = new Array<number>(extents.length);
  for (let d = extents.length - 1; d >= 0; d--) {
    at[d] = flat % extents[d];
    flat = Math.floor(flat / extents[d]);
  }
  return at;
}

function initialState(
  { environment }: Context,
  { params, regions }: NodeNamed<"grid">,
  operands: readonly Value[],
): GridState {
  const { prefetch, inputs, outputs, scratch, aliases, fill } = params;
  const inputValues = operands.slice(prefetch, prefetch + inputs.length).map(asTensor);
  const fresh = (dtype: BlockMapping["dtype"], shape: BlockMapping["shape"]) =>
    filled(dtype, environment.sizes(shape), fillBits(dtype, fill));
  const blocked = (given: BlockMapping, array: HostTensor, indexMap: Region): BlockedArray => {
    const { mapping, padding } = padMapping(given, array.shape);
    return { mapping, padding, indexMap, memory: padArray(array, padding, fill) };
  };
  return {
    prefetch: operands.slice(0, prefetch).map((value) => newRef(copied(asTensor(value)))),
    inputs: inputs.map((mapping, i) => blocked(mapping, inputValues[i], regions[1 + i])),
    outputs: outputs.map((mapping, i) => {
      const alias = aliases.find(([, output]) => output === i);
      const array =
        alias === undefined ? fresh(mapping.dtype, mapping.shape) : inputValues[alias[0]];
      return blocked(mapping, array, regions[1 + inputs.length + i]);
    }),
    scratch: scratch.map(({ dtype, shape }) => newRef(fresh(dtype, shape))),
    captures: operands.slice(prefetch + inputs.length),
  };
}

/** An array's block at the current point. */
interface CurrentBlock {
  readonly of: BlockedArray;
  readonly window: Window;
  readonly ref: RefCell;
}

function currentBlock(
  context: Context,
  { fill }: GridParams,
  of: BlockedArray,
  ids: readonly HostTensor[],
  prefetch: readonly Value[],
): CurrentBlock {
  const indices = context.run(of.indexMap, [...ids, ...prefetch]);
  const window = windowAt(
    of.mapping,
    indices.map((index) => integerOf(asTensor(index))),
  );
  return { of, window, ref: newRef(readBlock(of.memory, of.mapping, window, fill)) };
}

const writeBack = ({ of, window }: CurrentBlock, block: HostTensor): void =>
  writeBlock(of.memory, of.mapping, window, block);

function runKernelPoint(
  context: Context,
  { params, regions }: NodeNamed<"grid">,
  state: GridState,
  ids: readonly HostTensor[],
): void {
  const { prefetch, scratch, captures } = state;
  const blocks = [...state.inputs, ...state.outputs].map((array) =>
    currentBlock(context, params, array, ids, prefetch),
  );
  const refs = blocks.map(({ ref }) => ref);
  context.run(regions[0], [...ids, ...prefetch, ...refs, ...scratch, ...captures]);
  for (const block of blocks) if (block.ref.written) writeBack(block, block.ref.memory);
}

function runTensorPoint(
  context: Context,
  { params, regions }: NodeNamed<"grid">,
  state: GridState,
  ids: readonly HostTensor[],
): void {
  const { captures } = state;
  const prefetch = state.prefetch.map(({ memory }) => memory);
  const current = (array: BlockedArray) => currentBlock(context, params, array, ids, prefetch);
  const inputs = state.inputs.map(current);
  const outputs = state.outputs.map(current);
  const mutated = params.mutated.map((input) => inputs[input]);
  const block = ({ ref }: CurrentBlock) => ref.memory;
  const results = context
    .run(regions[0], [
      ...ids,
      ...prefetch,
      ...inputs.map(block),
      ...outputs.map(block),
      ...state.scratch.map(({ memory }) => memory),
      ...mutated.map(block),
      ...captures,
    ])
    .map(asTensor);
  const scratchEnd = outputs.length + state.scratch.length;
  for (const [i, output] of outputs.entries()) writeBack(output, results[i]);
  for (const [i, ref] of state.scratch.entries()) ref.memory = results[outputs.length + i];
  for (const [i, input] of mutated.entries()) writeBack(input, results[scratchEnd + i]);
}
