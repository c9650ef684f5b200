/**
 * JAX's random bits in plain JavaScript, for checks: Threefry-2x32 with 20 rounds (Salmon et al., 2011), and
 * what jax.random makes of it. Written from the paper and JAX's documentation, not with gridfuse.
 */
export type Words = readonly [number, number];

const rotations = [
  [13, 15, 26, 6],
  [17, 29, 16, 24],
];

export function threefry([k0, k1]: Words, [c0, c1]: Words): Words {
  const schedule = [k0, k1, k0 ^ k1 ^ 0x1bd11bda];
  let [x, y] = [(c0 + k0) | 0, (c1 + k1) | 0];
  for (let group = 0; group < 5; group++) {
    for (const rotation of rotations[group % 2]) {
      x = (x + y) | 0;
      y = ((y << rotation) | (y >>> (32 - rotation))) ^ x;
    }
    x = (x + schedule[(group + 1) % 3]) | 0;
    y = (y + schedule[(group + 2) % 3] + group + 1) | 0;
  }
  return [x >>> 0, y >>> 0];
}

/** jax.random.fold_in(key, data), also the number `data` of jax.random.split(key). */
export const foldIn = (key: Words, data: number): Words => threefry(key, [0, data]);

/** Element i of jax.random.bits(key). */
export function randomBits(key: Words, i: number): number {
  const [high, low] = threefry(key, [0, i]);
  return (high ^ low) >>> 0;
}
