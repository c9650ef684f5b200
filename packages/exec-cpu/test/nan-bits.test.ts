/** What a bitcast gives for a NaN that arithmetic made: the canonical one, wherever it can be seen. */
import type { DType } from "@gridfuse/plan";
import { ScalarBuilder } from "@gridfuse/plan/scalar";
import fc from "fast-check";
import { expect, test } from "vitest";
import { compareBackends, randomWords, sampleArray } from "./compare.ts";
import { kernel, PlanBuilder, rowMajor, write } from "./plan-builder.ts";

const length = 37;

interface Dtypes {
  readonly float: DType;
  readonly word: DType;
}

/** A random program that takes floats apart and joins them again; all its late values are results. */
function randomBits(
  s: ScalarBuilder,
  { float, word }: Dtypes,
  next: () => number,
  x: number,
  y: number,
): number[] {
  const floats = [x, y, s.add(x, y)];
  // Of a choice between a NaN that was read and one that was made, the bits say nothing.
  const made = [s.add(x, y)];
  const words = [s.const(word, 1)];
  const pick = (pool: readonly number[]): number => pool[next() % pool.length] as number;
  for (let i = 0; i < 12; i++) {
    switch (next() % 7) {
      case 0:
        made.push(s.mul(pick(next() % 2 === 0 ? made : floats), pick(made)));
        break;
      case 1:
        made.push(s.sub(pick(made), pick(floats)));
        break;
      case 2:
        floats.push(s.bitcast(pick(words), float));
        break;
      case 3:
        words.push(s.binary("xor", pick(words), pick(words)));
        break;
      case 4:
        made.push(s.select(s.compare("lt", pick(words), pick(words)), pick(made), pick(made)));
        break;
      default:
        words.push(s.bitcast(pick(made), word));
    }
  }
  return [pick(made), made.at(-1) as number, pick(words), words.at(-1) as number];
}

const narrow: Dtypes = { float: "float32", word: "int32" };
const wide: Dtypes = { float: "float64", word: "uint64" };

test.each([
  ["lanes", narrow, []],
  ["lanes of 64 bits", wide, []],
  ["single points", narrow, [2]],
  ["single points of 64 bits", wide, [2]],
] as const)(
  "bits of NaNs are the same in generated code and in plain JS: %s",
  (_, dtypes, inner) => {
    const { float } = dtypes;
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const next = randomWords(seed);
        const p = new PlanBuilder();
        const [x, y] = ["x", "y"].map((name) => p.input(name, float, [length]));
        const axes = inner.length > 0 ? [] : [length];
        const s = new ScalarBuilder();
        const at = rowMajor(axes);
        const load = (buffer: number | undefined): number =>
          s.load(float, buffer as number, at, [], { lo: 0, hi: 0 });
        const values = randomBits(s, dtypes, next, load(x), load(y));
        const writes = values.map((value, i) => {
          const dtype = s.dtypeOf(value);
          return write(p.output(`o${i}`, dtype, axes), dtype, at, value);
        });
        p.step(kernel(axes, [{ axes: [], nodes: s.nodes, reductions: [], writes }]));
        const data = {
          x: sampleArray(float, length, next),
          y: sampleArray(float, length, next),
        };
        for (const { wasm, js } of compareBackends(p.build(), data)) expect(wasm).toEqual(js);
      }),
      { numRuns: 150 },
    );
  },
);
