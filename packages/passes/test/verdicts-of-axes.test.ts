/**
 * What kind of loop a grid axis is: one smallest kernel for each verdict, and for each way in which a kernel
 * may look like one and be another.
 */
import {
  type ArraySpec,
  element,
  graph,
  type KernelOptions,
  kernel,
  type Ref,
  type Tensor,
  tensor,
  vmem,
  when,
  where,
} from "@gridfuse/graph";
import { f32, i32 } from "@gridfuse/plan";
import { describe, expect, it } from "vitest";
import { compile, report } from "../src/index.ts";

type Arrays = Readonly<Record<string, ArraySpec>>;
type AnyRefs = Readonly<Record<string, Ref>>;
type Id = Tensor<"int32", readonly []> & {
  readonly isFirst: Tensor;
  readonly isLast: Tensor;
};
type Options = KernelOptions<
  Readonly<Record<string, number>>,
  Arrays,
  Arrays,
  Readonly<Record<string, ReturnType<typeof vmem>>>,
  Arrays
>;

/** The report of a kernel alone. */
function reportOf(
  options: Omit<Options, "inputs"> & { readonly inputs?: Arrays },
  body: (refs: AnyRefs, ids: Readonly<Record<string, Id>>) => void,
) {
  const made = kernel("k", { inputs: {}, ...options } as never, body as never) as unknown as {
    readonly inputs: Arrays;
    (tensors: unknown): never;
  };
  return report(compile(graph(made.inputs, (tensors) => made(tensors))));
}
const verdictsOf = (...given: Parameters<typeof reportOf>): string[] => {
  const { axes } = reportOf(...given);
  return axes.map(({ axis, verdict, reason }) => `${axis}: ${verdict} — ${reason}`);
};

const rows = (n: number, size = 2) => tensor(f32, [n, 3]).blocks([size, 3], ({ i }) => [i, 0]);
const whole = tensor(f32, [2, 3]);

describe("parallel", () => {
  it("is an axis whose output blocks are disjoint", () => {
    expect(
      verdictsOf({ grid: { i: 4 }, inputs: { x: rows(8) }, outputs: { o: rows(8) } }, ({ x, o }) =>
        o!.set(x!.get()),
      ),
    ).toEqual(['i: parallel — blocks of "o" are disjoint along it; no state is carried']);
  });

  it("is one that walks backwards, or strides over its output", () => {
    const backwards = tensor(f32, [8]).blocks([2], ({ i }) => [i!.mul(-1).add(3)]);
    const strided = tensor(f32, [14]).blocks([2], ({ i }) => [i!.mul(2)]);
    for (const o of [backwards, strided]) {
      const { axes } = reportOf({ grid: { i: 4 }, outputs: { o } }, (refs, { i }) =>
        refs.o!.set(i!.astype("float32") as Tensor),
      );
      expect(axes[0]?.verdict).toBe("parallel");
    }
  });

  it("is one whose scratch is overwritten before it is read", () => {
    expect(
      verdictsOf(
        {
          grid: { i: 4 },
          inputs: { x: rows(8) },
          outputs: { o: rows(8) },
          scratch: { t: vmem(f32, [2, 3]) },
        },
        ({ x, o, t }) => {
          t!.set(x!.get().mul(2) as Tensor);
          o!.set(t!.get());
        },
      ),
    ).toEqual(['i: parallel — blocks of "o" are disjoint along it; "t" overwritten before read']);
  });

  it("is one that starts from an aliased input block of its own", () => {
    expect(
      verdictsOf(
        {
          grid: { i: 4 },
          inputs: { x: rows(8) },
          outputs: { o: rows(8) },
          aliases: { x: "o" },
        },
        ({ o }) => o!.add(1),
      ),
    ).toEqual(['i: parallel — blocks of "o" are disjoint along it; no state is carried']);
  });
});

