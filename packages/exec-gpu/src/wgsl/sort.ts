/**
 * `sort` and `topk`: a permutation is sorted first, by Batcher's bitonic network (1968), then applied.
 *
 * The network is data-oblivious, so each of its steps is one dispatch of the same shader, told apart by two
 * run-time parameters. It is not stable by itself; comparing the positions where the keys are equal makes
 * the order total, and with it the result unique. Places beyond the extent, up to the next power of two,
 * come after everything.
 */
import { bitsDType, type DType, kindOf, type SortStep, type TopKStep } from "@gridfuse/plan";
import type { MemoryLayout } from "../memory.ts";
import { requireCountable } from "./domain.ts";
import type { Dispatch, Launches } from "./elementwise.ts";
import type { Subnormals } from "./float32.ts";
import { assembleModule } from "./module.ts";
import { loadText, scratchLoad, scratchStore, storeText } from "./stage.ts";
import { fromBitsText, type ShaderDType, shaderDType, toWordText, wgslType } from "./value.ts";

const workgroupSize = 64;

/** One operand that is permuted: `count` elements of every line go to `to`. */
interface Move {
  readonly dtype: DType;
  readonly from: number;
  readonly to: number;
}

interface Lines {
  readonly name: string;
  readonly outer: number;
  readonly extent: number;
  readonly inner: number;
  /** Elements of a sorted line that are wanted. */
  readonly count: number;
  readonly descending: boolean;
  readonly keys: readonly { readonly buffer: number; readonly dtype: DType }[];
  readonly moves: readonly Move[];
  /** Buffers for the int32 permutation itself. */
  readonly places: readonly number[];
}

export function sortLaunches(
  step: SortStep,
  layout: MemoryLayout,
  subnormals: Subnormals,
): Launches {
  const { name, outer, extent, inner, dtypes, inputs, sources, outputs } = step;
  const operands = dtypes.map((dtype, i) => ({ dtype, buffer: inputs[i] as number }));
  const lines: Lines = {
    ...{ name, outer, extent, inner, count: extent, descending: false },
    keys: operands.slice(0, step.keys),
    moves: outputs.flatMap((to, i): Move[] => {
      const operand = operands[sources[i] as number];
      return operand === undefined ? [] : [{ dtype: operand.dtype, from: operand.buffer, to }];
    }),
    places: outputs.filter((_, i) => sources[i] === inputs.length),
  };
  return orderLaunches(lines, layout, subnormals);
}

export function topKLaunches(
  step: TopKStep,
  layout: MemoryLayout,
  subnormals: Subnormals,
): Launches {
  const { name, outer, extent, k, dtype, input, values, indices } = step;
  const lines: Lines = {
    ...{ name, outer, extent, inner: 1, count: k, descending: true, places: [indices] },
    keys: [{ buffer: input, dtype }],
    moves: [{ dtype, from: input, to: values }],
  };
  return orderLaunches(lines, layout, subnormals);
}

