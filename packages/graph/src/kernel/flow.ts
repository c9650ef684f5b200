/** Control flow in kernels: bodies may read and write refs of the kernel around them. */
import { BuildError } from "@gridfuse/plan/errors";
import { not } from "../functions/elementwise.ts";
import { countedLoop, type ForOptions } from "../functions/loop.ts";
import { alignCaptures, scalarCondition } from "../functions/regions.ts";
import { tensorOf } from "../operand.ts";
import { runIn, type Scope, traced } from "../scope.ts";
import { isTensor, type Operand, type Tensor } from "../tensor.ts";

export interface When {
  /** Runs where the condition did not hold. */
  otherwise(body: () => void): void;
}

/**
 * Runs `body` at the grid points where the scalar condition holds. A JS boolean is decided while tracing.
 *
 * @throws BuildError GF2401 where the condition is not a scalar
 */
export function when(condition: Operand, body: () => void): When {
  if (!isTensor(condition)) {
    if (condition) body();
    return { otherwise: (other) => (condition ? undefined : other()) };
  }
  const holds = traced("when", (scope) => {
    const which = scalarCondition(scope, "when", condition);
    guard(scope, "when", which, body);
    return tensorOf(scope, which);
  });
  return {
    otherwise: (other) =>
      traced("otherwise", (scope) => {
        guard(scope, "otherwise", scope.resolve(not(holds) as Tensor), other);
      }),
  };
}

function guard(scope: Scope, name: string, which: number, body: () => void): void {
  const skipped = scope.inside(`the other branch of ${name}`);
  const taken = scope.inside(`the body of ${name}`);
  const returned: unknown = runIn(taken, body);
  if (isTensor(returned)) {
    throw new BuildError("GF2407", `the body of ${name} returns a tensor`, {
      received: returned.toString(),
      help: "write results to a ref, or use `cond` or `where`, which give values",
    });
  }
  const captures = alignCaptures(scope, [skipped, taken]);
  scope.emitter.emitAll("cond", [which, ...captures], {}, [skipped.region, taken.region]);
}

/**
 * Runs `body(i)` for i from `lower` up to `upper` (not included), in order. Known bounds make a loop of
 * known trips, or copies of the body with `unroll`.
 */
export function loop(
  lower: Operand,
  upper: Operand,
  body: (i: Tensor<"int32", readonly []>) => void,
  options: ForOptions = {},
): void {
  traced("loop", (scope) => {
    const step = (i: Tensor) => {
      body(i as unknown as Tensor<"int32", readonly []>);
      return [];
    };
    countedLoop(scope, "loop", lower, upper, [], step, options);
  });
}
