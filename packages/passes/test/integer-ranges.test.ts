/** What ranges of integers decide, and truth values that were integers on the way: the same bits, fewer nodes. */
import { type Emitter, graph, scan, tensor, tensorType, type ValueId } from "@gridfuse/graph";
import { type HostTensor, tensorOf } from "@gridfuse/interpret";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { disagreements, ownCopy } from "../../../test/differential/support/three-way.ts";
import { lower } from "../src/lower.ts";
import { opsOf, programOf, regionOf } from "./support/build.ts";

const shape = [4, 6];
const x: HostTensor = tensorOf(
  "int32",
  shape,
  Array.from({ length: 24 }, (_, i) => [0, 1, -1, 5, -7, 6, 2 ** 31 - 1, -(2 ** 31)][i % 8]),
);
const inputs = { x: ["int32", shape] as const };

/** Ops that are left after the last tensor-level pass, but for literals. */
function opsAfter(program: Parameters<typeof ownCopy>[0]): string[] {
  let ops: string[] = [];
  lower(ownCopy(program), {
    afterPass: (_, { table, main }) => {
      ops = opsOf(table, main).filter((op) => op !== "full");
    },
  });
  return ops;
}

const arithmetic = [
  "div",
  "rem",
  "and",
  "or",
  "xor",
  "min",
  "max",
  "add",
  "sub",
  "shift_right_logical",
  "shift_right_arithmetic",
] as const;
const comparisons = ["eq", "ne", "lt", "le", "gt", "ge"] as const;

/** One random step: an integer out of what there is. */
function step(e: Emitter, ints: ValueId[], bools: ValueId[], dice: readonly number[]): void {
  const [kind, first, second, third] = dice as readonly [number, number, number, number];
  const literal = (n: number): ValueId =>
    e.full("int32", shape, [0, 1, -1, 2, 3, 5, 6, 7, 8, 31][n % 10] as number);
  const int = (n: number): ValueId => ints[n % ints.length] as ValueId;
  const bool = (n: number): ValueId => bools[n % bools.length] as ValueId;
  switch (kind % 9) {
    case 0:
    case 1: {
      const op = arithmetic[third % arithmetic.length] as (typeof arithmetic)[number];
      // Shifts by less than the width, and no division by zero.
      const by = op.startsWith("shift") || op === "div" || op === "rem" ? 3 + (second % 6) : second;
      ints.push(e.emit(op, [int(first), literal(by)], {}));
      return;
    }
    case 2:
      ints.push(e.emit("min", [int(first), int(second)], {}));
      return;
    case 3:
      ints.push(e.emit("sign", [int(first)], {}));
      return;
    case 4: {
      const op = comparisons[third % comparisons.length] as (typeof comparisons)[number];
      const operands: [ValueId, ValueId] = [int(first), literal(second)];
      bools.push(e.emit(op, second % 3 === 0 ? [operands[1], operands[0]] : operands, {}));
      return;
    }
    case 5:
      ints.push(e.convert(bool(first), "int32"));
      return;
    case 6: {
      const op = (["and", "or", "xor"] as const)[third % 3] as "and" | "or" | "xor";
      bools.push(e.emit(op, [bool(first), bool(second)], {}));
      ints.push(e.emit(op, [e.convert(bool(first), "int32"), int(second)], {}));
      return;
    }
    case 7:
      bools.push(e.convert(int(first), "bool"));
      return;
    default:
      ints.push(e.emit("select_n", [bool(first), int(second), int(third)], {}));
  }
}

const built = (steps: readonly (readonly number[])[]) =>
  programOf(inputs, (e, values) => {
    const ints = [values.x as ValueId, e.iota("int32", shape, 0), e.iota("int32", shape, 1)];
    const row = e.iota("int32", [6], 0);
    const isOdd = e.emit("and", [row, e.full("int32", [6], 1)], {});
    ints.push(e.broadcastInDim(e.convert(e.convert(isOdd, "bool"), "int32"), shape, [1]));
    const bools = [e.emit("lt", [ints[0] as ValueId, ints[1] as ValueId], {})];
    for (const dice of steps) step(e, ints, bools, dice);
    return [ints.at(-1) as ValueId, bools.at(-1) as ValueId];
  });

