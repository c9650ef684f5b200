/**
 * Programs that JAX traced, with what JAX's own interpreter gave for them (record.py made the files): imported,
 * verified, interpreted, compiled and run. What gridfuse says is exact is equal to the bit; JAX on a CPU flushes
 * denormals to zero, gridfuse keeps them.
 */
import { readdirSync, readFileSync } from "node:fs";
import { cpu } from "@gridfuse/exec-cpu";
import {
  type DType,
  isDType,
  isFloat,
  loadLanes,
  type StorageArray,
  storageArray,
  verifyProgram,
} from "@gridfuse/graph";
import { interpret } from "@gridfuse/interpret";
import { importJaxpr } from "@gridfuse/jaxpr";
import { compile } from "@gridfuse/passes";
import { describe, expect, test } from "vitest";

interface RecordedArray {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data: string;
}

interface Recorded {
  /** Units in the last place that results may be apart, of the largest value of the array. */
  readonly ulp: number;
  readonly program: string;
  readonly inputs: readonly RecordedArray[];
  readonly outputs: readonly RecordedArray[];
}

const folder = new URL("fixtures/", import.meta.url);
const names = readdirSync(folder).map((file) => file.replace(/\.json$/, ""));

const read = (name: string): Recorded =>
  JSON.parse(readFileSync(new URL(`${name}.json`, folder), "utf8")) as Recorded;

const bytesOf = (base64: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(Buffer.from(base64, "base64"));

function arrayOf({ dtype, data }: RecordedArray): StorageArray {
  const bytes = bytesOf(data);
  if (!isDType(dtype)) throw new TypeError(`a recorded array of ${dtype}`);
  const item = storageArray(dtype, 1).BYTES_PER_ELEMENT;
  return storageArray(dtype, bytes.buffer, 0, bytes.length / item);
}

const mantissa: { readonly [D in DType]?: number } = { float16: 10, bfloat16: 7, float32: 23 };
const leastNormal: { readonly [D in DType]?: number } = { float16: 2 ** -14 };

/** What is wrong with `got`, or undefined. */
function difference(
  { dtype, ...recorded }: RecordedArray,
  got: StorageArray,
  ulp: number,
): string | undefined {
  const wanted = arrayOf({ dtype, ...recorded });
  const type = dtype as DType;
  if (got.length !== wanted.length) return `${got.length} elements instead of ${wanted.length}`;
  const values = Array.from(loadLanes(type, got, 0, got.length) as Float64Array, Number);
  const expected = Array.from(loadLanes(type, wanted, 0, wanted.length) as Float64Array, Number);
  const finite = expected.filter(Number.isFinite).map(Math.abs);
  const unit = isFloat(type) ? Math.max(0, ...finite) * 2 ** -(mantissa[type] ?? 52) : 0;
  const tiny = leastNormal[type] ?? 2 ** -126;
  for (const [i, value] of values.entries()) {
    const want = expected[i] as number;
    if (Object.is(value, want) || (Number.isNaN(value) && Number.isNaN(want))) continue;
    if (isFloat(type) && Math.abs(want) < tiny && Math.abs(value) < tiny && value !== want)
      continue;
    if (ulp > 0 && Math.abs(value - want) <= ulp * unit) continue;
    return `element ${i} is ${value} instead of ${want}`;
  }
  return undefined;
}

const executor = await cpu();

describe.each(names)("%s", (name) => {
  const { program, inputs, outputs, ulp } = read(name);
  const graph = importJaxpr(bytesOf(program));
  const given = Object.fromEntries(
    graph.program.inputs.map((input, i) => [input, arrayOf(inputs[i] as RecordedArray)]),
  );
  const faults = (results: readonly StorageArray[]): readonly string[] =>
    outputs.flatMap((wanted, i) => {
      const fault = difference(wanted, results[i] as StorageArray, ulp);
      return fault === undefined ? [] : [`output ${i}: ${fault}`];
    });

  test("is well-formed and means what JAX says", () => {
    verifyProgram(graph.program);
    const results = interpret(graph.program, given);
    expect(
      faults(graph.program.outputs.map((output) => results[output]?.data as StorageArray)),
    ).toEqual([]);
  });

  test("compiles to a plan that computes it", async () => {
    const executable = await executor.prepare(compile(graph));
    const results = (await executable.run(given)) as { readonly [name: string]: StorageArray };
    expect(faults(graph.program.outputs.map((output) => results[output] as StorageArray))).toEqual(
      [],
    );
  });
});
