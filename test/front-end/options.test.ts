/**
 * Options: what a function does not know it refuses, in place of doing as if nothing had been said. Every public function
 * that takes a record of options has a row here, with a record of all that it knows.
 */
import { interpret, interpretRegion } from "@gridfuse/interpret";
import { type OptionNames, optionCheck } from "@gridfuse/plan/options";
import * as gridfuse from "gridfuse";
import {
  BuildError,
  compile,
  compileNative,
  cpu,
  cpuSync,
  decodePlan,
  encodePlan,
  f32,
  GridfuseError,
  graph,
  i32,
  kernel,
  loadPlan,
  PlanCache,
  savePlan,
  type Tensor,
  tensor,
  webgpu,
} from "gridfuse";
import { describe, expect, it } from "vitest";

/** What a user who writes JavaScript may pass. */
const untyped = (value: unknown): never => value as never;
type Call = (...given: readonly unknown[]) => unknown;

interface Tensors {
  readonly x: Tensor;
  readonly i: Tensor;
}
/** What `body` throws while a graph is traced. */
function traced(body: (tensors: Tensors) => unknown): GridfuseError | undefined {
  return failure(() =>
    graph({ x: tensor(f32, [4, 4]), i: tensor(i32, [4, 4]) }, (tensors) => {
      body(tensors as unknown as Tensors);
      return 0;
    }),
  );
}

function failure(action: () => unknown): GridfuseError | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    if (error instanceof GridfuseError) return error;
    throw error;
  }
}

const gathering = {
  offsetDims: [],
  collapsedSliceDims: [0, 1],
  startIndexMap: [0, 1],
  operandBatchingDims: [],
  startIndicesBatchingDims: [],
};
const scattering = {
  updateWindowDims: [],
  insertedWindowDims: [0, 1],
  scatterDimsToOperandDims: [0, 1],
  operandBatchingDims: [],
  scatterIndicesBatchingDims: [],
};
const places = ({ i }: Tensors): Tensor => i.slice([0, 0], [3, 2]);
const image = ({ x }: Tensors): Tensor => x.reshape([1, 1, 4, 4]) as Tensor;

type Row = readonly [
  name: string,
  all: { readonly [name: string]: unknown },
  args: (tensors: Tensors) => readonly unknown[],
];
const ofX = ({ x }: Tensors): readonly unknown[] => [x];
const reduced = { axis: 0, keepDims: true };

