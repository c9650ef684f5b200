/**
 * An outside opinion: NumPy, on the same random applications of ops that the batching rules are
 * tested with. It knows what TensorFlow.js does not: every integer dtype, wrapping, NaN in sorts,
 * strange floats, advanced indexing.
 *
 * Needs python3 (or $PYTHON) with NumPy 2; where there is none the tests are skipped, and say so.
 */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import {
  type DType,
  Emitter,
  isFloat,
  kindOf,
  newRegion,
  type OpName,
  type OpParams,
  type RefTransforms,
  refType,
  storageArray,
  Table,
  tensorType,
} from "@gridfuse/graph";
import {
  compareTensors,
  evaluateNode,
  type HostTensor,
  interpretRegion,
  newRef,
  type Tolerance,
  tensorOf,
} from "@gridfuse/interpret";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import {
  anyTensor,
  type Sample,
  samplesOf,
} from "../../packages/interpret/test/support/samples.ts";

const python = process.env.PYTHON ?? "python3";
const script = fileURLToPath(new URL("../tools/numpy-oracle.py", import.meta.url));
const isAvailable = spawnSync(python, [script], { input: "[]" }).status === 0;
if (!isAvailable) console.warn(`NumPy oracle skipped: ${python} has no NumPy 2`);

// ── Asking ──────────────────────────────────────────────────────────────────────────────────

interface Question {
  readonly op: string;
  readonly params: unknown;
  readonly operands: readonly HostTensor[];
}

const encoded = ({ dtype, shape, data }: HostTensor) => ({
  dtype,
  shape,
  data: Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64"),
});

function decoded(tensor: { dtype: DType; shape: number[]; data: string }): HostTensor {
  const bytes = Uint8Array.from(Buffer.from(tensor.data, "base64"));
  const length = bytes.byteLength / storageArray(tensor.dtype, 0).BYTES_PER_ELEMENT;
  return { ...tensor, data: storageArray(tensor.dtype, bytes.buffer, 0, length) };
}

