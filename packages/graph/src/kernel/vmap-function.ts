/**
 * `vmap(f)` of a function of tensors: a grid with one point for each slice, whose blocks have the mapped
 * dimension squeezed out. The points are independent, so the compiler makes the axis an array axis again,
 * with `f` batched inside it.
 */
import { BuildError } from "@gridfuse/plan/errors";
import { type Dim, formatShape, type Shape, type TensorType } from "../ir/types.ts";
import type { BlockDim } from "../ir/vocabulary.ts";
import { tensorOf, valueFor } from "../operand.ts";
import type { OptionNames } from "../options.ts";
import { captureOrigin } from "../origin.ts";
import { type Flat, flatten, type Tree } from "../pytree.ts";
import type { Ref } from "../ref.ts";
import { runIn, type Scope, traced } from "../scope.ts";
import { type ArraySpec, reblocked, tensor } from "../spec.ts";
import { isTensor, type Tensor } from "../tensor.ts";
import { fromDefinition } from "./kernel.ts";

export interface VmapFunctionOptions {
  /** Where the mapped dimension stands in each argument: one place for all, or one an argument; null is not mapped. */
  readonly inAxes?: number | readonly (number | null)[];
  /** Where it stands in every result; 0 where absent. */
  readonly outAxes?: number;
}
export const vmapFunctionOptions: OptionNames<VmapFunctionOptions> = {
  inAxes: true,
  outAxes: true,
};

type AnyFunction = (...given: never[]) => unknown;

/** An argument or result leaf: what it is, and where its mapped dimension stands. */
interface Leaf {
  readonly value: Tensor;
  readonly axis: number | null;
}

const axisName = "vmap";

/** The mapped function. */
export function mapFunction(
  f: AnyFunction,
  { inAxes = 0, outAxes = 0 }: VmapFunctionOptions,
): (...given: readonly Tree[]) => Tree {
  const name = f.name === "" ? axisName : f.name;
  return (...given) =>
    traced(`vmap(${name})`, (scope) => {
      const flats = given.map((argument, i) => flatten(argument, `argument ${i}`));
      const leaves = flats.flatMap((flat, i) => leavesOf(scope, name, flat, axisOf(inAxes, i)));
      const size = mappedSize(name, leaves);
      const call = (values: readonly Tensor[]): Flat => {
        const rest = [...values];
        const trees = flats.map((flat) => flat.rebuild(rest.splice(0, flat.leaves.length)));
        return flatten(f(...(trees as never[])) as Tree, `result of ${name}`);
      };
      const { types, structure } = resultOf(scope, name, leaves, call);
      const kernel = fromDefinition({
        name,
        axes: [{ name: axisName, size, semantics: "parallel" }],
        named: true,
        mapped: 1,
        prefetch: {},
        inputs: Object.fromEntries(leaves.map((leaf, i) => [`in${i}`, inputSpec(leaf)])),
        outputs: Object.fromEntries(
          types.map((type, i) => [`out${i}`, outputSpec(name, type, outAxes, size)]),
        ),
        scratch: {},
        aliases: {},
        fill: "hlo",
        body: (refs) => {
          const values = leaves.map((_, i) => (refs[`in${i}`] as Ref).get());
          for (const [i, value] of call(values).leaves.entries())
            (refs[`out${i}`] as Ref).set(value);
        },
      });
      const inputs = Object.fromEntries(leaves.map(({ value }, i) => [`in${i}`, value]));
      const outputs = kernel(inputs) as unknown as { readonly [name: string]: Tensor };
      return structure.rebuild(types.map((_, i) => outputs[`out${i}`] as Tensor));
    });
}

const axisOf = (inAxes: number | readonly (number | null)[], argument: number): number | null =>
  typeof inAxes === "number" ? inAxes : (inAxes[argument] ?? null);

function leavesOf(scope: Scope, name: string, flat: Flat, axis: number | null): readonly Leaf[] {
  return flat.leaves.map((leaf, i) => {
    if (!isTensor(leaf)) return { value: tensorOf(scope, valueFor(scope, name, leaf)), axis: null };
    if (axis === null) return { value: leaf, axis };
    const front = axis < 0 ? axis + leaf.ndim : axis;
    if (Number.isInteger(front) && front >= 0 && front < leaf.ndim)
      return { value: leaf, axis: front };
    throw new BuildError("GF2221", `vmap of ${name}: axis ${axis} for ${flat.paths[i]}`, {
      expected: leaf.ndim === 0 ? "null" : `${-leaf.ndim} … ${leaf.ndim - 1}`,
      received: `axis ${axis} of ${formatShape(leaf.shape)}`,
      help: "say in `inAxes` where the mapped dimension stands, null for what every slice shares",
    });
  });
}

function mappedSize(name: string, leaves: readonly Leaf[]): Dim {
  const sizes = leaves.flatMap(({ value, axis }) =>
    axis === null ? [] : [value.shape[axis] as Dim],
  );
  const [first] = sizes;
  if (first !== undefined && sizes.every((size) => size === first)) return first;
  throw new BuildError(
    "GF2221",
    first === undefined
      ? `vmap of ${name}: no argument is mapped`
      : `vmap of ${name} over dims ${sizes.join(" and ")}`,
    { expected: "one size", received: sizes, help: "map at least one argument, all over one size" },
  );
}

/** What `f` gives for one slice, found by tracing it aside. */
function resultOf(
  scope: Scope,
  name: string,
  leaves: readonly Leaf[],
  call: (values: readonly Tensor[]) => Flat,
): { readonly types: readonly TensorType[]; readonly structure: Flat } {
  const aside = scope.inside(`vmap of ${name}`);
  const params = leaves.map(({ value: { dtype, shape }, axis }) => {
    const own = axis === null ? shape : shape.toSpliced(axis, 1);
    return tensorOf(aside, aside.param({ kind: "tensor", dtype, shape: own }));
  });
  return runIn(aside, () => {
    const structure = call(params);
    const ids = structure.leaves.map((leaf) => valueFor(aside, name, leaf));
    return { structure, types: ids.map((id) => aside.table.tensor(id)) };
  });
}

const inputSpec = ({ value, axis }: Leaf): ArraySpec =>
  axis === null
    ? (tensor(value.dtype, value.shape) as ArraySpec)
    : sliced(tensor(value.dtype, value.shape) as ArraySpec, axis);

function outputSpec(
  name: string,
  { dtype, shape }: TensorType,
  axis: number,
  size: Dim,
): ArraySpec {
  const rank = shape.length + 1;
  const place = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(place) || place < 0 || place >= rank) {
    throw new BuildError(
      "GF2221",
      `vmap of ${name}: outAxes ${axis} for a result of rank ${rank}`,
      {
        expected: `${-rank} … ${rank - 1}`,
        received: axis,
        help: "the axis counts in the shape with the mapped dimension",
      },
    );
  }
  return sliced(tensor(dtype, shape.toSpliced(place, 0, size)) as ArraySpec, place);
}

/** Each grid point sees one slice along `axis`. */
function sliced(spec: ArraySpec, axis: number): ArraySpec {
  const shape: Shape = spec.shape;
  return reblocked(spec, shape, {
    block: shape.map((dim, i): BlockDim => {
      return i === axis ? { kind: "squeezed" } : { kind: "blocked", size: dim as number };
    }),
    map: (ids) => shape.map((_, i) => (i === axis ? (ids?.[axisName] as Tensor) : 0)),
    origin: captureOrigin("vmap"),
  });
}
