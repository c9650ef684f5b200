/** The smallest programs on which the compiler was once wrong; random tests found them. */
import {
  bitcast,
  concatenate,
  cond,
  debugPrint,
  fori,
  type Graph,
  graph,
  kernel,
  pad,
  scan,
  sort,
  type Tensor,
  tensor,
  vmem,
  when,
  whileLoop,
} from "@gridfuse/graph";
import { type HostTensor, tensorOf } from "@gridfuse/interpret";
import { describe, expect, it } from "vitest";
import { faultsOfKernel } from "./support/kernel-faults.ts";
import { type ComparisonOptions, disagreements } from "./support/three-way.ts";

type Inputs = Readonly<Record<string, HostTensor>>;

function expectAgreement(
  { program }: Graph,
  inputs: Inputs = {},
  options: ComparisonOptions = {},
): void {
  expect(disagreements(program, inputs, options)).toEqual([]);
}

const counting = (...shape: readonly number[]): HostTensor => {
  const count = shape.reduce((product, extent) => product * extent, 1);
  return tensorOf(
    "float32",
    shape,
    Array.from({ length: count }, (_, i) => i - 2),
  );
};

describe("fuse", () => {
  it("makes a value of an outer loop outside, though an inner loop stores it", () => {
    const rows = graph({ x: tensor("float32", [3]) }, ({ x }) => {
      const [, ys] = scan(
        (_: Tensor, element: Tensor) => {
          const pair = element.broadcastTo([2]).mul(2) as Tensor;
          const [, inner] = scan(
            (carry: Tensor) => [carry, pair] as const,
            element,
            undefined as never,
            { length: 4 } as never,
          ) as unknown as [Tensor, Tensor];
          return [element, inner.sum({ axis: 0 })] as const;
        },
        x.index(0) as Tensor,
        x as Tensor,
      ) as unknown as [Tensor, Tensor];
      return ys;
    });
    expectAgreement(rows, { x: counting(3) });
  });

  it("keeps the bits of NaNs through bitcasts, and settles those of arithmetic", () => {
    const bits = graph({ x: tensor("bfloat16", [2]) }, ({ x }) => {
      const made = x.asin() as Tensor;
      return {
        made,
        bits: bitcast(made, "uint16") as Tensor,
        same: bitcast(x, "uint16") as Tensor,
      };
    });
    const x = { dtype: "bfloat16", shape: [2], data: Uint16Array.of(0x4000, 0xffc1) } as const;
    expectAgreement(bits, { x });
  });

  it("gives empty rows their identity", () => {
    const empty = graph({ x: tensor("int32", [2, 0]) }, ({ x }) => ({
      none: x.sum({ axis: 1 }) as Tensor,
      nested: x.max({ axis: 1 }).sum({ axis: 0 }) as Tensor,
    }));
    expectAgreement(empty, { x: tensorOf("int32", [2, 0], []) });
  });
});

describe("wasm", () => {
  it("computes anew what only a skipped branch has computed", () => {
    const padding = [
      { lo: -2, hi: 2 },
      { lo: 1, hi: 0 },
      { lo: -1, hi: 2, interior: 1 },
    ];
    const joined = graph({ x: tensor("bool", [3, 1, 4]) }, ({ x }) => {
      const padded = pad(x as Tensor, padding, x.index(0, 0, 0) as Tensor);
      return concatenate([padded, padded.index("0:2") as Tensor]).astype("int8") as Tensor;
    });
    for (let i = 0; i < 12; i++) {
      const x = tensorOf(
        "bool",
        [3, 1, 4],
        Array.from({ length: 12 }, (_, k) => k === i),
      );
      expectAgreement(joined, { x });
    }
  });
});

