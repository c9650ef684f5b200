/** Applies single ops and builds small programs by hand. */
import {
  type DType,
  Emitter,
  infer,
  newRegion,
  type OpName,
  type OpParams,
  type Program,
  type ScalarValue,
  Table,
  tensorType,
  type ValueId,
} from "@gridfuse/graph";
import { expect } from "vitest";
import {
  compareTensors,
  evaluateNode,
  type HostTensor,
  tensorOf,
  valuesOf,
} from "../../src/index.ts";

/** Evaluates one op, and checks that the results have the types that the op table infers. */
export function apply<K extends OpName>(
  op: K,
  params: OpParams[K],
  ...operands: readonly HostTensor[]
): readonly HostTensor[] {
  const types = operands.map(({ dtype, shape }) => tensorType(dtype, shape));
  const inferred = infer(op, types, params);
  const results = evaluateNode({ op, params } as Parameters<typeof evaluateNode>[0], operands);
  expect(results.map(({ dtype, shape }) => tensorType(dtype, shape))).toEqual(inferred);
  return results;
}

/** The values of the one result of an op. */
export function valuesOfOp<K extends OpName>(
  op: K,
  params: OpParams[K],
  ...operands: readonly HostTensor[]
): ScalarValue[] {
  return valuesOf(apply(op, params, ...operands)[0] as HostTensor);
}

/** A vector. */
export const vector = (dtype: DType, ...values: readonly ScalarValue[]): HostTensor =>
  tensorOf(dtype, [values.length], values);

/** 0, 1, 2, … in `shape`. */
export const counting = (dtype: DType, ...shape: readonly number[]): HostTensor => {
  const count = shape.reduce((product, dim) => product * dim, 1);
  return tensorOf(
    dtype,
    shape,
    Array.from({ length: count }, (_, i) => i),
  );
};

/** Checks bits, where NaNs are a class. */
export function expectSame(actual: HostTensor | undefined, expected: HostTensor): void {
  expect(
    actual === undefined ? "nothing" : compareTensors(actual, expected)?.message,
  ).toBeUndefined();
}

/** A program over named inputs; the body gives the named results. */
export function program(
  inputs: Readonly<Record<string, readonly [DType, readonly (number | string)[]]>>,
  body: (e: Emitter, values: Readonly<Record<string, ValueId>>) => Record<string, ValueId>,
): Program {
  const table = new Table();
  const main = newRegion();
  const e = new Emitter(table, main);
  const values = Object.fromEntries(
    Object.entries(inputs).map(([name, [dtype, shape]]) => [
      name,
      table.newParam(main, tensorType(dtype, shape)),
    ]),
  );
  const results = body(e, values);
  main.results.push(...Object.values(results));
  return {
    name: "test",
    table,
    main,
    inputs: Object.keys(inputs),
    outputs: Object.keys(results),
  };
}

/** Tensors of one type, one after the other along a new leading dimension. */
export function stacked(tensors: readonly HostTensor[]): HostTensor {
  const [{ dtype, shape }] = tensors as readonly [HostTensor];
  const [joined] = evaluateNode(
    { op: "concatenate", params: { dimension: 0 } },
    tensors.map((tensor) => ({ ...tensor, shape: [1, ...shape] })),
  );
  return { dtype, shape: [tensors.length, ...shape], data: joined!.data };
}
