/** Runs a program as one WebAssembly module over one memory. */
import { CapabilityError, PlanInvalid } from "@gridfuse/plan/executor";
import type { Crew, CrewSource, Engine, EngineOptions, EngineReport } from "./engine.ts";
import { allocated, HostedEngine } from "./hosted-engine.ts";
import { checkModule } from "./wasm/inspect.ts";
import { pageBytes, type WasmProgram } from "./wasm-program.ts";

export const hasWasm = (): boolean => typeof WebAssembly === "object";

/** @throws CapabilityError GF5005; OutOfMemoryError GF5002; PlanInvalid V21 where the program came with a file and is not sound */
export async function startProgram(
  program: WasmProgram,
  options: EngineOptions,
  crews?: CrewSource,
): Promise<Engine> {
  const module = await compile(program.code).catch((cause) => refuse(program, cause));
  return new WasmEngine(program, module, options, crews);
}

/** Like `startProgram`, at once. */
export function startProgramSync(
  program: WasmProgram,
  options: EngineOptions,
  crews?: CrewSource,
): Engine {
  let module: WebAssembly.Module;
  try {
    module = new WebAssembly.Module(program.code);
  } catch (cause) {
    refuse(program, cause);
  }
  return new WasmEngine(program, module, options, crews);
}

function refuse({ isForeign }: WasmProgram, cause: unknown): never {
  if (isForbidden()) throw forbidden(cause);
  if (!isForeign || !(cause instanceof WebAssembly.CompileError)) throw cause;
  throw new PlanInvalid("V21", "WASM.code", `this host refuses it: ${cause.message}`, { cause });
}

/** Whether the host refuses whatever is compiled, as pages do whose policy says so. */
function isForbidden(): boolean {
  try {
    new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0));
    return false;
  } catch {
    return true;
  }
}

const forbidden = (cause: unknown): CapabilityError =>
  new CapabilityError("GF5005", "the content security policy of this page forbids WebAssembly", {
    cause,
    expected: "wasm",
    help: 'Allow "wasm-unsafe-eval" in its script-src, or use backend "auto" or "js".',
  });

/** Up to here compiling at once is quicker than the way through another thread. */
const smallModule = 1 << 16;

async function compile(bytes: Uint8Array<ArrayBuffer>): Promise<WebAssembly.Module> {
  if (bytes.length > smallModule) return WebAssembly.compile(bytes);
  try {
    return new WebAssembly.Module(bytes);
  } catch (error) {
    // Some browsers allow only tiny modules to be compiled at once on their main thread.
    if (error instanceof RangeError) return WebAssembly.compile(bytes);
    throw error;
  }
}

class WasmEngine extends HostedEngine {
  readonly #crew: Crew | undefined;
  readonly #program: WasmProgram;
  readonly #run: () => void;

  constructor(
    program: WasmProgram,
    module: WebAssembly.Module,
    options: EngineOptions,
    crews: CrewSource | undefined,
  ) {
    const { code, pages, constants, codeOf } = program;
    if (program.isForeign) checkModule(code, module, pages);
    const limits = { initial: pages, maximum: pages, shared: codeOf !== undefined };
    const memory = allocated(pages * pageBytes, () => new WebAssembly.Memory(limits));
    super(program, memory.buffer, options);
    this.#program = program;
    if (codeOf !== undefined) this.#crew = crews?.crew(program, module, memory);
    const env = {
      memory,
      print: (step: number) => this.print(program.prints[step], step),
      fuel: (index: number) => {
        const loop = program.whiles[index];
        throw loop ? this.outOfFuel(loop) : this.broken(`there is no loop ${index}`);
      },
      ...this.#crew?.imports,
    };
    const { exports } = new WebAssembly.Instance(module, { env });
    this.#run = exports.run as () => void;
    const bytes = new Uint8Array(memory.buffer);
    for (const { data, address } of constants) bytes.set(data, address);
  }

  get report(): EngineReport {
    const { arenaBytes, steps, notes = [] } = this.#program;
    return { backend: "wasm-simd", arenaBytes, steps, notes, ...this.#crew?.report };
  }

  dispose(): void {
    this.#crew?.dispose();
  }

  protected override execute(): void {
    this.#crew?.begin();
    try {
      this.#run();
      this.#crew?.end();
    } catch (cause) {
      this.#crew?.recover();
      if (cause instanceof WebAssembly.RuntimeError) {
        throw this.broken(`it trapped: ${cause.message}`, cause);
      }
      throw cause;
    }
  }
}
