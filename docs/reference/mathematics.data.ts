/** The data of the mathematics page: stated bounds, what the nightly suite measured, and values at special points. */
import { evaluateProgram, type Lanes, type Scalar, ScalarBuilder, scalarMath } from "gridfuse";
import measured from "./mathematics.json" with { type: "json" };

type Format = "float32" | "float64";
type Expansion = (b: ScalarBuilder, ...operands: Scalar[]) => Scalar;

export interface BoundRow {
  readonly name: string;
  /** For float32, then float64. */
  readonly figures: readonly { readonly bound: string; readonly measured: string }[];
}
export interface ValueRow {
  readonly name: string;
  readonly values: readonly string[];
}
export interface ValueTable {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly ValueRow[];
}
export interface Mathematics {
  readonly bounds: readonly BoundRow[];
  readonly values: readonly ValueTable[];
}

export declare const data: Mathematics;

const names = Object.keys(scalarMath.ulpBounds).sort();
const expansions = scalarMath as unknown as Readonly<Record<string, Expansion>>;
const smallest = 2 ** -149;
const largest = 2 ** 128 - 2 ** 104;

function measuredText(name: string, format: Format): string {
  const figures = (
    measured as Record<string, Partial<Record<Format, { ulp: number; inputs: string }>>>
  )[name];
  const found = figures?.[format];
  return found === undefined ? "" : `${found.ulp.toFixed(2)} (${found.inputs})`;
}

const bounds = names.map((name) => ({
  name,
  figures: (["float32", "float64"] as const).map((format) => ({
    bound: `${scalarMath.ulpBounds[name]?.[format]}`,
    measured: measuredText(name, format),
  })),
}));

/** What a function gives in float32 at points of one or two operands. */
function valuesAt(name: string, points: readonly (readonly number[])[]): readonly string[] {
  const b = new ScalarBuilder();
  const arity = (points[0] as readonly number[]).length;
  const operands = Array.from({ length: arity }, (_, i) => b.argument("float32", i));
  const result = (expansions[name] as Expansion)(b, ...operands);
  const columns = operands.map((_, i) => Float32Array.from(points, (point) => point[i] as number));
  const lanes = evaluateProgram(
    b.nodes,
    points.length,
    (node) => columns[(node as { index: number }).index] as Lanes,
    [result],
  )[result] as Float32Array;
  return Array.from(lanes, textOf);
}

function textOf(x: number): string {
  if (Object.is(x, -0)) return "−0";
  if (Number.isNaN(x)) return "NaN";
  const sign = x < 0 ? "−" : "";
  const size = Math.abs(x);
  if (size === Infinity) return `${sign}∞`;
  if (size === smallest) return `${sign}s`;
  if (size === largest) return `${sign}L`;
  return `${sign}${Number(size.toPrecision(5))}`;
}

const points = [-Infinity, -1, -smallest, -0, 0, smallest, 1, largest, Infinity, Number.NaN];
const pairs = [-Infinity, -2.5, -1, -0, 0, 1, 2, Infinity, Number.NaN];

const arityOf = (name: string): number => (expansions[name] as Expansion).length - 1;

const tableOf = (name: string): ValueTable => ({
  title: name,
  columns: pairs.map(textOf),
  rows: pairs.map((x) => ({
    name: textOf(x),
    values: valuesAt(
      name,
      pairs.map((y) => [x, y]),
    ),
  })),
});

export default {
  load(): Mathematics {
    const ofOne = names.filter((name) => arityOf(name) === 1);
    const rows = ofOne.map((name) => ({
      name,
      values: valuesAt(
        name,
        points.map((x) => [x]),
      ),
    }));
    return {
      bounds,
      values: [
        { title: "One operand", columns: points.map(textOf), rows },
        tableOf("pow"),
        tableOf("atan2"),
      ],
    };
  },
};
