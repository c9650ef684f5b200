/** Arrays that are given again are not checked again; whatever else is given is. */
import { axis } from "@gridfuse/plan/index-expr";
import { expect, test } from "vitest";
import { cpuSync } from "../src/index.ts";
import { PlanBuilder, write, zeroBits } from "./plan-builder.ts";

function doubling() {
  const p = new PlanBuilder();
  const [x, y] = [p.input("x", "float32", [4]), p.output("y", "float32", [4])];
  p.map([4], (s) => {
    const element = s.load("float32", x, axis(0, 4), [], zeroBits);
    return [write(y, "float32", axis(0, 4), s.add(element, element))];
  });
  return cpuSync().prepareSync(p.build());
}

test("contents count, whichever arrays they are in", () => {
  using executable = doubling();
  const [x, y] = [Float32Array.of(1, 2, 3, 4), new Float32Array(4)];
  const options = { out: { y } };
  expect(executable.runSync({ x }, options).y).toBe(y);
  x.fill(5);
  expect([...(executable.runSync({ x }, options).y as Float32Array)]).toEqual([10, 10, 10, 10]);
  expect(executable.runSync({ x: Float32Array.of(1, 1, 1, 1) }).y).not.toBe(y);
  expect(executable.runSync({ x }, options).y).toBe(y);
  const own = executable.tensor("x") as Float32Array;
  own.fill(3);
  executable.runSync({ x: own }, options);
  executable.runSync({ x: own }, options);
  expect([...y]).toEqual([6, 6, 6, 6]);
});

test("a name too many, and an array that was given away, are refused after runs that were fine", () => {
  using executable = doubling();
  const x = Float32Array.of(1, 2, 3, 4);
  executable.runSync({ x });
  executable.runSync({ x });
  expect(() => executable.runSync({ x, z: x })).toThrow(/"z"/);
  expect(() => executable.runSync({})).toThrow(/"x"/);
  structuredClone(x, { transfer: [x.buffer] });
  expect(() => executable.runSync({ x })).toThrow(/4 elements/);
});
