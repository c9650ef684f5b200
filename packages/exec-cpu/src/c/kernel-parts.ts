/** The functions of a kernel step: one, or several where it folds so much that threads should share it. */
import { itemSize, type KernelStep } from "@gridfuse/plan";
import { formOf } from "../codegen/kernel-form.ts";
import { wholeOf } from "../codegen/kernel-whole.ts";
import { type KernelOptions, KernelWriter, type StepSource } from "./kernel.ts";

/** Functions each of which is done before the next begins. @param scratch address of `kernelScratch` bytes */
export function kernelSource(
  name: string,
  step: KernelStep,
  options: KernelOptions,
  scratch: number,
): readonly StepSource[] {
  const form = formOf(step);
  const whole = wholeOf(form, options.memory.buffers.length);
  if (whole === undefined) return [new KernelWriter(form, step, options).source(name)];
  const shared = { ...options, ...withBuffers(options, whole.bytes, scratch) };
  return whole.forms.map((part, i) => {
    const source = new KernelWriter(part, step, shared).source(`${name}_${i}`);
    return { ...source, how: `${source.how}, in parts` };
  });
}

/** Bytes between the functions of a kernel. */
export function kernelScratch(step: KernelStep): number {
  if (step.axes.includes(0)) return 0;
  const { bytes } = wholeOf(formOf(step), 0) ?? { bytes: [] };
  return bytes.reduce((total, size) => total + aligned(size), 0);
}

const aligned = (bytes: number): number => Math.ceil(bytes / 64) * 64;

/** The same with further buffers, one after the other from `scratch` on. */
function withBuffers(
  { memory, addresses }: KernelOptions,
  bytes: readonly number[],
  scratch: number,
): Pick<KernelOptions, "memory" | "addresses"> {
  const first = memory.buffers.length;
  const places: number[] = [];
  let end = scratch;
  for (const size of bytes) {
    places.push(end);
    end += aligned(size);
  }
  const more = bytes.map((length) => ({ kind: "temporary", dtype: "uint8", length }) as const);
  return {
    addresses: [...addresses, ...places],
    memory: {
      buffers: [...memory.buffers, ...more],
      address: (buffer) =>
        buffer < first ? memory.address(buffer) : `(m + ${places[buffer - first]})`,
      readable: (buffer, dtype) =>
        buffer < first
          ? memory.readable(buffer, dtype)
          : { lo: 0, hi: Math.floor((bytes[buffer - first] as number) / itemSize(dtype)) - 1 },
    },
  };
}