/** NumPy's results for all questions, in one process. */
function ask(questions: readonly Question[]): HostTensor[][] {
  const input = JSON.stringify(
    questions.map(({ op, params, operands }) => ({ op, params, operands: operands.map(encoded) })),
  );
  const { status, stdout, stderr } = spawnSync(python, [script], {
    input,
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) throw new Error(`the NumPy oracle failed:\n${stderr}`);
  return (JSON.parse(stdout) as Parameters<typeof decoded>[0][][]).map((all) => all.map(decoded));
}

/** Samples with values, the same ones in every run of the test. */
function draw<T>(arbitrary: fc.Arbitrary<T>, count: number): T[] {
  return fc.sample(arbitrary, { numRuns: count, seed: 20261121 });
}

/** A question together with our own answer. */
interface Trial extends Question {
  readonly ours: () => readonly HostTensor[];
}

function agree(trial: Trial, theirs: readonly HostTensor[], tolerance: Tolerance): void {
  const ours = trial.ours();
  expect(ours.length).toBe(theirs.length);
  for (const [i, result] of ours.entries()) {
    const difference = compareTensors(result, theirs[i]!, tolerance);
    const context = `${trial.op} ${JSON.stringify(trial.params)}`;
    expect(difference && `${context}: ${difference.message}`).toBeUndefined();
  }
}

// ── The op table ────────────────────────────────────────────────────────────────────────────

/** Which samples NumPy can judge. */
type Judge = (sample: Sample) => boolean;

const everything: Judge = () => true;
const dtypeOf = (sample: Sample): DType => sample.operands[0]!.dtype;
const onFloats: Judge = (sample) => isFloat(dtypeOf(sample));
const onIntegers: Judge = (sample) => !isFloat(dtypeOf(sample));
/** NumPy's 16-bit functions are its 32-bit ones, rounded: they say nothing new. */
const onWideFloats: Judge = (sample) => /^float(32|64)$/.test(dtypeOf(sample));

/** Conversions whose result is defined on both sides alike. */
const definedConversion: Judge = (sample) => {
  const from = dtypeOf(sample);
  const { dtype: to } = sample.params as OpParams["convert_element_type"];
  if (isFloat(from)) return isFloat(to) || to === "bool";
  return to !== "float16"; // integers go there by way of float32
};

const exact: Tolerance = { ulp: 0 }; // the zeros are equal
const transcendental: Tolerance = { ulp: 4 };

const judged: readonly (readonly [OpName, Judge, Tolerance])[] = [
  ...(["neg", "abs", "sign", "floor", "ceil", "sqrt", "square", "is_finite"] as const).map(
    (op) => [op, everything, exact] as const,
  ),
  [
    "round",
    (sample) =>
      sample.params && "roundingMethod" in sample.params && sample.params.roundingMethod === "even",
    exact,
  ],
  ...(["not", "population_count", "and", "or", "xor"] as const).map(
    (op) => [op, everything, exact] as const,
  ),
  ...(["shift_left", "shift_right_logical", "shift_right_arithmetic"] as const).map(
    (op) => [op, everything, exact] as const,
  ),
  ["integer_pow", (s) => onIntegers(s) && (s.params as OpParams["integer_pow"]).y >= 0, exact],
  ["convert_element_type", definedConversion, exact],
  ["bitcast_convert_type", everything, exact],
  ...(["exp", "exp2", "expm1", "log", "log1p", "log2", "sin", "cos", "tan"] as const).map(
    (op) => [op, onWideFloats, transcendental] as const,
  ),
  ...(["asin", "acos", "atan", "sinh", "cosh", "tanh", "asinh", "acosh", "atanh"] as const).map(
    (op) => [op, onWideFloats, transcendental] as const,
  ),
  ["cbrt", onWideFloats, transcendental],
  ["pow", onWideFloats, transcendental],
  ["atan2", onWideFloats, transcendental],
  ["nextafter", onWideFloats, exact],
  ...(["add", "sub", "mul", "max", "min"] as const).map((op) => [op, everything, exact] as const),
  ["div", onFloats, exact],
  ["rem", onFloats, exact],
  ...(["eq", "ne", "lt", "le", "gt", "ge"] as const).map((op) => [op, everything, exact] as const),
  ["select_n", everything, exact],
  ["clamp", everything, exact],
  ...(
    ["broadcast_in_dim", "reshape", "transpose", "slice", "rev", "pad", "concatenate"] as const
  ).map((op) => [op, everything, exact] as const),
  ["dynamic_slice", everything, exact],
  ["dynamic_update_slice", everything, exact],
  ["reduce_sum", onIntegers, exact],
  ["reduce_prod", onIntegers, exact],
  // NumPy has no identity for these.
  ["reduce_max", (s) => !s.operands[0]!.shape.includes(0), exact],
  ["reduce_min", (s) => !s.operands[0]!.shape.includes(0), exact],
  ["reduce_and", everything, exact],
  ["reduce_or", everything, exact],
  ["reduce_xor", everything, exact],
  ["argmax", everything, exact],
  ["argmin", everything, exact],
  ["cumsum", onIntegers, exact],
  ["cumprod", onIntegers, exact],
  ["cummax", everything, exact],
  ["cummin", everything, exact],
  ["dot_general", onIntegers, exact],
  ["sort", everything, exact],
  ["top_k", everything, exact],
];

const isKnownToNumPy = (sample: Sample): boolean =>
  sample.operands.every(({ dtype }) => dtype !== "bfloat16") &&
  (sample.params as { dtype?: DType }).dtype !== "bfloat16";

function trialsOf(op: OpName, judge: Judge): Trial[] {
  const applications = samplesOf(op)!
    .filter((sample) => isKnownToNumPy(sample) && judge(sample))
    .chain((sample) => fc.tuple(fc.constant(sample), fc.tuple(...sample.operands.map(anyTensor))));
  return draw(applications, 60).map(([{ params }, operands]) => ({
    op,
    params,
    operands,
    ours: () => evaluateNode({ op, params } as Parameters<typeof evaluateNode>[0], operands),
  }));
}

// ── Gathers and scatters that NumPy has a name for ──────────────────────────────────────────

const column = (indices: HostTensor): HostTensor => ({ ...indices, shape: [...indices.shape, 1] });

function takeAlongAxis(): Trial[] {
  const cases = fc
    .tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 5 }), fc.nat(6), fc.nat(1))
    .chain(([rows, columns, picks, axis]) => {
      const shape = axis === 1 ? [rows, columns] : [columns, rows];
      const indexShape = shape.with(axis, picks);
      return fc.tuple(
        fc.constant(axis),
        anyTensor({ dtype: "float32", shape, elements: fc.integer({ min: -9, max: 9 }) }),
        anyTensor({ dtype: "int32", shape: indexShape, elements: fc.nat(columns - 1) }),
      );
    });
  return draw(cases, 40).map(([axis, x, indices]) => {
    const params: OpParams["gather"] = {
      dimensions: {
        offsetDims: [],
        collapsedSliceDims: [axis],
        startIndexMap: [axis],
        operandBatchingDims: [1 - axis],
        startIndicesBatchingDims: [1 - axis],
      },
      sliceSizes: [1, 1],
      mode: "fill",
      fill: { lo: 0, hi: 0 },
    };
    return {
      op: "take_along_axis",
      params: { axis },
      operands: [x, indices],
      ours: () => evaluateNode({ op: "gather", params }, [x, column(indices)]),
    };
  });
}

