/**
 * Random kernels in the manner of Pallas: a small grid, blocks that tile, overlap, come back, stick out or
 * are looked up in a prefetched table, and a body that reads, writes and accumulates under `when` and in
 * loops. As with random graphs, every choice is total, so that fast-check can shrink what it likes.
 */
import {
  type ArraySpec,
  add,
  argmax,
  astype,
  bitcast,
  bounded,
  broadcastTo,
  debugPrint,
  ds,
  element,
  elementCount,
  eq,
  type FillMode,
  full,
  graph,
  gt,
  isTensor,
  type Kernel,
  kernel,
  loop,
  lt,
  matmul,
  maximum,
  minimum,
  mul,
  neg,
  type Program,
  pad,
  promoteDTypes,
  type Ref,
  reshape,
  slice,
  smem,
  sqrt,
  squeezed,
  sub,
  type Tensor,
  tensor,
  vmap,
  vmem,
  when,
  where,
} from "@gridfuse/graph";
import type { HostTensor } from "@gridfuse/interpret";
import { type DType, isFloat } from "@gridfuse/plan";
import fc from "fast-check";
import { Dice } from "./dice.ts";
import { Random, randomTensor, type Style } from "./values.ts";

type Shape = readonly number[];

// ── Plans ───────────────────────────────────────────────────────────────────────────────────

export interface DimPlan {
  readonly kind: "blocked" | "squeezed" | "element" | "bounded";
  readonly size: number;
  readonly map: "constant" | "axis" | "reversed" | "sum" | "halved" | "strided" | "table";
  readonly dice: readonly number[];
}
export interface ArrayPlan {
  readonly dtype: DType;
  readonly dims: readonly DimPlan[];
}
export interface StatementPlan {
  readonly what: string;
  readonly dice: readonly number[];
  readonly body: readonly StatementPlan[];
}
export interface KernelPlan {
  readonly grid: readonly number[];
  readonly inputs: readonly ArrayPlan[];
  readonly outputs: readonly (ArrayPlan & {
    readonly ending: string;
    /** Starts as a copy of an input of its own. */
    readonly aliased: boolean;
    readonly dice: readonly number[];
  })[];
  readonly scratch: readonly { readonly dtype: DType; readonly shape: Shape }[];
  readonly body: readonly StatementPlan[];
  readonly fill: FillMode;
  readonly mapped: boolean;
  readonly reassociate: boolean;
  readonly seed: number;
  readonly style: Style;
}

// ── Index maps ──────────────────────────────────────────────────────────────────────────────

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

const tableLength = 4;
/** Values of the prefetched table lie below this. */
const tableRange = 3;

function mapDim({ kind, size, map, dice: numbers }: DimPlan, grid: Shape): MappedDim {
  const dice = new Dice(numbers);
  const a = dice.below(grid.length);
  const b = dice.below(grid.length);
  const [na, nb] = [grid[a] as number, grid[b] as number];
  const value = (ids: readonly Tensor[], table: Ref): number | Tensor => {
    const [i, j] = [ids[a] as Tensor, ids[b] as Tensor];
    switch (map) {
      case "constant":
        return dice0;
      case "axis":
        return i;
      case "reversed":
        return sub(na - 1, i);
      case "sum":
        return add(i, j);
      case "halved":
        return where(lt(i, Math.ceil(na / 2)), i, sub(i, Math.ceil(na / 2)));
      case "strided":
        return mul(i, 2);
      case "table":
        return table.get(minimum(i, tableLength - 1)) as Tensor;
      default:
        return map satisfies never;
    }
  };
  const dice0 = dice.below(2);
  const greatest = {
    constant: dice0,
    axis: na - 1,
    reversed: na - 1,
    sum: na + nb - 2,
    halved: Math.max(0, Math.ceil(na / 2) - 1),
    strided: 2 * (na - 1),
    table: tableRange - 1,
  }[map];
  const highest = Math.max(0, greatest);
  const spare = dice.below(3) === 0 ? dice.below(3) : 0;
  switch (kind) {
    case "blocked": {
      const ragged = dice.flip() ? 0 : dice.below(size);
      const extent = Math.max(size, (highest + 1) * size - ragged) + spare;
      return { entry: size, extent, at: value };
    }
    case "squeezed":
      return { entry: squeezed, extent: highest + 1 + spare, at: value };
    case "element": {
      const padding = [dice.below(2), dice.below(2)] as const;
      const step = dice.pick([size, 1, size + 1]);
      const extent = Math.max(1, size - padding[0] - padding[1], highest * step + 1 - padding[0]);
      const at = (ids: readonly Tensor[], table: Ref) => {
        const start = value(ids, table);
        return typeof start === "number" ? start * step : mul(start, step);
      };
      return { entry: element(size, { padding }), extent: extent + spare, at };
    }
    case "bounded": {
      const extent = Math.max(size, highest * size + 1 + dice.below(size)) + spare;
      const counts = dice.flip();
      return {
        entry: bounded(size),
        extent,
        at: (ids, table) => {
          const block = value(ids, table);
          const start = typeof block === "number" ? block * size : mul(block, size);
          const count = counts ? minimum(add(ids[a] as Tensor, 1), size) : size;
          return ds(start, count);
        },
      };
    }
    default:
      return kind satisfies never;
  }
}

