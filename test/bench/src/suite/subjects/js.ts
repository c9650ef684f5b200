/** Plain loops over typed arrays, as one would write them without a library. */
import type { Job, Running } from "../subject.ts";
import type { Data, Result, WorkName } from "../works.ts";

type Loop = (given: readonly Data[], out: Result, shape: readonly number[]) => void;

function each(f: (x: number, y: number) => number): Loop {
  // One loop for each function, so that V8 puts the function into it.
  return new Function(
    "f",
    "return ([x, y = x], o) => { for (let i = 0; i < o.length; i++) o[i] = f(x[i], y[i]); };",
  )(f);
}
const { exp, sin, sqrt, tanh, PI, max } = Math;
const rowwise =
  (f: (row: Data, out: Result) => void): Loop =>
  ([x], out, [rows, columns]) => {
    for (let row = 0; row < rows; row++) {
      const [from, to] = [row * columns, (row + 1) * columns];
      f(x.subarray(from, to), out.subarray(from, to));
    }
  };

function softmax(row: Data, out: Result): void {
  let most = -Infinity;
  for (let i = 0; i < row.length; i++) most = max(most, row[i]);
  let sum = 0;
  for (let i = 0; i < row.length; i++) {
    out[i] = exp(row[i] - most);
    sum += out[i];
  }
  for (let i = 0; i < row.length; i++) out[i] /= sum;
}

function layerNorm(row: Data, out: Result): void {
  let mean = 0;
  for (let i = 0; i < row.length; i++) mean += row[i];
  mean /= row.length;
  let variance = 0;
  for (let i = 0; i < row.length; i++) variance += (row[i] - mean) ** 2;
  const scale = 1 / sqrt(variance / row.length + 1e-5);
  for (let i = 0; i < row.length; i++) out[i] = (row[i] - mean) * scale;
}

function cumsum(row: Data, out: Result): void {
  let sum = 0;
  for (let i = 0; i < row.length; i++) {
    sum = Math.fround(sum + row[i]);
    out[i] = sum;
  }
}

const argmax: Loop = ([x], out, [rows, columns]) => {
  for (let row = 0; row < rows; row++) {
    let best = row * columns;
    for (let i = best + 1; i < (row + 1) * columns; i++) if (x[i] > x[best]) best = i;
    out[row] = best - row * columns;
  }
};

const sum: Loop = ([x], out) => {
  let total = 0;
  for (let i = 0; i < x.length; i++) total += x[i];
  out[0] = total;
};

const matmul: Loop = ([a, b], out, [m, n, k]) => {
  out.fill(0);
  for (let row = 0; row < m; row++) {
    for (let inner = 0; inner < k; inner++) {
      const left = a[row * k + inner];
      for (let column = 0; column < n; column++) {
        out[row * n + column] += left * b[inner * n + column];
      }
    }
  }
};

function sort(row: Data, out: Result): void {
  out.set(row);
  out.sort();
}
function argsort(row: Data, out: Result): void {
  for (let i = 0; i < out.length; i++) out[i] = i;
  out.sort((i, j) => row[i] - row[j] || i - j);
}

const loops: Readonly<Record<WorkName, Loop>> = {
  sinadd: each((x, y) => sin((x + y) * 2)),
  add: each((x, y) => x + y),
  exp: each((x) => exp(x)),
  gelu: each((x) => 0.5 * x * (1 + tanh(sqrt(2 / PI) * (x + 0.044715 * x * x * x)))),
  softmax: rowwise(softmax),
  layernorm: rowwise(layerNorm),
  argmax,
  cumsum: rowwise(cumsum),
  sum,
  matmul,
  sort: rowwise(sort),
  argsort: rowwise(argsort),
  bitonic: rowwise(sort),
};

export function start(job: Job, inputs: Readonly<Record<string, Data>>): Running {
  const given = Object.values(inputs);
  const count = job.resultShape.reduce((a, b) => a * b, 1);
  const out = job.resultType === "int32" ? new Int32Array(count) : new Float32Array(count);
  const loop = loops[job.work];
  return {
    run: (): undefined => {
      loop(given, out, job.shape);
    },
    result: () => out,
  };
}
