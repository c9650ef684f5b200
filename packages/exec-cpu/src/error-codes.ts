/** Every code this package can raise; the documentation's error index is generated from here. */

export interface ErrorCode {
  readonly title: string;
  readonly cause: string;
  readonly fix: string;
}

const ours = "Please report it with the plan file.";

export const codes: Readonly<Record<`GF${number}`, ErrorCode>> = {
  GF1014: {
    title: "no input or output of that name",
    cause: "tensor(name) was asked for memory of a port that the plan does not have.",
    fix: "Use one of the names in the message; inspect shows them too.",
  },
  GF5001: {
    title: "plan needs more memory than there may be",
    cause:
      "Inputs, outputs, constants and temporaries together exceed maxBytes, or the 4 GiB that 32-bit addresses reach. Nothing was allocated.",
    fix: "Run smaller batches, or raise maxBytes.",
  },
  GF5002: {
    title: "the host refused the memory",
    cause: "WebAssembly.Memory could not be created at the size the plan needs.",
    fix: "Free memory, dispose of executables that are not needed, or run smaller batches.",
  },
  GF5003: {
    title: "executable was disposed of",
    cause: "`run` was called after `dispose`.",
    fix: "Prepare the plan again.",
  },
  GF5004: {
    title: "runSync inside a run",
    cause: "A print callback called runSync on the executable that is printing.",
    fix: "Call run, which waits, or run it after the outer run.",
  },
  GF5005: {
    title: "no WebAssembly",
    cause:
      'backend "wasm" was asked for on a host without WebAssembly, or on a page whose content security policy forbids it.',
    fix: 'Use backend "auto" or "js", or allow "wasm-unsafe-eval" in the page\'s script-src.',
  },
  GF5006: {
    title: "index beyond 32 bits",
    cause: "An index expression divides or compares a number that 32 bits cannot hold.",
    fix: 'Use smaller extents, or backend "js".',
  },
  GF5007: {
    title: "cpu option that there is not",
    cause:
      "`cpu` or `compileNative` was given an option it does not know, a value that the option cannot have, or no record.",
    fix: "Use one of the options in the message: `cpu({ threads: 4 })`.",
  },
  GF5010: {
    title: "loop ran out of fuel",
    cause: "A `while` was still true after as many iterations as its plan, or maxFuel, allows.",
    fix: "Check the loop's condition; the executable can be used again.",
  },
  GF5011: {
    title: "worker could not be started",
    cause:
      "cpu was asked for more than one thread, and the host refused a worker: no memory, no threads left, or a content security policy without `worker-src blob:`.",
    fix: "Run again: the executable can be used. A worker that fails twice is done without, and report() says so.",
  },
  GF5012: {
    title: "worker stopped",
    cause: "A worker ended, or was ended, while a run needed it or between runs.",
    fix: "Run again: the executable is as before, and another worker takes its place.",
  },
  GF5013: {
    title: "no native code here",
    cause:
      'backend "native" was asked for on a host that cannot load native code (a browser, Windows), or that has no C compiler: neither `cc` nor what CC names. `cpu` says so at once; with GRIDFUSE_CACHE=ro, `prepare` does, for plans whose code was not kept.',
    fix: 'Install a C compiler, name one by CC, or use backend "auto".',
  },
  GF5014: {
    title: "the C compiler failed",
    cause:
      'backend "native" made C of a plan, and the compiler refused it or was stopped. The message has its first lines.',
    fix: 'Name another compiler by CC (GCC and Clang are known to do), or use backend "auto".',
  },
  GF5015: {
    title: "no wide SIMD",
    cause:
      'simd "wide" was asked for where V8 does not join vectors: before Node 24, on other processors than x64, in browsers, or without WebAssembly.',
    fix: "Leave out simd, or use Node 24 or later on x64.",
  },
  GF9301: {
    title: "scalar op on a dtype it has no meaning for",
    cause: "The compiler that wrote the plan let it through.",
    fix: ours,
  },
  GF9302: {
    title: "scalar node where it has no meaning",
    cause: "An argument node stands in a kernel.",
    fix: ours,
  },
  GF9303: {
    title: "reference to a reduction that is not there",
    cause: "A reduced node names a stage or reduction that does not come before it.",
    fix: ours,
  },
  GF9304: {
    title: "generated code trapped",
    cause: "An access outside the memory of the plan: an index that its plan says cannot happen.",
    fix: ours,
  },
  GF9305: {
    title: "executable is poisoned",
    cause:
      "An earlier run hit a bug of ours and may have damaged the constants of this executable.",
    fix: "Prepare the plan again, and report the first error.",
  },
};