describe("last", () => {
  it("is an axis that overwrites the same block at every point", () => {
    expect(
      verdictsOf({ grid: { i: 4 }, inputs: { x: rows(8) }, outputs: { o: whole } }, ({ x, o }) =>
        o!.set(x!.get()),
      ),
    ).toEqual(['i: last — "o" is revisited and fully overwritten: only the last visit counts']);
  });
});

describe("reduction", () => {
  it.each(["add", "maximum", "minimum"] as const)("is an axis that folds by %s", (op) => {
    const { axes, gridLoops } = reportOf(
      { grid: { i: 4 }, inputs: { x: rows(8) }, outputs: { o: whole } },
      ({ x, o }, { i }) => {
        when(i!.isFirst, () => o!.set(1));
        o!.set(o!.get()[op](x!.get()) as Tensor);
      },
    );
    expect(axes[0]?.verdict).toBe("reduction");
    expect(gridLoops).toBe(0);
  });

  it("sees through an initialisation at the first point and a publication at the last", () => {
    expect(
      verdictsOf(
        {
          grid: { i: 4 },
          inputs: { x: rows(8) },
          outputs: { o: whole },
          scratch: { acc: vmem(f32, [2, 3]) },
        },
        ({ x, o, acc }, { i }) => {
          when(i!.isFirst, () => acc!.set(0));
          acc!.add(x!.get());
          when(i!.isLast, () => o!.set(acc!.get()));
        },
      ),
    ).toEqual(['i: reduction — "o" is published at the last point; "acc" accumulates by add']);
  });

  it("leaves no grid loop", () => {
    const told = reportOf(
      { grid: { i: 4, j: 3 }, inputs: { x: rows(8) }, outputs: { o: whole } },
      ({ x, o }, { i, j }) => {
        when(i!.isFirst.logicalAnd(j!.isFirst), () => o!.set(-Infinity));
        o!.set(o!.get().maximum(x!.get()) as Tensor);
      },
    );
    expect(told.axes.map(({ verdict }) => verdict)).toEqual(["reduction", "reduction"]);
    expect(told.gridLoops).toBe(0);
  });
});

