/**
 * Threefry-2x32 with 20 rounds: the counter-based generator behind JAX's random numbers
 * (Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3", 2011).
 */
import type { DType, Scalar, ScalarBuilder } from "@gridfuse/plan/scalar";
import type { DTypeClass } from "./check.ts";
import type { OpDefinition } from "./define.ts";
import { defineElementwise } from "./elementwise.ts";

const words: DTypeClass = { name: "uint32", has: (dtype: DType) => dtype === "uint32" };

/** Rotations of the rounds of even and of odd groups of four. */
const rotations = [
  [13, 15, 26, 6],
  [17, 29, 16, 24],
] as const;
/** Makes the third key word, so that no key is all zeros (Skein's C240, cut to 32 bits). */
const parity = 0x1bd11bda;

const rotateLeft = (b: ScalarBuilder, x: Scalar, by: number): Scalar =>
  b.binary(
    "or",
    b.binary("shiftLeft", x, b.const("uint32", by)),
    b.binary("shiftRightLogical", x, b.const("uint32", 32 - by)),
  );

/** Both words of the block for a counter under a key. */
export function threefry(
  b: ScalarBuilder,
  [key0, key1]: readonly [Scalar, Scalar],
  [counter0, counter1]: readonly [Scalar, Scalar],
): readonly [Scalar, Scalar] {
  const key2 = b.binary("xor", b.binary("xor", key0, key1), b.const("uint32", parity));
  const keys = [key0, key1, key2] as const;
  let x = b.add(counter0, key0);
  let y = b.add(counter1, key1);
  for (let group = 0; group < 5; group++) {
    for (const rotation of rotations[group % 2] as readonly number[]) {
      x = b.add(x, y);
      y = b.binary("xor", rotateLeft(b, y, rotation), x);
    }
    x = b.add(x, keys[(group + 1) % 3] as Scalar);
    y = b.add(b.add(y, keys[(group + 2) % 3] as Scalar), b.const("uint32", group + 1));
  }
  return [x, y];
}

export const threefry2x32: OpDefinition<"threefry2x32"> = defineElementwise("threefry2x32", 4, {
  doc: "One word of the Threefry-2x32 block (20 rounds) for operands (key0, key1, counter0, counter1).",
  accepts: words,
  scalar: (b, [key0, key1, counter0, counter1], { word }) =>
    threefry(b, [key0 as Scalar, key1 as Scalar], [counter0 as Scalar, counter1 as Scalar])[word],
});
