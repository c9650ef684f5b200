import { webgpu as executor, type GpuExecutor } from "@gridfuse/exec-gpu";
import { webgpu } from "../../../test/tools/webgpu.ts";

let made: Promise<GpuExecutor> | undefined;

/** The executor on the test adapter. Without an adapter the tests fail; they do not skip. */
export function gpuExecutor(): Promise<GpuExecutor> {
  made ??= executor({ gpu: webgpu() });
  return made;
}
