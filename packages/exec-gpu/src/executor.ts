/**
 * The WebGPU executor: a plan in, an executable out. Everything that can be refused is refused here,
 * before the first run: steps without shader code, and needs beyond the limits of the device.
 */
import {
  CapabilityError,
  type ExecutionReport,
  type Executor,
  type Plan,
  type PrepareOptions,
  requirePlan,
} from "@gridfuse/plan";
import { checkPrepareOptions } from "@gridfuse/plan/executor";
import { type OptionCheck, type OptionNames, optionCheck } from "@gridfuse/plan/options";
import { bufferUsage, Device, type Pipeline } from "./device.ts";
import { GpuExecutable, slotBytes, upload } from "./executable.ts";
import { layoutMemory, type MemoryLayout, type Place, requireCapacity } from "./memory.ts";
import { type FloatBehaviour, probeFloats } from "./probe.ts";
import { type Schedule, scheduleSteps } from "./schedule.ts";
import { dispatchGrid } from "./wgsl/domain.ts";

/** The device to run on, or where to get one from; `navigator` is never looked at. */
export type WebGpuSource =
  | { readonly device: GPUDevice }
  | { readonly gpu: GPU; readonly powerPreference?: GPUPowerPreference };
const sourceOptions: OptionNames<WebGpuSource> = { device: true, gpu: true, powerPreference: true };
const checked: OptionCheck = optionCheck(CapabilityError, "GF5208");

/**
 * Makes an executor for a WebGPU device.
 *
 * @example
 * const executor = await webgpu({ gpu: navigator.gpu });
 * using executable = await executor.prepare(plan);
 * const { y } = await executable.run({ x });
 *
 * @throws CapabilityError GF5201 where there is no adapter, GF5208 where `source` says nothing or something unknown
 */
export async function webgpu(source: WebGpuSource): Promise<GpuExecutor> {
  checked("webgpu", source, sourceOptions);
  const device = new Device("device" in source ? source.device : await requestDevice(source));
  return new GpuExecutor(device, await probeFloats(device));
}

async function requestDevice({
  gpu,
  powerPreference,
}: Extract<WebGpuSource, { gpu: GPU }>): Promise<GPUDevice> {
  const adapter = await gpu.requestAdapter(
    powerPreference === undefined ? {} : { powerPreference },
  );
  if (adapter === null) {
    throw new CapabilityError("GF5201", "this machine has no WebGPU adapter", {
      help: "Install a Vulkan, Metal or D3D12 driver, or use the CPU executor.",
    });
  }
  const { maxBufferSize, maxStorageBufferBindingSize, maxStorageBuffersPerShaderStage } =
    adapter.limits;
  return adapter.requestDevice({
    requiredLimits: { maxBufferSize, maxStorageBufferBindingSize, maxStorageBuffersPerShaderStage },
  });
}

export class GpuExecutor implements Executor {
  readonly name = "webgpu";
  readonly #device: Device;
  readonly #floats: FloatBehaviour;

  constructor(device: Device, floats: FloatBehaviour) {
    this.#device = device;
    this.#floats = floats;
  }

  get device(): GPUDevice {
    return this.#device.gpu;
  }

