/**
 * Cases of the WebNN conformance tests: as they stand in the file, and as programs of ours with
 * inputs, expected outputs and the tolerance that the tests state for the operator.
 */
import {
  constant,
  type DType,
  graph,
  isFloat,
  type Program,
  type Tensor,
  tensor,
} from "@gridfuse/graph";
import { type HostTensor, type Tolerance, tensorOf, valuesOf } from "@gridfuse/interpret";
import { type Call, operators } from "./operators.ts";

type Element = number | string | null;

interface TensorData {
  readonly data: Element | readonly Element[];
  readonly descriptor: { readonly shape: readonly number[]; readonly dataType: DType };
  readonly constant?: boolean;
}

export interface WebnnCase {
  readonly name: string;
  readonly graph: {
    readonly inputs: Readonly<Record<string, TensorData>>;
    readonly operators: readonly {
      readonly name: string;
      readonly arguments: readonly Readonly<Record<string, unknown>>[];
      readonly outputs: string | readonly string[];
    }[];
    readonly expectedOutputs: Readonly<Record<string, TensorData>>;
  };
}

export interface PreparedCase {
  readonly program: Program;
  /** Of the inputs that are not constants of the program. */
  readonly inputs: Readonly<Record<string, HostTensor>>;
  readonly expected: Readonly<Record<string, HostTensor>>;
  readonly tolerance: Tolerance;
}

/** Why a case cannot be run as it stands in the file; undefined where it can. */
export function reasonToSkip({ name, graph: { inputs } }: WebnnCase): string | undefined {
  if (/Infinity|NaN/.test(name)) return "its infinities are null in the data";
  const sizes = Object.values(inputs).map(({ descriptor }) => sizeOf(descriptor.shape));
  return sizes.some((size) => size > 2 ** 20) ? "its tensors are too large" : undefined;
}

export function prepare({ name, graph: description }: WebnnCase): PreparedCase {
  const [operator] = description.operators as readonly [(typeof description.operators)[0]];
  const given = Object.entries(description.inputs);
  const atRunTime = given.filter(([, input]) => input.constant !== true);
  const specs = Object.fromEntries(
    atRunTime.map(([key, { descriptor }]) => [key, tensor(descriptor.dataType, descriptor.shape)]),
  );
  const outputs = [operator.outputs].flat();
  const traced = graph(
    specs,
    (tensors) => {
      const known = new Map<string, Tensor>(Object.entries(tensors as Record<string, Tensor>));
      for (const [key, input] of given) {
        if (input.constant === true) known.set(key, constantOf(input));
      }
      const results = operators[operator.name]!(callOf(operator.arguments, known));
      return Object.fromEntries([results].flat().map((result, i) => [outputs[i]!, result]));
    },
    { name },
  );
  return {
    program: traced.program,
    inputs: Object.fromEntries(atRunTime.map(([key, input]) => [key, tensorFrom(input)])),
    expected: Object.fromEntries(
      Object.entries(description.expectedOutputs).map(([key, output]) => [key, tensorFrom(output)]),
    ),
    tolerance: toleranceOf(description),
  };
}

/** Arguments and options, with input names replaced by tensors. */
function callOf(
  given: WebnnCase["graph"]["operators"][0]["arguments"],
  known: ReadonlyMap<string, Tensor>,
): Call {
  const positional = Object.assign({}, ...given) as Record<string, unknown>;
  const options = (positional.options ?? {}) as Record<string, unknown>;
  const resolve = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(resolve);
    return typeof value === "string" ? (known.get(value) ?? value) : value;
  };
  return {
    x: resolve(positional.input) as Tensor,
    argument: (name) => resolve(positional[name]),
    option: <T>(name: string, absent: T) =>
      (name in options ? resolve(options[name]) : absent) as T,
  };
}

// ── Tensors ─────────────────────────────────────────────────────────────────────────────────

const sizeOf = (shape: readonly number[]): number =>
  shape.reduce((product, dim) => product * dim, 1);

/** A single number fills the tensor; 64-bit integers may be strings or BigInt literals. */
function tensorFrom({ data, descriptor: { shape, dataType } }: TensorData): HostTensor {
  const elements = (Array.isArray(data) ? data : new Array(sizeOf(shape)).fill(data)).map(
    (element: Element) =>
      isFloat(dataType) ? Number(element) : BigInt(String(element).replace(/n$/, "")),
  );
  return tensorOf(dataType, shape, elements);
}

