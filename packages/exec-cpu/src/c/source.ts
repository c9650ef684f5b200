/**
 * A plan as one C file: a function for each step, `gf_run` that walks through them, and what Node needs to call it. Steps whose
 * text is the same but for its name are one function.
 */
import {
  type BranchStep,
  type DType,
  itemSize,
  type KernelStep,
  type Plan,
  type PrintStep,
  type Step,
  type WhileStep,
} from "@gridfuse/plan";
import { compilePlan, pagesOf } from "../codegen/driver.ts";
import { layoutOf, type MemoryLayout } from "../layout.ts";
import { type DotSource, dotScratch, dotSource } from "./dot.ts";
import { Library } from "./folds.ts";
import type { KernelOptions, StepSource } from "./kernel.ts";
import { kernelScratch, kernelSource } from "./kernel-parts.ts";
import { nodeText } from "./node-c.ts";
import { prelude } from "./prelude.ts";
import type { Memory } from "./program.ts";
import { copyStatement, scanSource, scatterSource } from "./small-steps.ts";
import { sortScratch, sortSource, topKScratch, topKSource } from "./sorting.ts";
import { teamText } from "./team-c.ts";

/** Scalar operations that are worth a part of their own. */
const partWork = 1 << 15;

export interface SourceOptions {
  readonly precision?: "exact" | "fast" | undefined;
  readonly maxBytes?: number | undefined;
  readonly threads: number;
}

/** Top-level steps in a row: a number is section i of `gf_run`, code is a WebAssembly module for the same memory. */
export type Section = number | { readonly code: Uint8Array<ArrayBuffer>; readonly pages: number };

export interface CSource {
  readonly text: string;
  readonly sections: readonly Section[];
  readonly layout: MemoryLayout;
  /** `print(i)` does step i of these. */
  readonly prints: readonly PrintStep[];
  /** A run that gives 1 + i ended because loop i of these ran out of fuel. */
  readonly whiles: readonly WhileStep[];
  readonly steps: readonly { readonly name: string; readonly kind: string; readonly how: string }[];
}

/** @throws OutOfMemoryError GF5001 */
export function sourceOf(plan: Plan, options: SourceOptions): CSource {
  return new SourceWriter(plan, options).source();
}

class SourceWriter {
  readonly #plan: Plan;
  readonly #layout: MemoryLayout;
  readonly #threads: number;
  readonly #options: KernelOptions;
  readonly #functions: string[] = [];
  /** The functions that there are, by their text without a name. */
  readonly #known = new Map<string, string>();
  readonly #prints: PrintStep[] = [];
  readonly #whiles: WhileStep[] = [];
  readonly #how = new Map<Step, string>();
  #loops = 1;

  constructor(plan: Plan, { precision, maxBytes, threads }: SourceOptions) {
    this.#plan = plan;
    this.#threads = threads;
    const scratch = Math.max(0, ...allSteps(plan.steps).map((step) => scratchOf(step, threads)));
    this.#layout = layoutOf(plan, { scratch, shared: 0 }, maxBytes);
    this.#options = {
      memory: memoryOf(plan, this.#layout),
      addresses: this.#layout.addresses,
      library: new Library(),
      isFast: precision === "fast",
    };
  }

