/** Functions as compiled WebAssembly over columns of arguments. */
import { cpuSync } from "@gridfuse/exec-cpu";
import { astype, graph, type Tensor, tensor } from "@gridfuse/graph";
import { compile } from "@gridfuse/passes";
import type { DType, StorageArray } from "@gridfuse/plan";
import type { MathFunction } from "./functions.ts";

export interface Compiled {
  /** The arguments, to be filled. */
  readonly operands: readonly StorageArray[];
  readonly result: StorageArray;
  run(): void;
}

const names = ["x", "y"] as const;

/** The function over `length` arguments of `dtype`, computed in `within`, which is the result's dtype. */
export function compileFunction(
  { of, arity }: Pick<MathFunction, "of" | "arity">,
  dtype: DType,
  length: number,
  within: DType = dtype,
  backend: "wasm" | "js" = "wasm",
): Compiled {
  const used = names.slice(0, arity);
  const inputs = Object.fromEntries(used.map((name) => [name, tensor(dtype, [length])]));
  const traced = graph(inputs, (given) => {
    const operands = used.map((name) =>
      astype((given as Record<string, Tensor>)[name] as Tensor, within),
    );
    return { z: of(...(operands as Tensor[])) };
  });
  const executable = cpuSync({ backend }).prepareSync(compile(traced));
  const operands = used.map((name) => executable.tensor(name));
  const given = Object.fromEntries(used.map((name, i) => [name, operands[i] as StorageArray]));
  const result = executable.tensor("z");
  return { operands, result, run: () => void executable.runSync(given, { out: { z: result } }) };
}
