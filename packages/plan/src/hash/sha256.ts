/**
 * SHA-256 (FIPS 180-4), synchronous everywhere. `crypto.subtle` is asynchronous and refuses shared memory,
 * and loading `node:crypto` costs a cold process some 3 ms, more than a small plan takes to load; so the
 * hash is spelled here and large inputs are handed to `node:crypto` where there is one.
 */
import { builtin } from "../host.ts";

interface NodeCrypto {
  createHash(name: "sha256"): { update(bytes: Uint8Array): { digest(): Uint8Array } };
}

/** Bytes from which loading and calling `node:crypto` is cheaper than the loop below. */
const largeInput = 1 << 18;

/** First 32 bits of the fractional parts of the cube roots of the first 64 primes; of √ of the first 8. */
function fractionalRoots(): { roundConstants: Int32Array; initial: Int32Array } {
  const roundConstants = new Int32Array(64);
  const initial = new Int32Array(8);
  const primes: number[] = [];
  for (let n = 2; primes.length < 64; n++) {
    if (primes.some((p) => n % p === 0)) continue;
    const i = primes.push(n) - 1;
    roundConstants[i] = rootFraction(n, 3);
    if (i < 8) initial[i] = rootFraction(n, 2);
  }
  return { roundConstants, initial };
}

/** frac(n^(1/power))·2^32, exact: the integer root of n·2^(32·power) by bisection. */
function rootFraction(n: number, power: number): number {
  const target = BigInt(n) << BigInt(32 * power);
  let low = 0n;
  let high = 1n << 40n;
  while (high - low > 1n) {
    const middle = (low + high) >> 1n;
    if (middle ** BigInt(power) <= target) low = middle;
    else high = middle;
  }
  return Number(low & 0xffffffffn) | 0;
}

let constants: ReturnType<typeof fractionalRoots> | undefined;

/** The 32-byte digest of `bytes`. */
export function sha256(bytes: Uint8Array): Uint8Array {
  if (bytes.length >= largeInput) {
    const crypto = builtin<NodeCrypto>("node:crypto");
    if (crypto !== undefined)
      return new Uint8Array(crypto.createHash("sha256").update(bytes).digest());
  }
  constants ??= fractionalRoots();
  const state = constants.initial.slice();
  const whole = bytes.length - (bytes.length % 64);
  const schedule = new Int32Array(64);
  for (let at = 0; at < whole; at += 64)
    compress(state, schedule, bytes, at, constants.roundConstants);

  const tail = new Uint8Array(bytes.length - whole < 56 ? 64 : 128);
  tail.set(bytes.subarray(whole));
  tail[bytes.length - whole] = 0x80;
  const view = new DataView(tail.buffer);
  view.setUint32(tail.length - 8, Math.floor(bytes.length / 0x20000000));
  view.setUint32(tail.length - 4, (bytes.length << 3) >>> 0);
  for (let at = 0; at < tail.length; at += 64)
    compress(state, schedule, tail, at, constants.roundConstants);

  const digest = new Uint8Array(32);
  const out = new DataView(digest.buffer);
  state.forEach((word, i) => {
    out.setInt32(4 * i, word);
  });
  return digest;
}

const rotate = (x: number, by: number): number => (x >>> by) | (x << (32 - by));

function compress(
  state: Int32Array,
  schedule: Int32Array,
  bytes: Uint8Array,
  at: number,
  roundConstants: Int32Array,
): void {
  for (let i = 0; i < 16; i++) {
    const p = at + 4 * i;
    schedule[i] = (bytes[p]! << 24) | (bytes[p + 1]! << 16) | (bytes[p + 2]! << 8) | bytes[p + 3]!;
  }
  for (let i = 16; i < 64; i++) {
    const early = schedule[i - 15]!;
    const late = schedule[i - 2]!;
    const sigma0 = rotate(early, 7) ^ rotate(early, 18) ^ (early >>> 3);
    const sigma1 = rotate(late, 17) ^ rotate(late, 19) ^ (late >>> 10);
    schedule[i] = schedule[i - 16]! + sigma0 + schedule[i - 7]! + sigma1;
  }
  let [a, b, c, d, e, f, g, h] = state as unknown as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  for (let i = 0; i < 64; i++) {
    const sum1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25);
    const choice = (e & f) ^ (~e & g);
    const first = (h + sum1 + choice + roundConstants[i]! + schedule[i]!) | 0;
    const sum0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22);
    const majority = (a & b) ^ (a & c) ^ (b & c);
    h = g;
    g = f;
    f = e;
    e = (d + first) | 0;
    d = c;
    c = b;
    b = a;
    a = (first + sum0 + majority) | 0;
  }
  [a, b, c, d, e, f, g, h].forEach((word, i) => {
    state[i] = state[i]! + word;
  });
}

export function hex(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += byte.toString(16).padStart(2, "0");
  return text;
}
