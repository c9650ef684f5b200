/** Codes of the errors that interpreting a program can raise, for the generated error pages. */

export interface ErrorCodeEntry {
  readonly title: string;
  readonly cause: string;
  readonly fix: string;
}

export const codes: { readonly [code: `GF${number}`]: ErrorCodeEntry } = {
  GF1501: {
    title: "Missing or unknown input",
    cause: "The inputs handed to the interpreter are not the program's.",
    fix: "Pass exactly one tensor for each input that the message lists.",
  },
  GF1502: {
    title: "Input does not fit its declared type",
    cause: "The dtype, the shape or the number of elements differs from what the program declares.",
    fix: "Pass a tensor of the declared dtype and shape, or change the declaration.",
  },
  GF1503: {
    title: "Dimension has no size",
    cause: "A named dimension is used, but no input that was passed with a shape binds it.",
    fix: "Pass the input that has this dimension as { dtype, shape, data }.",
  },
  GF1504: {
    title: "Unknown option, or options that are no record",
    cause: "The interpreter was given an option of a name that it does not know, or a bare value.",
    fix: "Use one of the names that the message lists, or leave it out.",
  },
  GF5501: {
    title: "A while loop ran out of fuel",
    cause: "The loop's condition was still true after as many iterations as were allowed.",
    fix: "Check the condition; if the loop is meant to run longer, raise the `fuel` option.",
  },
  GF9501: {
    title: "The program is malformed",
    cause: "A node has operands or regions that its op does not allow.",
    fix: "Report it, with the program that was compiled.",
  },
};