function specOf({ dtype, dims }: ArrayPlan, grid: Shape): ArraySpec {
  const mapped = dims.map((dim) => mapDim(dim, grid));
  return (
    tensor(
      dtype,
      mapped.map(({ extent }) => extent),
    ) as ArraySpec
  ).blocks(mapped.map(({ entry }) => entry) as never, (...given: unknown[]) => {
    const ids = given.slice(0, grid.length) as Tensor[];
    const table = given[grid.length] as Ref;
    return mapped.map(({ at }) => at(ids, table));
  });
}

// ── Bodies ──────────────────────────────────────────────────────────────────────────────────

const sizesOf = (of: { readonly shape: readonly (number | string)[] }): Shape => of.shape as Shape;

/** Any value in any shape and dtype. */
function fit(given: Tensor, dtype: DType, shape: Shape): Tensor {
  const value = given.dtype === dtype ? given : (astype(given, dtype) as Tensor);
  const own = sizesOf(value);
  if (own.join() === shape.join()) return value;
  const offset = shape.length - own.length;
  if (offset >= 0 && own.every((extent, d) => extent === 1 || extent === shape[d + offset])) {
    return broadcastTo(value, shape) as Tensor;
  }
  const [has, wants] = [elementCount(own), elementCount(shape)];
  let flat = reshape(value, [has]) as Tensor;
  if (has > wants) flat = slice(flat, [0], [wants]);
  if (has < wants) flat = pad(flat, [[0, wants - has]], dtype === "bool" ? false : 0);
  return reshape(flat, shape) as Tensor;
}

interface World {
  readonly refs: readonly Ref[];
  readonly ids: readonly (Tensor & { readonly isFirst: Tensor; readonly isLast: Tensor })[];
  readonly grid: Shape;
}

const maxElements = 300;

class Body {
  readonly world: World;
  readonly pool: Tensor[];

  constructor(world: World, pool: readonly Tensor[]) {
    this.world = world;
    this.pool = [...pool];
  }
  any(dice: Dice): Tensor {
    return this.pool[this.pool.length - 1 - dice.below(this.pool.length)] as Tensor;
  }
  ref(dice: Dice): Ref {
    return dice.pick(this.world.refs);
  }
  add(value: Tensor): void {
    if (elementCount(value.shape) <= maxElements && value.ndim <= 5) this.pool.push(value);
  }
  inside(statements: readonly StatementPlan[], ...more: readonly Tensor[]): void {
    new Body(this.world, [...this.pool, ...more]).run(statements);
  }
  run(statements: readonly StatementPlan[]): void {
    for (const { what, dice, body } of statements) {
      statementKinds[what]!(this, new Dice(dice), body);
    }
  }
  /** Two values of one shape and dtype. */
  alike(dice: Dice): readonly [Tensor, Tensor] {
    const [x, y] = [this.any(dice), this.any(dice)];
    const dtype = promoteDTypes(x.dtype, y.dtype);
    const large = elementCount(x.shape) >= elementCount(y.shape) ? x : y;
    return [fit(x, dtype, sizesOf(large)), fit(y, dtype, sizesOf(large))];
  }
  condition(dice: Dice): Tensor {
    const id = dice.pick(this.world.ids);
    switch (dice.below(5)) {
      case 0:
        return id.isFirst;
      case 1:
        return id.isLast;
      case 2:
        return eq(id, dice.below(3)) as Tensor;
      case 3:
        return lt(id, dice.pick(this.world.ids)) as Tensor;
      default: {
        const value = fit(this.any(dice), "int32", []);
        return gt(value, 0) as Tensor;
      }
    }
  }
}