/** Functions of tensors; the options come last. Those of one axis at the end of this list know nothing but `axis`. */
const functions: readonly Row[] = [
  ...["sum", "prod", "max", "min", "any", "all", "mean", "argmax", "argmin"].map(
    (name): Row => [name, reduced, ofX],
  ),
  ["variance", { ...reduced, correction: 1 }, ofX],
  ...["cumsum", "cumprod", "cummax", "cummin", "cumlogsumexp"].map(
    (name): Row => [name, { axis: 0, reverse: true }, ofX],
  ),
  ["round", { halves: "away" }, ofX],
  ["reducePrecision", { exponentBits: 5, mantissaBits: 10 }, ofX],
  ["gelu", { form: "erf" }, ofX],
  ["dot", { dtype: f32 }, ({ x }) => [x, x]],
  ["matmul", { dtype: f32 }, ({ x }) => [x, x]],
  ["dotGeneral", { dtype: f32 }, ({ x }) => [x, x, { contract: [[1], [0]] }]],
  [
    "convGeneralDilated",
    {
      windowStrides: [1, 1],
      padding: "SAME",
      lhsDilation: [1, 1],
      rhsDilation: [1, 1],
      dimensionNumbers: ["NCHW", "OIHW", "NCHW"],
      featureGroupCount: 1,
      batchGroupCount: 1,
      dtype: f32,
    },
    (tensors) => [image(tensors), image(tensors)],
  ],
  [
    "reduceWindow",
    {
      op: "max",
      windowDimensions: [2, 2],
      windowStrides: [1, 1],
      padding: "VALID",
      baseDilation: [1, 1],
      windowDilation: [1, 1],
    },
    ofX,
  ],
  [
    "gather",
    { dimensions: gathering, sliceSizes: [1, 1], mode: "fill", fill: 7 },
    (tensors) => [tensors.x, places(tensors)],
  ],
  ...["scatter", "scatterAdd", "scatterMul", "scatterMin", "scatterMax"].map(
    (name): Row => [
      name,
      { dimensions: scattering, mode: "clip" },
      (tensors) => [tensors.x, places(tensors), tensors.x.index(0, "0:3")],
    ],
  ),
  ["take", { axis: 1, mode: "clip" }, ({ x }) => [x, [0, 2]]],
  ["takeAlongAxis", { axis: 1, mode: "clip" }, ({ x, i }) => [x, i]],
  ["sort", { axis: 0, descending: true, stable: false }, ofX],
  ["sort", { axis: 0, descending: true, stable: false, numKeys: 1 }, ({ x, i }) => [[x, i]]],
  ["argsort", { axis: 0, descending: true, stable: false }, ofX],
  ["constant", { dtype: f32, shape: [2] }, () => [[1, 2]]],
  ["sliceAlong", { axis: 1, stride: 2 }, ({ x }) => [x, 0, 3]],
  ["fori", { step: 2, unroll: true }, ({ x }) => [0, 4, x, (_: unknown, y: Tensor) => y]],
  ["scan", { length: 3, reverse: true }, ({ x }) => [(y: Tensor) => [y, []], x, []]],
  ["random.uniform", { dtype: f32, minval: 1, maxval: 2 }, () => [gridfuse.random.key(0), [2]]],
  ["tensor", { space: "hbm" }, () => [f32, [8]]],
  ["element", { padding: [1, 1] }, () => [8]],
  ["graph", { name: "inner" }, () => [{ y: tensor(f32, [2]) }, ({ y }: { y: Tensor }) => y]],
  ["vmap", { inAxes: 1, outAxes: 1 }, () => [(y: Tensor) => y]],
  ["vmap", { inAxes: 0, outAxes: 0, size: 2, axisName: "copies" }, () => [twice]],
  ["violationsOf", { noRefs: true, noGrids: true }, () => [doubling.program]],
  ...["softmax", "logSoftmax", "logSumExp"].map((name): Row => [name, { axis: 0 }, ofX]),
  ["topK", { axis: 0 }, ({ x }) => [x, 2]],
  ["concatenate", { axis: 1 }, ({ x }) => [[x, x]]],
  ["stack", { axis: 1 }, ({ x }) => [[x, x]]],
  ["split", { axis: 1 }, ({ x }) => [x, 2]],
  ["roll", { axis: 1 }, ({ x }) => [x, 2]],
  ["repeat", { axis: 1 }, ({ x }) => [x, 2]],
];

const doubling = graph({ x: tensor(f32, [4]) }, ({ x }) => ({ y: x.mul(2) }));
const twice = kernel(
  "twice",
  { grid: { i: 2 }, inputs: {}, outputs: { y: tensor(f32, [4]).blocks([2], ({ i }) => i) } },
  ({ y }) => y.set(2),
);

function named(name: string): Call {
  if (name === "random.uniform") return gridfuse.random.uniform as Call;
  return (gridfuse as unknown as { readonly [name: string]: Call })[name] as Call;
}

describe.each(functions)("%s", (name, all, args) => {
  const call = (options: unknown) =>
    traced((tensors) => {
      const given = args(tensors);
      named(name)(...given, options); // The user's line.
    });
  const isMethod = Object.hasOwn(gridfuse.Tensor.prototype, name) && !name.startsWith("dotG");

  it("takes every option that it knows, and undefined", () => {
    expect(call(all)).toBeUndefined();
    for (const option of Object.keys(all)) {
      const { what = "" } = call({ [option]: undefined }) ?? {};
      expect(what).not.toMatch(new RegExp(`^${name}: (unknown option|options are)`));
    }
  });

  it("refuses an option that it does not know, and says which there are", () => {
    for (const options of [{ ...all, colour: 1 }, { colour: undefined }]) {
      const error = call(options);
      expect(error).toBeInstanceOf(BuildError);
      expect(error).toMatchObject({ code: "GF2010", path: "colour", received: "colour" });
      expect(error?.what).toBe(`${name}: unknown option "colour"`);
      expect(error?.expected).toHaveLength(Object.keys(all).length);
      expect(error?.expected).toEqual(expect.arrayContaining(Object.keys(all)));
      expect(error?.at?.file).toBe("test/front-end/options.test.ts");
      expect(error?.at?.text).toContain("The user's line.");
      expect(error?.help).toBeTruthy();
    }
  });

  it("refuses what is no record", () => {
    const cache = new PlanCache({ mode: "off" });
    for (const options of [1, -1, [0, 1], "fast", null, true, new Map(), cache, () => 1]) {
      const error = call(options);
      expect(error).toMatchObject({ code: "GF2010" });
      expect(error?.what.startsWith(`${name}: options are `)).toBe(true);
      expect(error?.at?.text).toContain("The user's line.");
    }
    expect(traced((tensors) => named(name)(...args(tensors), tensors.x))?.what).toBe(
      `${name}: options are a Tensor`,
    );
  });

  it("says how to give an axis", () => {
    const axis = ["axis", "inAxes"].find((option) => option in all);
    if (axis !== undefined) expect(call(1)?.help).toBe(`Write \`{ ${axis}: 1 }\`.`);
    if (axis !== undefined) expect(call([0, 1])?.help).toBe(`Write \`{ ${axis}: [0, 1] }\`.`);
  });

  if (isMethod) {
    it("is the same as a method", () => {
      const error = traced((tensors) => {
        const [x, ...rest] = args(tensors) as [Tensor, ...unknown[]];
        if (!gridfuse.isTensor(x)) return named(name)(x, { ...all, colour: 1 });
        const method = (x as unknown as { readonly [name: string]: Call })[name] as Call;
        return method.call(x, ...rest, { ...all, colour: 1 });
      });
      expect(error).toMatchObject({ code: "GF2010", received: "colour" });
    });
  }
});

