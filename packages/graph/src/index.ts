export * from "./bind-dims.ts";
export * from "./error-codes.ts";
export * from "./export/dot.ts";
export * from "./export/mermaid.ts";
export * from "./export/model-explorer.ts";
export { cond, switchCase } from "./functions/branch.ts";
export * from "./functions/composite.ts";
export { type ConvolutionOptions, convGeneralDilated } from "./functions/convolution.ts";
export {
  arange,
  constant,
  full,
  fullLike,
  iota,
  ones,
  zeros,
} from "./functions/create.ts";
export { debugPrint } from "./functions/effect.ts";
export * from "./functions/einsum.ts";
export * from "./functions/elementwise.ts";
export * from "./functions/indexing.ts";
export {
  dynamicSlice,
  dynamicUpdateSlice,
  type GatherOptions,
  gather,
  type Scatter,
  type ScatterOptions,
  scatter,
  scatterAdd,
  scatterMax,
  scatterMin,
  scatterMul,
} from "./functions/lax-indexing.ts";
export {
  accumulateIn,
  type DotDimensions,
  type DotOptions,
  dot,
  dotGeneral,
  matmul,
  outer,
} from "./functions/linear.ts";
export { type ForOptions, fori, type ScanOptions, scan, whileLoop } from "./functions/loop.ts";
export * from "./functions/movement.ts";
export * from "./functions/random.ts";
export { type ReduceWindowOptions, reduceWindow } from "./functions/reduce-window.ts";
export * from "./functions/reduction.ts";
export * from "./functions/sorting.ts";
export { type TakeOptions, take, takeAlongAxis } from "./functions/take.ts";
export * from "./graph.ts";
export * from "./graphology.ts";
export * from "./hash.ts";
export { ds, type Indexer, type SliceText, type Window } from "./indexer.ts";
export * from "./ir/block-padding.ts";
export * from "./ir/census.ts";
export * from "./ir/clone.ts";
export * from "./ir/emit.ts";
export * from "./ir/table.ts";
export * from "./ir/types.ts";
export * from "./ir/vocabulary.ts";
export { loop, type When, when } from "./kernel/flow.ts";
export { GridIndex, numPrograms, programId } from "./kernel/grid-index.ts";
export * from "./kernel/kernel.ts";
export * from "./kernel/vmap.ts";
export type { VmapFunctionOptions } from "./kernel/vmap-function.ts";
export * from "./languages.ts";
export {
  type ConvolutionDimensions,
  type ConvolutionParams,
  emitConvolution,
} from "./ops/convolution.ts";
export * from "./ops/define.ts";
export {
  emitReduceWindow,
  type ReduceWindowParams,
  type WindowReduction,
} from "./ops/reduce-window.ts";
export type { WindowPadding } from "./ops/sliding-windows.ts";
export * from "./ops/table.ts";
export { sourceLocation, sourcePlace } from "./origin.ts";
export { printProgram } from "./print.ts";
export { printParams, printType } from "./print-parts.ts";
export * from "./promote.ts";
export { Ref } from "./ref.ts";
export {
  type ArraySpec,
  anywhere,
  bounded,
  cdiv,
  element,
  type IndexMap,
  type ScratchSpec,
  smem,
  squeezed,
  tensor,
  vmem,
} from "./spec.ts";
export { addToView, readView, writeView } from "./state/ref-views.ts";
export { regionOperands, writtenRefs } from "./state/writes.ts";
export { isTensor, type Operand, Tensor } from "./tensor.ts";
export { type VerifyOptions, verifyProgram, violationsOf } from "./verify/verify.ts";
export type { Invariant, Violation } from "./verify/violations.ts";
