/** What the two builds of ONNX Runtime for JavaScript have in common. */
import type { Job, Running } from "../subject.ts";
import type { Data, Result } from "../works.ts";
import { onnxModel } from "./onnx-model.ts";

interface Tensor {
  readonly data: Result | BigInt64Array;
}
export interface Ort {
  readonly InferenceSession: {
    create(
      model: Uint8Array,
      options: object,
    ): Promise<{
      run(feeds: object, fetches?: object): Promise<Record<string, Tensor>>;
    }>;
  };
  readonly Tensor: new (
    type: string,
    data: Result | BigInt64Array,
    shape: readonly number[],
  ) => Tensor;
  readonly env: { readonly wasm: { numThreads: number }; logLevel?: string };
}

export async function startOrt(
  { InferenceSession, Tensor }: Ort,
  job: Job,
  inputs: Readonly<Record<string, Data>>,
  /** Whether results can go where they went before, so that nothing is allocated in a run. */
  writesInPlace: boolean,
): Promise<Running> {
  const session = await InferenceSession.create(onnxModel(job), {
    intraOpNumThreads: job.threads,
    graphOptimizationLevel: "all",
  });
  const feeds = Object.fromEntries(
    job.inputs.map(({ name, shape }) => [name, new Tensor("float32", inputs[name], shape)]),
  );
  const count = job.resultShape.reduce((a, b) => a * b, 1);
  const isPlaces = job.resultType === "int32";
  const out = new Tensor(
    isPlaces ? "int64" : "float32",
    isPlaces ? new BigInt64Array(count) : new Float32Array(count),
    job.resultShape,
  );
  const fetches = writesInPlace ? { o: out } : undefined;
  let results: Record<string, Tensor> = {};
  return {
    run: async () => {
      results = await session.run(feeds, fetches);
    },
    result: () => {
      const { data } = results.o;
      return data instanceof BigInt64Array ? Int32Array.from(data, Number) : data;
    },
  };
}