/** Each function or method, what it knows, and what to call. */
type OtherRow = readonly [
  name: string,
  code: string,
  all: { readonly [name: string]: unknown },
  call: (options: never) => unknown,
];
const plan = compile(doubling);
const bytes = encodePlan(plan);
const x = new Float32Array(4);
const executable = cpuSync().prepareSync(plan);
const prepareOptions = {
  signal: new AbortController().signal,
  onProgress: () => {},
  onPrint: () => {},
};
const runOptions = (): object => ({
  out: { y: new Float32Array(4) },
  signal: new AbortController().signal,
});
const interpreting = { onPrint: () => {}, fuel: 9, inlineGridOrder: () => [] };
const wholeKernel = {
  grid: { i: 2 },
  inputs: { x: tensor(f32, [4]).blocks([2], ({ i }) => i) },
  outputs: { y: tensor(f32, [4]).blocks([2], ({ i }) => i) },
  scratch: {},
  prefetch: {},
  aliases: {},
  dimensionSemantics: { i: "parallel" },
  fill: "hlo",
};
type Refs = Readonly<Record<"x" | "y", gridfuse.Ref>>;
const noGpu = { requestAdapter: async () => null };

const others: readonly OtherRow[] = [
  [
    'kernel "copy"',
    "GF2010",
    wholeKernel,
    (options) =>
      kernel(
        "copy",
        options,
        untyped(({ x, y }: Refs) => y.set(x.get())),
      ),
  ],
  [
    "loop",
    "GF2010",
    { step: 1, unroll: true },
    (options) =>
      kernel(
        "looping",
        { ...wholeKernel, fill: "hlo" } as never,
        untyped(({ y }: Refs) => {
          y.set(0);
          gridfuse.loop(0, 2, () => {}, options);
        }),
      ),
  ],
  [
    "compile",
    "GF3003",
    {
      dims: {},
      cache: false,
      reassociate: true,
      fuel: 9,
      tiles: { bytes: 1, laneBytes: 1, leastBytes: 1, smallElements: 1 },
      afterPass: () => {},
      afterSteps: () => {},
    },
    (options) => compile(doubling, options),
  ],
  ["interpret", "GF1504", interpreting, (options) => interpret(doubling.program, { x }, options)],
  [
    "interpretRegion",
    "GF1504",
    interpreting,
    (options) => {
      const { table, main } = doubling.program;
      const value = { dtype: f32, shape: [4], data: x };
      return interpretRegion(table, main, [value], options);
    },
  ],
  [
    "cpuSync",
    "GF5007",
    { backend: "js", threads: 1, precision: "exact", simd: undefined, maxBytes: 1e6, maxFuel: 9 },
    (options) => cpuSync(options),
  ],
  [
    "cpu",
    "GF5007",
    { backend: "js", threads: 1, precision: "exact", simd: undefined, maxBytes: 1e6, maxFuel: 9 },
    (options) => cpu(options),
  ],
  ["prepare", "GF1017", prepareOptions, async (options) => (await cpu()).prepare(plan, options)],
  ["prepare", "GF1017", prepareOptions, (options) => cpuSync().prepareSync(plan, options)],
  ["run", "GF1017", runOptions() as never, (options) => executable.runSync({ x }, options)],
  ["run", "GF1017", runOptions() as never, (options) => executable.run({ x }, options)],
  ["compileNative", "GF5007", { precision: "fast" }, (options) => compileNative(plan, options)],
  ["encodePlan", "GF4023", { debug: true, native: [] }, (options) => encodePlan(plan, options)],
  [
    "savePlan",
    "GF4023",
    { debug: true, native: [] },
    (options) =>
      savePlan("/dev/null/not-a-folder/x.plan", plan, options).catch(otherThan("PlanFileError")),
  ],
  [
    "decodePlan",
    "GF4023",
    { limits: { bytes: 1e6 }, checkId: true, trust: "unsafe" },
    (options) => decodePlan(bytes, options),
  ],
  [
    "loadPlan",
    "GF4023",
    { limits: { bytes: 1e6 }, checkId: true, trust: "unsafe" },
    (options) => loadPlan(bytes, options),
  ],
  [
    "PlanCache",
    "GF4023",
    {
      directory: "/nowhere",
      mode: "off",
      maxBytes: 1,
      maxPlansInMemory: 1,
      onWarning: () => {},
      files: undefined,
    },
    (options) => new PlanCache(options),
  ],
  [
    "webgpu",
    "GF5208",
    { gpu: noGpu, device: undefined, powerPreference: "low-power" },
    (options) => webgpu(options),
  ],
];

