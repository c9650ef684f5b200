/**
 * A WebGPU device as this executor sees it: its limits, its name, whether it is lost, a cache of
 * pipelines (drivers do not keep one), and errors as exceptions instead of events.
 */
import { CapabilityError, InternalError, OutOfMemoryError } from "@gridfuse/plan";
import type { HeapBinding, ShaderModuleText } from "./wgsl/module.ts";

/** WebGPU's bit flags; the global objects that name them need not exist outside of browsers. */
export const bufferUsage = {
  mapRead: 0x1,
  copySource: 0x4,
  copyDestination: 0x8,
  uniform: 0x40,
  storage: 0x80,
} as const;
export const mapModeRead = 0x1;
const computeStage = 0x4;

export interface Pipeline {
  readonly pipeline: GPUComputePipeline;
  readonly layout: GPUBindGroupLayout;
}

export class Device {
  readonly gpu: GPUDevice;
  readonly name: string;
  #lost: GPUDeviceLostInfo | undefined;
  readonly #pipelines = new Map<string, Promise<Pipeline>>();
  readonly #layouts = new Map<string, GPUBindGroupLayout>();

  constructor(gpu: GPUDevice) {
    this.gpu = gpu;
    this.name = nameOf(gpu.adapterInfo);
    void gpu.lost.then((info) => {
      this.#lost = info;
    });
  }

  get lost(): GPUDeviceLostInfo | undefined {
    return this.#lost;
  }

  lostError(cause?: unknown): CapabilityError {
    const { reason, message } = this.#lost ?? { reason: "unknown", message: "" };
    return new CapabilityError(
      "GF5204",
      `the WebGPU device was lost (${reason}) ${message}`.trim(),
      {
        received: reason,
        help: "Make a new device and prepare the plan again.",
        cause,
      },
    );
  }

  /** What to throw for `cause`, a rejection of WebGPU: losses are told by a promise of their own, a little later. */
  async explain(cause: unknown): Promise<unknown> {
    const later = new Promise((resolve) => setTimeout(resolve, 20));
    await Promise.race([this.gpu.lost, later]);
    return this.#lost === undefined ? cause : this.lostError(cause);
  }

  /**
   * Runs `commands` and turns what WebGPU would report as an event into an exception.
   *
   * @throws InternalError GF9201 for invalid use, OutOfMemoryError GF5206
   */
  async checked<T>(what: string, commands: () => T): Promise<T> {
    this.gpu.pushErrorScope("validation");
    this.gpu.pushErrorScope("out-of-memory");
    let result: T;
    const scopes = (): Promise<GPUError | null>[] => [
      this.gpu.popErrorScope(),
      this.gpu.popErrorScope(),
    ];
    try {
      result = commands();
    } catch (error) {
      await Promise.allSettled(scopes());
      throw error;
    }
    const [memory, validation] = await Promise.all(scopes());
    if (validation) throw invalid(what, validation.message);
    if (memory) {
      throw new OutOfMemoryError("GF5206", `${what}: ${memory.message}`, {
        help: "Dispose of other executables, or run a smaller plan.",
      });
    }
    return result;
  }

  /** The pipeline of a shader, compiled once for each text. */
  pipeline(name: string, shader: ShaderModuleText): Promise<Pipeline> {
    const { code } = shader;
    let known = this.#pipelines.get(code);
    if (known === undefined) {
      known = this.#compile(name, shader);
      this.#pipelines.set(code, known);
      known.catch(() => this.#pipelines.delete(code));
    }
    return known;
  }

  async #compile(name: string, { code, heaps }: ShaderModuleText): Promise<Pipeline> {
    const layout = this.#layoutOf(heaps);
    try {
      const { module, compiling } = await this.checked(name, () => {
        const module = this.gpu.createShaderModule({ label: name, code });
        const compiling = this.gpu.createComputePipelineAsync({
          label: name,
          layout: this.gpu.createPipelineLayout({ bindGroupLayouts: [layout] }),
          compute: { module, entryPoint: "main" },
        });
        compiling.catch(() => undefined);
        return { module, compiling };
      });
      void module;
      return { pipeline: await compiling, layout };
    } catch (cause) {
      if (this.#lost !== undefined) throw this.lostError(cause);
      if (cause instanceof InternalError) throw cause;
      throw invalid(`shader of ${name}`, cause instanceof Error ? cause.message : String(cause));
    }
  }

  #layoutOf(heaps: readonly HeapBinding[]): GPUBindGroupLayout {
    const key = heaps.map(({ access }) => access).join();
    let known = this.#layouts.get(key);
    if (known === undefined) {
      known = this.gpu.createBindGroupLayout({
        entries: [
          {
            binding: 0,
            visibility: computeStage,
            buffer: { type: "uniform", hasDynamicOffset: true },
          },
          ...heaps.map(({ binding, access }) => ({
            binding,
            visibility: computeStage,
            buffer: { type: access },
          })),
        ],
      });
      this.#layouts.set(key, known);
    }
    return known;
  }
}

function invalid(what: string, message: string): InternalError {
  return new InternalError("GF9201", `${what}: ${message}`, {
    help: "This is a bug of gridfuse: please report it with the plan and the name of the adapter.",
  });
}

function nameOf(info: GPUAdapterInfo | undefined): string {
  const { description = "", device = "", vendor = "", architecture = "" } = info ?? {};
  return description || device || `${vendor} ${architecture}`.trim() || "unknown adapter";
}
