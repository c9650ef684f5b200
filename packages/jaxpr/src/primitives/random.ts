/**
 * Random numbers of JAX: bits are Threefry-2x32 of counters (the partitionable form, JAX's default), so they
 * are the same bits. A key is two words; here it is one element of 64 bits, the first word in the lower half, so
 * that an array of keys is moved about like any other.
 */
import type { ValueId } from "@gridfuse/graph";
import type { Body } from "../body.ts";
import type { Rules } from "./table.ts";

export type Pair = readonly [ValueId, ValueId];

/** Both words of the blocks of counters under keys of the same shape. */
export function threefry(body: Body, key: Pair, counter: Pair): Pair {
  const inputs = [...key, ...counter];
  const word = (which: 0 | 1) => body.e.emit("threefry2x32", inputs, { word: which });
  return [word(0), word(1)];
}

/** The words of keys. */
export function keyWords(body: Body, key: ValueId): Pair {
  const by = body.full("uint64", body.shape(key), 32);
  const upper = body.e.emit("shift_right_logical", [key, by], {});
  return [body.e.convert(key, "uint32"), body.e.convert(upper, "uint32")];
}

function joinWords(body: Body, [first, second]: Pair): ValueId {
  const by = body.full("uint64", body.shape(first), 32);
  const upper = body.e.emit("shift_left", [body.e.convert(second, "uint64"), by], {});
  return body.e.emit("or", [body.e.convert(first, "uint64"), upper], {});
}

/** Row-major numbers of `shape` under every key: keys in front. */
function counted(body: Body, key: ValueId, shape: readonly number[]): Pair {
  const keys = body.shape(key);
  const full = [...keys, ...shape];
  const count = shape.reduce((product, size) => product * size, 1);
  const numbers = body.e.reshape(body.e.iota("uint32", [count], 0), shape);
  const low = body.e.broadcastTo(numbers, full);
  const spread = (word: ValueId): ValueId =>
    body.e.broadcastInDim(
      word,
      full,
      keys.map((_, d) => d),
    );
  const [k0, k1] = keyWords(body, key);
  return threefry(body, [spread(k0), spread(k1)], [body.full("uint32", full, 0), low]);
}

export function randomBits(
  body: Body,
  key: ValueId,
  width: number,
  shape: readonly number[],
): ValueId {
  const [high, low] = counted(body, key, shape);
  if (width === 64) {
    const wide = (word: ValueId) => body.e.convert(word, "uint64");
    const by = body.full("uint64", body.shape(high), 32);
    return body.e.emit("or", [body.e.emit("shift_left", [wide(high), by], {}), wide(low)], {});
  }
  const bits = body.e.emit("xor", [high, low], {});
  return body.e.convert(bits, width === 32 ? "uint32" : width === 16 ? "uint16" : "uint8");
}

/** A seed as a key: its upper and lower word. */
function seeded(body: Body, seed: ValueId): Pair {
  const dtype = body.dtype(seed);
  const low = body.e.convert(seed, "uint32");
  const zero = body.full("uint32", body.shape(seed), 0);
  if (dtype !== "int64" && dtype !== "uint64") return [zero, low];
  const wide = body.e.convert(seed, "uint64");
  const by = body.full("uint64", body.shape(seed), 32);
  const high = body.e.emit("shift_right_logical", [wide, by], {});
  return [body.e.convert(high, "uint32"), low];
}

export const random: Rules = {
  "random:threefry2x32": (body, args) => threefry(body, ...splitWords(body.meet(args))),
  "lax:threefry2x32": (body, args) => threefry(body, ...splitWords(body.meet(args))),
  "random:random_bits": (body, [key], p: { bit_width: number; shape: readonly number[] }) =>
    randomBits(body, key as ValueId, p.bit_width, p.shape),
  "random:random_wrap": (body, [words]) =>
    body.e.emit("bitcast_convert_type", [words as ValueId], { dtype: "uint64" }),
  "random:random_unwrap": (body, [key]) =>
    body.e.emit("bitcast_convert_type", [key as ValueId], { dtype: "uint32" }),
  "random:random_clone": (_, [key]) => key,
  "random:random_seed": (body, [seed]) => joinWords(body, seeded(body, seed as ValueId)),
  "random:random_split": (body, [key], { shape }: { shape: readonly number[] }) =>
    joinWords(body, counted(body, key as ValueId, shape)),
  "random:random_fold_in": (body, [key, data]) => {
    const [k0, k1] = keyWords(body, key as ValueId);
    const shape = body.shape(k0);
    const number = body.e.broadcastTo(body.e.convert(data as ValueId, "uint32"), shape);
    return joinWords(body, threefry(body, [k0, k1], [body.full("uint32", shape, 0), number]));
  },
};

const splitWords = ([a, b, c, d]: readonly ValueId[]): readonly [Pair, Pair] => [
  [a as ValueId, b as ValueId],
  [c as ValueId, d as ValueId],
];