const combinable = (ref: Ref): boolean => ref.dtype !== "bool";

function windowOf(
  body: Body,
  ref: Ref,
  dice: Dice,
): readonly (Tensor | number | ":" | ReturnType<typeof ds>)[] {
  return sizesOf(ref).map((extent) => {
    switch (dice.below(4)) {
      case 0:
        return dice.below(extent);
      case 1:
        return fit(body.any(dice), "int32", []);
      case 2:
        return ds(fit(body.any(dice), "int32", []), 1 + dice.below(extent));
      default:
        return ":";
    }
  });
}

type StatementKind = (body: Body, dice: Dice, inner: readonly StatementPlan[]) => void;

const statementKinds: { readonly [what: string]: StatementKind } = {
  read(body, dice) {
    body.add(body.ref(dice).get() as Tensor);
  },
  readWindow(body, dice) {
    const ref = body.ref(dice);
    body.add(ref.get(...(windowOf(body, ref, dice) as never[])) as Tensor);
  },
  write(body, dice) {
    const ref = body.ref(dice);
    ref.set(fit(body.any(dice), ref.dtype, sizesOf(ref)));
  },
  writeWindow(body, dice) {
    const ref = body.ref(dice);
    const view = ref.at(...(windowOf(body, ref, dice) as never[])) as Ref;
    view.set(fit(body.any(dice), ref.dtype, sizesOf(view)));
  },
  accumulate(body, dice) {
    const ref = body.ref(dice);
    if (!combinable(ref)) return;
    ref.add(fit(body.any(dice), ref.dtype, sizesOf(ref)));
  },
  accumulateWindow(body, dice) {
    const ref = body.ref(dice);
    if (!combinable(ref)) return;
    const view = ref.at(...(windowOf(body, ref, dice) as never[])) as Ref;
    view.add(fit(body.any(dice), ref.dtype, sizesOf(view)));
  },
  fold(body, dice) {
    const ref = body.ref(dice);
    const op = dice.pick([maximum, minimum]) as (x: Tensor, y: Tensor) => Tensor;
    ref.set(op(ref.get() as Tensor, fit(body.any(dice), ref.dtype, sizesOf(ref))));
  },
  initialise(body, dice) {
    const ref = body.ref(dice);
    const value = full(ref.dtype, sizesOf(ref), dice.pick([0, 1]));
    when(dice.pick(body.world.ids).isFirst, () => ref.set(value));
  },
  publish(body, dice) {
    const [from, to] = [body.ref(dice), body.ref(dice)];
    when(dice.pick(body.world.ids).isLast, () =>
      to.set(fit(from.get() as Tensor, to.dtype, sizesOf(to))),
    );
  },
  arithmetic(body, dice) {
    const [x, y] = body.alike(dice);
    if (x.dtype === "bool") return body.add(maximum(x, y) as Tensor);
    const op = dice.pick([add, sub, maximum, minimum, mul]) as (x: Tensor, y: Tensor) => Tensor;
    body.add(op(x, y));
  },
  change(body, dice) {
    const x = body.any(dice);
    const number = x.dtype === "bool" ? (astype(x, "int32") as Tensor) : x;
    switch (dice.below(4)) {
      case 0:
        return body.add(neg(number) as Tensor);
      case 1:
        return body.add(astype(x, dice.pick(["float32", "int32", "int8", "float16"])) as Tensor);
      case 2:
        return body.add(x.dtype === "float32" ? (bitcast(x, "int32") as Tensor) : number);
      default:
        return body.add(sqrt(isFloat(x.dtype) ? x : astype(x, "float32")) as Tensor);
    }
  },
  reduce(body, dice) {
    const x = body.any(dice);
    if (x.ndim === 0 || x.dtype === "bool") return;
    const axis = dice.below(x.ndim);
    const keepDims = dice.flip();
    switch (dice.below(3)) {
      case 0:
        return body.add(x.sum({ axis, keepDims }) as Tensor);
      case 1:
        return body.add(x.max({ axis, keepDims }) as Tensor);
      default:
        return body.add(argmax(x, { axis }) as Tensor);
    }
  },
  multiply(body, dice) {
    const dtype = dice.pick(["float32", "int32"] as const);
    const [x, y] = [body.any(dice), body.any(dice)];
    body.add(matmul(fit(x, dtype, [2, 3]), fit(y, dtype, [3, 2])) as Tensor);
  },
  print(body, dice) {
    debugPrint("{} at {}", fit(body.any(dice), "int32", []), dice.pick(body.world.ids));
  },
  choose(body, dice) {
    const [x, y] = body.alike(dice);
    body.add(where(body.condition(dice), x, y) as Tensor);
  },
  when(body, dice, inner) {
    const chain = when(body.condition(dice), () => body.inside(inner));
    if (dice.flip()) chain.otherwise(() => body.inside(inner.slice(1)));
  },
  loop(body, dice, inner) {
    const upper = dice.flip() ? dice.below(4) : minimum(fit(body.any(dice), "int32", []), 3);
    loop(0, isTensor(upper) ? upper : upper, (i) => body.inside(inner, i as Tensor));
  },
};

