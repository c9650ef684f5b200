/** Blocks of random kernels: where they lie for each grid point, and how large an array they need. */
import {
  type ArraySpec,
  add,
  bounded,
  ds,
  element,
  floorDivide,
  lt,
  minimum,
  mod,
  mul,
  type Ref,
  squeezed,
  sub,
  type Tensor,
  tensor,
  where,
} from "@gridfuse/graph";
import type { DType } from "@gridfuse/plan";
import { Dice } from "../dice.ts";

type Shape = readonly number[];

/** Of coordinates i, j and k that need not be different axes. */
export const mapKinds = [
  "constant",
  "axis",
  /** n − 1 − i */
  "reversed",
  /** i + j */
  "sum",
  /** i + ⌈n/2⌉ wrapped around */
  "halved",
  /** 2i */
  "strided",
  /** a·i + b·j + c·k + d */
  "affine",
  /** i·nⱼ + j: every pair has its own block */
  "flattened",
  /** ⌊i / 2⌋ */
  "divided",
  /** i mod 2 */
  "modulo",
  /** the prefetched table at i */
  "table",
  /** table[i] + j */
  "tableSum",
] as const;
export type MapKind = (typeof mapKinds)[number];

export interface DimPlan {
  readonly kind: "blocked" | "squeezed" | "element" | "bounded";
  readonly size: number;
  readonly map: MapKind;
  readonly dice: readonly number[];
}
export interface ArrayPlan {
  readonly dtype: DType;
  readonly dims: readonly DimPlan[];
}

type BlockEntry =
  | number
  | typeof squeezed
  | ReturnType<typeof element>
  | ReturnType<typeof bounded>;

interface MappedDim {
  readonly entry: BlockEntry;
  readonly extent: number;
  /** Where the block lies, given coordinates and the prefetched table. */
  at(ids: readonly Tensor[], table: Ref): number | Tensor | ReturnType<typeof ds>;
}

export const tableLength = 4;
/** Values of the prefetched table lie below this. */
export const tableRange = 3;

/** The index of a block, and the greatest that it takes. */
interface BlockIndex {
  readonly greatest: number;
  of(ids: readonly Tensor[], table: Ref): number | Tensor;
}

function blockIndex(map: MapKind, dice: Dice, grid: Shape): BlockIndex {
  const [a, b, c] = [dice, dice, dice].map((each) => each.below(grid.length)) as [
    number,
    number,
    number,
  ];
  const [na, nb, nc] = [grid[a], grid[b], grid[c]] as [number, number, number];
  const unary = (greatest: number, of: (i: Tensor) => Tensor | number): BlockIndex => ({
    greatest,
    of: (ids) => of(ids[a] as Tensor),
  });
  const looked = (ids: readonly Tensor[], table: Ref): Tensor =>
    table.get(minimum(ids[a] as Tensor, tableLength - 1)) as Tensor;
  switch (map) {
    case "constant": {
      const at = dice.below(2);
      return unary(at, () => at);
    }
    case "axis":
      return unary(na - 1, (i) => i);
    case "reversed":
      return unary(na - 1, (i) => sub(na - 1, i));
    case "sum":
      return {
        greatest: na + nb - 2,
        of: (ids) => add(ids[a] as Tensor, ids[b] as Tensor),
      };
    case "halved": {
      const half = Math.ceil(na / 2);
      return unary(half - 1, (i) => where(lt(i, half), i, sub(i, half)));
    }
    case "strided":
      return unary(2 * (na - 1), (i) => mul(i, 2));
    case "affine": {
      const [fa, fb, fc, start] = [1 + dice.below(2), dice.below(3), dice.below(2), dice.below(2)];
      return {
        greatest: fa * (na - 1) + fb * (nb - 1) + fc * (nc - 1) + start,
        of: (ids) =>
          add(
            add(mul(ids[a] as Tensor, fa), mul(ids[b] as Tensor, fb)),
            add(mul(ids[c] as Tensor, fc), start),
          ),
      };
    }
    case "flattened":
      return {
        greatest: na * nb - 1,
        of: (ids) => add(mul(ids[a] as Tensor, nb), ids[b] as Tensor),
      };
    case "divided":
      return unary(Math.floor((na - 1) / 2), (i) => floorDivide(i, 2));
    case "modulo":
      return unary(Math.min(1, na - 1), (i) => mod(i, 2));
    case "table":
      return { greatest: tableRange - 1, of: looked };
    case "tableSum":
      return {
        greatest: tableRange - 1 + nb - 1,
        of: (ids, table) => add(looked(ids, table), ids[b] as Tensor),
      };
    default:
      return map satisfies never;
  }
}

function mapDim({ kind, size, map, dice: numbers }: DimPlan, grid: Shape): MappedDim {
  const dice = new Dice(numbers);
  const { greatest, of } = blockIndex(map, dice, grid);
  const highest = Math.max(0, greatest);
  const spare = dice.below(3) === 0 ? dice.below(3) : 0;
  const scaled = (ids: readonly Tensor[], table: Ref, by: number): number | Tensor => {
    const block = of(ids, table);
    return typeof block === "number" ? block * by : mul(block, by);
  };
  switch (kind) {
    case "blocked": {
      const ragged = dice.flip() ? 0 : dice.below(size);
      const extent = Math.max(size, (highest + 1) * size - ragged) + spare;
      return { entry: size, extent, at: of };
    }
    case "squeezed":
      return { entry: squeezed, extent: highest + 1 + spare, at: of };
    case "element": {
      const padding = [dice.below(2), dice.below(2)] as const;
      const step = dice.pick([size, 1, size + 1]);
      const extent = Math.max(1, size - padding[0] - padding[1], highest * step + 1 - padding[0]);
      return {
        entry: element(size, { padding }),
        extent: extent + spare,
        at: (ids, table) => scaled(ids, table, step),
      };
    }
    case "bounded": {
      const extent = Math.max(size, highest * size + 1 + dice.below(size)) + spare;
      const counter = dice.flip() ? dice.below(grid.length) : undefined;
      return {
        entry: bounded(size),
        extent,
        at: (ids, table) => {
          const count =
            counter === undefined ? size : minimum(add(ids[counter] as Tensor, 1), size);
          return ds(scaled(ids, table, size), count);
        },
      };
    }
    default:
      return kind satisfies never;
  }
}

const maxArray = 2500;

/** The array with dimensions that would make it too large one block wide instead. */
export function withinLimits<A extends ArrayPlan>(array: A, grid: Shape): A {
  let elements = 1;
  const dims = array.dims.map((dim): DimPlan => {
    const { extent } = mapDim(dim, grid);
    const fits = elements * extent <= maxArray;
    const kept: DimPlan = fits ? dim : { ...dim, kind: "blocked", size: 1, map: "constant" };
    elements *= mapDim(kept, grid).extent;
    return kept;
  });
  return { ...array, dims };
}

export function specOf({ dtype, dims }: ArrayPlan, grid: Shape): ArraySpec {
  const mapped = dims.map((dim) => mapDim(dim, grid));
  const shape = mapped.map(({ extent }) => extent);
  return (tensor(dtype, shape) as ArraySpec).blocks(
    mapped.map(({ entry }) => entry) as never,
    (...given: unknown[]) => {
      const ids = given.slice(0, grid.length) as Tensor[];
      const table = given[grid.length] as Ref;
      return mapped.map(({ at }) => at(ids, table));
    },
  );
}

/** What the body sees of a block. */
export const refShape = ({ dims }: ArrayPlan): Shape =>
  dims.flatMap(({ kind, size }) => (kind === "squeezed" ? [] : [size]));
