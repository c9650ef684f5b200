/** ONNX Runtime as WebAssembly. */
import type { Job, Running } from "../subject.ts";
import type { Data } from "../works.ts";
import { type Ort, startOrt } from "./ort.ts";
import { loadPeer } from "./peers.ts";

export async function start(job: Job, inputs: Readonly<Record<string, Data>>): Promise<Running> {
  const ort = await loadPeer<Ort>("onnxruntime-web");
  ort.env.wasm.numThreads = job.threads;
  return startOrt(ort, job, inputs, false);
}
