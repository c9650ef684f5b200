/**
 * What can go wrong in this executor. The documentation of errors is generated from this table.
 */
export interface ErrorCode {
  readonly title: string;
  readonly cause: string;
  readonly fix: string;
}

export const codes: Readonly<Record<`GF${number}`, ErrorCode>> = {
  GF5201: {
    title: "No WebGPU adapter",
    cause: "The GPU object that was passed in offers no adapter, or its adapter gives no device.",
    fix: "Install a Vulkan, Metal or D3D12 driver, or use the CPU executor.",
  },
  GF5202: {
    title: "The WebGPU executor cannot run this step",
    cause:
      "The plan holds a step kind, a dtype or an index range for which there is no shader code.",
    fix: "Run the plan on the CPU executor, or compute in 32-bit dtypes.",
  },
  GF5203: {
    title: "The plan needs more than the WebGPU device allows",
    cause:
      "A buffer, the arena or the sum of all is beyond the limits the device was created with.",
    fix: "Request the device with higher limits (maxBufferSize, maxStorageBufferBindingSize).",
  },
  GF5204: {
    title: "The WebGPU device was lost",
    cause: "The driver reset, the tab lost its GPU, or the device was destroyed.",
    fix: "Make a new device and prepare the plan again; this executable stays poisoned.",
  },
  GF5205: {
    title: "The executable was disposed of",
    cause: "`run` was called after `dispose`.",
    fix: "Prepare the plan again.",
  },
  GF5206: {
    title: "The WebGPU device is out of memory",
    cause: "The buffers of the plan do not fit into the memory that the device has left.",
    fix: "Dispose of other executables, or run a smaller plan.",
  },
  GF5207: {
    title: "An earlier run poisoned this executable",
    cause: "A run failed on the device, so the state of its buffers is unknown.",
    fix: "Prepare the plan again.",
  },
  GF5208: {
    title: "Unknown option of webgpu, or no record",
    cause: "`webgpu` was given an option of a name that it does not know, or no record of options.",
    fix: "Pass where to get a device from: `webgpu({ gpu: navigator.gpu })`, or `webgpu({ device })`.",
  },
  GF9201: {
    title: "The device refused what the WebGPU executor generated",
    cause: "A shader or a command is not valid WebGPU: a bug of gridfuse.",
    fix: "Report it with the plan file and the name of the adapter.",
  },
};
