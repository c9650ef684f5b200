/**
 * A prepared plan: buffers, pipelines and the list of launches, and `run`, which is one submission.
 *
 * Runs share the heaps, so the device's queue keeps them apart; what each run has for itself is a
 * staging buffer out of a small ring, in which results wait to be read back.
 */
import {
  CapabilityError,
  DisposedError,
  type Executable,
  type ExecutionReport,
  itemSize,
  type Plan,
  type RunInputs,
  type RunOptions,
  type RunOutputs,
  resolveInputs,
  resolveOutputs,
  type StorageArray,
  storageArray,
} from "@gridfuse/plan";
import { checkRunOptions } from "@gridfuse/plan/executor";
import { bufferUsage, type Device, mapModeRead, type Pipeline } from "./device.ts";
import type { MemoryLayout, Place } from "./memory.ts";
import type { Launch } from "./schedule.ts";

/** Bytes between two slots of the uniform buffer: what every device accepts as a dynamic offset. */
export const slotBytes = 256;
/** Runs whose results may be under way at once; more wait. */
const ringSize = 2;

export interface PreparedPlan {
  readonly plan: Plan;
  readonly layout: MemoryLayout;
  readonly heaps: readonly GPUBuffer[];
  readonly uniforms: GPUBuffer;
  readonly pipelines: readonly Pipeline[];
  readonly bindGroups: readonly GPUBindGroup[];
  /** Workgroups in x and y, by dispatch. */
  readonly grids: readonly (readonly [number, number])[];
  readonly launches: readonly Launch[];
  readonly report: ExecutionReport;
}

const bytesOf = (array: StorageArray): Uint8Array<ArrayBuffer> =>
  new Uint8Array(array.buffer as ArrayBuffer, array.byteOffset, array.byteLength);
const toWords = (bytes: number): number => Math.ceil(bytes / 4) * 4;

/** Writes that are not a multiple of four bytes long are padded; places have room for that. */
export function upload(
  device: Device,
  buffer: GPUBuffer,
  offset: number,
  data: StorageArray,
): void {
  const bytes = bytesOf(data);
  if (bytes.byteLength === 0) return;
  let padded = bytes;
  if (bytes.byteLength % 4 !== 0) {
    padded = new Uint8Array(toWords(bytes.byteLength));
    padded.set(bytes);
  }
  device.gpu.queue.writeBuffer(buffer, offset, padded);
}

export class GpuExecutable implements Executable {
  readonly plan: Plan;
  readonly #device: Device;
  readonly #prepared: PreparedPlan;
  readonly #idle: GPUBuffer[] = [];
  readonly #waiting: (() => void)[] = [];
  #staged = 0;
  #disposed = false;
  #fault: unknown;
  readonly #stagingBytes: number;
  /** Byte offset in a staging buffer, by output. */
  readonly #stagingOffsets: readonly number[];