  source(): CSource {
    const sections: Section[] = [];
    const texts: string[] = [];
    let open = "";
    const close = (): void => {
      if (open === "") return;
      sections.push(texts.push(open) - 1);
      open = "";
    };
    for (const step of this.#plan.steps) {
      const borrowed = this.#borrowed(step);
      if (borrowed === undefined) open += this.#step(step);
      else {
        close();
        sections.push(borrowed);
      }
    }
    close();
    const cases = texts.map((text, i) => `case ${i}: {\n${text}break; }\n`);
    return {
      text: `/* ${this.#threads} threads */
${prelude}${teamText}${this.#options.library.text}
${this.#functions.join("\n")}
static int gf_print(void *host, int step);
static int gf_run(uint8_t *m, long members, double most_fuel, void *host, int section) {
long L[${this.#loops}] = {0};
switch (section) {
${cases.join("")}}
return 0;
}
${nodeText(this.#threads)}`,
      sections,
      layout: this.#layout,
      prints: this.#prints,
      whiles: this.#whiles,
      steps: this.#plan.steps.map((step) => {
        const { name, kind } = step;
        return { name, kind, how: this.#how.get(step) ?? "C" };
      }),
    };
  }

  /**
   * A sort as WebAssembly, whose networks and digit passes are better than what is written here in C. Where there are other
   * threads to share them, long rows and places are left to C.
   */
  #borrowed(step: Step): Section | undefined {
    if (step.kind !== "sort") return undefined;
    const isShort = step.extent <= 4096 && step.sources.every((source) => source < step.keys);
    if (this.#threads > 1 && !isShort) return undefined;
    const { bytes, layout, steps } = compilePlan({ ...this.#plan, steps: [step] });
    const isAlike = layout.addresses.every((at, i) => at === this.#layout.addresses[i]);
    if (!isAlike) return undefined;
    this.#how.set(step, `WebAssembly: ${steps[0]?.how}`);
    return { code: bytes, pages: pagesOf(layout) };
  }

  get #scratch(): string {
    return `m + ${this.#layout.scratch}`;
  }

  #steps(steps: readonly Step[]): string {
    return steps.map((step) => this.#step(step)).join("");
  }

  #step(step: Step): string {
    const name = `gf_step_${this.#known.size}`;
    switch (step.kind) {
      case "kernel":
        if (step.axes.includes(0)) return "";
        return this.#kernel(step, name);
      case "dot":
        return this.#dot(step, dotSource(name, step, this.#options, this.#scratch));
      case "sort":
        return this.#call(step, name, sortSource(name, step, this.#options, this.#scratch));
      case "topk":
        return this.#call(step, name, topKSource(name, step, this.#options, this.#scratch));
      case "scan":
        return this.#call(step, name, scanSource(name, step, this.#options));
      case "scatter":
        if (step.axes.includes(0)) return "";
        return this.#call(step, name, scatterSource(name, step, this.#options));
      case "copy":
        return copyStatement(step, this.#options);
      case "loop":
      case "tile": {
        this.#loops = Math.max(this.#loops, step.loop + 1);
        const counter = `L[${step.loop}]`;
        return `for (${counter} = 0; ${counter} < ${step.trips}L; ${counter}++) {\n${this.#steps(step.body)}}\n`;
      }
      case "while":
        return this.#while(step);
      case "branch":
        return this.#branch(step);
      case "print":
        return `if (gf_print(host, ${this.#prints.push(step) - 1})) return -1;\n`;
      default:
        return step satisfies never;
    }
  }

  #kernel(step: KernelStep, name: string): string {
    const { scratch } = this.#layout;
    return kernelSource(name, step, this.#options, scratch)
      .map((source, i, all) => this.#call(step, all.length > 1 ? `${name}_${i}` : name, source))
      .join("");
  }

  #call(step: Step, name: string, { text, extent, work, how }: StepSource): string {
    this.#how.set(step, how);
    if (extent === 0) return "";
    const parts = Math.floor((extent * work) / partWork);
    return `gf_do(${this.#define(name, text)}, m, L, 0, ${extent}L, ${parts}L, members);\n`;
  }

  #dot(step: Step, { phases, rounds, how }: DotSource): string {
    this.#how.set(step, how);
    const calls = phases.map(({ name, text, extent, work }) => {
      const parts = Math.floor((extent * work) / partWork);
      return `gf_do(${this.#define(name, text)}, m, L, batch, ${extent}L, ${parts}L, members);\n`;
    });
    return `for (long batch = 0; batch < ${rounds}L; batch++) {\n${calls.join("")}}\n`;
  }

  #define(name: string, text: string): string {
    const nameless = text.replaceAll(name, "");
    const known = this.#known.get(nameless);
    if (known !== undefined) return known;
    this.#known.set(nameless, name);
    this.#functions.push(text);
    return name;
  }

  #while(step: WhileStep): string {
    const index = this.#whiles.push(step) - 1;
    const predicate = `*(${this.#options.memory.address(step.predicate)})`;
    return `for (double round = 0, fuel = ${step.fuel} < most_fuel ? ${step.fuel} : most_fuel;; round++) {
${this.#steps(step.condition)}if (${predicate} == 0) break;
if (round >= fuel) return ${1 + index};
${this.#steps(step.body)}}
`;
  }

  #branch({ selector, branches }: BranchStep): string {
    const at = `*(int32_t *)(${this.#options.memory.address(selector)})`;
    const cases = branches.map((steps, i) => {
      const label = i === 0 ? "case 0" : `case ${i}`;
      return `${label}: {\n${this.#steps(steps)}break; }\n`;
    });
    return `switch (gf_min(gf_max(${at}, 0), ${branches.length - 1})) {\n${cases.join("")}}\n`;
  }
}

function memoryOf(plan: Plan, { addresses, bytes }: MemoryLayout): Memory {
  return {
    buffers: plan.buffers,
    address: (buffer) => `(m + ${addresses[buffer]})`,
    readable: (buffer: number, dtype: DType) => {
      const [address, size] = [addresses[buffer] as number, itemSize(dtype)];
      return { lo: -Math.floor(address / size), hi: Math.floor((bytes - address) / size) - 1 };
    },
  };
}

function scratchOf(step: Step, threads: number): number {
  switch (step.kind) {
    case "dot":
      return dotScratch(step);
    case "sort":
      return sortScratch(step) * threads;
    case "topk":
      return topKScratch(step) * threads;
    case "kernel":
      return kernelScratch(step);
    default:
      return 0;
  }
}

function allSteps(steps: readonly Step[]): readonly Step[] {
  return steps.flatMap((step): readonly Step[] => {
    switch (step.kind) {
      case "loop":
      case "tile":
        return [step, ...allSteps(step.body)];
      case "while":
        return [step, ...allSteps(step.condition), ...allSteps(step.body)];
      case "branch":
        return [step, ...step.branches.flatMap(allSteps)];
      default:
        return [step];
    }
  });
}
