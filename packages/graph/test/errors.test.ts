// biome-ignore-all format: one mistake a line, so that the frame shows it
/** Every mistake the front end knows: its code, what the message says, and the line it points at. */
import { BuildError } from "@gridfuse/plan/errors";
import { describe, expect, it } from "vitest";
import {
  add,
  bounded,
  codes,
  concatenate,
  cond,
  constant,
  dot,
  ds,
  einsum,
  element,
  fori,
  type Graph,
  graph,
  kernel,
  matmul,
  numPrograms,
  programId,
  random,
  reduceWindow,
  scan,
  selectN,
  split,
  switchCase,
  type Tensor,
  takeAlongAxis,
  tensor,
  upTo,
  vmap,
  vmem,
  when,
  whileLoop,
  zeros,
} from "../src/index.ts";

const f32 = "float32";
/** What a user who writes JavaScript may do. */
const untyped = (value: unknown): never => value as never;

function failure(action: () => unknown): BuildError {
  try {
    action();
  } catch (error) {
    if (error instanceof BuildError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}
const inGraph = (f: (x: Tensor, y: Tensor) => unknown): (() => Graph) => {
  return () =>
    graph({ x: tensor(f32, [4, 5]), y: tensor(f32, [6]) }, ({ x, y }) => f(x, y) as Tensor);
};

/** Code, the first words of the message, a part of the source line, and the mistake. */
type Case = readonly [code: string, message: string | RegExp, line: string, mistake: () => unknown];

let leaked: Tensor | undefined;

const cases: readonly Case[] = [
  ["GF2001", "add was called outside of a graph", "add(1, 2)", () => add(1, 2)],
  [
    "GF2002",
    'a value made in the body of fori is used in graph "graph"',
    "leaked?.neg()",
    inGraph((x) => {
      fori(0, 3, x, (_i, c) => {
        leaked = c.add(1) as Tensor;
        return c;
      });
      return leaked?.neg();
    }),
  ],
  [
    "GF2003",
    "fori result is a promise: the body is an async function",
    "async () => x",
    inGraph((x) => fori(0, 3, x, untyped(async () => x))),
  ],
  ["GF2004", "Tensor<f32[4,5]> was used as a JS number", "< 3", inGraph((x) => untyped(x) < 3)],
  ["GF2005", 'graph "f": input "x" is not described', "graph(untyped", () => graph(untyped({ x: [4] }), function f() { return 1; })],
  ["GF2006", "the function given to graph returns nothing", "graph({}", () => graph({}, () => untyped(undefined))],
  ["GF2003", 'graph "graph" is an async function', "graph({}", () => graph({}, untyped(async () => ({})))],
  ["GF2010", "sum: options are 1", "x.sum(untyped(1))", inGraph((x) => x.sum(untyped(1)))],
  ["GF2010", 'tensor: unknown option "spce"', "tensor(f32, [8]", () => tensor(f32, [8], untyped({ spce: "hbm" }))],
  ["GF2301", "add: 300 does not fit uint8", "add(300)", inGraph((x) => x.astype("uint8").add(300))],
  ["GF2302", "add was given an array", "x.add(untyped", inGraph((x) => x.add(untyped([1, 2])))],
  ["GF2302", "fori result is undefined", "fori(0, 2, x", inGraph((x) => fori(0, 2, x, () => untyped(undefined)))],
  ["GF2303", 'add: "x" [4, 5] and "y" [6] do not broadcast: 5 and 6 along axis -1', "x.add(y)", inGraph((x, y) => x.add(y))],
  [
    "GF2303",
    /"x" \[batch\] and "y" \[rows\] do not broadcast: batch and rows/,
    "add(x as Tensor, y)",
    () => graph({ x: tensor(f32, ["batch"]), y: tensor(f32, ["rows"]) }, ({ x, y }) => add(x as Tensor, y)),
  ],
  ["GF2304", "selectN: which is float32", "selectN(x", inGraph((x) => selectN(x, 1, 2))],
  ["GF2305", "sum: axis 2 of a tensor of rank 2", "axis: 2", inGraph((x) => x.sum({ axis: 2 }))],
  ["GF2305", "sum: axes [1, 1] repeat", "[1, -1]", inGraph((x) => x.sum({ axis: [1, -1] }))],
  ["GF2306", 'mean needs the size of axis 0, which is named "batch"', "x.mean()", () => graph({ x: tensor(f32, ["batch"]) }, ({ x }) => x.mean())],
  ["GF2307", 'graph "graph": input "x": NaN is not a size', "graph({ x: tensor(f32, [Number.NaN", () => graph({ x: tensor(f32, [Number.NaN]) }, ({ x }) => x)],
  ["GF2307", "full: -1 is not a size", "zeros(f32, [-1])", inGraph(() => zeros(f32, [-1]))],
  ["GF2308", "constant: rows of different lengths at depth 1", "constant([[1, 2]", inGraph(() => constant([[1, 2], [3]]))],
  ["GF2308", "constant: 3 elements for shape [2, 2]", "new Int32Array(3)", inGraph(() => constant(new Int32Array(3), { shape: [2, 2] }))],
  ["GF2309", "reshape: no size for −1 makes [3, -1]", "reshape([3, -1])", inGraph((x) => x.reshape([3, -1]))],
  ["GF2310", "squeeze: axis 0 of [4, 5] is not 1", "squeeze(0)", inGraph((x) => x.squeeze(0))],
  ["GF2311", "concatenate of no tensors", "concatenate([])", inGraph(() => concatenate([]))],
  ["GF2312", "split: 4 elements do not divide into 3", "split(x, 3)", inGraph((x) => split(x, 3))],
  ["GF2103", '"x" [4, 5] does not match "y" [6] in matmul: it contracts 5 with 6', "matmul(x, y)", inGraph((x, y) => matmul(x, y))],
  ["GF2313", "dot of a scalar", "dot(x, zeros", inGraph((x) => dot(x, zeros(f32, []) as Tensor))],
  ["GF2314", "takeAlongAxis: indices [6]", "takeAlongAxis(x", inGraph((x, y) => takeAlongAxis(x, y.astype("int32"), { axis: 0 }))],
  ["GF2315", "Tensor<f32[4,5]> is not a random key", "random.bits(", inGraph((x) => random.bits(untyped(x), [2]))],
  ["GF2316", "random bits for 8589934592 elements", "2 ** 33", inGraph(() => random.bits(random.key(0), [2 ** 33]))],
  ["GF2317", 'einsum "ij,j": label j is 5 and 6', "einsum(", inGraph((x, y) => einsum("ij,j", x, y))],
  ["GF2401", "cond: the condition has shape [4, 5]", "cond(x.gt(0)", inGraph((x) => cond(x.gt(0), () => x, () => x))],
  ["GF2402", "fori: lower bound is 0.5", "fori(0.5", inGraph((x) => fori(0.5, 2, x, (_i, c) => c))],
  ["GF2402", "fori: step 0", "step: 0", inGraph((x) => fori(0, 2, x, (_i, c) => c, { step: 0 }))],
  ["GF2403", "the body of fori returns float32[4] for carry, which is float32[4, 5]", "c.sum(", inGraph((x) => fori(0, 2, x, (_i, c) => c.sum({ axis: 1 })))],
  ["GF2403", "branch 1 of cond returns float32[4, 5], branch 0 float32[6]", "cond(true", inGraph((x, y) => cond(true, () => x, () => y))],
  ["GF2404", "the body of whileLoop returns [*,*] for *", "whileLoop(", inGraph((x) => whileLoop(() => true, untyped(() => [x, x]), x))],
  ["GF2405", "switchCase without branches", "switchCase(0", inGraph(() => switchCase(0, []))],
  ["GF2404", "the body of scan returns a Tensor instead of a pair", "scan(untyped", inGraph((x) => scan(untyped((c: Tensor) => c), x, [x])[0])],
  ["GF2406", "scan without xs needs a `length`", "scan((c) =>", inGraph((x) => scan((c) => [c, []], x)[0])],
  ["GF2406", "scan over leading dims 4 and 6", "[x, y]", inGraph((x, y) => scan((c) => [c, []], 0, [x, y])[0])],
  ["GF2501", 'graph "graph": size 1.5 for dim "batch"', "batch: 1.5", () => graph({ x: tensor(f32, ["batch"]) }, ({ x }) => x).bindDims({ batch: 1.5 })],
  ["GF2502", 'graph "graph" has no dim "rows"', "rows: 1", () => graph({ x: tensor(f32, ["batch"]) }, ({ x }) => x).bindDims({ rows: 1 })],
  ["GF2007", "graph was given no inputs", "graph(untyped(() => 1)", () => graph(untyped(() => 1), untyped(undefined))],
  ["GF2007", "graph takes inputs and a function", "graph(untyped(undefined)", () => graph(untyped(undefined), untyped(undefined))],
  ["GF2008", '"f32" is not a dtype', 'untyped("f32")', () => tensor(untyped("f32"), [8])],
  ["GF2008", "a shape is a list of dims, not 8", "untyped(8)", () => tensor(f32, untyped(8))],
  ["GF2008", 'scratch: "f32" is not a dtype', 'vmem(untyped("f32")', () => vmem(untyped("f32"), [8])],
  ["GF2302", "add was given a Float32Array", "add(x, untyped(new Float32Array(8)))", inGraph((x) => add(x, untyped(new Float32Array(8))))],
  // What only the op table knows arrives with a place too.
  ["GF2107", /reshape/, "reshape([3])", inGraph((x) => x.reshape([3]))],
  ["GF2105", /and is not defined on float32/, "x.and(x)", inGraph((x) => x.and(x))],
  ["GF2105", "reduce_window_sum is not defined on bool", "reduceWindow(x", inGraph((x) => reduceWindow(x.astype("bool"), { op: "sum", windowDimensions: [2, 2] }))],
  ["GF2108", 'reduceWindow: op is "avg"', "reduceWindow(x", inGraph((x) => reduceWindow(x, { op: untyped("avg"), windowDimensions: [2, 2] }))],
  ["GF2108", 'reduceWindow: padding is "same"', "reduceWindow(x", inGraph((x) => reduceWindow(x, { op: "max", windowDimensions: [2, 2], padding: untyped("same") }))],
  ["GF2108", "reduce_window: windowDimensions has 1 entries for rank 2", "reduceWindow(x", inGraph((x) => reduceWindow(x, { op: "max", windowDimensions: [2] }))],
  ["GF2108", "reduce_window: windowStrides has 1 entries for rank 2", "reduceWindow(x", inGraph((x) => reduceWindow(x, { op: "max", windowDimensions: [2, 2], windowStrides: [2], padding: "SAME" }))],
  ["GF2108", "reduce_window: padding has 1 entries for rank 2", "reduceWindow(x", inGraph((x) => reduceWindow(x, { op: "max", windowDimensions: [2, 2], padding: [[1, 1]] }))],
  ["GF2108", "reduce_window: windowDimensions[1] is 0", "reduceWindow(x", inGraph((x) => reduceWindow(x, { op: "max", windowDimensions: [2, 0] }))],
  ["GF2108", "reduce_window: windowDilation[0] is 0.5", "reduceWindow(x", inGraph((x) => reduceWindow(x, { op: "max", windowDimensions: [2, 2], windowDilation: [0.5, 1] }))],
  ["GF2108", "reduce_window: padding[1][1] is -6", "reduceWindow(x", inGraph((x) => reduceWindow(x, { op: "max", windowDimensions: [2, 2], padding: [[0, 0], [0, -6]] }))],
  ["GF2109", 'reduce_window needs the size of dimension 0 of [n], which is named "n"', "reduceWindow(x", () => graph({ x: tensor(f32, ["n"]) }, ({ x }) => reduceWindow(x, { op: "max", windowDimensions: [2], padding: "SAME" }))],
];

const x8 = (map?: (...given: never[]) => unknown) => ({
  x: tensor(f32, [8]).blocks([4], untyped(map ?? (({ i }: { i: Tensor }) => i))),
});
const y8 = { y: tensor(f32, [8]).blocks([4], ({ i }) => i) };
const noWrite = () => {};
const writeY = ({ y }: { readonly y: { set(value: number): void } }) => y.set(0);

const kernelCases: readonly Case[] = [
  ["GF2009", 'kernel "k": input "x" is a ref: it has no mul', ".mul(2)", () => kernel("k", { grid: { i: 2 }, inputs: x8(), outputs: y8 }, ({ x, y }) => y.set((untyped(x) as Tensor).mul(2)))],
  ["GF2201", "programId was called outside of a kernel", "programId(0)", inGraph(() => programId(0))],
  ["GF2202", 'kernel "k": programId("j"): the grid has no such axis', 'programId("j")', () => kernel("k", { grid: { i: 2 }, inputs: {}, outputs: y8 }, () => programId("j"))],
  ["GF2202", 'kernel "k": input "x": there is no grid axis "j"', "({ j }", () => kernel("k", { grid: { i: 2 }, inputs: { x: tensor(f32, [8]).blocks([4], ({ j }) => [j]) }, outputs: y8 }, noWrite)],
  ["GF2202", 'kernel "k": there is no ref "z"', 'kernel("k"', () => kernel("k", { grid: { i: 2 }, inputs: {}, outputs: y8 }, untyped(({ z }: { z: Tensor }) => z))],
  ["GF2203", 'kernel "k": input "x": dim 0 is named "batch"', 'kernel("k"', () => kernel("k", { grid: { i: 2 }, inputs: { x: tensor(f32, ["batch"]) }, outputs: y8 }, writeY)],
  ["GF2203", 'kernel "k": scratch "s" has a named dim', 'kernel("k"', () => kernel("k", { grid: { i: 2 }, inputs: {}, outputs: y8, scratch: { s: vmem(f32, ["n"]) } }, writeY)],
  ["GF2204", 'kernel "k": input "x": block [4, 1] for an array of shape [8]', ".blocks(untyped([4, 1]))", () => kernel("k", { grid: { i: 2 }, inputs: { x: tensor(f32, [8]).blocks(untyped([4, 1])) }, outputs: y8 }, writeY)],
  ["GF2205", 'kernel "k": input "x": block size NaN of dim 0', ".blocks([Number.NaN])", () => kernel("k", { grid: { i: 2 }, inputs: { x: tensor(f32, [8]).blocks([Number.NaN]) }, outputs: y8 }, writeY)],
  ["GF2205", 'kernel "k": input "x": block size undefined of dim 0', ".blocks([untyped(undefined)])", () => kernel("k", { grid: { i: 2 }, inputs: { x: tensor(f32, [8]).blocks([untyped(undefined)]) }, outputs: y8 }, writeY)],
  ["GF2205", 'kernel "k": grid axis "i" has size 1.5', "grid: { i: 1.5 }", () => kernel("k", { grid: { i: 1.5 }, inputs: {}, outputs: y8 }, writeY)],
  ["GF2206", 'kernel "k": input "x": block [16] is larger than its array [8]', ".blocks([16])", () => kernel("k", { grid: { i: 2 }, inputs: { x: tensor(f32, [8]).blocks([16]) }, outputs: y8 }, writeY)],
  ["GF2207", 'kernel "k": input "x": the index map gives 2 indices for a block of rank 1', "[i, 0]", () => kernel("k", { grid: { i: 2 }, inputs: { x: tensor(f32, [8]).blocks([4], ({ i }) => [i, 0]) }, outputs: y8 }, writeY)],
  ["GF2208", 'kernel "k": input "x": index 0 of the index map is 0.5', "() => 0.5", () => kernel("k", { grid: { i: 2 }, inputs: { x: tensor(f32, [8]).blocks([4], () => 0.5) }, outputs: y8 }, writeY)],
  ["GF2208", /index 0 of the index map is object\n/, "(i) => i", () => kernel("k", { grid: { i: 2 }, inputs: { x: tensor(f32, [8]).blocks([4], (i) => i) }, outputs: y8 }, writeY)],
  ["GF2208", /index 0 of the index map is 0\n/, "bounded(4)", () => kernel("k", { grid: { i: 2 }, inputs: { x: tensor(f32, [8]).blocks([bounded(4)], () => 0) }, outputs: y8 }, writeY)],
  ["GF2209", 'kernel "k": input "x": axis 0 of 4: index 4', "x.get(4)", () => kernel("k", { grid: { i: 2 }, inputs: x8(), outputs: y8 }, ({ x, y }) => y.set(x.get(4)))],
  ["GF2209", 'kernel "k": input "x": axis 0 of 4: ds(3, 2) reaches outside', "ds(3, 2)", () => kernel("k", { grid: { i: 2 }, inputs: x8(), outputs: y8 }, ({ x, y }) => y.set(x.get(ds(3, 2)).sum()))],
  ["GF2209", 'kernel "k": input "x": 2 indexers for shape [4]', "x.get(0, 0)", () => kernel("k", { grid: { i: 2 }, inputs: x8(), outputs: y8 }, ({ x, y }) => y.set(x.get(0, 0)))],
  ["GF2210", 'kernel "k": output "y".set of int32 into float32', "y.set(i)", () => kernel("k", { grid: { i: 2 }, inputs: {}, outputs: y8 }, ({ y }, { i }) => y.set(i))],
  ["GF2211", 'kernel "k": output "y".add of shape [3] into [4]', "y.add(zeros", () => kernel("k", { grid: { i: 2 }, inputs: {}, outputs: y8 }, ({ y }) => y.add(zeros(f32, [3])))],
  ["GF2212", 'kernel "k": input "x": the index map gives 2 for dim 0 at i = 2', "({ i }) => [i]", () => kernel("k", { grid: { i: 3 }, inputs: { x: tensor(f32, [8]).blocks([4], ({ i }) => [i]) }, outputs: { y: tensor(f32, [12]).blocks([4], ({ i }) => i) } }, writeY)],
  ["GF2212", /gives -1 for dim 0 at i = 0/, "i.sub(1)", () => kernel("k", { grid: { i: 2 }, inputs: { x: tensor(f32, [8]).blocks([4], ({ i }) => [i.sub(1)]) }, outputs: y8 }, writeY)],
  ["GF2212", /gives 10 for dim 0 at i = 1/, "element(2", () => kernel("k", { grid: { i: 2 }, inputs: { x: tensor(f32, [8]).blocks([element(2, { padding: [1, 1] })], ({ i }) => [i.mul(10)]) }, outputs: y8 }, writeY)],
  ["GF2213", 'kernel "k": output "y" is never written', 'kernel("k"', () => kernel("k", { grid: { i: 2 }, inputs: {}, outputs: y8 }, noWrite)],
  ["GF2214", 'the index map of kernel "k": input "x" uses a tensor from outside', "start.add(i)", inGraph((x) => { const start = x.index(0, 0).astype("int32"); return kernel("k", { grid: { i: 2 }, inputs: { x: tensor(f32, [8]).blocks([4], ({ i }) => start.add(i)) }, outputs: y8 }, writeY); })],
  ["GF2215", 'kernel "k": "y" is both input and output', 'kernel("k"', () => kernel("k", { grid: { i: 2 }, inputs: y8, outputs: y8 }, writeY)],
  ["GF2216", 'kernel "k": alias of "x" and "y": float32[8] and float32[4]', 'kernel("k"', () => kernel("k", { grid: [], inputs: { x: tensor(f32, [8]) }, outputs: { y: tensor(f32, [4]) }, aliases: { x: "y" } }, writeY)],
  ["GF2216", 'kernel "k": alias of "z" and "y": there is no input "z"', 'kernel("k"', () => kernel("k", { grid: [], inputs: {}, outputs: { y: tensor(f32, [4]) }, aliases: untyped({ z: "y" }) }, writeY)],
  ["GF2217", 'kernel "k": 2 dimension semantics for 1 grid axes', 'kernel("k"', () => kernel("k", { grid: { i: 2 }, inputs: {}, outputs: y8, dimensionSemantics: ["parallel", "parallel"] }, writeY)],
  ["GF2218", 'kernel "k" misses input "x" and has no input "z"', "k(untyped({ z: x }))", inGraph((x) => { const k = kernel("k", { grid: { i: 2 }, inputs: x8(), outputs: y8 }, writeY); return k(untyped({ z: x })); })],
  ["GF2219", 'kernel "k": input "x" is float32[4, 5] instead of float32[8]', "k(untyped({ x }))", inGraph((x) => { const k = kernel("k", { grid: { i: 2 }, inputs: x8(), outputs: y8 }, writeY); return k(untyped({ x })); })],
  ["GF2221", 'vmap of kernel "k": axis 2 for "y"', "vmap(k", () => { const k = kernel("k", { grid: { i: 2 }, inputs: {}, outputs: y8 }, writeY); return vmap(k, { size: 3, outAxes: 2 }); }],
  ["GF2222", 'kernel "k": grid axis "i" is as long as prefetched "n" says, which is nothing', 'kernel("k"', () => kernel("k", { grid: { i: upTo(2, "n") }, inputs: {}, outputs: y8 }, writeY)],
  ["GF2222", "which is float32[2]", 'kernel("k"', () => kernel("k", { grid: { i: upTo(2, "n") }, prefetch: { n: tensor(f32, [2]) }, inputs: {}, outputs: y8 }, writeY)],
  ["GF2306", 'kernel "k": the size of grid axis "i" is known to a call only', "numPrograms(", () => kernel("k", { grid: { i: upTo(2, "n") }, prefetch: { n: tensor("int32", []) }, inputs: {}, outputs: y8 }, untyped(() => numPrograms("i")))],
  ["GF2103", 'kernel "k": block [128, 60] of input "a" does not match block [64, 128] of input "b" in dot', "dot(a.get(), untyped(b.get()))", () => kernel("k", { grid: [], inputs: { a: tensor(f32, [128, 60]), b: tensor(f32, [64, 128]) }, outputs: { y: tensor(f32, [128, 128]) } }, ({ a, b, y }) => y.set(dot(a.get(), untyped(b.get()))))],
  ["GF2407", 'kernel "k": the body of when returns a tensor', "when(i.isFirst", () => kernel("k", { grid: { i: 2 }, inputs: x8(), outputs: y8 }, ({ x }, { i }) => when(i.isFirst, untyped(() => x.get())))],
  ["GF2306", 'kernel "k": the size of grid axis "i" is named "n"', "i.isLast", () => kernel("k", { grid: { i: "n" }, inputs: {}, outputs: { y: tensor(f32, ["n"]).blocks([1], ({ i }) => i) } }, ({ y }, { i }) => when(i.isLast, () => y.set(0)))],
];

describe("mistakes in graphs", () => {
  it.each(cases)("%s: %s", (code, message, line, mistake) => {
    const error = failure(mistake);
    expect(error).toMatchObject({ name: "BuildError", code });
    expect(error.message).toMatch(message);
    expect(error.at?.text).toContain(line);
    expect(error.at?.file).toBe("packages/graph/test/errors.test.ts");
    expect(error.help).toBeTruthy();
  });
});

describe("mistakes in kernels", () => {
  it.each(kernelCases)("%s: %s", (code, message, line, mistake) => {
    const error = failure(mistake);
    expect(error).toMatchObject({ name: "BuildError", code });
    expect(error.message).toMatch(message);
    expect(error.at?.text).toContain(line);
    expect(error.help).toBeTruthy();
  });
});

describe("error codes", () => {
  it("of the front end are all listed, and all have a case above", () => {
    const shown = new Set([...cases, ...kernelCases].map(([code]) => code));
    const listed = Object.keys(codes).filter((code) => !/^GF2[19]/.test(code));
    expect(listed.filter((code) => !shown.has(code))).toEqual([]);
    expect([...shown].filter((code) => !Object.hasOwn(codes, code))).toEqual([]);
  });

  it("come with a frame that shows the line", () => {
    const error = failure(inGraph((x, y) => x.add(y)));
    expect(error.message.split("\n").slice(1, 4)).toEqual([
      expect.stringMatching(/^ {2}--> packages\/graph\/test\/errors\.test\.ts:\d+:\d+$/),
      "   |  const error = failure(inGraph((x, y) => x.add(y)));",
      expect.stringMatching(/^ {3}\| +\^$/),
    ]);
  });
});
