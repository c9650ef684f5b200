/** Of what only a window is ever read, only that window is computed; the results stay what they were. */
import {
  type Emitter,
  elementCount,
  type Node,
  type Program,
  sizes,
  type ValueId,
  verifyProgram,
} from "@gridfuse/graph";
import { compareTensors, type HostTensor, interpret, tensorOf } from "@gridfuse/interpret";
import * as ix from "@gridfuse/plan/index-expr";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { disagreements, ownCopy } from "../../../test/differential/support/three-way.ts";
import { narrowWindows } from "../src/tensor/narrow-windows.ts";
import { programOf } from "./support/build.ts";

const narrowed = (given: Program): Program => {
  const program = ownCopy(given);
  const main = narrowWindows(program.table, program.main);
  const result = { ...program, main };
  verifyProgram(result, {}, "narrow-windows");
  return result;
};

/** Elements that nodes of an op have. */
const madeBy = ({ table, main }: Program, op: Node["op"]): number[] =>
  main.nodes
    .map((id) => table.nodes[id] as Node)
    .filter((node) => node.op === op)
    .map((node) => elementCount(sizes(table.tensor(node.outputs[0] as ValueId).shape)));

const rows = (e: Emitter, value: ValueId, first: number, count: number): ValueId => {
  const [, columns] = sizes(e.shape(value)) as [number, number];
  return e.emit("slice", [value], {
    start: [first, 0],
    limit: [first + count, columns],
    strides: [1, 1],
  });
};

const input = (shape: readonly number[]): HostTensor =>
  tensorOf(
    "int32",
    shape,
    Array.from({ length: elementCount(shape) }, (_, i) => ((i * 37) % 101) - 50),
  );

function expectSame(given: Program, after: Program, inputs: Readonly<Record<string, HostTensor>>) {
  const [expected, actual] = [interpret(given, inputs), interpret(after, inputs)];
  for (const name of given.outputs) {
    expect(compareTensors(actual[name]!, expected[name]!)?.message).toBeUndefined();
  }
}

describe("a window of what is computed", () => {
  it("is computed alone, without the padding around it", () => {
    const program = programOf({ x: ["int32", [8, 4]] }, (e, { x }) => {
      const config = [
        { lo: 0, hi: 120, interior: 0 },
        { lo: 0, hi: 0, interior: 0 },
      ];
      const padded = e.emit("pad", [x!, e.full("int32", [], 7)], { config });
      return [rows(e, e.emit("mul", [padded, padded], {}), 0, 8)];
    });
    const after = narrowed(program);
    expect(madeBy(after, "pad")).toEqual([]);
    expect(madeBy(after, "mul")).toEqual([32]);
    expectSame(program, after, { x: input([8, 4]) });
  });

  it("is that of all who read it", () => {
    const program = programOf({ x: ["int32", [16, 2]] }, (e, { x }) => {
      const y = e.emit("mul", [x!, x!], {});
      return [rows(e, y, 2, 2), rows(e, y, 5, 3)];
    });
    const after = narrowed(program);
    expect(madeBy(after, "mul")).toEqual([6 * 2]);
    expectSame(program, after, { x: input([16, 2]) });
  });

  it("is the whole where it is more than half of it", () => {
    const program = programOf({ x: ["int32", [16, 2]] }, (e, { x }) => {
      return [rows(e, e.emit("mul", [x!, x!], {}), 1, 9)];
    });
    expect(madeBy(narrowed(program), "mul")).toEqual([32]);
  });

  it("is the whole where a result or another op has it all", () => {
    const program = programOf({ x: ["int32", [16, 2]] }, (e, { x }) => {
      const y = e.emit("mul", [x!, x!], {});
      const sums = e.emit("cumsum", [y], { axis: 0, reverse: false });
      return [rows(e, y, 0, 2), sums];
    });
    expect(madeBy(narrowed(program), "mul")).toEqual([32]);
  });

  it("of nothing leaves what it is taken of as it is", () => {
    const program = programOf({ x: ["int32", [4, 2]] }, (e, { x }) => {
      const nothing = rows(e, e.emit("mul", [x!, x!], {}), 4, 0);
      const config = [
        { lo: 0, hi: 4, interior: 0 },
        { lo: 0, hi: 0, interior: 0 },
      ];
      return [e.emit("pad", [e.emit("neg", [nothing], {}), e.full("int32", [], 1)], { config })];
    });
    expectSame(program, narrowed(program), { x: input([4, 2]) });
  });

  it("keeps what lies outside of an array outside", () => {
    const program = programOf({ x: ["int32", [16, 2]] }, (e, { x }) => {
      const y = e.emit("mul", [x!, x!], {});
      const index = [ix.add(ix.axis(0, 16), ix.constant(-2)), ix.axis(1, 2)];
      const moved = e.emit("view", [y], { shape: [16, 2], index, fill: { lo: 9, hi: 0 } });
      return [rows(e, moved, 0, 4)];
    });
    const after = narrowed(program);
    expect(madeBy(after, "mul")).toEqual([4]);
    expectSame(program, after, { x: input([16, 2]) });
  });
});

