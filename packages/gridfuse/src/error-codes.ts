/** Codes of the command line. */

export interface ErrorCode {
  readonly title: string;
  readonly cause: string;
  readonly fix: string;
}

export const codes: Readonly<Record<`GF6${number}`, ErrorCode>> = {
  GF6001: {
    title: "command line not understood",
    cause:
      "An unknown command or option, a missing argument, or a value that is not what the option takes.",
    fix: "See `gridfuse --help` and `gridfuse COMMAND --help`.",
  },
  GF6002: {
    title: "file cannot be read or written",
    cause:
      "The file system refused: missing file, permissions, no space. The cause is in the message.",
    fix: "Check the path and its permissions.",
  },
  GF6003: {
    title: "module cannot be loaded",
    cause:
      "Importing the user's module failed: a syntax error, a missing import, or an error thrown while it ran. TypeScript is stripped, not compiled: enums, namespaces and parameter properties are not accepted.",
    fix: "Run the module with node itself to see the error in full.",
  },
  GF6004: {
    title: "module exports no graph",
    cause: "Neither the default export nor the one named with --export is a graph.",
    fix: "Export the graph: `export default graph({ … }, …)`, or name the export with --export.",
  },
  GF6010: {
    title: "not a .npy file",
    cause:
      "The signature, version, header or length is not that of NumPy's .npy format, versions 1 to 3.",
    fix: "Write the file with numpy.save.",
  },
  GF6011: {
    title: "array form is not supported",
    cause:
      "The array is in Fortran order, big-endian, structured, or of objects (which would need pickle, and that can run code).",
    fix: "Save it with numpy.save(path, numpy.ascontiguousarray(x, dtype=…)).",
  },
  GF6012: {
    title: "array does not fit the plan",
    cause: "The dtype or shape in the file is not that of the input.",
    fix: "Convert the array before saving it; `gridfuse inspect` lists what a plan takes.",
  },
  GF6020: {
    title: "WebGPU is not available to the command line",
    cause:
      "Node has no WebGPU of its own and the optional package `webgpu` is not installed beside your project.",
    fix: "npm install webgpu, or use --executor cpu.",
  },
};
