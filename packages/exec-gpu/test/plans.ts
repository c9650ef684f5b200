import type { DType, Plan, PlanBuffer, Step, StorageArray } from "@gridfuse/plan";
import { irVersion } from "@gridfuse/plan";

export interface NamedBuffer {
  readonly name: string;
  readonly dtype: DType;
  readonly length: number;
}

/** A plan over named inputs and outputs; buffer numbers are inputs first, then outputs, then `extra`. */
export function planOf(
  inputs: readonly NamedBuffer[],
  outputs: readonly NamedBuffer[],
  steps: readonly Step[],
  extra: readonly PlanBuffer[] = [],
  constants: readonly { readonly dtype: DType; readonly data: StorageArray }[] = [],
): Plan {
  const port = ({ name, dtype, length }: NamedBuffer, buffer: number) => ({
    name,
    dtype,
    shape: [length],
    buffer,
  });
  const buffer =
    (kind: "input" | "output") =>
    ({ dtype, length }: NamedBuffer): PlanBuffer => ({ kind, dtype, length });
  return {
    ir: irVersion,
    name: "test",
    requirements: { dtypes: [], steps: [] },
    inputs: inputs.map((input, i) => port(input, i)),
    outputs: outputs.map((output, i) => ({ ...port(output, inputs.length + i), exact: true })),
    buffers: [...inputs.map(buffer("input")), ...outputs.map(buffer("output")), ...extra],
    constants: constants.map(({ dtype, data }) => ({
      dtype,
      length: data.length,
      data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    })),
    arenaBytes: Math.max(
      0,
      ...extra.map(({ offset, length }) => (offset === undefined ? 0 : offset + 8 * length)),
    ),
    steps,
  };
}