/** What a body does last to an output, so that it is written. */
const endings: { readonly [name: string]: (body: Body, out: Ref, dice: Dice) => void } = {
  overwrite: (body, out, dice) => out.set(fit(body.any(dice), out.dtype, sizesOf(out))),
  accumulate(body, out, dice) {
    const value = fit(body.any(dice), out.dtype, sizesOf(out));
    const axis = dice.pick(body.world.ids);
    when(axis.isFirst, () => out.set(full(out.dtype, sizesOf(out), 0)));
    if (combinable(out)) out.add(value);
    else out.set(maximum(out.get() as Tensor, value));
  },
  extreme(body, out, dice) {
    const value = fit(body.any(dice), out.dtype, sizesOf(out));
    when(dice.pick(body.world.ids).isFirst, () => out.set(value));
    out.set(maximum(out.get() as Tensor, value));
  },
  last(body, out, dice) {
    const value = fit(body.any(dice), out.dtype, sizesOf(out));
    when(dice.pick(body.world.ids).isLast, () => out.set(value));
  },
  sometimes(body, out, dice) {
    const value = fit(body.any(dice), out.dtype, sizesOf(out));
    when(body.condition(dice), () => out.set(value));
  },
};

export function buildKernel(plan: KernelPlan): {
  readonly program: Program;
  readonly inputs: Readonly<Record<string, HostTensor>>;
} {
  const { grid, fill } = plan;
  const inputs: Record<string, ArraySpec> = {};
  const outputs: Record<string, ArraySpec> = {};
  const aliases: Record<string, string> = {};
  for (const [i, input] of plan.inputs.entries()) inputs[`x${i}`] = specOf(input, grid);
  for (const [i, output] of plan.outputs.entries()) {
    outputs[`y${i}`] = specOf(output, grid);
    if (!output.aliased) continue;
    inputs[`a${i}`] = specOf(output, grid);
    aliases[`a${i}`] = `y${i}`;
  }
  const scratch = Object.fromEntries(
    plan.scratch.map(({ dtype, shape }, i) => [
      `s${i}`,
      shape.length === 0 ? smem(dtype, shape) : vmem(dtype, shape),
    ]),
  );
  const table = tensor("int32", [tableLength]);
  const made = kernel(
    "k",
    { grid, inputs, outputs, scratch, prefetch: { table }, aliases, fill },
    (refs, ids) => {
      const named = refs as unknown as Record<string, Ref>;
      const { table: prefetched, ...writable } = Object.fromEntries(
        ["table", ...Object.keys(inputs), ...Object.keys(outputs), ...Object.keys(scratch)].map(
          (name) => [name, named[name] as Ref],
        ),
      );
      const coordinates = ids as unknown as World["ids"];
      const pool: Tensor[] = [
        ...coordinates,
        prefetched!.get(0) as Tensor,
        ...Object.keys(inputs).map((name) => named[name]!.get() as Tensor),
      ];
      const body = new Body({ refs: Object.values(writable), ids: coordinates, grid }, pool);
      body.run(plan.body);
      for (const [i, { ending, dice }] of plan.outputs.entries()) {
        endings[ending]!(body, named[`y${i}`] as Ref, new Dice(dice));
      }
    },
  ) as unknown as Kernel;
  const called = (plan.mapped ? vmap(made, { size: 2 }) : made) as Kernel;
  const given = called.inputs as Readonly<Record<string, ArraySpec>>;
  const { program } = graph(given, (tensors) => called(tensors as never) as never, { name: "k" });
  const random = new Random(plan.seed);
  return {
    program,
    inputs: Object.fromEntries(
      Object.entries(given).map(([name, { dtype, shape }]) => [
        name,
        name === "table"
          ? tableOf(shape as Shape, random)
          : randomTensor(dtype, shape as Shape, random, plan.style),
      ]),
    ),
  };
}

