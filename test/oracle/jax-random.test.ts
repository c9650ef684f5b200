/**
 * Random numbers against those of JAX itself, from vectors/jax-random.json: what is made of bits equal to
 * the bit, interpreted and compiled; normal numbers, which go through erf⁻¹ and log, nearly so.
 */
import { readFileSync } from "node:fs";
import { storageArray } from "@gridfuse/graph";
import { compareTensors, type HostTensor, interpret } from "@gridfuse/interpret";
import { compile, cpu, graph, random, type Tensor } from "gridfuse";
import { describe, expect, it } from "vitest";

type Dtype = HostTensor["dtype"];
interface Entry {
  readonly function: "split" | "foldIn" | "bits" | "uniform" | "randint" | "normal";
  readonly seed: number;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly number?: number;
  readonly least?: number;
  readonly most?: number;
  /** base64 of little-endian elements. */
  readonly data: string;
}
const vectors = new URL("./vectors/jax-random.json", import.meta.url);
const entries = JSON.parse(readFileSync(vectors, "utf8")) as readonly Entry[];

function expected({ dtype, shape, data }: Entry): HostTensor {
  const bytes = Buffer.from(data, "base64");
  const stored = storageArray(
    dtype,
    shape.reduce((a, b) => a * b, 1),
  );
  new Uint8Array(stored.buffer).set(bytes);
  return { dtype, shape, data: stored };
}

/** The same call of ours. */
function draw(entry: Entry): Tensor {
  const key = random.key(entry.seed);
  const { shape, least, most } = entry;
  const dtype = entry.dtype as never;
  switch (entry.function) {
    case "split":
      return random.split(key, shape[0]);
    case "foldIn":
      return random.foldIn(key, entry.number as number);
    case "bits":
      return random.bits(key, shape, dtype);
    case "uniform":
      return random.uniform(key, shape, {
        dtype,
        ...(least === undefined ? {} : { minval: least }),
        ...(most === undefined ? {} : { maxval: most }),
      });
    case "randint":
      return random.randint(key, shape, least as number, most as number, dtype);
    case "normal":
      return random.normal(key, shape, dtype);
    default:
      return entry.function satisfies never;
  }
}

/** Above the distances that were found: JAX rounds the steps of erf⁻¹ and of its logarithm elsewhere. */
const normalUlps: Readonly<Partial<Record<Dtype, number>>> = {
  float16: 1,
  bfloat16: 1,
  float32: 4,
  float64: 32,
};

const executor = await cpu();
const named = entries.map((entry) => {
  const { function: name, seed, dtype, shape, least, most } = entry;
  const bounds = least === undefined ? "" : ` from ${least} to ${most}`;
  return [`${name} of seed ${seed}: ${dtype}[${shape.join(", ")}]${bounds}`, entry] as const;
});

describe("jax.random", () => {
  it.each(named)("%s", async (_, entry) => {
    const tolerance =
      entry.function === "normal"
        ? { ulp: normalUlps[entry.dtype] as number }
        : { exact: true as const };
    const program = graph({}, () => ({ out: draw(entry) }));
    const wanted = expected(entry);
    const interpreted = interpret(program.program, {}).out as HostTensor;
    expect(compareTensors(interpreted, wanted, tolerance)).toBeUndefined();
    using executable = await executor.prepare(compile(program));
    const { out } = await executable.run({});
    const compiled = { ...wanted, data: out } as HostTensor;
    expect(compareTensors(compiled, wanted, tolerance)).toBeUndefined();
  });
});
