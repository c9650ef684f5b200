/**
 * Workers without chance, for tests of what they compute. Threads decide among themselves who does which part; these are
 * instances in the same thread: whenever a piece of work is opened, one of them takes all parts but the first before the
 * caller goes on. That finds counters that do not reach them and parts that were not independent of each other. (That
 * members keep to memory of their own, member-memory.test.ts says, and threads that are threads.)
 */
import {
  formatPrintLines,
  type Plan,
  type PlanPort,
  type RunInputs,
  type StorageArray,
} from "@gridfuse/plan";
import { resolveInputs } from "@gridfuse/plan/executor";
import { expect } from "vitest";
import { generate, generateShared } from "../../packages/exec-cpu/src/codegen/generate.ts";
import type { Crew, CrewSource } from "../../packages/exec-cpu/src/engine.ts";
import { words } from "../../packages/exec-cpu/src/team/words.ts";
import { startProgramSync } from "../../packages/exec-cpu/src/wasm-engine.ts";
import type { WasmProgram } from "../../packages/exec-cpu/src/wasm-program.ts";
import { elements } from "../../packages/exec-cpu/test/compare.ts";

export interface Counts {
  /** Pieces of work that were opened. */
  opened: number;
}

/** Workers 1 … members − 1 in turns, in this thread. */
function tameCrews(members: number, counts: Counts): CrewSource {
  const nothing = (): void => {};
  return {
    crew(program, module, memory): Crew {
      const env = { memory, print: nothing, fuel: nothing, join: nothing, ring: nothing };
      const workers = Array.from({ length: members - 1 }, (_, i) => {
        const code = program.codeOf?.(i + 1);
        const compiled = code === undefined ? module : new WebAssembly.Module(code);
        return new WebAssembly.Instance(compiled, { env }).exports.serve as () => void;
      });
      new Int32Array(memory.buffer)[words.sleepers / 4] = 1;
      return {
        imports: {
          ring: () => workers[counts.opened++ % workers.length]?.(),
          join: () => {
            throw new Error("workers are done when they return");
          },
        },
        report: { threads: members, notes: [] },
        begin: nothing,
        end: nothing,
        recover: nothing,
        dispose: nothing,
      };
    },
  };
}

interface Outcome {
  readonly results: readonly (readonly string[])[];
  readonly lines: readonly string[];
  readonly error: unknown;
}

/**
 * Two runs, so that what the first one leaves behind is seen. NaNs are alike: which of two a sum of both is depends on which
 * of its compilers V8 has got to.
 */
function outcomeOf(
  program: WasmProgram,
  inputs: readonly StorageArray[],
  crews?: CrewSource,
): Outcome {
  const lines: string[] = [];
  const onPrint = (line: string): unknown => lines.push(line);
  const options = { formatPrint: formatPrintLines, onPrint };
  const engine = startProgramSync(program, options, crews);
  const results: string[][] = [];
  try {
    for (let run = 0; run < 2; run++) {
      for (const [i, array] of engine.run(inputs, []).entries()) {
        results.push(elements((program.outputs[i] as PlanPort).dtype, array));
      }
    }
    return { results, lines, error: undefined };
  } catch (error) {
    return { results, lines, error: (error as Error).message };
  }
}

/** The smallest part that there may be, so that all that can be cut is. */
const leastPart = 1;

/** Holds two and three members against one, in two runs each. */
export function compareMembers(plan: Plan, named: RunInputs): Counts {
  const inputs = resolveInputs(plan, named);
  const alone = outcomeOf(generate(plan), inputs);
  const counts = { opened: 0 };
  for (const members of [2, 3]) {
    const shared = generateShared(plan, members, {}, leastPart);
    expect(outcomeOf(shared, inputs, tameCrews(members, counts)), `${members}`).toEqual(alone);
  }
  return counts;
}