const tableOf = (shape: Shape, random: Random): HostTensor => ({
  dtype: "int32",
  shape,
  data: Int32Array.from({ length: elementCount(shape) }, () => random.below(tableRange)),
});

// ── Arbitraries ─────────────────────────────────────────────────────────────────────────────

const dice = fc.array(fc.nat(5039), { minLength: 7, maxLength: 7 });
const dimPlan: fc.Arbitrary<DimPlan> = fc.record({
  kind: fc.constantFrom("blocked", "blocked", "blocked", "squeezed", "element", "bounded"),
  size: fc.constantFrom(1, 2, 3, 4),
  map: fc.constantFrom(
    "constant",
    "axis",
    "axis",
    "axis",
    "reversed",
    "sum",
    "halved",
    "strided",
    "table",
  ),
  dice,
});
const dtype = fc.constantFrom<DType>(
  "float32",
  "float32",
  "int32",
  "int32",
  "float16",
  "uint8",
  "int64",
  "bool",
  "bfloat16",
);
const dims = fc.array(dimPlan, { minLength: 0, maxLength: 3 });
const nestedKinds = ["when", "loop"];
const plainKinds = Object.keys(statementKinds).filter((kind) => !nestedKinds.includes(kind));
const plain: fc.Arbitrary<StatementPlan> = fc.record({
  what: fc.constantFrom(...plainKinds),
  dice,
  body: fc.constant([]),
});
const nested = (inner: fc.Arbitrary<StatementPlan>): fc.Arbitrary<StatementPlan> =>
  fc.record({
    what: fc.constantFrom(...nestedKinds),
    dice,
    body: fc.array(inner, { maxLength: 3 }),
  });
const statement = fc.oneof(
  { weight: 8, arbitrary: plain },
  {
    weight: 1,
    arbitrary: nested(
      fc.oneof({ weight: 6, arbitrary: plain }, { weight: 1, arbitrary: nested(plain) }),
    ),
  },
);

/** `reassociate` goes with small whole numbers, on which sums in any order are the same. */
export const kernelPlans: fc.Arbitrary<KernelPlan> = fc.record({
  grid: fc
    .array(fc.constantFrom(1, 2, 3, 4, 5), { minLength: 1, maxLength: 3 })
    .map((grid) => (elementCount(grid) > 40 ? grid.slice(0, 2) : grid)),
  inputs: fc.array(fc.record({ dtype, dims }), { maxLength: 2 }),
  outputs: fc.array(
    fc.record({
      dtype,
      dims,
      ending: fc.constantFrom("overwrite", ...Object.keys(endings)),
      aliased: fc.constantFrom(false, false, true),
      dice,
    }),
    { minLength: 1, maxLength: 2 },
  ),
  scratch: fc.array(
    fc.record({
      dtype,
      shape: fc.array(fc.constantFrom(1, 2, 3), { maxLength: 2 }),
    }),
    { maxLength: 2 },
  ),
  body: fc.array(statement, { maxLength: 6 }),
  fill: fc.constantFrom<FillMode>("zero", "hlo", "tpu"),
  mapped: fc.constantFrom(false, false, false, true),
  reassociate: fc.boolean(),
  seed: fc.nat(2 ** 31 - 1),
  style: fc.constantFrom<Style>("tame", "wild"),
});