function scatterAt(): Trial[] {
  const cases = fc
    .tuple(
      fc.constantFrom<DType>("int8", "int32", "uint64"),
      fc.integer({ min: 1, max: 5 }),
      fc.nat(8),
      fc.constantFrom("add" as const, "mul" as const, "min" as const, "max" as const),
    )
    .chain(([dtype, size, count, combine]) => {
      const elements = fc.integer({ min: kindOf(dtype) === "uint" ? 0 : -9, max: 9 });
      return fc.tuple(
        fc.constant(combine),
        anyTensor({ dtype, shape: [size], elements }),
        anyTensor({ dtype: "int32", shape: [count], elements: fc.nat(size - 1) }),
        anyTensor({ dtype, shape: [count], elements }),
      );
    });
  return draw(cases, 60).map(([combine, x, indices, updates]) => {
    const params: OpParams["scatter"] = {
      dimensions: {
        updateWindowDims: [],
        insertedWindowDims: [0],
        scatterDimsToOperandDims: [0],
        operandBatchingDims: [],
        scatterIndicesBatchingDims: [],
      },
      combine,
      mode: "fill",
    };
    return {
      op: "scatter_at",
      params: { combine },
      operands: [x, indices, updates],
      ours: () => evaluateNode({ op: "scatter", params }, [x, column(indices), updates]),
    };
  });
}

// ── Reads of refs ───────────────────────────────────────────────────────────────────────────

interface RefRead {
  readonly memory: HostTensor;
  readonly link: RefTransforms[number];
  readonly indices: readonly HostTensor[];
}

const arrayShapes: readonly (readonly number[])[] = [[], [2], [3, 1], [1, 2], [3, 2]];

/** An indexer for a dimension, with the values of its index operand. */
const anyIndexer = (size: number) =>
  fc.oneof(
    fc.nat(size - 1).map((index) => ({ kind: "int" as const, index })),
    fc
      .tuple(fc.nat(size - 1), fc.nat(size), fc.integer({ min: 1, max: 3 }))
      .filter(([start, count, stride]) => start + (count - 1) * stride < size)
      .map(([start, count, stride]) => ({ kind: "slice" as const, start, size: count, stride })),
    fc
      .constantFrom(...arrayShapes)
      .chain((shape) =>
        fc
          .array(fc.nat(size - 1), { minLength: 6, maxLength: 6 })
          .map((values) => ({ kind: "array" as const, shape, values })),
      ),
  );

const refReads: fc.Arbitrary<RefRead> = fc
  .array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 })
  .chain((shape) => fc.tuple(fc.constant(shape), fc.tuple(...shape.map(anyIndexer))))
  .map(([shape, chosen]) => {
    const count = shape.reduce((product, dim) => product * dim, 1);
    const memory = tensorOf("int32", shape, Array.from({ length: count }).keys());
    const indices: HostTensor[] = [];
    const operand = (tensor: HostTensor) => ({ operand: indices.push(tensor) - 1 });
    const scalar = (value: number) => tensorOf("int32", [], [value]);
    const link = chosen.map((indexer): RefTransforms[number][number] => {
      switch (indexer.kind) {
        case "int":
          return { kind: "int", index: operand(scalar(indexer.index)) };
        case "slice":
          return { ...indexer, start: operand(scalar(indexer.start)) };
        default: {
          const length = indexer.shape.reduce((product, dim) => product * dim, 1);
          const values = indexer.values.slice(0, length);
          return { kind: "array", ...operand(tensorOf("int32", indexer.shape, values)) };
        }
      }
    });
    return { memory, link, indices };
  });

function read({ memory, link, indices }: RefRead): HostTensor {
  const table = new Table();
  const e = new Emitter(table, newRegion());
  const ref = table.newParam(e.region, refType(memory.dtype, memory.shape, "vmem"));
  const operands = indices.map(({ dtype, shape }) =>
    table.newParam(e.region, tensorType(dtype, shape)),
  );
  e.region.results.push(e.emit("get", [ref, ...operands], { transforms: [link] }));
  return interpretRegion(table, e.region, [newRef(memory), ...indices])[0] as HostTensor;
}

const readsOfRefs = (): Trial[] =>
  draw(refReads, 200).map((refRead) => ({
    op: "get",
    params: { transforms: [refRead.link] },
    operands: [refRead.memory, ...refRead.indices],
    ours: () => [read(refRead)],
  }));

// ── The tests ───────────────────────────────────────────────────────────────────────────────

const suites: readonly (readonly [name: string, trials: () => Trial[], tolerance: Tolerance])[] = [
  ...judged.map(([op, judge, tolerance]) => [op, () => trialsOf(op, judge), tolerance] as const),
  ["take_along_axis, which is a gather", takeAlongAxis, exact],
  ["scatters with collisions, by ufunc.at", scatterAt, exact],
  ["views of refs: ints, strided slices, advanced indexing", readsOfRefs, exact],
];

describe.skipIf(!isAvailable)("NumPy agrees (needs python3 with NumPy 2) on", () => {
  const trials = new Map<string, Trial[]>();
  const answers = new Map<Trial, HostTensor[]>();

  beforeAll(() => {
    for (const [name, draws] of suites) trials.set(name, draws());
    const all = [...trials.values()].flat();
    for (const [i, answer] of ask(all).entries()) answers.set(all[i]!, answer);
  });

  it.each(suites)("%s", (name, _, tolerance) => {
    for (const trial of trials.get(name)!) agree(trial, answers.get(trial)!, tolerance);
  });
});
