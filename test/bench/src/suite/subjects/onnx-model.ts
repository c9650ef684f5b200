/**
 * The works as ONNX models. A model is a protobuf message; field numbers are those of onnx.proto
 * (ModelProto, GraphProto, NodeProto, AttributeProto, ValueInfoProto, TensorProto).
 */
import { type Job, Missing } from "../subject.ts";

type Field = readonly [number, number | string | Uint8Array | readonly Field[]];

function writeVarint(into: number[], value: number): void {
  while (value > 0x7f) {
    into.push((value % 128) | 0x80);
    value = Math.floor(value / 128);
  }
  into.push(value);
}

/** Numbers as varints, everything else with its length in front. */
function encode(fields: readonly Field[]): Uint8Array {
  const out: number[] = [];
  for (const [number, value] of fields) {
    if (typeof value === "number") {
      writeVarint(out, number * 8);
      writeVarint(out, value);
      continue;
    }
    const bytes =
      typeof value === "string"
        ? new TextEncoder().encode(value)
        : value instanceof Uint8Array
          ? value
          : encode(value);
    writeVarint(out, number * 8 + 2);
    writeVarint(out, bytes.length);
    for (const byte of bytes) out.push(byte);
  }
  return Uint8Array.from(out);
}

const float = 1;
const int64 = 7;

const valueInfo = (name: string, type: number, shape: readonly number[]): readonly Field[] => [
  [1, name],
  [
    2,
    [
      [
        1,
        [
          [1, type],
          [2, shape.map((extent): Field => [1, [[1, extent]]])],
        ],
      ],
    ],
  ],
];
const constant = (
  name: string,
  type: number,
  shape: readonly number[],
  data: (ArrayLike<number> & { readonly buffer: ArrayBufferLike }) | BigInt64Array,
): readonly Field[] => [
  ...shape.map((extent): Field => [1, extent]),
  [2, type],
  [8, name],
  [9, new Uint8Array(data.buffer)],
];
const floats = (name: string, shape: readonly number[], values: readonly number[]) =>
  constant(name, float, shape, Float32Array.from(values));
const ints = (name: string, values: readonly number[]) =>
  constant(name, int64, [values.length], BigInt64Array.from(values.map(BigInt)));

type Attribute = number | string;
interface Node {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
}
const node = ({ op, inputs, outputs, attributes = {} }: Node): readonly Field[] => [
  ...inputs.map((name): Field => [1, name]),
  ...outputs.map((name): Field => [2, name]),
  [4, op],
  ...Object.entries(attributes).map(
    ([name, value]): Field => [
      5,
      typeof value === "number"
        ? [
            [1, name],
            [3, value],
            [20, 2],
          ]
        : [
            [1, name],
            [4, value],
            [20, 3],
          ],
    ],
  ),
];

interface Body {
  readonly nodes: readonly Node[];
  readonly constants?: readonly (readonly Field[])[];
  readonly result?: number;
}

const one = (op: string, attributes: Readonly<Record<string, Attribute>> = {}): Body => ({
  nodes: [{ op, inputs: ["x"], outputs: ["o"], attributes }],
});
const topK = (n: number, outputs: readonly string[]): Body => ({
  nodes: [
    { op: "TopK", inputs: ["x", "count"], outputs, attributes: { axis: 1, largest: 0, sorted: 1 } },
  ],
  constants: [ints("count", [n])],
});

function bodyOf({ work, shape }: Job): Body {
  const [, columns] = shape;
  switch (work) {
    case "sinadd":
      return {
        nodes: [
          { op: "Add", inputs: ["x", "y"], outputs: ["sum"] },
          { op: "Mul", inputs: ["sum", "two"], outputs: ["twice"] },
          { op: "Sin", inputs: ["twice"], outputs: ["o"] },
        ],
        constants: [floats("two", [], [2])],
      };
    case "add":
      return { nodes: [{ op: "Add", inputs: ["x", "y"], outputs: ["o"] }] };
    case "exp":
      return one("Exp");
    case "gelu":
      return one("Gelu", { approximate: "tanh" });
    case "softmax":
      return one("Softmax", { axis: 1 });
    case "layernorm":
      // The operator's own epsilon is 1e−5.
      return {
        nodes: [
          {
            op: "LayerNormalization",
            inputs: ["x", "scale"],
            outputs: ["o"],
            attributes: { axis: 1 },
          },
        ],
        constants: [floats("scale", [columns], new Array(columns).fill(1))],
      };
    case "argmax":
      return { ...one("ArgMax", { axis: 1, keepdims: 0 }), result: int64 };
    case "cumsum":
      return {
        nodes: [{ op: "CumSum", inputs: ["x", "axis"], outputs: ["o"] }],
        constants: [constant("axis", int64, [], BigInt64Array.of(1n))],
      };
    case "sum":
      return one("ReduceSum", { keepdims: 1 });
    case "matmul":
      return { nodes: [{ op: "MatMul", inputs: ["a", "b"], outputs: ["o"] }] };
    case "sort":
      return topK(columns, ["o", "places"]);
    case "argsort":
      return { ...topK(columns, ["values", "o"]), result: int64 };
    case "bitonic":
      throw new Missing("not written as a model");
    default:
      throw work satisfies never;
  }
}

export function onnxModel(job: Job): Uint8Array {
  const { nodes, constants = [], result = float } = bodyOf(job);
  const graph: readonly Field[] = [
    ...nodes.map((each): Field => [1, node(each)]),
    [2, job.work],
    ...constants.map((each): Field => [5, each]),
    ...job.inputs.map(({ name, shape }): Field => [11, valueInfo(name, float, shape)]),
    [12, valueInfo("o", result, job.resultShape)],
  ];
  return encode([
    [1, 9],
    [7, graph],
    [8, [[2, 20]]],
  ]);
}