  constructor(device: Device, prepared: PreparedPlan) {
    this.plan = prepared.plan;
    this.#device = device;
    this.#prepared = prepared;
    let bytes = 0;
    this.#stagingOffsets = this.plan.outputs.map((output) => {
      const offset = bytes;
      bytes += Math.ceil(this.#outputBytes(output.buffer) / 8) * 8;
      return offset;
    });
    this.#stagingBytes = Math.max(bytes, 8);
  }

  get state(): "ready" | "poisoned" | "disposed" {
    if (this.#disposed) return "disposed";
    return this.#fault !== undefined || this.#device.lost !== undefined ? "poisoned" : "ready";
  }

  /**
   * Uploads the inputs, runs all steps as one submission, reads the outputs back. Inputs are read when
   * the run starts, at once unless two others are still under way.
   *
   * @throws InputError for inputs or `out` that do not fit the plan
   * @throws CapabilityError GF5204 where the device is lost
   */
  async run(inputs: RunInputs, options: RunOptions = {}): Promise<RunOutputs> {
    checkRunOptions(options);
    const { signal } = options;
    this.#requireReady();
    signal?.throwIfAborted();
    const data = resolveInputs(this.plan, inputs);
    const results = resolveOutputs(this.plan, options.out).map(
      (given, i) => given ?? this.#freshOutput(i),
    );
    while (this.#staged >= ringSize && this.#idle.length === 0) {
      await new Promise<void>((resume) => this.#waiting.push(resume));
    }
    const staging = this.#idle.pop() ?? this.#newStaging();
    try {
      signal?.throwIfAborted();
      this.#requireReady();
      await this.#execute(data, staging, results);
      signal?.throwIfAborted();
    } finally {
      if (this.#disposed) staging.destroy();
      else this.#idle.push(staging);
      this.#waiting.shift()?.();
    }
    return Object.fromEntries(
      this.plan.outputs.map(({ name }, i) => [name, results[i] as StorageArray]),
    );
  }

  #requireReady(): void {
    if (this.#disposed) {
      throw new DisposedError(
        "GF5205",
        `the executable of plan ${this.plan.name} was disposed of`,
        {
          help: "Prepare the plan again.",
        },
      );
    }
    if (this.#device.lost !== undefined) throw this.#device.lostError(this.#fault);
    if (this.#fault !== undefined) {
      throw new CapabilityError("GF5207", "an earlier run failed on the device", {
        help: "Prepare the plan again.",
        cause: this.#fault,
      });
    }
  }

  async #execute(
    data: readonly StorageArray[],
    staging: GPUBuffer,
    results: readonly StorageArray[],
  ): Promise<void> {
    const what = `run of plan ${this.plan.name}`;
    try {
      const submitted = this.#device.checked(what, () => {
        this.#upload(data);
        this.#submit(staging);
      });
      const mapped = staging.mapAsync(mapModeRead, 0, this.#stagingBytes);
      await Promise.all([submitted, mapped]);
    } catch (error) {
      const fault = await this.#device.explain(error);
      this.#fault ??= fault;
      throw fault;
    }
    const bytes = new Uint8Array(staging.getMappedRange(0, this.#stagingBytes));
    results.forEach((result, i) => {
      const from = this.#stagingOffsets[i] as number;
      bytesOf(result).set(bytes.subarray(from, from + result.byteLength));
    });
    staging.unmap();
  }

  #upload(data: readonly StorageArray[]): void {
    this.plan.inputs.forEach(({ buffer }, i) => {
      const { heap, byteOffset } = this.#place(buffer);
      upload(
        this.#device,
        this.#prepared.heaps[heap] as GPUBuffer,
        byteOffset,
        data[i] as StorageArray,
      );
    });
  }

  #submit(staging: GPUBuffer): void {
    const { launches, pipelines, bindGroups, grids, heaps } = this.#prepared;
    const encoder = this.#device.gpu.createCommandEncoder({ label: this.plan.name });
    const pass = encoder.beginComputePass();
    for (const { dispatch, slot } of launches) {
      pass.setPipeline((pipelines[dispatch] as Pipeline).pipeline);
      pass.setBindGroup(0, bindGroups[dispatch] as GPUBindGroup, [slot * slotBytes]);
      const [x, y] = grids[dispatch] as readonly [number, number];
      pass.dispatchWorkgroups(x, y);
    }
    pass.end();
    this.plan.outputs.forEach(({ buffer }, i) => {
      const size = toWords(this.#outputBytes(buffer));
      if (size === 0) return;
      const { heap, byteOffset } = this.#place(buffer);
      const to = this.#stagingOffsets[i] as number;
      encoder.copyBufferToBuffer(heaps[heap] as GPUBuffer, byteOffset, staging, to, size);
    });
    this.#device.gpu.queue.submit([encoder.finish()]);
  }

  #place(buffer: number): Place {
    return this.#prepared.layout.buffers[buffer] as Place;
  }

  #freshOutput(output: number): StorageArray {
    const { dtype, buffer } = this.plan.outputs[output] as Plan["outputs"][number];
    return storageArray(dtype, (this.plan.buffers[buffer] as Plan["buffers"][number]).length);
  }

  #outputBytes(index: number): number {
    const buffer = this.plan.buffers[index] as Plan["buffers"][number];
    return buffer.length * itemSize(buffer.dtype);
  }

  #newStaging(): GPUBuffer {
    this.#staged++;
    const { mapRead, copyDestination } = bufferUsage;
    return this.#device.gpu.createBuffer({
      label: `${this.plan.name} staging`,
      size: this.#stagingBytes,
      usage: mapRead | copyDestination,
    });
  }

  report(): ExecutionReport {
    return this.#prepared.report;
  }

  /** Frees the device's memory. Runs under way still settle. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    for (const buffer of [...this.#prepared.heaps, this.#prepared.uniforms, ...this.#idle]) {
      buffer.destroy();
    }
    this.#idle.length = 0;
    for (const resume of this.#waiting.splice(0)) resume();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
