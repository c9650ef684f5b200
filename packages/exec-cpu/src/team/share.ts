/** From a plan to a program for the threads of an executor, or for one where others would not help. */
import type { Plan } from "@gridfuse/plan";
import { generate, generateShared } from "../codegen/generate.ts";
import type { EngineOptions } from "../engine.ts";
import type { Threads } from "../prepare.ts";
import type { WasmProgram } from "../wasm-program.ts";
import { Team } from "./team.ts";

/** @throws OutOfMemoryError GF5001 */
export function share(plan: Plan, threads: Threads, options: EngineOptions): WasmProgram {
  threads.team ??= Team.of(threads.count);
  const { count, team } = threads;
  if (typeof team === "string") {
    return { ...generate(plan, options), notes: [`one thread: ${team}`] };
  }
  const program = generateShared(plan, count, options);
  return program.codeOf === undefined
    ? { ...program, notes: ["one thread: no step is worth sharing"] }
    : program;
}
