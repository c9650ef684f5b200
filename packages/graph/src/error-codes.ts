/**
 * Codes of the errors that building a graph can raise, for the generated error pages.
 *
 * GF21xx: the op table (shapes, dtypes, params). Other GF2xxx belong to the front end.
 */

import { frontEndCodes } from "./front-end-codes.ts";

export interface ErrorCodeEntry {
  readonly title: string;
  readonly cause: string;
  readonly fix: string;
}

export const codes: { readonly [code: `GF${number}`]: ErrorCodeEntry } = {
  ...frontEndCodes,
  GF2101: {
    title: "Wrong number of operands",
    cause: "An op was given more or fewer operands than it takes.",
    fix: "Pass as many operands as the op's entry in the op table says.",
  },
  GF2102: {
    title: "A ref where a value is needed, or the other way round",
    cause:
      "Refs are memory; only get, set, addupdate and grid take them. All other ops take values.",
    fix: "Read the ref first (`ref.get()`), or pass the ref itself to the state op.",
  },
  GF2103: {
    title: "Shapes do not match",
    cause:
      "Elementwise ops take operands of one shape, joins and updates need equal other dims, products sum over dims of one size.",
    fix: "Broadcast, reshape or slice the operands until the named dims agree.",
  },
  GF2104: {
    title: "Dtypes do not match",
    cause: "The operands of the op must have one dtype.",
    fix: "Convert one of them with `astype`; the front end promotes by JAX's rules.",
  },
  GF2105: {
    title: "The op has no meaning on this dtype",
    cause: "For example a logarithm of integers, or a bitwise op on floats.",
    fix: "Convert the operand to one of the dtypes that the message lists.",
  },
  GF2106: {
    title: "Axis out of range or repeated",
    cause: "An axis or dimension number is not one of the operand's, or is named twice.",
    fix: "Use each axis at most once, from 0 to rank − 1.",
  },
  GF2107: {
    title: "Reshape changes the number of elements",
    cause: "The old and the new shape hold different numbers of elements.",
    fix: "Choose a shape with the same product; named dims must appear in both.",
  },
  GF2108: {
    title: "Parameter out of range",
    cause: "A parameter of the op lies outside what the operand's shape or dtype allows.",
    fix: "Use a value in the range that the message gives.",
  },
  GF2109: {
    title: "Arithmetic on a named dim",
    cause:
      "The op needs, while the graph is traced, the size of a dim that so far only has a name.",
    fix: "Give the size in the inputs of the graph (the `dims` of `compile` are bound after tracing, too late for this op), or keep that dim whole.",
  },
  GF2110: {
    title: "Shape cannot be broadcast",
    cause: "A dim of the operand is neither 1 nor equal to the dim of the result it maps to.",
    fix: "Give the operand size 1 there, or map it to another dim.",
  },
  GF2111: {
    title: "Bad index operand",
    cause:
      "Start indices are integer scalars, one a dimension; gather and scatter take an integer array.",
    fix: "Pass one integer scalar for each dimension, or an integer index array.",
  },
  GF2112: {
    title: "Bad gather or scatter dimension numbers",
    cause:
      "The dimension numbers do not fit the shapes of the operand, the indices or the updates.",
    fix: "Compare the numbers with the rule that the message names.",
  },
  GF2113: {
    title: "Bad dot dimension numbers",
    cause: "Contracted or batch dims of the two sides differ in number or size, or repeat.",
    fix: "Pair each contracted and batch dim with one of the same size on the other side.",
  },
  GF2114: {
    title: "Bad ref indexer",
    cause: "The indexers do not fit the shape of the ref or of the view so far.",
    fix: "Give one indexer for each dimension, inside its bounds.",
  },
  GF2115: {
    title: "Region does not fit its op",
    cause: "Params or results of a loop body, branch or kernel differ from what the op carries.",
    fix: "Return values of the same shapes and dtypes as the carried ones, from all branches alike.",
  },
  GF2116: {
    title: "Constant data does not fit its type",
    cause: "The data of a constant has another length or array class than its shape and dtype say.",
    fix: "Pass as many elements as the shape holds, in the storage class of the dtype.",
  },
  GF2117: {
    title: "Format string does not fit its values",
    cause: "debug_print needs one `{}` for each value it prints.",
    fix: "Write one `{}` for each value.",
  },
  GF2118: {
    title: "Grid operand does not fit its block mapping",
    cause:
      "The array handed to a grid differs in shape or dtype from the block mapping of that operand.",
    fix: "Pass the array the mapping was declared for, or declare the mapping from the array.",
  },
  GF2901: {
    title: "A malformed graph",
    cause:
      "A pass, an importer or code that writes tables itself broke a rule that all graphs keep.",
    fix: "From the compiler it is a bug: report it with the printed graph. Else mend what the message names.",
  },
};
