/**
 * Random kernels in the manner of Pallas: a small grid, blocks that tile, overlap, come back, stick out or
 * are looked up in a prefetched table, and a body that reads, writes and accumulates, in branches and
 * loops. As with random graphs, every choice is total, so that fast-check can shrink what it likes.
 */
import {
  type ArraySpec,
  add,
  elementCount,
  type FillMode,
  graph,
  type Kernel,
  kernel,
  mul,
  type Program,
  type Ref,
  smem,
  type Tensor,
  tensor,
  vmap,
  vmem,
} from "@gridfuse/graph";
import type { HostTensor } from "@gridfuse/interpret";
import type { DType } from "@gridfuse/plan";
import fc from "fast-check";
import { Dice } from "./dice.ts";
import { Body, type StatementPlan, type World } from "./kernels/body.ts";
import { controlFlow } from "./kernels/control-flow.ts";
import { endings } from "./kernels/endings.ts";
import {
  type ArrayPlan,
  type DimPlan,
  mapKinds,
  refShape,
  specOf,
  tableLength,
  tableRange,
  withinLimits,
} from "./kernels/index-maps.ts";
import { statements } from "./kernels/statements.ts";
import { Random, randomTensor, type Style } from "./values.ts";

type Shape = readonly number[];

export interface OutputPlan extends ArrayPlan {
  readonly ending: string;
  /** Starts as a copy of an input of its own. */
  readonly aliased: boolean;
  readonly dice: readonly number[];
}

export interface KernelPlan {
  readonly grid: readonly number[];
  readonly inputs: readonly ArrayPlan[];
  readonly outputs: readonly OutputPlan[];
  readonly scratch: readonly { readonly dtype: DType; readonly shape: Shape }[];
  readonly body: readonly StatementPlan[];
  readonly fill: FillMode;
  readonly mapped: boolean;
  /** Arithmetic before and after the call. */
  readonly around: boolean;
  readonly reassociate: boolean;
  readonly seed: number;
  readonly style: Style;
}

// ── Building ────────────────────────────────────────────────────────────────────────────────

const kinds = { ...statements, ...controlFlow };

/** Name of scratch `s` of output `i`. */
const stateName = (i: number, s: number): string => `t${i}_${s}`;

const scratchSpec = (dtype: DType, shape: Shape) =>
  shape.length === 0 ? smem(dtype, shape) : vmem(dtype, shape);

function kernelOf(plan: KernelPlan): Kernel {
  const { grid, fill } = plan;
  const inputs: Record<string, ArraySpec> = {};
  const outputs: Record<string, ArraySpec> = {};
  const aliases: Record<string, string> = {};
  const scratch: Record<string, ReturnType<typeof vmem>> = {};
  for (const [i, input] of plan.inputs.entries()) {
    inputs[`x${i}`] = specOf(withinLimits(input, grid), grid);
  }
  for (const [i, { dtype, shape }] of plan.scratch.entries()) {
    scratch[`s${i}`] = scratchSpec(dtype, shape) as never;
  }
  for (const [i, large] of plan.outputs.entries()) {
    const output = withinLimits(large, grid);
    outputs[`y${i}`] = specOf(output, grid);
    for (let s = 0; s < endings[output.ending]!.states; s += 1) {
      scratch[stateName(i, s)] = scratchSpec(output.dtype, refShape(output)) as never;
    }
    if (!output.aliased) continue;
    inputs[`a${i}`] = specOf(output, grid);
    aliases[`a${i}`] = `y${i}`;
  }
  const table = tensor("int32", [tableLength]);
  const spec = { grid, inputs, outputs, scratch, prefetch: { table }, aliases, fill };
  return kernel("k", spec, (refs, ids) => {
    const named = refs as unknown as Record<string, Ref>;
    const writable = Object.keys({ ...inputs, ...outputs, ...scratch }).filter(
      (name) => !name.startsWith("t"),
    );
    const world: World = {
      refs: writable.map((name) => named[name] as Ref),
      ids: ids as unknown as World["ids"],
      kinds,
    };
    const body = new Body(world, [
      ...world.ids,
      named.table!.get(0) as Tensor,
      ...Object.keys(inputs).map((name) => named[name]!.get() as Tensor),
    ]);
    body.run(plan.body);
    for (const [i, { ending, dice }] of plan.outputs.entries()) {
      const { states, run } = endings[ending]!;
      const own = Array.from({ length: states }, (_, s) => named[stateName(i, s)] as Ref);
      run(body, named[`y${i}`] as Ref, new Dice(dice), own);
    }
  }) as unknown as Kernel;
}

