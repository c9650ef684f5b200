import { create, globals } from "webgpu";

/**
 * Dawn's entry point. It must stay referenced: the implementation lives as long as this object, and
 * the process crashes when it is collected while a device is in use.
 */
let gpu: GPU | undefined;

/**
 * The WebGPU implementation for tests, the same object each time. On Linux it runs on the adapter that
 * VK_DRIVER_FILES names, which vitest.config.ts sets to the software adapter unless it is set already.
 */
export function webgpu(): GPU {
  if (gpu === undefined) {
    Object.assign(globalThis, globals);
    gpu = create([]);
  }
  return gpu;
}
