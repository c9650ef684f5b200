/**
 * Figures for the eye, not a test: a sine next to a plain addition over the same arrays, and what a cold
 * prepare of thirty small kernels takes.
 *
 *   npx esbuild packages/exec-cpu/test/performance.ts --bundle --format=esm --platform=node \
 *     --conditions=@gridfuse/source | node --input-type=module
 */
import type { Plan } from "@gridfuse/plan";
import { axis } from "@gridfuse/plan/index-expr";
import type { ScalarBuilder } from "@gridfuse/plan/scalar";
import { sin } from "../../plan/src/scalar/math/index.ts";
import { cpuSync } from "../src/index.ts";
import { PlanBuilder, rowMajor, write, zeroBits } from "./plan-builder.ts";

const shape = [16, 131_072];
const points = 16 * 131_072;
const repeats = 20;

/** The kernel in a loop step, so that copies in and out do not count. */
function repeated(body: (s: ScalarBuilder, sum: number) => number): Plan {
  const p = new PlanBuilder();
  const [x, y, z] = [
    p.input("x", "float32", shape),
    p.input("y", "float32", shape),
    p.output("z", "float32", shape),
  ];
  const i = rowMajor(shape);
  p.map(shape, (s) => {
    const [a, b] = [x, y].map((buffer) => s.load("float32", buffer, i, [], zeroBits));
    return [write(z, "float32", i, body(s, s.add(a as number, b as number)))];
  });
  const steps = p.steps.splice(0);
  p.step({ kind: "loop", name: "again", loop: 0, trips: repeats, grid: false, body: steps });
  return p.build();
}

function smallKernels(count: number): Plan {
  const p = new PlanBuilder();
  const [x, bias] = [p.input("x", "float32", [64, 128]), p.input("bias", "float32", [128])];
  let from = x;
  for (let k = 0; k < count; k++) {
    const source = from;
    const to = k === count - 1 ? p.output("z", "float32", [64, 128]) : p.temporary("float32", 8192);
    const i = rowMajor([64, 128]);
    p.map([64, 128], (s) => {
      const value = s.load("float32", source, i, [], zeroBits);
      const shifted = s.add(value, s.load("float32", bias, axis(1, 128), [], zeroBits));
      return [write(to, "float32", i, s.mul(shifted, s.const("float32", k + 0.5)))];
    });
    from = to;
  }
  return p.build();
}

function bestOf(rounds: number, run: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < rounds; i++) {
    const start = performance.now();
    run();
    best = Math.min(best, performance.now() - start);
  }
  return best;
}

const plans = { small: smallKernels(30) };
const start = performance.now();
cpuSync().prepareSync(plans.small);
console.log(`cold prepare of 30 small kernels: ${(performance.now() - start).toFixed(1)} ms`);
console.log(`again: ${bestOf(20, () => cpuSync().prepareSync(plans.small)).toFixed(1)} ms`);

const data = Float32Array.from({ length: points }, (_, i) => (i % 2003) / 100 - 10);
const out = { z: new Float32Array(points) };
const timed = (plan: Plan): number => {
  const executable = cpuSync().prepareSync(plan);
  return bestOf(20, () => executable.runSync({ x: data, y: data }, { out })) / repeats;
};
const addition = timed(repeated((_, sum) => sum));
const sine = timed(repeated((s, sum) => sin(s, s.mul(sum, s.const("float32", 2)))));
console.log(`x + y over ${points} float32: ${addition.toFixed(2)} ms`);
console.log(`sin((x + y)·2): ${sine.toFixed(2)} ms, ${(sine / addition).toFixed(1)} times as long`);
