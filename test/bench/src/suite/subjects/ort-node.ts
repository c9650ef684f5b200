/** ONNX Runtime as native code, through its binding for Node. */
import type { Job, Running } from "../subject.ts";
import type { Data } from "../works.ts";
import { type Ort, startOrt } from "./ort.ts";
import { loadPeer } from "./peers.ts";

export async function start(job: Job, inputs: Readonly<Record<string, Data>>): Promise<Running> {
  const module = await loadPeer<{ readonly default: Ort }>("onnxruntime-node");
  return startOrt(module.default, job, inputs, true);
}
