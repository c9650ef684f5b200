/**
 * Einstein summation in kernels: the first operand and the result come an element of their first label a
 * grid point, the others whole. What is a product becomes one, the rest sums and transposes.
 */
import { einsum, f32, type Graph, graph, kernel, tensor } from "gridfuse";
import { type Check, type Inputs, type Outputs, randomFloats, within } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

interface EinsumShape {
  /** Labels of the operands and of the result; the first operand and the result begin with the same one. */
  readonly equation: string;
  /** Extent of every label. */
  readonly extents: Readonly<Record<string, number>>;
}

interface Parts {
  readonly operands: readonly string[];
  readonly result: string;
}
function parts(equation: string): Parts {
  const [left, result] = equation.split("->");
  return { operands: left.split(","), result };
}

const nameOf = (operand: number): string => "abc"[operand];
const shapeOf = (labels: string, extents: EinsumShape["extents"]): readonly number[] =>
  Array.from(labels, (label) => extents[label]);

/** a: f32[…], b: f32[…], … → y: f32[…]. */
export function einsumKernel({ equation, extents }: EinsumShape): Graph {
  const { operands, result } = parts(equation);
  const rows = result[0];
  const specOf = (labels: string) => {
    const shape = shapeOf(labels, extents);
    const array = tensor(f32, shape);
    if (!labels.startsWith(rows)) return array;
    return array.blocks([1, ...shape.slice(1)], ({ i }) => [i, ...shape.slice(1).map(() => 0)]);
  };
  const contract = kernel(
    "einsum",
    {
      grid: { i: extents[rows] },
      inputs: Object.fromEntries(operands.map((labels, o) => [nameOf(o), specOf(labels)])),
      outputs: { y: specOf(result) },
    },
    ({ y, ...inputs }) => {
      y.set(einsum(equation, ...operands.map((_, o) => inputs[nameOf(o)].get())));
    },
  );
  return graph(contract.inputs, contract, { name: "einsum" });
}

const inputs = ({ equation, extents }: EinsumShape): Inputs =>
  Object.fromEntries(
    parts(equation).operands.map((labels, o) => {
      const count = shapeOf(labels, extents).reduce((a, b) => a * b);
      return [nameOf(o), randomFloats(count, 1, 94 + o)];
    }),
  );

/** One loop for every label, in float64; float32 costs up to 2⁻²⁴ a term. */
const check =
  ({ equation, extents }: EinsumShape) =>
  (inputs: Inputs, { y }: Outputs): Check => {
    const { operands, result } = parts(equation);
    const labels = [...new Set(equation.replace(/[^a-z]/g, ""))];
    const strideIn = (text: string) =>
      labels.map((label) => {
        const at = text.indexOf(label);
        return at < 0 ? 0 : shapeOf(text.slice(at + 1), extents).reduce((a, b) => a * b, 1);
      });
    const strides = [...operands, result].map(strideIn);
    const values = operands.map((_, o) => inputs[nameOf(o)] as Float32Array);
    const expected = new Float64Array(y.length);
    const magnitude = new Float64Array(y.length);
    const visit = (depth: number, offsets: readonly number[]): void => {
      if (depth === labels.length) {
        const term = values.reduce((product, value, o) => product * value[offsets[o]], 1);
        const at = offsets[operands.length];
        expected[at] += term;
        magnitude[at] += Math.abs(term);
        return;
      }
      for (let i = 0; i < extents[labels[depth]]; i++) {
        visit(
          depth + 1,
          offsets.map((offset, o) => offset + i * strides[o][depth]),
        );
      }
    };
    visit(
      0,
      strides.map(() => 0),
    );
    const terms = labels.reduce((count, label) => count * extents[label], 1) / y.length;
    return within(y, expected, (i) => (terms + operands.length) * 2 ** -24 * magnitude[i]);
  };

const family = [
  { equation: "ij,jk->ik", about: "matrix product", full: { i: 64, j: 64, k: 64 } },
  { equation: "bij,bjk->bik", about: "a product a batch", full: { b: 8, i: 32, j: 32, k: 32 } },
  {
    equation: "bqhd,bkhd->bhqk",
    about: "scores of attention",
    full: { b: 4, q: 16, k: 24, h: 4, d: 16 },
  },
  { equation: "ij,j->i", about: "matrix by vector", full: { i: 512, j: 512 } },
  { equation: "i,j->ij", about: "outer product", full: { i: 512, j: 512 } },
  { equation: "ijk->ikj", about: "transpose", full: { i: 32, j: 64, k: 64 } },
  { equation: "ijk->ik", about: "sum over the middle", full: { i: 32, j: 64, k: 64 } },
  { equation: "bi,ijk,bk->bj", about: "bilinear form", full: { b: 16, i: 16, j: 24, k: 20 } },
];

export const examples: readonly SuiteExample[] = family.map(({ equation, about, full }) =>
  defineExample<EinsumShape>({
    name: `einsum ${equation}`,
    about,
    full: { equation, extents: full },
    small: {
      equation,
      extents: Object.fromEntries(Object.keys(full).map((label, i) => [label, 2 + i])),
    },
    graph: einsumKernel,
    inputs,
    check,
  }),
);
