/** Codes of the errors that importing a program from JAX can raise, for the generated error pages. */
export interface ErrorCodeEntry {
  readonly title: string;
  readonly cause: string;
  readonly fix: string;
}

export const codes: { readonly [code: `GF${number}`]: ErrorCodeEntry } = {
  GF2601: {
    title: "Not a program from JAX",
    cause:
      "The bytes do not begin with GFJX, are cut short, or hold a format that this version does not read.",
    fix: "Export the program again with the Python package of the same version: `gridfuse.export(f, *arguments)`.",
  },
  GF2602: {
    title: "Malformed program from JAX",
    cause:
      "An equation names a variable, jaxpr or constant that is not there, or misses a parameter.",
    fix: "Export it again; if that gives the same file, report it with the file.",
  },
  GF2603: {
    title: "Unknown primitive",
    cause:
      "The program uses a JAX primitive that has no meaning here, such as a host callback or a GPU instruction.",
    fix: "Rewrite the line that the message names; `gridfuse doctor --jaxpr FILE` lists all such primitives of a file at once.",
  },
  GF2604: {
    title: "A primitive in a form that is not supported",
    cause: "The primitive is known, but not with these parameters, dtypes or operands.",
    fix: "The message names the form and the source line; most have an equivalent that imports.",
  },
  GF2605: {
    title: "Unknown option of `importJaxpr`",
    cause: "The options are no record, or have a name that `importJaxpr` does not know.",
    fix: "Use the names that the message lists.",
  },
};
