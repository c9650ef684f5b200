/** TensorFlow.js on its WebAssembly backend. */
import { type Job, Missing, type Running } from "../subject.ts";
import type { Data, Result, WorkName } from "../works.ts";
import { loadPeer, peerFile } from "./peers.ts";

interface Value {
  dataSync(): Result;
  dispose(): void;
}
type Make = (...x: Value[]) => Value;
interface Tfjs {
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  tidy(f: () => Value): Value;
  tensor(data: Data, shape: readonly number[]): Value;
  scalar(x: number): Value;
  add: Make;
  sub: Make;
  mul: Make;
  div: Make;
  sin: Make;
  exp: Make;
  sqrt: Make;
  square: Make;
  sum: Make;
  softmax: Make;
  matMul: Make;
  mean(x: Value, axis: number, keepDims: boolean): Value;
  argMax(x: Value, axis: number): Value;
  cumsum(x: Value, axis: number): Value;
  neg: Make;
  topk(x: Value, k: number, sorted: boolean): { readonly values: Value; readonly indices: Value };
}

function functionOf({ work, shape }: Job, tf: Tfjs): Make {
  const [, columns] = shape;
  const functions: Partial<Record<WorkName, Make>> = {
    sinadd: (x, y) => tf.sin(tf.mul(tf.add(x, y), tf.scalar(2))),
    add: (x, y) => tf.add(x, y),
    exp: (x) => tf.exp(x),
    softmax: (x) => tf.softmax(x),
    layernorm: (x) => {
      const centred = tf.sub(x, tf.mean(x, 1, true));
      const variance = tf.mean(tf.square(centred), 1, true);
      return tf.div(centred, tf.sqrt(tf.add(variance, tf.scalar(1e-5))));
    },
    argmax: (x) => tf.argMax(x, 1),
    cumsum: (x) => tf.cumsum(x, 1),
    sum: (x) => tf.sum(x),
    matmul: (a, b) => tf.matMul(a, b),
    // It has no sort, but the greatest elements in order, and among equals the first one.
    sort: (x) => tf.neg(tf.topk(tf.neg(x), columns, true).values),
    argsort: (x) => tf.topk(tf.neg(x), columns, true).indices,
  };
  const f = functions[work];
  if (f === undefined) throw new Missing("it has no such operation");
  return f;
}

export async function start(job: Job, inputs: Readonly<Record<string, Data>>): Promise<Running> {
  const tf = await loadPeer<Tfjs>("@tensorflow/tfjs-core");
  const wasm = await loadPeer<{ setWasmPaths(path: string): void }>(
    "@tensorflow/tfjs-backend-wasm",
  );
  wasm.setWasmPaths(peerFile("@tensorflow/tfjs-backend-wasm/dist/"));
  await tf.setBackend("wasm");
  await tf.ready();
  const given = job.inputs.map(({ name, shape }) => tf.tensor(inputs[name], shape));
  const f = functionOf(job, tf);
  let latest: Value | undefined;
  return {
    run: (): undefined => {
      latest?.dispose();
      latest = tf.tidy(() => f(...given));
    },
    result: () => (latest as Value).dataSync(),
  };
}
