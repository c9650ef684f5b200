/** From a plan to a program: code generation, and the facts about it that starting and shipping need. */
import type { Plan, PlanBuffer } from "@gridfuse/plan";
import type { WasmProgram } from "../wasm-program.ts";
import { type CompileOptions, compilePlan, pagesOf } from "./driver.ts";

/** @throws OutOfMemoryError GF5001 */
export function generate(plan: Plan, options: CompileOptions = {}): WasmProgram {
  const { bytes, layout, printSteps, whileSteps, steps } = compilePlan(plan, options);
  const addressOf = (buffer: number): number => layout.addresses[buffer] as number;
  const constants = new Map<number, number>();
  for (const [i, { constant }] of plan.buffers.entries()) {
    if (constant !== undefined) constants.set(constant, addressOf(i));
  }
  return {
    name: plan.name,
    arenaBytes: plan.arenaBytes,
    pages: pagesOf(layout),
    inputs: plan.inputs,
    outputs: plan.outputs,
    place: (buffer) => {
      const { dtype, length } = plan.buffers[buffer] as PlanBuffer;
      return { dtype, length, address: addressOf(buffer) };
    },
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