function constantOf(input: TensorData): Tensor {
  const { dtype, shape } = tensorFrom(input);
  return nested(valuesOf(tensorFrom(input)), dtype, shape);
}

const nested = (
  values: readonly (number | bigint | boolean)[],
  dtype: DType,
  shape: readonly number[],
): Tensor => {
  const flat = constant(values.length === 1 ? [values[0]!] : [...values], { dtype });
  return flat.reshape(shape) as Tensor;
};

// ── Tolerances ──────────────────────────────────────────────────────────────────────────────

const anyFloat = (ulp: number) => ({ float32: { ulp }, float16: { ulp } });

/** By operator and dtype of the output; what is not listed is exact, as are integers but for `cast`. */
const fixed: Readonly<Record<string, { float32: Tolerance; float16: Tolerance }>> = {
  add: anyFloat(1),
  sub: anyFloat(1),
  mul: anyFloat(1),
  div: anyFloat(2),
  sqrt: anyFloat(1),
  pow: { float32: { ulp: 32 }, float16: { ulp: 2 } },
  exp: { float32: { ulp: 32 }, float16: { ulp: 1 } },
  log: { float32: { rtol: 0, atol: 1 / 1024 }, float16: { rtol: 0, atol: 1 / 1024 } },
  tanh: { float32: { rtol: 0, atol: 1 / 1024 }, float16: { rtol: 0, atol: 1 / 512 } },
  cast: anyFloat(1),
  sigmoid: { float32: { ulp: 34 }, float16: { ulp: 10 } },
  hardSigmoid: anyFloat(2),
  hardSwish: anyFloat(4),
  leakyRelu: { float32: { ulp: 1 }, float16: { ulp: 2 } },
  linear: anyFloat(2),
  elu: anyFloat(18),
  batchNormalization: anyFloat(6),
  instanceNormalization: { float32: { ulp: 840 }, float16: { ulp: 8400 } },
  layerNormalization: { float32: { rtol: 0, atol: 1 / 1024 }, float16: { rtol: 0, atol: 1 / 512 } },
};

function toleranceOf({ inputs, operators: calls, expectedOutputs }: WebnnCase["graph"]): Tolerance {
  const [{ name, arguments: given }] = calls as readonly [(typeof calls)[0]];
  const { dataType } = Object.values(expectedOutputs)[0]!.descriptor;
  const { options, ...positional } = Object.assign({}, ...given) as Record<string, unknown>;
  const shape = (key: string) => inputs[positional[key] as string]?.descriptor.shape ?? [];
  if (dataType !== "float32" && dataType !== "float16") return { ulp: name === "cast" ? 1 : 0 };

  const own = shape("input");
  const axes = (options as { axes?: number[] } | undefined)?.axes ?? own.map((_, d) => d);
  const reduced = axes.reduce((product, d) => product * (own[d] as number), 1);
  switch (name) {
    case "softmax":
      return { ulp: 3 * (own[positional.axis as number] as number) + 3 };
    case "matmul":
      return { ulp: 2 * (shape("a").at(-1) as number) };
    case "reduceSum":
    case "reduceL1":
    case "reduceProduct":
      return { ulp: reduced };
    case "reduceMean":
      return { ulp: reduced + 2 };
    case "reduceL2":
      return { ulp: 2 * reduced + 2 };
    case "reduceSumSquare":
      return { ulp: 2 * reduced };
    case "reduceLogSum":
      return { ulp: reduced + 18 };
    case "reduceLogSumExp":
      return { ulp: 2 * reduced + 18 };
    case "conv2d":
    case "convTranspose2d":
      return { ulp: convolutionUlp(shape("filter"), shape("input"), options, name) };
    default:
      return fixed[name]?.[dataType] ?? { ulp: 0 };
  }
}

/** Two for every product that is summed. */
function convolutionUlp(
  filter: readonly number[],
  input: readonly number[],
  options: unknown,
  name: string,
): number {
  const { filterLayout, inputLayout, groups } = {
    filterLayout: name === "conv2d" ? "oihw" : "iohw",
    inputLayout: "nchw",
    groups: 1,
    ...(options as object),
  };
  const extent = (letter: string) => filter[filterLayout.indexOf(letter)] as number;
  const channels = input[inputLayout.indexOf("c")] as number;
  return (2 * extent("h") * extent("w") * channels) / groups;
}