// ── Random programs ─────────────────────────────────────────────────────────────────────────

/** One more value of [8, 8] out of those there are; `dice` says which and how. */
function advance(e: Emitter, made: readonly ValueId[], dice: readonly number[]): ValueId {
  const [which, left, right, by] = dice as readonly [number, number, number, number];
  const x = made[left % made.length] as ValueId;
  const y = made[right % made.length] as ValueId;
  const far = (by % 5) - 2;
  switch (which % 9) {
    case 0:
      return e.emit("add", [x, y], {});
    case 1:
      return e.emit("max", [x, e.iota("int32", [8, 8], by % 2)], {});
    case 2:
      return e.transpose(x, [1, 0]);
    case 3: {
      const config = [
        { lo: far, hi: -far, interior: 0 },
        { lo: -far, hi: far, interior: 0 },
      ];
      return e.emit("pad", [x, e.full("int32", [], 3)], { config });
    }
    case 4: {
      const halves = [rows(e, x, by % 5, 4), rows(e, y, 4, 4)];
      return e.emit("concatenate", halves, { dimension: 0 });
    }
    case 5: {
      const index = [
        ix.xor(ix.axis(0, 8), ix.constant(by % 8)),
        ix.add(ix.axis(1, 8), ix.constant(far)),
      ];
      return e.emit("view", [x], { shape: [8, 8], index, fill: { lo: by, hi: 0 } });
    }
    case 6: {
      const row = e.reshape(rows(e, x, by % 8, 1), [8]);
      return e.broadcastInDim(row, [8, 8], [by % 2]);
    }
    case 7: {
      const params = { start: [0, 0], limit: [8, 8], strides: [2, 1] };
      const even = e.emit("slice", [x], params);
      return e.emit("concatenate", [even, even], { dimension: 0 });
    }
    default:
      return e.emit("sub", [e.reshape(e.reshape(x, [4, 16]), [8, 8]), y], {});
  }
}

describe("random programs of which windows are read", () => {
  const dice = fc.array(fc.nat(999), { minLength: 4, maxLength: 4 });
  const plans = fc.record({
    steps: fc.array(dice, { minLength: 1, maxLength: 12 }),
    start: fc.tuple(fc.nat(6), fc.nat(6)),
    size: fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 2 })),
  });
  const build = ({ steps, start, size }: Plan) =>
    programOf({ x: ["int32", [8, 8]] }, (e, { x }) => {
      const made = [x!];
      for (const step of steps) made.push(advance(e, made, step));
      const limit = start.map((first, d) => first + (size[d] as number));
      return [e.emit("slice", [made.at(-1)!], { start, limit, strides: [1, 1] })];
    });

  it("mean what they meant", () => {
    fc.assert(
      fc.property(plans, (plan) => {
        const program = build(plan);
        expectSame(program, narrowed(program), { x: input([8, 8]) });
      }),
      { numRuns: 300 },
    );
  });

  it("mean it to the last pass", () => {
    fc.assert(
      fc.property(plans, (plan) => disagreements(build(plan), { x: input([8, 8]) }).length === 0),
      { numRuns: 15 },
    );
  });
});

interface Plan {
  readonly steps: readonly (readonly number[])[];
  readonly start: readonly [number, number];
  readonly size: readonly [number, number];
}
