/** Tensors that come from nothing. */
import { type OpParams, type StorageArray, toBits } from "@gridfuse/graph";
import type { Environment } from "../environment.ts";
import {
  bitElement,
  bitsOf,
  filled,
  forEachCoordinate,
  type HostTensor,
  zeros,
} from "../tensor.ts";
import type { Implementations } from "./types.ts";

function iota({ dtype, shape, dimension }: OpParams["iota"], environment: Environment): HostTensor {
  const out = zeros(dtype, environment.sizes(shape));
  const bits = bitsOf(out);
  forEachCoordinate(out.shape, (at, flat) => {
    bits[flat] = bitElement(dtype, toBits(dtype, at[dimension]));
  });
  return out;
}

export const sources: Implementations<"full" | "constant" | "iota"> = {
  full: (_, { dtype, shape, bits }, environment) => filled(dtype, environment.sizes(shape), bits),
  constant: (_, { dtype, shape, data }, environment) => ({
    dtype,
    shape: environment.sizes(shape),
    data: data as StorageArray,
  }),
  iota: (_, params, environment) => iota(params, environment),
};
