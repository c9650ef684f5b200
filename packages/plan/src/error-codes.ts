/** Every code this package can raise; the documentation's error index is generated from here. */

export interface ErrorCode {
  readonly title: string;
  readonly cause: string;
  readonly fix: string;
}

export const codes: Readonly<Record<`GF${number}`, ErrorCode>> = {
  GF1001: {
    title: "an input is missing",
    cause: "`run` needs a value for every input of the plan, by name.",
    fix: "Add it. The message says which array it takes.",
  },
  GF1002: {
    title: "there is no such input",
    cause: "`run` was given a name that is not an input of the plan.",
    fix: "Use one of the names in the message, or leave it out.",
  },
  GF1003: {
    title: "not something an input can be",
    cause:
      "An input is a typed array, a described tensor { dtype, shape, data }, or a single value where its rank is 0.",
    fix: "Wrap nested JS arrays into the typed array that the message names.",
  },
  GF1004: {
    title: "input in the wrong typed array",
    cause:
      "Each dtype has one typed-array class that holds it in memory; arrays are never converted silently.",
    fix: "Convert with `new Float32Array(array)` or the class that the message names.",
  },
  GF1005: {
    title: "input with the wrong number of elements",
    cause: "The array's length is not the product of the input's shape.",
    fix: "Pass exactly the elements of the tensor, row-major.",
  },
  GF1006: {
    title: "input of the wrong dtype",
    cause: "The described tensor's dtype is not that of the plan's input.",
    fix: "Convert it before the run, or compile the graph for this dtype.",
  },
  GF1007: {
    title: "input of the wrong shape",
    cause: "Plans are compiled for fixed shapes; the described tensor has another one.",
    fix: "Reshape it, or compile the graph for this shape.",
  },
  GF1008: {
    title: "single value where the input is an array",
    cause: "A number, bigint or boolean stands only for an input of rank 0.",
    fix: "Pass the typed array that the message names.",
  },
  GF1009: {
    title: "value that the input's dtype cannot hold",
    cause: "The number is fractional or out of the range of an integer input.",
    fix: "Round it or bring it into range first.",
  },
  GF1010: {
    title: "there is no such output",
    cause: "`out` names an array for something that is not an output of the plan.",
    fix: "Use one of the names in the message.",
  },
  GF1011: {
    title: "output in the wrong typed array",
    cause: "An array of `out` is not of the class that holds the output's dtype.",
    fix: "Allocate the class that the message names.",
  },
  GF1012: {
    title: "output array with the wrong number of elements",
    cause: "An array of `out` does not have as many elements as the output.",
    fix: "Allocate exactly that many elements.",
  },
  GF1013: {
    title: "output arrays overlap",
    cause: "Two arrays of `out` share memory, so one result would overwrite the other.",
    fix: "Give each output memory of its own.",
  },
  GF1015: {
    title: "run without a record of inputs",
    cause: "`run` was called with nothing, or with something that has no names.",
    fix: "Pass a record by input name, `{}` for a plan without inputs.",
  },
  GF1016: {
    title: "prepare without a plan",
    cause: "An executor was given a graph, a promise or something else that is not a plan.",
    fix: "Compile the graph, or await loadPlan, and prepare what that gives.",
  },
  GF1017: {
    title: "unknown option, or options that are no record",
    cause:
      "`prepare` or `run` was given an option of a name that it does not know, such as `output` for `out`, or a bare value.",
    fix: "Use one of the names in the message, or leave it out.",
  },
  GF4001: {
    title: "not a plan file",
    cause:
      "The first eight bytes are not the plan signature. It may be another file, or one whose bytes a text-mode transfer changed.",
    fix: "Check the path. If the file travelled (FTP, e-mail, git with line-ending conversion), transfer it again as binary.",
  },
  GF4002: {
    title: "plan file is truncated or has bytes appended",
    cause: "The length written in the header is not the length of the file.",
    fix: "Copy the file again, or save the plan again; savePlan never leaves a partial file under its final name.",
  },
  GF4003: {
    title: "plan file is damaged",
    cause: "A checksum (CRC32C) of the header or of a section does not match its bytes.",
    fix: "Copy the file again, or save the plan again. Caches drop such entries by themselves.",
  },
  GF4004: {
    title: "plan file has a malformed section table",
    cause:
      "Sections overlap, are out of order, misaligned, repeated, or the gaps between them are not zero.",
    fix: "The file was not written by gridfuse, or by a faulty writer: save the plan again.",
  },
  GF4005: {
    title: "plan file is of a newer container version",
    cause: "The major version of the file layout is one this gridfuse does not know.",
    fix: "Update @gridfuse/plan in the process that loads, or save with the older gridfuse.",
  },
  GF4006: {
    title: "plan file needs a section this gridfuse does not know",
    cause: "A section that is marked critical has an unknown type.",
    fix: "Update @gridfuse/plan in the process that loads.",
  },
  GF4007: {
    title: "plan is of another IR version",
    cause:
      "The meaning of plan records changed between the gridfuse that compiled and the one that loads.",
    fix: "Compile again with the gridfuse that loads, or update the one that loads.",
  },
  GF4008: {
    title: "plan id does not match the content",
    cause:
      "Checksums are right, but the SHA-256 written in the header is not that of the sections.",
    fix: "The file was edited or written by a faulty writer: save the plan again.",
  },
  GF4010: {
    title: "plan breaks a rule",
    cause:
      "The verifier checks every plan before it runs: record shapes, dtypes, buffer ids, byte sizes, index bounds. The message names the rule and the place.",
    fix: "If gridfuse compiled this plan, it is a bug of ours: please report it with the file. Otherwise correct the writer.",
  },
  GF4011: {
    title: "plan is not in canonical form",
    cause:
      "The same content was written in another way than the encoder's (unsorted keys, long integers, unused table entries).",
    fix: "Write plans with @gridfuse/plan/encode.",
  },
  GF4012: {
    title: "plan is too large",
    cause: "A count or size exceeds what the format allows or the limit that the caller gave.",
    fix: "Raise `limits` if the sizes in the message are acceptable; otherwise do not load this plan.",
  },
  GF4013: {
    title: "plan file cannot be read or written",
    cause:
      "The file system or network refused: missing file, permissions, no space, HTTP error. The cause is attached.",
    fix: "See the attached cause.",
  },
  GF4014: {
    title: "no file system here",
    cause: "savePlan, or loadPlan with a path, was called on a host without Node's file system.",
    fix: "In browsers, fetch the bytes and pass them (or a URL) to loadPlan; write with encodePlan.",
  },
  GF4015: {
    title: "no such trust",
    cause:
      'loadPlan was asked for a trust that this version cannot establish ("signed" and "local-cache" are reserved) or does not know.',
    fix: 'Leave `trust` out: the plan is verified and code is made from it. Or vouch for the file with trust: "unsafe".',
  },
  GF4016: {
    title: "plan is not decoded",
    cause:
      "A plan that was loaded with trust runs its native code; its steps are decoded only on demand, and the small runtime does not hold the decoder.",
    fix: "`await decoded(plan)` before looking at steps, buffers or constants, or load the plan without trust.",
  },
  GF4017: {
    title: "native code of another plan",
    cause: "savePlan was given native code that was made of a plan other than the one being saved.",
    fix: "Pass `native: [await compileNative(plan)]` with the plan that you save.",
  },
  GF4020: {
    title: "plan cache is off: its directory cannot be used",
    cause:
      "The cache directory cannot be created, read or written, or belongs to someone else, or everyone may write to it.",
    fix: "Make it yours (mode 0700), set GRIDFUSE_CACHE_DIR to another place, or GRIDFUSE_CACHE=off. Work goes on uncached.",
  },
  GF4021: {
    title: "unknown cache setting",
    cause: "GRIDFUSE_CACHE is none of off, ro, rw, or GRIDFUSE_CACHE_MAX_MB is not a number.",
    fix: "Correct the variable or unset it.",
  },
  GF2902: {
    title: "a function of floats was given something else",
    cause: "An expansion such as exp or atan2 is defined on float operands of one dtype.",
    fix: "Convert the operands to one float dtype first.",
  },
  GF9101: {
    title: "a scalar op has no meaning on its dtype",
    cause:
      "A scalar program holds, say, a square root of integers; the verifier should have refused it.",
    fix: "This is a bug of gridfuse: please report it with the program.",
  },
  GF4022: {
    title: "not a cache key",
    cause: "A plan cache was asked for something else than a key made by cacheKey.",
    fix: "Make the key with cacheKey from everything that the plan depends on.",
  },
  GF4023: {
    title: "unknown option, or options that are no record",
    cause:
      "loadPlan, decodePlan, savePlan, encodePlan or PlanCache was given an option of a name that it does not know, or a bare value.",
    fix: "Use one of the names in the message, or leave it out.",
  },
};
