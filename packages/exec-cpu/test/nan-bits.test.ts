/** What a bitcast gives for a NaN that arithmetic made: the canonical one, wherever it can be seen. */
import { ScalarBuilder } from "@gridfuse/plan/scalar";
import fc from "fast-check";
import { expect, test } from "vitest";
import { compareBackends, randomWords, sampleArray } from "./compare.ts";
import { kernel, PlanBuilder, rowMajor, write } from "./plan-builder.ts";

const length = 37;

/** A random program that takes floats apart and joins them again; all its late values are results. */
function randomBits(s: ScalarBuilder, next: () => number, x: number, y: number): number[] {
  const floats = [x, y, s.add(x, y)];
  // Of a choice between a NaN that was read and one that was made, the bits say nothing.
  const made = [s.add(x, y)];
  const words = [s.const("int32", 1)];
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
        floats.push(s.bitcast(pick(words), "float32"));
        break;
      case 3:
        words.push(s.binary("xor", pick(words), pick(words)));
        break;
      case 4:
        made.push(s.select(s.compare("lt", pick(words), pick(words)), pick(made), pick(made)));
        break;
      default:
        words.push(s.bitcast(pick(made), "int32"));
    }
  }
  return [pick(made), made.at(-1) as number, pick(words), words.at(-1) as number];
}

test.each([
  ["lanes", []],
  ["single points", [2]],
])("bits of NaNs are the same in generated code and in plain JS: %s", (_, inner) => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const next = randomWords(seed);
      const p = new PlanBuilder();
      const [x, y] = ["x", "y"].map((name) => p.input(name, "float32", [length]));
      const axes = inner.length > 0 ? [] : [length];
      const s = new ScalarBuilder();
      const at = rowMajor(axes);
      const load = (buffer: number | undefined): number =>
        s.load("float32", buffer as number, at, [], { lo: 0, hi: 0 });
      const values = randomBits(s, next, load(x), load(y));
      const writes = values.map((value, i) => {
        const dtype = s.dtypeOf(value);
        return write(p.output(`o${i}`, dtype, axes), dtype, at, value);
      });
      p.step(kernel(axes, [{ axes: [], nodes: s.nodes, reductions: [], writes }]));
      const data = {
        x: sampleArray("float32", length, next),
        y: sampleArray("float32", length, next),
      };
      for (const { wasm, js } of compareBackends(p.build(), data)) expect(wasm).toEqual(js);
    }),
    { numRuns: 150 },
  );
});
