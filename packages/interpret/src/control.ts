/** Structured control flow: regions run by rules, values in and out. */
import { KernelTimeoutError, type NodeNamed } from "@gridfuse/graph";
import { asTensor, type Context, type Value } from "./context.ts";
import { clampInto } from "./ops/indexing.ts";
import { bitsOf, type HostTensor, integerOf, scalarOf, sizeOf, zeros } from "./tensor.ts";

/** Position `i` along the leading dimension. */
function rowOf({ dtype, shape, data }: HostTensor, i: number): HostTensor {
  const rowShape = shape.slice(1);
  const count = sizeOf(rowShape);
  return { dtype, shape: rowShape, data: data.slice(i * count, (i + 1) * count) };
}

export function interpretScan(
  context: Context,
  { params, regions, outputs }: NodeNamed<"scan">,
  operands: readonly Value[],
): readonly Value[] {
  const { trips, carries, xs, reverse } = params;
  let carry: readonly Value[] = operands.slice(0, carries);
  const rows = operands.slice(carries, carries + xs).map(asTensor);
  const captures = operands.slice(carries + xs);
  const stacked = outputs.slice(carries).map((value) => {
    const { dtype, shape } = context.table.tensor(value);
    return zeros(dtype, context.environment.sizes(shape));
  });
  for (let trip = 0; trip < trips; trip++) {
    const i = reverse ? trips - 1 - trip : trip;
    if (params.loop !== undefined) context.environment.counters.set(params.loop, i);
    const row = rows.map((x) => rowOf(x, i));
    const values = [scalarOf("int32", i), ...carry, ...row, ...captures];
    const results = context.run(regions[0], values);
    carry = results.slice(0, carries);
    for (const [k, y] of results.slice(carries).entries()) {
      const bits = bitsOf(asTensor(y));
      bitsOf(stacked[k]).set(bits, i * bits.length);
    }
  }
  return [...carry, ...stacked];
}

/** @throws KernelTimeoutError GF5501 when the loop takes more iterations than the fuel allows */
export function interpretWhile(
  context: Context,
  { params, regions, origin }: NodeNamed<"while">,
  operands: readonly Value[],
): readonly Value[] {
  const [condition, body] = regions;
  let carry: readonly Value[] = operands.slice(0, params.carries);
  const captures = operands.slice(params.carries);
  for (let trips = 0; ; trips++) {
    const [proceed] = context.run(condition, [...carry, ...captures]);
    if (integerOf(asTensor(proceed)) === 0) return carry;
    if (trips >= context.fuel) {
      const name = origin?.name === undefined ? "a while loop" : `while loop "${origin.name}"`;
      throw new KernelTimeoutError("GF5501", `${name} still ran after ${context.fuel} iterations`, {
        expected: context.fuel,
        help: "Check the loop's condition, or raise the `fuel` option.",
      });
    }
    carry = context.run(body, [...carry, ...captures]);
  }
}

export function interpretCond(
  context: Context,
  { regions }: NodeNamed<"cond">,
  [which, ...operands]: readonly Value[],
): readonly Value[] {
  const branch = clampInto(integerOf(asTensor(which)), 0, regions.length - 1);
  return context.run(regions[branch], operands);
}
