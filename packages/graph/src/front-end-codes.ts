/**
 * Codes of the errors that the front end raises, for the generated error pages.
 *
 * GF20xx tracing, GF22xx kernels, GF23xx functions of tensors, GF24xx control flow, GF25xx named dims.
 */
import type { ErrorCodeEntry } from "./error-codes.ts";

export const frontEndCodes: { readonly [code: `GF${number}`]: ErrorCodeEntry } = {
  GF2001: {
    title: "Called outside of a graph",
    cause: "Functions of tensors append nodes to the graph that is being traced; there was none.",
    fix: "Call it inside the function given to `graph` or `kernel`.",
  },
  GF2002: {
    title: "Value used outside of the body it was made in",
    cause:
      "A tensor or ref of one graph, branch or loop body was kept in a variable and used in another.",
    fix: "Return it from its body, or pass it as an operand or carry.",
  },
  GF2003: {
    title: "A body is an async function",
    cause: "Tracing runs a body once from start to end; a promise comes too late.",
    fix: "Await before the graph is built and close over the result.",
  },
  GF2004: {
    title: "Tensor or ref used as a JS number or condition",
    cause:
      "A tensor stands for a value that is computed later; JS operators and comparisons need it now.",
    fix: "Use the methods (`x.add(y)`, `x.lt(y)`), `where` or `cond` for choices, `when` in kernels.",
  },
  GF2005: {
    title: "Input is not described",
    cause: "An input of a graph is not the result of `tensor(dtype, shape)`.",
    fix: "Describe every input with `tensor(dtype, shape)`.",
  },
  GF2006: {
    title: "Graph without outputs",
    cause: "The function given to `graph` returned nothing.",
    fix: "Return a tensor, or a record or list of tensors.",
  },
  GF2007: {
    title: "graph called without inputs or function",
    cause: "`graph` takes a record (or list) of described inputs and the function to trace.",
    fix: "Write `graph({ x: tensor(f32, [8]) }, ({ x }) => …)`; for a kernel `graph(kernel.inputs, kernel)`.",
  },
  GF2008: {
    title: "Unknown dtype, or a shape that is no list",
    cause:
      "`tensor`, `vmem`, `smem` or `anywhere` was given something that is not a dtype, or not a shape.",
    fix: 'Use a dtype constant (`f32`) or its full name ("float32"), and a list of dims.',
  },
  GF2009: {
    title: "Method of tensors called on a ref",
    cause: "A ref stands for memory that changes; arithmetic needs the value that it holds now.",
    fix: "Read it first: `x.get().mul(2)`.",
  },
  GF2010: {
    title: "Unknown option, or options that are no record",
    cause:
      "A function was given an option of a name that it does not know, or a bare value where it takes a record: it would have done as if nothing had been said.",
    fix: "Use one of the names that the message lists: `x.sum({ axis: 1, keepDims: true })`, not `x.sum(1)`.",
  },
  GF2201: {
    title: "Called outside of a kernel",
    cause: "Grid coordinates exist in the body of a kernel only.",
    fix: "Call it in a kernel's body; index maps are given their coordinates.",
  },
  GF2202: {
    title: "Unknown name",
    cause: "A grid axis, ref or prefetched input of that name does not exist.",
    fix: "Use one of the names that the message lists.",
  },
  GF2203: {
    title: "Block or scratch without a size",
    cause:
      "A block or scratch buffer has a named dim; blocks have one size for every size of the array.",
    fix: "Give `.blocks(…)` with a number in that dim, and numbers to scratch.",
  },
  GF2204: {
    title: "Block of the wrong rank",
    cause: "A block shape has more or fewer entries than its array has dimensions.",
    fix: "Give one entry for each dimension; `squeezed` for one that the body should not see.",
  },
  GF2205: {
    title: "Size is not a whole number",
    cause: "A grid extent or block size is negative, fractional, NaN or infinite.",
    fix: "Round up with `cdiv(n, block)`; look for a division by zero or a missing argument.",
  },
  GF2206: {
    title: "Block larger than its array",
    cause: "A block has more elements along a dim than the array.",
    fix: "Use at most the size of the array there.",
  },
  GF2207: {
    title: "Index map of the wrong rank",
    cause: "An index map returned more or fewer indices than the block has dimensions.",
    fix: "Return one index for each dimension of the array, squeezed ones included.",
  },
  GF2208: {
    title: "Index map result is not an index",
    cause:
      "An index map returned something other than a whole number or an integer scalar (or `ds` for a bounded dim).",
    fix: "Return numbers or arithmetic on the coordinates. With named axes the map is given one record: `({ i, j }) => [i, j]`.",
  },
  GF2209: {
    title: "Indexer does not fit",
    cause: "An indexer is out of range, of the wrong kind, or there are too many.",
    fix: "Give at most one indexer for each dimension, inside its bounds.",
  },
  GF2210: {
    title: "Written value has another dtype",
    cause: "A value of one dtype was written to a ref of another.",
    fix: "Convert the value with `.astype(…)`.",
  },
  GF2211: {
    title: "Written value does not fit the ref",
    cause: "The value broadcasts neither to the ref nor to the view.",
    fix: "Write a value of the shape of the ref or view, or one that broadcasts to it.",
  },
  GF2212: {
    title: "Index map leaves its array",
    cause: "At some grid point the index map names a block that starts outside of the array.",
    fix: "Shrink the grid (`cdiv(size, block)` steps cover the array), or clamp the index.",
  },
  GF2213: {
    title: "Output never written",
    cause: "The body has no `set` or `add` on an output that does not start as an input.",
    fix: "Write the output, or take it out of `outputs`.",
  },
  GF2214: {
    title: "Index map uses a tensor from outside",
    cause: "Index maps see grid coordinates and prefetched inputs only.",
    fix: "Declare the tensor under `prefetch` and read it in the index map with `.get(…)`.",
  },
  GF2215: {
    title: "Name used twice",
    cause:
      "Two of prefetch, inputs, outputs and scratch have the same name; the body gets them in one record.",
    fix: "Give each ref a name of its own.",
  },
  GF2216: {
    title: "Alias does not fit",
    cause:
      "An alias names an input or output that does not exist, or the two differ in dtype or shape.",
    fix: 'Write `{ inputName: "outputName" }` with arrays of one dtype and shape.',
  },
  GF2217: {
    title: "Dimension semantics do not fit the grid",
    cause: "The list of dimension semantics has another length than the grid has axes.",
    fix: "Give one for each axis, or a record by axis name.",
  },
  GF2218: {
    title: "Wrong inputs",
    cause: "A kernel was called with inputs missing or with unknown ones.",
    fix: "Call it with a record of exactly its inputs.",
  },
  GF2219: {
    title: "Input has another shape or dtype",
    cause:
      "A tensor given to a kernel is not of the shape and dtype that its input was described with.",
    fix: "Pass an array of that type, or make the kernel for this one.",
  },
  GF2221: {
    title: "Mapped axis does not fit",
    cause:
      "`vmap` was given an axis outside of the array, or a name that is neither input nor output.",
    fix: "Axes count in the shape with the new dimension; use the kernel's own names.",
  },
  GF2222: {
    title: "Count of a grid axis is not a prefetched int32 scalar",
    cause:
      "`upTo(most, count)` names something that is not among `prefetch`, or is no int32 scalar.",
    fix: "Declare it with `prefetch: { count: tensor(i32, []) }`.",
  },
  GF2301: {
    title: "Literal out of range",
    cause: "A whole number does not fit the integer dtype that it meets.",
    fix: "Convert the tensor to a wider dtype first, or write the wrapped value.",
  },
  GF2302: {
    title: "Not a tensor or number",
    cause: "Something else was passed where an op takes a tensor or a number.",
    fix: "Read refs with `.get()`, wrap arrays in `constant([…])`, and return something from every body.",
  },
  GF2303: {
    title: "Shapes do not broadcast",
    cause: "Two dims at the same place, counted from the end, are different and neither is 1.",
    fix: "Reshape, or insert an axis with `expandDims`; a named dim equals itself and 1 only.",
  },
  GF2304: {
    title: "Dtype not accepted",
    cause: "A function was given a dtype for which it has no meaning.",
    fix: "Convert with `.astype(…)` to one that the message lists.",
  },
  GF2305: {
    title: "Axis out of range",
    cause: "An axis lies outside of the rank, or is given twice.",
    fix: "Axes count from 0, or from −1 at the end.",
  },
  GF2306: {
    title: "Size of a named dim needed",
    cause: "The function computes with the size of a dim that so far has only a name.",
    fix: "Keep that dim whole, or trace with its size in place of the name.",
  },
  GF2307: {
    title: "Not a size",
    cause: "A dim is negative, fractional, NaN, infinite or an empty name.",
    fix: "Use a whole number ≥ 0, or the name of a dim.",
  },
  GF2308: {
    title: "Constant does not fit its shape",
    cause: "Rows differ in length, or there are more or fewer elements than the shape holds.",
    fix: "Give every row the same length and as many elements as the product of the shape.",
  },
  GF2309: {
    title: "Reshape with an unknown size",
    cause: "No size for −1 makes the new shape hold as many elements as the old one.",
    fix: "Write the size out.",
  },
  GF2310: {
    title: "Squeeze of a dim that is not 1",
    cause: "Only dims of size 1 can be dropped without choosing elements.",
    fix: "Take one element with `x.index(…)`, or reduce over the axis.",
  },
  GF2311: {
    title: "No tensors",
    cause: "A function that joins or sorts tensors was given an empty list.",
    fix: "Pass at least one tensor.",
  },
  GF2312: {
    title: "Split does not divide",
    cause: "The size of the axis is not a multiple of the number of parts.",
    fix: "Use a divisor, or the list of indices to cut at.",
  },
  GF2313: {
    title: "Operands of a product do not fit",
    cause: "An operand is a scalar, or the batch dims of the two sides do not broadcast.",
    fix: "Multiply scalars with `mul`; batch dims must be equal or 1.",
  },
  GF2314: {
    title: "Indices out of step",
    cause: "Indices of `takeAlongAxis` differ from the array in a dim other than the axis.",
    fix: "Broadcast them to the other dims, or use `take`.",
  },
  GF2315: {
    title: "Not a random key",
    cause: "A random function was given something other than a key.",
    fix: "Make one with `random.key(seed)`; take one of an array of keys with `.index(i)`.",
  },
  GF2316: {
    title: "Too many random elements",
    cause: "One call draws at most 2^32 elements.",
    fix: "Draw them in parts with split keys.",
  },
  GF2317: {
    title: "Einsum equation does not fit",
    cause: "The equation names other dims than the operands have.",
    fix: 'Write one letter for each dimension of each operand, as in "ij,jk->ik".',
  },
  GF2401: {
    title: "Condition is not a scalar",
    cause: "A branch or loop was given a condition with several elements.",
    fix: "Choose per element with `where`, or reduce the condition with `.any()` or `.all()`.",
  },
  GF2402: {
    title: "Not an integer scalar",
    cause: "A loop bound, step or branch number is not a whole number or integer scalar.",
    fix: "Convert with `.astype(i32)`, or reshape to [].",
  },
  GF2403: {
    title: "Branches or carries of different types",
    cause: "A body returns another shape or dtype than the carry, or two branches differ.",
    fix: "Convert with `.astype(…)` or start the carry with the type that the body gives.",
  },
  GF2404: {
    title: "Structures differ",
    cause: "A body returns an array or record of another structure than its carry.",
    fix: "Return the same arrays and records that come in, with every entry.",
  },
  GF2405: {
    title: "No branches",
    cause: "`switchCase` was given an empty list of branches.",
    fix: "Pass at least one branch.",
  },
  GF2406: {
    title: "Number of trips unknown",
    cause: "`scan` was given xs of different leading dims, or neither xs nor a length.",
    fix: "Give every x the same leading dimension, or say `{ length: n }`.",
  },
  GF2407: {
    title: "`when` does not give values",
    cause: "The body of `when` returned a tensor.",
    fix: "Write results to a ref, or use `cond` or `where`.",
  },
  GF2501: {
    title: "Size of a dim is not a whole number",
    cause: "A named dim was bound to something other than a whole number ≥ 0.",
    fix: "Pass `{ dimName: size }`.",
  },
  GF2502: {
    title: "No such dim",
    cause: "A size was given for a dim that the graph does not have.",
    fix: "Use one of the names that the message lists.",
  },
};