describe("integers with bounds", () => {
  it("are what they were", () => {
    const dice = fc.array(fc.nat(1000), { minLength: 4, maxLength: 4 });
    fc.assert(
      fc.property(fc.array(dice, { minLength: 1, maxLength: 12 }), (steps) => {
        expect(disagreements(built(steps), { x }, { backends: ["js"] })).toEqual([]);
      }),
      { numRuns: 150 },
    );
  });

  /** What is left of `make` over an iota along the second dimension, of 6. */
  const left = (make: (e: Emitter, column: ValueId, n: (k: number) => ValueId) => ValueId) =>
    opsAfter(
      programOf(inputs, (e) => {
        const n = (k: number) => e.full("int32", shape, k);
        return [make(e, e.iota("int32", shape, 1), n)];
      }),
    );

  it.each<[string, Parameters<typeof left>[0]]>([
    ["a remainder of less", (e, at, n) => e.emit("rem", [at, n(6)], {})],
    ["all bits that there are", (e, at, n) => e.emit("and", [at, n(7)], {})],
    ["at least the least", (e, at, n) => e.emit("max", [at, n(0)], {})],
  ])("%s are themselves", (_, make) => {
    expect(left(make)).toEqual(["iota"]);
  });

  it.each<[string, Parameters<typeof left>[0]]>([
    ["a quotient of less", (e, at, n) => e.emit("div", [at, n(6)], {})],
    ["a shift of everything", (e, at, n) => e.emit("shift_right_logical", [at, n(3)], {})],
    ["whether one is negative", (e, at, n) => e.emit("lt", [at, n(0)], {})],
    [
      "whether one is zero and is not",
      (e, at, n) => e.emit("and", [e.emit("le", [at, n(0)], {}), e.emit("ne", [at, n(0)], {})], {}),
    ],
    [
      "the correction of a quotient that is rounded down",
      (e, at, n) => {
        const signs = e.emit("ne", [e.emit("sign", [at], {}), n(1)], {});
        const rest = e.emit("ne", [e.emit("rem", [at, n(6)], {}), n(0)], {});
        const quotient = e.emit("div", [at, n(6)], {});
        const less = e.emit("sub", [quotient, n(1)], {});
        return e.emit("select_n", [e.emit("and", [signs, rest], {}), quotient, less], {});
      },
    ],
  ])("%s is no question", (_, make) => {
    expect(left(make)).toEqual([]);
  });
});

describe("truth values that were integers", () => {
  it("combined and compared are combined truth values", () => {
    const program = programOf(inputs, (e, { x: value }) => {
      const zero = e.full("int32", shape, 0);
      const negative = e.convert(e.emit("lt", [value as ValueId, zero], {}), "int32");
      const row = e.emit("lt", [e.iota("int32", [6], 0), e.full("int32", [6], 3)], {});
      const early = e.broadcastInDim(e.convert(row, "int32"), shape, [1]);
      return [e.emit("ne", [e.emit("xor", [negative, early], {}), zero], {})];
    });
    expect(opsAfter(program)).not.toContain("convert_element_type");
    expect(disagreements(program, { x })).toEqual([]);
  });
});

describe("a loop of one trip", () => {
  it("is its body", () => {
    const once = graph({ x: tensor("int32", shape) }, ({ x: value }) => {
      const [total, doubled] = scan(
        (carry, row) => [carry.add(row), row.mul(2)],
        value.slice([0, 0], [1, 6]).reshape([6]),
        value.slice([1, 0], [2, 6]),
      );
      return { total, doubled };
    });
    expect(opsAfter(once.program)).not.toContain("scan");
    expect(disagreements(once.program, { x })).toEqual([]);
  });

  it("counts from zero, backwards as well", () => {
    const program = programOf(inputs, (e, { x: value }) => {
      const type = tensorType("int32", shape);
      const body = regionOf(e, [tensorType("int32", []), type], (inner, [i, carry]) => {
        const index = inner.broadcastInDim(i as ValueId, shape, []);
        return [inner.emit("add", [carry as ValueId, index], {})];
      });
      const params = { trips: 1, carries: 1, xs: 0, reverse: true };
      return e.emitAll("scan", [value as ValueId], params, [body]);
    });
    expect(opsAfter(program)).toEqual([]);
    expect(disagreements(program, { x })).toEqual([]);
  });
});