describe("what a plan reads is proven to exist", () => {
  it("for parts of parts", () => {
    const parts = graph({ x: tensor("float32", [1]) }, ({ x }) => {
      const pair = concatenate([x as Tensor, x as Tensor]);
      return concatenate([pair.index("0:1") as Tensor, pair]).neg() as Tensor;
    });
    expectAgreement(parts, { x: counting(1) });
  });

  it("for dimensions turned around one by one", () => {
    const turned = graph(
      { x: tensor("float32", [2, 1, 3, 2, 2]) },
      ({ x }) => x.flip([0, 2, 4]).neg() as Tensor,
    );
    expectAgreement(turned, { x: counting(2, 1, 3, 2, 2) });
  });

  it("for unsigned positions of 64 bits", () => {
    const picked = graph(
      { x: tensor("float32", [4]), at: tensor("uint64", [1]) },
      ({ x, at }) => x.index(at as Tensor) as Tensor,
    );
    expectAgreement(picked, { x: counting(4), at: tensorOf("uint64", [1], [2n]) });
  });
});

describe("an axis whose last point publishes", () => {
  const rows = tensor("float32", [6]).blocks([2], ({ i }) => [i!]);
  const one = tensor("float32", [2]);

  it("takes the block of that point", () => {
    const publish = kernel(
      "publish",
      { grid: { i: 3 }, inputs: { x: rows }, outputs: { o: rows, last: one } },
      ({ x, o, last }, { i }) => {
        o.set(x.get());
        when(i.isLast, () => last.set(o.get()));
      },
    );
    expectAgreement(
      graph({ x: tensor("float32", [6]) }, (tensors) => publish(tensors)),
      { x: counting(6) },
    );
  });

  it("takes the coordinate of that point", () => {
    const publish = kernel(
      "publish",
      { grid: { i: 3 }, inputs: {}, outputs: { last: one } },
      ({ last }, { i }) => {
        when(i.isLast, () => last.set(i.astype("float32") as Tensor));
      },
    );
    expectAgreement(graph({}, () => publish({})));
  });

  it("prints once", () => {
    const publish = kernel(
      "publish",
      {
        grid: { i: 3 },
        inputs: { x: rows },
        outputs: { o: rows },
        scratch: { last: vmem("float32", [2]) },
      },
      ({ x, o, last }, { i }) => {
        when(i.isLast, () => last.set(x.get()));
        debugPrint("at {}", i);
        o.set(x.get());
      },
    );
    expectAgreement(
      graph({ x: tensor("float32", [6]) }, (tensors) => publish(tensors)),
      { x: counting(6) },
    );
  });
});

describe("kernels that write to computed places", () => {
  it("still know the place when they are merged with what comes before", () => {
    const still = [0, 0, 0, 0, 0, 0, 0];
    const mapped = { kind: "blocked", size: 4, map: "constant", dice: still } as const;
    const faults = faultsOfKernel({
      grid: [1],
      inputs: [{ dtype: "bool", dims: [mapped] }],
      outputs: [{ dtype: "float32", dims: [], ending: "overwrite", aliased: false, dice: still }],
      scratch: [],
      body: [
        {
          what: "when",
          dice: still,
          body: [
            { what: "writeWindow", dice: [0, 1037, 0, 553, 0, 0, 0], body: [] },
            { what: "print", dice: still, body: [] },
          ],
        },
      ],
      fill: "zero",
      mapped: false,
      around: false,
      reassociate: false,
      seed: 0,
      style: "tame",
    });
    expect(faults).toEqual([]);
  });
});

describe("an axis whose first point is computed apart", () => {
  it("does not share the loops in its body with the others", () => {
    const fold = kernel(
      "fold",
      {
        grid: { i: 2 },
        inputs: { x: tensor("int32", [4]) },
        outputs: {
          most: tensor("int32", []),
          all: tensor("int32", [4]).blocks([2], ({ i }) => [i!]),
        },
      },
      ({ x, most, all }, { i }) => {
        const [, stacked] = scan(
          (carry: Tensor, row: Tensor) => [carry.add(row) as Tensor, carry] as const,
          x.get(0) as Tensor,
          x.get() as Tensor,
        ) as unknown as readonly [Tensor, Tensor];
        const first = stacked.index(0) as Tensor;
        when(i.isFirst, () => most.set(first));
        most.set(most.get().maximum(first) as Tensor);
        all.set(stacked.index("0:2") as Tensor);
      },
    );
    expectAgreement(
      graph({ x: tensor("int32", [4]) }, (tensors) => fold(tensors)),
      { x: tensorOf("int32", [4], [3, 1, 2, 5]) },
    );
  });
});

