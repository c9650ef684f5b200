/**
 * Random numbers against values that JAX prints: the documentation's "Pseudorandom numbers" page and the
 * test vector of Threefry-2x32 with a zero key and counter (6b200159 99ba4efe).
 */
import { type Graph, graph, random, type Tensor } from "@gridfuse/graph";
import { interpret } from "@gridfuse/interpret";
import { describe, expect, it } from "vitest";

const valuesOf = (g: Graph): readonly number[] =>
  [...interpret(g.program, {}).out.data].map(Number);
const run = (f: () => Tensor): readonly number[] => valuesOf(graph({}, f));

describe("random", () => {
  it("makes a key of two words from a seed, negative and 64-bit ones included", () => {
    expect(run(() => random.key(42))).toEqual([0, 42]);
    expect(run(() => random.key(-1))).toEqual([0, 0xffffffff]);
    expect(run(() => random.key(2n ** 40n + 3n))).toEqual([256, 3]);
  });

  it("splits a key into the blocks of the counters 0 and 1", () => {
    expect(run(() => random.split(random.key(0)))).toEqual([
      0x6b200159, 0x99ba4efe, 928981903, 3453687069,
    ]);
  });

  it("joins both words of a block into 32 random bits", () => {
    expect(run(() => random.bits(random.key(0), []))).toEqual([(0x6b200159 ^ 0x99ba4efe) >>> 0]);
    expect(run(() => random.bits(random.key(0), [2], "uint8"))).toEqual([
      0x59 ^ 0xfe,
      (928981903 ^ 3453687069) & 0xff,
    ]);
  });

  it("draws the uniform number that jax.random.uniform(jax.random.key(0)) is", () => {
    expect(run(() => random.uniform(random.key(0), []))[0]).toBeCloseTo(0.947667, 6);
  });

  it("draws the normal numbers of JAX's documentation", () => {
    expect(run(() => random.normal(random.key(42), []))[0]).toBeCloseTo(-0.028304616, 7);
    const draw = (i: number) =>
      run(() => {
        let key = random.key(42);
        for (let step = 0; step < i; step++) key = random.split(key).index(0) as typeof key;
        return random.normal(random.split(key).index(1) as typeof key, []);
      })[0];
    expect(draw(0)).toBeCloseTo(0.6057640314102173, 6);
    expect(draw(1)).toBeCloseTo(-0.21089035272598267, 6);
    expect(draw(2)).toBeCloseTo(-0.3948981463909149, 6);
  });

  it("draws whole numbers inside their bounds", () => {
    const drawn = run(() => random.randint(random.key(7), [500], -3, 4));
    expect(new Set(drawn)).toEqual(new Set([-3, -2, -1, 0, 1, 2, 3]));
  });

  it("gives element i the same bits in a shorter array", () => {
    const bits = (n: number) => run(() => random.bits(random.key(5), [n]));
    expect(bits(3)).toEqual(bits(7).slice(0, 3));
  });

  it("folds data into a key as the block of that counter", () => {
    expect(run(() => random.foldIn(random.key(0), 1))).toEqual([928981903, 3453687069]);
  });
});