/** An error of the file system is not about options. */
function otherThan(name: string): (error: Error) => void {
  return (error) => {
    if (error.name !== name) throw error;
  };
}

/** What a call throws, at once or later. */
async function refusal(call: () => unknown): Promise<GridfuseError | undefined> {
  try {
    await call();
    return undefined;
  } catch (error) {
    if (error instanceof GridfuseError) return error;
    throw error;
  }
}

describe.each(others)("%s", (name, code, all, call) => {
  it("takes every option that it knows, and undefined", async () => {
    if (name !== "webgpu") expect(await refusal(() => call(all as never))).toBeUndefined();
    for (const option of Object.keys(all)) {
      if (name.startsWith("kernel") || name === "webgpu") continue;
      const error = await refusal(() => call({ [option]: undefined } as never));
      expect(error?.code, option).not.toBe(code);
    }
    if (name !== "webgpu" && !name.startsWith("kernel")) {
      expect(await refusal(() => call(undefined as never))).toBeUndefined();
    }
  });

  it("refuses an option that it does not know, and says which there are", async () => {
    for (const options of [
      { ...all, colour: 1 },
      { ...all, colour: undefined },
    ]) {
      const error = await refusal(() => call(options as never));
      expect(error).toMatchObject({ code, path: "colour", received: "colour" });
      expect(error?.what.endsWith(`${name}: unknown option "colour"`)).toBe(true);
      expect(error?.expected).toHaveLength(Object.keys(all).length);
      expect(error?.expected).toEqual(expect.arrayContaining(Object.keys(all)));
      expect(error?.help).toBeTruthy();
    }
  });

  it("refuses what is no record", async () => {
    for (const options of [1, [0, 1], "fast", null, true, new Map(), Promise.resolve(all)]) {
      const error = await refusal(() => call(options as never));
      expect(error).toMatchObject({ code });
      expect(error?.what).toContain(`${name}: options are `);
    }
  });
});

describe("records inside of options", () => {
  it("are checked as well", () => {
    const inside: readonly (readonly [string, () => unknown])[] = [
      [
        'dotGeneral: dimensions: unknown option "bach"',
        () =>
          traced(({ x }) => gridfuse.dotGeneral(x, x, untyped({ contract: [[1], [0]], bach: [] }))),
      ],
      [
        'pad: unknown option "high"',
        () => traced(({ x }) => x.pad(untyped([{ lo: 1, high: 1 }, [0, 0]]))),
      ],
      [
        'decodePlan: limits: unknown option "byte"',
        () => failure(() => decodePlan(bytes, { limits: untyped({ byte: 9 }) })),
      ],
      [
        'compile: tiles: unknown option "byte"',
        () => failure(() => compile(doubling, { tiles: untyped({ byte: 9 }) })),
      ],
    ];
    for (const [what, mistake] of inside) expect(mistake()).toMatchObject({ what });
  });
});

