/** Errors of compiling: what they mean and what to do. The docs' error index is made from this. */
export const codes: Readonly<
  Record<string, { readonly title: string; readonly cause: string; readonly fix: string }>
> = {
  GF3001: {
    title: "A named dimension has no size",
    cause: "A plan holds sizes; the graph still has a name in their place.",
    fix: "Pass the sizes to compile: compile(graph, { dims: { batch: 32 } }).",
  },
  GF3002: {
    title: "Not a graph",
    cause: "compile was given a kernel, a function or something else that was never traced.",
    fix: "Trace it first: compile(graph(kernel.inputs, kernel)).",
  },
  GF3003: {
    title: "Unknown option, or options that are no record",
    cause: "compile was given an option of a name that it does not know, or a bare value.",
    fix: "Use one of the names that the message lists; precision and threads are options of `cpu`.",
  },
  GF3901: {
    title: "A value has no memory",
    cause: "A bug of gridfuse: a pass left a value that nothing computes.",
    fix: "Report it with the printed graph.",
  },
  GF3902: {
    title: "An op without a lowering",
    cause: "A bug of gridfuse: an op reached the last pass in a form it does not know.",
    fix: "Report it with the printed graph.",
  },
  GF3903: {
    title: "No legal order of passes",
    cause: "A test chose passes of the compiler in an order that they do not allow.",
    fix: "Name every required pass, each after those it needs.",
  },
};
