/**
 * The discrete Fourier transform of every row by radix-2 steps (Stockham's self-sorting form of Cooley and
 * Tukey, 1965: no bit reversal). A complex number is a pair of arrays. The stages are a JavaScript loop, so
 * shapes and twiddle factors are known while the graph is built.
 */
import { constant, f32, type Graph, graph, kernel, stack, type Tensor, tensor } from "gridfuse";
import { type Check, type Inputs, type Outputs, randomFloats, within } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

export interface FftShape {
  /** A multiple of the block. */
  readonly rows: number;
  /** A power of two. */
  readonly n: number;
}
interface Complex {
  readonly re: Tensor<"float32">;
  readonly im: Tensor<"float32">;
}

/** One stage: columns [half, stride] of both halves meet, and `stride` doubles. */
function butterfly({ re, im }: Complex, rows: number, half: number, stride: number): Complex {
  const angles = Array.from({ length: half }, (_, p) => (-Math.PI * p) / half);
  const table = (f: (angle: number) => number) =>
    constant(angles.map(f), { dtype: f32 }).reshape([half, 1]);
  const [cos, sin] = [table(Math.cos), table(Math.sin)];
  const halves = (x: Tensor) => {
    const pairs = x.reshape([rows, 2, half, stride]);
    return [pairs.index(":", 0), pairs.index(":", 1)] as const;
  };
  const [[ar, br], [ai, bi]] = [halves(re), halves(im)];
  const [dr, di] = [ar.sub(br), ai.sub(bi)];
  const join = (sum: Tensor, difference: Tensor) =>
    stack([sum, difference], { axis: 2 }).reshape([rows, -1]) as Tensor<"float32">;
  return {
    re: join(ar.add(br), dr.mul(cos).sub(di.mul(sin))),
    im: join(ai.add(bi), dr.mul(sin).add(di.mul(cos))),
  };
}

/** re, im: f32[rows, n] → realPart, imaginaryPart: f32[rows, n]. */
export function fft({ rows, n }: FftShape, blockRows = 8): Graph {
  const blocks = tensor(f32, [rows, n]).blocks([blockRows, n], ({ i }) => [i, 0]);
  const transform = kernel(
    "fft",
    {
      grid: { i: rows / blockRows },
      inputs: { re: blocks, im: blocks },
      outputs: { realPart: blocks, imaginaryPart: blocks },
    },
    ({ re, im, realPart, imaginaryPart }) => {
      let x: Complex = { re: re.get(), im: im.get() };
      for (let half = n / 2; half >= 1; half /= 2)
        x = butterfly(x, blockRows, half, n / (2 * half));
      realPart.set(x.re);
      imaginaryPart.set(x.im);
    },
  );
  return graph(transform.inputs, transform, { name: "fft" });
}

export const fftInputs = ({ rows, n }: FftShape): { re: Float32Array; im: Float32Array } => ({
  re: randomFloats(rows * n, 1, 35),
  im: randomFloats(rows * n, 1, 36),
});

/** The definition, in float64, for the first rows. Stages add a few roundings each of values below 2n. */
export const checkFft =
  ({ rows, n }: FftShape, checkedRows = 4) =>
  (inputs: Inputs, { realPart, imaginaryPart }: Outputs): Check => {
    const [re, im] = [inputs.re as Float32Array, inputs.im as Float32Array];
    const count = Math.min(rows, checkedRows) * n;
    const [realSums, imaginarySums] = [new Float64Array(count), new Float64Array(count)];
    const roots = Array.from({ length: n }, (_, p) => (-2 * Math.PI * p) / n).map((angle) => ({
      cos: Math.cos(angle),
      sin: Math.sin(angle),
    }));
    for (let at = 0; at < count; at++) {
      const row = at - (at % n);
      for (let j = 0; j < n; j++) {
        const { cos, sin } = roots[((at % n) * j) % n];
        realSums[at] += re[row + j] * cos - im[row + j] * sin;
        imaginarySums[at] += re[row + j] * sin + im[row + j] * cos;
      }
    }
    const tolerance = () => Math.log2(n) * Math.sqrt(n) * 2 ** -21;
    const real = within(realPart.subarray(0, count) as Float32Array, realSums, tolerance);
    if (!real.ok) return real;
    return within(imaginaryPart.subarray(0, count) as Float32Array, imaginarySums, tolerance);
  };

export const examples: readonly SuiteExample[] = [
  defineExample<FftShape>({
    name: "FFT, radix 2",
    about: "complex numbers as two arrays, a stage for every power of two",
    full: { rows: 256, n: 1024 },
    small: { rows: 16, n: 16 },
    graph: (shape) => fft(shape),
    inputs: fftInputs,
    check: (shape) => checkFft(shape),
  }),
];