describe("sequential", () => {
  it("is an axis whose state is updated by something that is no reduction", () => {
    expect(
      verdictsOf(
        { grid: { i: 4 }, inputs: { x: rows(8) }, outputs: { o: whole } },
        ({ x, o }, { i }) => {
          when(i!.isFirst, () => o!.set(0));
          o!.set(o!.get().mul(0.5).add(x!.get()) as Tensor);
        },
      ),
    ).toEqual([
      'i: sequential — "o" is read before it is written, and its update (made by add) is not an associative reduction',
    ]);
  });

  it("is one whose own output needs what earlier points left of something that has no prefixes", () => {
    expect(
      verdictsOf(
        {
          grid: { i: 4 },
          inputs: { x: tensor(i32, [8, 3]).blocks([2, 3], ({ i }) => [i!, 0]) },
          outputs: { o: tensor(i32, [8, 3]).blocks([2, 3], ({ i }) => [i!, 0]) },
          scratch: { bits: vmem(i32, [2, 3]) },
        },
        ({ x, o, bits }, { i }) => {
          when(i!.isFirst, () => bits!.set(0));
          bits!.set(bits!.get().xor(x!.get()) as Tensor);
          o!.set(bits!.get());
        },
      ),
    ).toEqual(['i: sequential — output "o" at each point depends on state left by earlier points']);
  });

  it("is one whose states before all points would dwarf what they write", () => {
    expect(
      verdictsOf(
        {
          grid: { i: 4 },
          inputs: { x: rows(8) },
          outputs: { o: tensor(f32, [4]).blocks([1], ({ i }) => [i!]) },
          scratch: { sum: vmem(f32, [2, 3]) },
        },
        ({ x, o, sum }, { i }) => {
          when(i!.isFirst, () => sum!.set(0));
          sum!.add(x!.get());
          o!.set(sum!.get().max().reshape([1]) as Tensor);
        },
      ),
    ).toEqual(['i: sequential — output "o" at each point depends on state left by earlier points']);
  });

  it("is one whose points would contribute far more than the kernel reads and writes", () => {
    const size = 1024;
    const wide = tensor(f32, [size]);
    expect(
      verdictsOf(
        { grid: { i: 512 }, inputs: { x: wide }, outputs: { o: wide } },
        ({ x, o }, { i }) => {
          when(i!.isFirst, () => o!.set(0));
          const scaled = x!.get().mul(i!.astype("float32")) as Tensor;
          o!.set(where(scaled.gt(o!.get()), scaled, o!.get()) as Tensor);
        },
      ),
    ).toEqual([
      'i: sequential — what all points contribute to "o" would dwarf the arrays of the kernel',
    ]);
  });

  it("is one whose blocks overlap", () => {
    const sliding = tensor(f32, [7]).blocks([element(4)], ({ i }) => [i!]);
    expect(
      verdictsOf({ grid: { i: 4 }, outputs: { o: sliding } }, ({ o }, { i }) =>
        o!.set(i!.astype("float32") as Tensor),
      ),
    ).toEqual([
      'i: sequential — blocks of "o" of different grid points may overlap: its index map is not injective',
    ]);
  });

  it("is one whose output block is looked up in a table and changed", () => {
    const { axes, gridLoops } = reportOf(
      {
        grid: { i: 4 },
        prefetch: { table: tensor(i32, [4]) },
        outputs: {
          o: tensor(f32, [8]).blocks([2], ({ i }, { table }) => [table!.get(i!) as Tensor]),
        },
      },
      ({ o }) => o!.set(o!.get().mul(0.5).add(1) as Tensor),
    );
    expect(axes[0]).toMatchObject({ verdict: "sequential" });
    expect(gridLoops).toBe(1);
  });

  it("is not one whose input block is looked up in a table: that is a gather", () => {
    const { axes, gridLoops } = reportOf(
      {
        grid: { i: 4 },
        prefetch: { table: tensor(i32, [4]) },
        inputs: {
          x: tensor(f32, [8]).blocks([2], ({ i }, { table }) => [table!.get(i!) as Tensor]),
        },
        outputs: { o: tensor(f32, [8]).blocks([2], ({ i }) => [i!]) },
      },
      ({ x, o }) => o!.set(x!.get()),
    );
    expect(axes[0]).toMatchObject({ verdict: "parallel" });
    expect(gridLoops).toBe(0);
  });

  it("is one that writes to an input block which comes back", () => {
    const [axis] = reportOf(
      { grid: { i: 4 }, inputs: { x: whole }, outputs: { o: rows(8) } },
      ({ x, o }) => {
        x!.set(x!.get().mul(2).add(1) as Tensor);
        o!.set(x!.get());
      },
    ).axes;
    expect(axis?.verdict).toBe("sequential");
  });

  it("batches the axes around it", () => {
    const told = reportOf(
      {
        grid: { i: 4, j: 5 },
        outputs: { o: tensor(f32, [4, 5]).blocks([1, 1], ({ i, j }) => [i!, j!]) },
        scratch: { last: vmem(f32, [1, 1]) },
      },
      ({ o, last }, { j }) => {
        when(j!.isFirst, () => last!.set(1));
        last!.set(last!.get().mul(1.5).add(1) as Tensor);
        o!.set(last!.get());
      },
    );
    expect(told.axes.map(({ verdict }) => verdict)).toEqual(["parallel", "sequential"]);
    expect(told.gridLoops).toBe(1);
  });
});

describe("promises of the author", () => {
  it("are reported where they are not kept, and change nothing", () => {
    const told = reportOf(
      {
        grid: { i: 4 },
        inputs: { x: rows(8) },
        outputs: { o: whole },
        dimensionSemantics: { i: "parallel" },
      },
      ({ x, o }, { i }) => {
        when(i!.isFirst, () => o!.set(0));
        o!.add(x!.get());
      },
    );
    expect(told.axes[0]?.verdict).toBe("reduction");
    expect(told.notes).toEqual([
      'kernel "k": axis i is declared parallel but is reduction: "o" accumulates by add',
    ]);
  });
});
