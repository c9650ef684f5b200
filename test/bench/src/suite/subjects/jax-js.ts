/** jax-js on its WebAssembly device, jitted. Arrays are used up by whatever reads them unless `ref` is asked for. */
import type { Job, Running } from "../subject.ts";
import type { Data, Result, WorkName } from "../works.ts";
import { loadPeer } from "./peers.ts";

interface Value {
  readonly ref: Value;
  add(x: Value | number): Value;
  sub(x: Value | number): Value;
  mul(x: Value | number): Value;
  reshape(shape: readonly number[]): Value;
  blockUntilReady(): Promise<Value>;
  dataSync(): Result;
  dispose(): void;
}
interface Numpy {
  array(data: Data): Value;
  sin(x: Value): Value;
  exp(x: Value): Value;
  matmul(x: Value, y: Value): Value;
  argmax(x: Value, axis: number): Value;
  cumsum(x: Value, axis: number): Value;
  sum(x: Value): Value;
  mean(x: Value, axis: number, options: object): Value;
  sqrt(x: Value): Value;
  reciprocal(x: Value): Value;
  square(x: Value): Value;
  sort(x: Value, axis: number): Value;
  argsort(x: Value, axis: number): Value;
}
interface JaxJs {
  readonly numpy: Numpy;
  readonly nn: {
    gelu(x: Value): Value;
    softmax(x: Value, axis: number): Value;
  };
  init(device: string): Promise<unknown>;
  defaultDevice(device: string): unknown;
  jit(f: (...x: Value[]) => Value): (...x: Value[]) => Value;
}

const keep = { keepdims: true };

function functionOf(work: WorkName, { numpy: np, nn }: JaxJs): (...x: Value[]) => Value {
  const functions: Readonly<Record<WorkName, (...x: Value[]) => Value>> = {
    sinadd: (x, y) => np.sin(x.add(y).mul(2)),
    add: (x, y) => x.add(y),
    exp: (x) => np.exp(x),
    gelu: (x) => nn.gelu(x),
    softmax: (x) => nn.softmax(x, 1),
    layernorm: (x) => {
      const centred = x.ref.sub(np.mean(x, 1, keep));
      const variance = np.mean(np.square(centred.ref), 1, keep);
      return centred.mul(np.reciprocal(np.sqrt(variance.add(1e-5))));
    },
    argmax: (x) => np.argmax(x, 1),
    cumsum: (x) => np.cumsum(x, 1),
    sum: (x) => np.sum(x),
    matmul: (a, b) => np.matmul(a, b),
    sort: (x) => np.sort(x, 1),
    argsort: (x) => np.argsort(x, 1),
    bitonic: (x) => np.sort(x, 1),
  };
  return functions[work];
}

export async function start(job: Job, inputs: Readonly<Record<string, Data>>): Promise<Running> {
  // It looks there for a graphics card.
  (globalThis as { navigator?: object }).navigator ??= {};
  const jax = await loadPeer<JaxJs>("@jax-js/jax");
  await jax.init("wasm");
  jax.defaultDevice("wasm");
  const given = job.inputs.map(({ name, shape }) => jax.numpy.array(inputs[name]).reshape(shape));
  for (const value of given) await value.blockUntilReady();
  const f = jax.jit(functionOf(job.work, jax));
  let latest: Value | undefined;
  return {
    run: async () => {
      latest?.dispose();
      latest = f(...given.map((value) => value.ref));
      await latest.blockUntilReady();
    },
    result: () => (latest as Value).ref.dataSync(),
  };
}