  /**
   * Generates and compiles all shaders, in parallel, and allocates all memory.
   *
   * @throws CapabilityError GF5202 for a step without shader code, GF5203 beyond the device's limits
   * @throws OutOfMemoryError GF5206
   */
  async prepare(plan: Plan, options: PrepareOptions = {}): Promise<GpuExecutable> {
    requirePlan(plan);
    checkPrepareOptions(options);
    const { signal, onProgress } = options;
    const device = this.#device;
    signal?.throwIfAborted();
    if (device.lost !== undefined) throw device.lostError();
    const { limits } = device.gpu;
    const layout = layoutMemory(plan, limits);
    const schedule = scheduleSteps(plan, layout, this.#floats.subnormals);
    requireLimits(schedule, limits);

    let done = 0;
    const pipelines = await Promise.all(
      schedule.dispatches.map(async (dispatch) => {
        const pipeline = await device.pipeline(dispatch.name, dispatch);
        onProgress?.(++done, schedule.dispatches.length);
        return pipeline;
      }),
    );
    signal?.throwIfAborted();

    const { heaps, uniforms, bindGroups } = await device.checked("allocation", () =>
      allocate(device, plan, layout, schedule, pipelines),
    );
    const grids = schedule.dispatches.map(({ workgroups }) =>
      dispatchGrid(workgroups, limits.maxComputeWorkgroupsPerDimension),
    );
    const { launches } = schedule;
    const report = this.#report(plan, layout, schedule);
    const prepared = {
      plan,
      layout,
      heaps,
      uniforms,
      pipelines,
      bindGroups,
      grids,
      launches,
      report,
    };
    return new GpuExecutable(device, prepared);
  }

  #report(plan: Plan, layout: MemoryLayout, schedule: Schedule): ExecutionReport {
    const heaps = layout.heaps.length + (schedule.scratchWords > 0 ? 1 : 0);
    return {
      executor: this.name,
      backend: `webgpu ${this.#device.name}`,
      threads: 1,
      arenaBytes: plan.arenaBytes,
      steps: schedule.steps,
      notes: [
        ...this.#floats.notes,
        `a run is one submission; dispatches: ${schedule.launches.length}, shaders: ${schedule.dispatches.length}, storage buffers: ${heaps}`,
      ],
    };
  }
}

function requireLimits(schedule: Schedule, limits: GPUSupportedLimits): void {
  const capacity = Math.min(limits.maxBufferSize, limits.maxStorageBufferBindingSize);
  requireCapacity("scratch memory", schedule.scratchWords * 4, capacity);
  const allowed = limits.maxStorageBuffersPerShaderStage;
  for (const { name, heaps } of schedule.dispatches) {
    if (heaps.length <= allowed) continue;
    throw new CapabilityError("GF5203", `${name} reads and writes ${heaps.length} heaps`, {
      expected: `at most ${allowed} storage buffers in one shader of this device`,
      received: heaps.length,
      help: "Request the device with a higher maxStorageBufferBindingSize and maxBufferSize.",
    });
  }
}

interface Allocation {
  readonly heaps: readonly GPUBuffer[];
  readonly uniforms: GPUBuffer;
  readonly bindGroups: readonly GPUBindGroup[];
}

function allocate(
  device: Device,
  plan: Plan,
  layout: MemoryLayout,
  schedule: Schedule,
  pipelines: readonly Pipeline[],
): Allocation {
  const { gpu } = device;
  const { storage, copySource, copyDestination, uniform } = bufferUsage;
  const sizes = [...layout.heaps, Math.max(schedule.scratchWords, 1) * 4];
  const heaps = sizes.map((size, i) =>
    gpu.createBuffer({
      label: `${plan.name} heap ${i}`,
      size,
      usage: storage | copySource | copyDestination,
    }),
  );
  plan.buffers.forEach((buffer, i) => {
    if (buffer.kind !== "constant") return;
    const { heap, byteOffset } = layout.buffers[i] as Place;
    const constant = plan.constants[buffer.constant as number] as Plan["constants"][number];
    upload(device, heaps[heap] as GPUBuffer, byteOffset, constant.data);
  });

  const params = new Int32Array((Math.max(schedule.slots.length, 1) * slotBytes) / 4);
  schedule.slots.forEach((words, i) => {
    params.set(words, (i * slotBytes) / 4);
  });
  const uniforms = gpu.createBuffer({
    label: `${plan.name} parameters`,
    size: params.byteLength,
    usage: uniform | copyDestination,
  });
  gpu.queue.writeBuffer(uniforms, 0, params);

  const bindGroups = schedule.dispatches.map((dispatch, i) =>
    gpu.createBindGroup({
      label: dispatch.name,
      layout: (pipelines[i] as Pipeline).layout,
      entries: [
        { binding: 0, resource: { buffer: uniforms, size: slotBytes } },
        ...dispatch.heaps.map(({ heap, binding }) => ({
          binding,
          resource: { buffer: heaps[heap] as GPUBuffer },
        })),
      ],
    }),
  );
  return { heaps, uniforms, bindGroups };
}
