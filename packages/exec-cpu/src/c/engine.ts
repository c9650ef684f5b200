/** Runs a plan as compiled C over one memory. */
import type { Plan } from "@gridfuse/plan";
import type { EngineOptions, EngineReport } from "../engine.ts";
import { allocated, HostedEngine } from "../hosted-engine.ts";
import { hostedPlan } from "../layout.ts";
import { pageBytes } from "../wasm-program.ts";
import type { Compiled, NativeRun } from "./compiler.ts";
import type { CSource } from "./source.ts";

export class NativeEngine extends HostedEngine {
  readonly report: EngineReport;
  readonly #source: CSource;
  readonly #mostFuel: number;
  readonly #run: NativeRun;
  /** Number of a section of the program, or a function of WebAssembly. */
  readonly #sections: readonly (number | (() => void))[];
  readonly #bytes: Uint8Array;
  readonly #print: (step: number) => void;

  /** @throws OutOfMemoryError GF5002 */
  constructor(
    plan: Plan,
    source: CSource,
    { run, notes }: Compiled,
    threads: number,
    options: EngineOptions,
  ) {
    const { layout, sections, steps } = source;
    const borrowed = sections.map((section) => (typeof section === "number" ? 0 : section.pages));
    const pages = Math.max(Math.ceil(layout.bytes / pageBytes), ...borrowed);
    // A memory of WebAssembly begins with a page, as compiled code may expect of its buffers.
    const limits = { initial: pages, maximum: pages };
    const memory = allocated(pages * pageBytes, () => new WebAssembly.Memory(limits));
    super(hostedPlan(plan, layout.addresses), memory.buffer, options);
    this.#source = source;
    this.#run = run;
    this.#mostFuel = options.maxFuel ?? Number.POSITIVE_INFINITY;
    this.#bytes = new Uint8Array(memory.buffer);
    this.#sections = sections.map((section) => {
      if (typeof section === "number") return section;
      const module = new WebAssembly.Module(section.code);
      return new WebAssembly.Instance(module, { env: { memory } }).exports.run as () => void;
    });
    this.#print = (step) => this.print(source.prints[step], step);
    this.report = { backend: "native", arenaBytes: plan.arenaBytes, steps, threads, notes };
    for (const [i, { constant }] of plan.buffers.entries()) {
      const data = constant === undefined ? undefined : plan.constants[constant]?.data;
      if (data !== undefined) this.#bytes.set(data, layout.addresses[i]);
    }
  }

  #runBorrowed(section: () => void): void {
    try {
      section();
    } catch (cause) {
      throw this.broken(`it trapped: ${String(cause)}`, cause);
    }
  }

  protected override execute(): void {
    for (const section of this.#sections) {
      if (typeof section !== "number") {
        this.#runBorrowed(section);
        continue;
      }
      const status = this.#run(this.#bytes, this.#mostFuel, this.#print, section);
      const loop = this.#source.whiles[status - 1];
      if (loop !== undefined) throw this.outOfFuel(loop);
    }
  }
}