describe("messages", () => {
  /** Without what changes with the place of a line in this file. */
  const text = (error: GridfuseError | undefined): string | undefined =>
    error?.message.replace(/:\d+:\d+/, ":…");

  it("of an axis as NumPy's users write it", () => {
    const error = traced(({ x }) => x.sum(untyped(1)));
    expect(text(error)).toMatchInlineSnapshot(`
      "GF2010  sum: options are 1
        --> test/front-end/options.test.ts:…
         |  const error = traced(({ x }) => x.sum(untyped(1)));
         |                                    ^
        help: Write \`{ axis: 1 }\`."
    `);
    expect(traced(({ x }) => x.sum(untyped([0, 1])))?.help).toBe("Write `{ axis: [0, 1] }`.");
  });

  it("of a name that is nearly right", () => {
    const error = traced(({ x }) => x.sum(untyped({ axes: 1 })));
    expect(text(error)).toMatchInlineSnapshot(`
      "GF2010  sum: unknown option "axes"
        --> test/front-end/options.test.ts:…
         |  const error = traced(({ x }) => x.sum(untyped({ axes: 1 })));
         |                                    ^
        note: the options are "axis", "keepDims"
        help: Did you mean "axis"?"
    `);
  });

  it("of a name that is Python's", () => {
    const error = traced(({ x }) => x.sum(untyped({ axis: 1, keepdims: true })));
    expect(text(error)).toMatchInlineSnapshot(`
      "GF2010  sum: unknown option "keepdims"
        --> test/front-end/options.test.ts:…
         |  const error = traced(({ x }) => x.sum(untyped({ axis: 1, keepdims: true })));
         |                                    ^
        note: the options are "axis", "keepDims"
        help: Did you mean "keepDims"?"
    `);
    const help = (options: unknown) => traced(({ x }) => x.sum(untyped(options)))?.help;
    for (const name of ["keep_dims", "KEEPDIMS", "keepDim", "keepsDims"]) {
      expect(help({ [name]: true }), name).toBe('Did you mean "keepDims"?');
    }
  });

  it("of options of `compile`", () => {
    const error = failure(() => compile(doubling, untyped({ precison: "fast" })));
    expect(text(error)).toMatchInlineSnapshot(`
      "GF3003  compile: unknown option "precison"
        --> test/front-end/options.test.ts:…
         |  const error = failure(() => compile(doubling, untyped({ precison: "fast" })));
         |                              ^
        note: the options are "dims", "cache", "reassociate", "fuel", "tiles", "afterPass", "afterSteps"
        help: "precision" is an option of \`cpu\`."
    `);
  });

  it("of options of `cpu`", () => {
    const error = failure(() => cpuSync(untyped({ thread: 4 })));
    expect(text(error)).toMatchInlineSnapshot(`
      "GF5007  cpuSync: unknown option "thread"
        note: the options are "backend", "threads", "precision", "simd", "maxBytes", "maxFuel"
        help: Did you mean "threads"?"
    `);
    const help = failure(() => cpuSync(untyped({ cache: true })))?.help;
    expect(help).toBe('"cache" is an option of `compile`.');
  });

  it("inside of a kernel name it", () => {
    const error = failure(() =>
      kernel(
        "copy",
        wholeKernel as never,
        untyped(({ x, y }: Refs) => y.set(x.get().sum(untyped(1)))),
      ),
    );
    expect(text(error)).toMatchInlineSnapshot(`
      "GF2010  kernel "copy": sum: options are 1
        --> test/front-end/options.test.ts:…
         |  untyped(({ x, y }: Refs) => y.set(x.get().sum(untyped(1)))),
         |                                            ^
        help: Write \`{ axis: 1 }\`."
    `);
  });
});

describe("what counts as a record", () => {
  it("is any object that says nothing but known options", () => {
    const names = { axis: true } as const;
    const check = optionCheck(BuildError, "GF2010");
    class Settings {
      axis = 1;
    }
    const bare = Object.assign(Object.create(null) as { axis?: number }, { axis: 1 });
    for (const given of [{}, { axis: 1 }, bare, new Settings(), Object.freeze({ axis: 1 })]) {
      expect(check("f", given as { axis?: number }, names)).toBe(given);
    }
    const inherited = untyped({ constructor: 1 });
    expect(failure(() => check("f", inherited, names as never))?.what).toBe(
      'f: unknown option "constructor"',
    );
  });

  it("has a table that TypeScript holds to the options", () => {
    interface Options {
      readonly axis?: number;
      readonly keepDims: boolean;
    }
    const whole: OptionNames<Options> = { axis: true, keepDims: true };
    // @ts-expect-error keepDims is missing
    const lacking: OptionNames<Options> = { axis: true };
    // @ts-expect-error axes is no option
    const wrong: OptionNames<Options> = { axis: true, keepDims: true, axes: true };
    // @ts-expect-error nor is it one beside those of another table
    const more: OptionNames<Options> = { ...whole, axes: true };
    expect([whole, lacking, wrong, more]).toHaveLength(4);
  });
});