describe("blocks that overhang", () => {
  it.each(["hlo", "tpu", "zero"] as const)("are remembered beyond the edge (%s)", (fill) => {
    const edge = kernel(
      "edge",
      {
        grid: { i: 3 },
        fill,
        inputs: {},
        outputs: {
          o: tensor("float32", [3]).blocks([2], () => [1]),
          seen: tensor("float32", [6]).blocks([2], ({ i }) => [i!]),
        },
      },
      ({ o, seen }, { i }) => {
        seen.set(o.get());
        o.set(o.get().add(i.astype("float32")) as Tensor);
      },
    );
    expectAgreement(graph({}, () => edge({})));
  });
});

describe("points of a parallel axis that a branch leaves out", () => {
  const each = tensor("int32", [4]).blocks([1], ({ i }) => [i!]);
  /** `body` of x and of n, which is the same at all points, where x is positive. */
  const guarded = (body: (x: Tensor, n: Tensor) => Tensor): Graph => {
    const made = kernel(
      "guarded",
      { grid: { i: 4 }, inputs: { x: each, n: tensor("int32", []) }, outputs: { o: each } },
      ({ x, n, o }) => {
        const value = x.get(0) as Tensor;
        const same = n.get() as Tensor;
        o.set(x.get());
        when(value.gt(0), () => o.set(body(value, same).broadcastTo([1]) as Tensor));
      },
    );
    return graph({ x: tensor("int32", [4]), n: tensor("int32", []) }, (given) => made(given));
  };
  const someOf = { x: tensorOf("int32", [4], [0, 1, 2, 3]), n: tensorOf("int32", [], [3]) };
  const noneOf = { x: tensorOf("int32", [4], [0, 0, 0, 0]), n: tensorOf("int32", [], [-1]) };
  const countDown = (from: Tensor, by: Tensor | number): Tensor =>
    whileLoop(
      (left) => left.ne(0) as Tensor,
      (left) => left.sub(by) as Tensor,
      from,
    ) as Tensor;

  it("print nothing in a loop", () => {
    const inside = guarded((x) =>
      fori(0, 2, x, (i, carry) => {
        debugPrint("{} {}", i, x);
        return carry.add(i) as Tensor;
      }),
    );
    expectAgreement(inside, someOf);
  });

  it("print nothing in a branch inside that all would take", () => {
    const inside = guarded((x, n) =>
      cond(
        n.gt(2),
        () => {
          debugPrint("{}", x);
          return x.mul(2) as Tensor;
        },
        () => x,
      ),
    );
    expectAgreement(inside, someOf);
  });

  it("keep no loop going that would not end for them", () => {
    expectAgreement(
      guarded((x) => countDown(x.mul(3) as Tensor, x)),
      someOf,
      { fuel: 9 },
    );
    expectAgreement(
      guarded((_, n) => countDown(n, 1)),
      noneOf,
      { fuel: 9 },
    );
    expectAgreement(
      guarded((x, n) => fori(0, 2, x, (_, carry) => carry.add(countDown(n, 1)) as Tensor)),
      noneOf,
      { fuel: 9 },
    );
  });

  it("ask a loop's condition as often as they would alone", () => {
    const asking = guarded((x) =>
      whileLoop(
        (left) => {
          debugPrint("{} left", left);
          return left.gt(0) as Tensor;
        },
        (left) => left.sub(1) as Tensor,
        x,
      ),
    );
    expectAgreement(asking, someOf);
  });
});

describe("sort", () => {
  it("gives the same operand twice", () => {
    const g = graph({ x: tensor("float32", [3, 4]) }, ({ x }) => {
      const [first, second, third] = sort([x, x, x] as Tensor[]);
      return { first, second: (second as Tensor).neg(), third: (third as Tensor).mul(2) };
    });
    expectAgreement(g, { x: counting(3, 4) });
  });
});
