/**
 * Asks the adapter what WebGPU leaves open about float32 + and ×: whether subnormals survive, and
 * whether rounding is to nearest even.
 */
import { f32Bits } from "@gridfuse/plan";
import { bufferUsage, type Device, mapModeRead } from "./device.ts";
import type { Subnormals } from "./wgsl/float32.ts";

export interface FloatBehaviour {
  readonly subnormals: Subnormals;
  readonly notes: readonly string[];
}

type Pair = readonly [number, number];

const subnormalPairs: readonly Pair[] = [
  [2 ** -149, 2 ** -149],
  [2 ** -126, -(2 ** -149)],
  [2 ** -100, 2 ** -40],
  [2 ** -127, 2],
];
const roundingPairs: readonly Pair[] = [
  [1, 2 ** -24], // a tie that goes down to even
  [1 + 2 ** -23, 2 ** -24], // a tie that goes up to even
  [1 + 2 ** -23, 1 + 2 ** -23],
];
const pairs = [...subnormalPairs, ...roundingPairs];

/** a, b, a + b, a · b as float32 bits. */
const bitsOf = ([a, b]: Pair): number[] => [a, b, a + b, a * b].map(f32Bits);

const code = `
@group(0) @binding(0) var<storage, read_write> words: array<u32>;
@compute @workgroup_size(1)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = id.x * 4u;
  let a = bitcast<f32>(words[i]);
  let b = bitcast<f32>(words[i + 1u]);
  words[i + 2u] = bitcast<u32>(a + b);
  words[i + 3u] = bitcast<u32>(a * b);
}`;

export async function probeFloats(device: Device): Promise<FloatBehaviour> {
  const found = await run(device);
  const agrees = (pair: Pair): boolean => {
    const at = 4 * pairs.indexOf(pair);
    return bitsOf(pair).every((word, j) => word === found[at + j]);
  };
  const keeps = subnormalPairs.every(agrees);
  const rounds = roundingPairs.every(agrees);
  const notes: string[] = [];
  if (!keeps) {
    notes.push(
      "the adapter flushes float32 subnormals; + − × correct that with integer arithmetic",
    );
  }
  if (!rounds) {
    notes.push("the adapter does not round float32 + and × to nearest even: results may differ");
  }
  return { subnormals: keeps ? "native" : "corrected", notes };
}

async function run(device: Device): Promise<Uint32Array> {
  const { gpu } = device;
  const words = new Uint32Array(pairs.flatMap(bitsOf));
  const { copySource, copyDestination, mapRead, storage } = bufferUsage;
  const size = words.byteLength;
  const staging = await device.checked("float probe", () => {
    const buffer = gpu.createBuffer({ size, usage: storage | copySource | copyDestination });
    const staging = gpu.createBuffer({ size, usage: mapRead | copyDestination });
    gpu.queue.writeBuffer(buffer, 0, words);
    const module = gpu.createShaderModule({ code });
    const pipeline = gpu.createComputePipeline({ layout: "auto", compute: { module } });
    const layout = pipeline.getBindGroupLayout(0);
    const entries = [{ binding: 0, resource: { buffer } }];
    const encoder = gpu.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, gpu.createBindGroup({ layout, entries }));
    pass.dispatchWorkgroups(pairs.length);
    pass.end();
    encoder.copyBufferToBuffer(buffer, 0, staging, 0, size);
    gpu.queue.submit([encoder.finish()]);
    return staging;
  });
  await staging.mapAsync(mapModeRead);
  const found = new Uint32Array(staging.getMappedRange()).slice();
  staging.destroy();
  return found;
}