function orderLaunches(lines: Lines, layout: MemoryLayout, subnormals: Subnormals): Launches {
  const { name, outer, extent, inner, moves, count } = lines;
  const rows = outer * inner;
  const dispatches: Dispatch[] = [];
  const launches: Launches["launches"][number][] = [];
  const width = 2 ** Math.ceil(Math.log2(Math.max(extent, 1)));
  if (rows * extent * count === 0) return { dispatches, launches, scratchWords: 0 };
  requireCountable(rows * width);
  const elementwise = (what: string, points: number, body: readonly string[]): number => {
    const full = [
      `let point = id.x + id.y * groups.x * ${workgroupSize}u;`,
      `if (point >= ${points}u) {`,
      "  return;",
      "}",
      ...body,
    ];
    const module = assembleModule(`${name} ${what}`, workgroupSize, [], full, subnormals);
    const workgroups = Math.ceil(points / workgroupSize);
    return dispatches.push({ ...module, name: `${name} ${what}`, workgroups }) - 1;
  };

  const start = elementwise("positions", rows * width, [
    scratchStore(layout, 0, "point", `point % ${width}u`),
  ]);
  launches.push({ dispatch: start });
  if (width > 1) {
    const step = elementwise("network", (rows * width) / 2, networkLines(lines, width, layout));
    for (let level = 2; level <= width; level *= 2) {
      for (let reach = level / 2; reach >= 1; reach /= 2) {
        launches.push({ dispatch: step, level, reach });
      }
    }
  }
  const spare = rows * width;
  for (const [i, { dtype: moved, from }] of moves.entries()) {
    // Bits move untouched; an output may be the input of another operand, so all are set aside first.
    const dtype = shaderDType(bitsDType(moved));
    const read = loadText(layout, from, dtype, "i32(point)");
    const word = scratchStore(layout, spare + i * rows * extent, "point", read);
    launches.push({ dispatch: elementwise(`aside ${i}`, rows * extent, [word]) });
  }
  const place = [
    `let line = point / ${count}u;`,
    `let position = point % ${count}u;`,
    `let first = (line / ${inner}u) * ${extent * inner}u + line % ${inner}u;`,
    `let source = ${scratchLoad(layout, 0, `line * ${width}u + position`)};`,
  ];
  const target = `i32((line / ${inner}u) * ${count * inner}u + line % ${inner}u + position * ${inner}u)`;
  for (const [i, { dtype: moved, to }] of moves.entries()) {
    const dtype = shaderDType(bitsDType(moved));
    const held = scratchLoad(layout, spare + i * rows * extent, `first + source * ${inner}u`);
    const body = [...place, storeText(layout, to, dtype, target, fromBitsText(dtype, held))];
    launches.push({ dispatch: elementwise(`place ${i}`, rows * count, body) });
  }
  for (const buffer of lines.places) {
    const body = [...place, storeText(layout, buffer, "int32", target, "i32(source)")];
    launches.push({ dispatch: elementwise("places", rows * count, body) });
  }
  return { dispatches, launches, scratchWords: spare + moves.length * rows * extent };
}

/** One comparator of the network: positions a < b, `reach` apart, of one line. */
function networkLines(lines: Lines, width: number, layout: MemoryLayout): string[] {
  const { extent, inner, keys, descending } = lines;
  const pairs = width / 2;
  const compares = keys.flatMap(({ buffer, dtype: stored }) => {
    const dtype = shaderDType(stored);
    const key = (source: string): string => {
      const bits = loadText(layout, buffer, dtype, `i32(first + ${source} * ${inner}u)`);
      const word = orderKey(dtype, fromBitsText(dtype, bits));
      return descending ? `~${word}` : word;
    };
    return [
      "  if (!decided) {",
      `    let x = ${key("source_a")};`,
      `    let y = ${key("source_b")};`,
      "    decided = x != y;",
      "    swapped = y < x;",
      "  }",
    ];
  });
  return [
    `let line = point / ${pairs}u;`,
    `let pair = point % ${pairs}u;`,
    "let a = (pair / params.reach) * params.reach * 2u + pair % params.reach;",
    "let b = a + params.reach;",
    `let source_a = ${scratchLoad(layout, 0, `line * ${width}u + a`)};`,
    `let source_b = ${scratchLoad(layout, 0, `line * ${width}u + b`)};`,
    `let first = (line / ${inner}u) * ${extent * inner}u + line % ${inner}u;`,
    "var decided = false;",
    "var swapped = false;",
    `if (source_a < ${extent}u && source_b < ${extent}u) {`,
    ...compares,
    "}",
    "if (!decided) {",
    "  swapped = source_b < source_a;",
    "}",
    "if (swapped == ((a & params.level) == 0u)) {",
    `  ${scratchStore(layout, 0, `line * ${width}u + a`, "source_b")}`,
    `  ${scratchStore(layout, 0, `line * ${width}u + b`, "source_a")}`,
    "}",
  ];
}

/** A word whose unsigned order is the order of `sort`: one zero, and NaN after everything. */
function orderKey(dtype: ShaderDType, value: string): string {
  if (kindOf(dtype) === "float") return `order_key(${value})`;
  const word = toWordText(dtype, value);
  return wgslType(dtype) === "i32" ? `(${word} ^ 0x80000000u)` : word;
}
