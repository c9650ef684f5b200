/** From a plan to a program: code generation, and the facts about it that starting and shipping need. */
import type { Plan } from "@gridfuse/plan";
import { hostedPlan } from "../layout.ts";
import type { WasmProgram } from "../wasm-program.ts";
import { type CompiledPlan, type CompileOptions, compilePlan, pagesOf } from "./driver.ts";

/** @throws OutOfMemoryError GF5001 */
export function generate(plan: Plan, options: CompileOptions = {}): WasmProgram {
  return programOf(plan, compilePlan(plan, options));
}

/**
 * The program of a team, with more code for its workers; that of one thread where nothing is worth sharing.
 *
 * @throws OutOfMemoryError GF5001
 */
export function generateShared(
  plan: Plan,
  members: number,
  options: CompileOptions = {},
  leastPart?: number,
): WasmProgram {
  const compile = (member: number): CompiledPlan =>
    compilePlan(plan, { ...options, team: { members, member, leastPart } });
  const compiled = compile(0);
  if (compiled.sections === 0) return generate(plan, options);
  const codeOf = (member: number): Uint8Array<ArrayBuffer> | undefined =>
    compiled.isUniform ? undefined : compile(member).bytes;
  return { ...programOf(plan, compiled), codeOf };
}

function programOf(
  plan: Plan,
  { bytes, layout, printSteps, whileSteps, steps }: CompiledPlan,
): WasmProgram {
  const constants = new Map<number, number>();
  for (const [i, { constant }] of plan.buffers.entries()) {
    if (constant !== undefined) constants.set(constant, layout.addresses[i] as number);
  }
  return {
    ...hostedPlan(plan, layout.addresses),
    arenaBytes: plan.arenaBytes,
    pages: pagesOf(layout),
    constants: plan.constants.flatMap(({ data }, index) => {
      const address = constants.get(index);
      return address === undefined ? [] : [{ index, address, data }];
    }),
    prints: printSteps,
    whiles: whileSteps,
    steps,
    code: bytes,
    isForeign: false,
  };
}
