/**
 * What the op table declares besides shape and batching — index maps, scalar meanings, algebraic
 * facts — is what passes believe. Here it is held against the interpreter's own implementations.
 */
import {
  type DType,
  definitionOf,
  evaluateProgram,
  infer,
  isFloat,
  loadLanes,
  type OpDefinition,
  type OpName,
  opNames,
  ScalarBuilder,
  tensorType,
} from "@gridfuse/graph";
import { axis } from "@gridfuse/plan/index-expr";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareTensors, evaluateNode, type HostTensor, tensorOf, valuesOf } from "../src/index.ts";
import { anyElement, anyTensor, type Sample, samplesOf } from "./support/samples.ts";

const declares = (op: OpName) => definitionOf(op) as OpDefinition<OpName>;
const opsWith = (fact: keyof OpDefinition<OpName>) =>
  opNames.filter((op) => declares(op)[fact] !== undefined);

/** A sample with values for its operands. */
const applications = (op: OpName): fc.Arbitrary<readonly [Sample, readonly HostTensor[]]> =>
  samplesOf(op)!.chain((sample) =>
    fc.tuple(fc.constant(sample), fc.tuple(...sample.operands.map(anyTensor))),
  );

const evaluate = ({ op, params }: Sample, operands: readonly HostTensor[]): HostTensor =>
  evaluateNode({ op, params } as Parameters<typeof evaluateNode>[0], operands)[0] as HostTensor;

describe("an index map says what the movement op does", () => {
  it.each(opsWith("indexMap").filter((op) => op !== "view"))("%s", (op) => {
    fc.assert(
      fc.property(applications(op), ([sample, operands]) => {
        const [operand] = operands as [HostTensor];
        const expected = evaluate(sample, operands);
        const { shape } = expected;
        const at = shape.map((size, d) => axis(d, size));
        const index = declares(op).indexMap!(at, operand.shape, sample.params, shape);
        const params = { shape, index, fill: { lo: 1, hi: 0 } };
        const [viewed] = evaluateNode({ op: "view", params }, [operand]);
        expect(compareTensors(viewed!, expected)?.message).toBeUndefined();
      }),
      { numRuns: 60 },
    );
  });
});

/** Plain lanes do not carry the payload of a NaN through a bitcast: here every NaN is the quiet one. */
const withoutPayloads = (x: HostTensor): HostTensor =>
  tensorOf(
    x.dtype,
    x.shape,
    valuesOf(x).map((value) => (Number.isNaN(value) ? Number.NaN : value)),
  );

describe("a scalar meaning agrees with the direct implementation", () => {
  // These are implemented on bits; all other elementwise ops are evaluated from the declaration.
  it.each(["select_n", "multiple_of", "bitcast_convert_type"] as const)("%s", (op) => {
    fc.assert(
      fc.property(applications(op), ([sample, loaded]) => {
        const operands = loaded.map(withoutPayloads);
        const expected = evaluate(sample, operands);
        const same = operands.every(({ shape }) => shape.length === expected.shape.length);
        fc.pre(same && operands[0]!.data.byteLength === operands[0]!.data.length * width(sample));
        const builder = new ScalarBuilder();
        const args = operands.map(({ dtype }, i) => builder.argument(dtype, i));
        const result = declares(op).scalar!(builder, args, sample.params, expected.dtype);
        const count = expected.data.length;
        const lanes = evaluateProgram(builder.nodes, count, (node) => {
          const { dtype, data } = operands[(node as { index: number }).index]!;
          return loadLanes(dtype, data, 0, count);
        });
        const values = Array.from(lanes[result] as Float64Array);
        const declared = tensorOf(expected.dtype, expected.shape, values);
        expect(compareTensors(declared, expected)?.message).toBeUndefined();
      }),
      { numRuns: 100 },
    );
  });

  /** Bytes of an element for which the op is elementwise. */
  const width = ({ op, params, operands }: Sample): number => {
    const dtype = op === "bitcast_convert_type" ? (params as { dtype: DType }).dtype : undefined;
    return tensorOf(dtype ?? operands[0]!.dtype, [1], [0]).data.BYTES_PER_ELEMENT;
  };
});

describe("algebraic facts hold", () => {
  const dtypesOf = (op: OpName) =>
    (["bool", "int8", "uint16", "int32", "uint32", "int64", "float16", "float32"] as const).filter(
      (dtype) => {
        const types = new Array(declares(op).arity).fill(tensorType(dtype, []));
        try {
          return infer(op, types, {})[0]!.dtype === dtype;
        } catch {
          return false;
        }
      },
    );
  const binary = opsWith("facts").filter((op) => declares(op).arity === 2);
  const apply = (op: OpName, ...operands: readonly HostTensor[]): HostTensor =>
    evaluate({ op, params: {}, operands: [] }, operands);
  const scalars = (dtype: DType) => anyElement(dtype).map((value) => tensorOf(dtype, [], [value]));
  const check = (actual: HostTensor, expected: HostTensor): void => {
    expect(compareTensors(actual, expected)?.message).toBeUndefined();
  };

  it.each(binary)("%s", (op) => {
    const facts = declares(op).facts!;
    for (const dtype of dtypesOf(op)) {
      const any = scalars(dtype);
      fc.assert(
        fc.property(any, any, any, (x, y, z) => {
          if (facts.commutative) check(apply(op, x, y), apply(op, y, x));
          const exactly = !isFloat(dtype) || op === "max" || op === "min";
          if (facts.associative && exactly) {
            check(apply(op, apply(op, x, y), z), apply(op, x, apply(op, y, z)));
          }
          if (facts.idempotent) check(apply(op, x, x), x);
          const identity = facts.identity?.(dtype);
          if (identity !== undefined) {
            const e = tensorOf(dtype, [], [identity]);
            check(apply(op, x, e), x);
            if (facts.commutative) check(apply(op, e, x), x);
          }
        }),
        { numRuns: 60 },
      );
    }
  });

  const involutions = opNames.filter((op) => declares(op).facts?.involution === true);
  it.each(involutions)("%s undoes itself", (op) => {
    for (const dtype of dtypesOf(op)) {
      fc.assert(fc.property(scalars(dtype), (x) => check(apply(op, apply(op, x)), x)));
    }
  });
});