export function buildKernel(plan: KernelPlan): {
  readonly program: Program;
  readonly inputs: Readonly<Record<string, HostTensor>>;
} {
  const made = kernelOf(plan);
  const called = (plan.mapped ? vmap(made, { size: 2 }) : made) as Kernel;
  const given = called.inputs as Readonly<Record<string, ArraySpec>>;
  const calculable = ({ dtype }: { readonly dtype: DType }): boolean => dtype !== "bool";
  const changed = (
    tensors: Readonly<Record<string, Tensor>>,
    change: (x: Tensor) => unknown,
  ): Record<string, Tensor> =>
    Object.fromEntries(
      Object.entries(tensors).map(([name, x]) => [
        name,
        plan.around && name !== "table" && calculable(x) ? (change(x) as Tensor) : x,
      ]),
    );
  const { program } = graph(
    given,
    (tensors) => {
      const before = changed(tensors as never, (x) => add(x, 1));
      return changed(called(before as never) as never, (y) => mul(y, 2)) as never;
    },
    { name: "k" },
  );
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
  map: fc.constantFrom("constant", "axis", "axis", "axis", "axis", ...mapKinds),
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
const plain: fc.Arbitrary<StatementPlan> = fc.record({
  what: fc.constantFrom(...Object.keys(statements)),
  dice,
  body: fc.constant([]),
});
const nested = (inner: fc.Arbitrary<StatementPlan>): fc.Arbitrary<StatementPlan> =>
  fc.record({
    what: fc.constantFrom("when", "when", ...Object.keys(controlFlow)),
    dice,
    body: fc.array(inner, { maxLength: 3 }),
  });
const statement = fc.oneof(
  { weight: 6, arbitrary: plain },
  {
    weight: 1,
    arbitrary: nested(
      fc.oneof({ weight: 6, arbitrary: plain }, { weight: 1, arbitrary: nested(plain) }),
    ),
  },
);

/** `reassociate` goes with small whole numbers, on which sums in any order are the same. */
const wildPlans: fc.Arbitrary<KernelPlan> = fc.record({
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
    { minLength: 1, maxLength: 3 },
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
  around: fc.constantFrom(false, false, true),
  reassociate: fc.boolean(),
  seed: fc.nat(2 ** 31 - 1),
  style: fc.constantFrom<Style>("tame", "wild"),
});

const pure = [
  ...["arithmetic", "change", "reduce", "order", "multiply", "pick", "cut", "patch", "turn"],
  ...["choose", "print", "fori", "while", "scan", "cond", "switch"],
];

const withoutState = (body: readonly StatementPlan[]): readonly StatementPlan[] =>
  body
    .filter(({ what }) => pure.includes(what))
    .map((statement) => ({ ...statement, body: withoutState(statement.body) }));

/**
 * The kernel as people write them: outputs are tiled by all axes but one, along which they are revisited
 * in the way of their ending, and the body keeps to values.
 */
function tidy(plan: KernelPlan): KernelPlan {
  const revisited = plan.seed % plan.grid.length;
  const outputs = plan.outputs.map((output): OutputPlan => {
    const dims = plan.grid.flatMap((_, axis): DimPlan[] => {
      const given = output.dims[axis];
      if (axis === revisited && output.ending !== "overwrite") return [];
      return [
        {
          kind: given?.kind === "squeezed" ? "squeezed" : "blocked",
          size: given?.size ?? 2,
          map: given?.map === "reversed" || given?.map === "strided" ? given.map : "axis",
          dice: [axis, axis, axis, ...(given?.dice ?? [])],
        },
      ];
    });
    return { ...output, dims, dice: output.dice.toSpliced(1, 1, revisited) };
  });
  return { ...plan, outputs, body: withoutState(plan.body) };
}

export const kernelPlans: fc.Arbitrary<KernelPlan> = fc.oneof(wildPlans, wildPlans.map(tidy));
