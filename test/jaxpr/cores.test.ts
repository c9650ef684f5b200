/** Kernels of which each point is a core: they run in the order that the program says, and share what lies outside of them. */
import { cpu } from "@gridfuse/exec-cpu";
import { interpret } from "@gridfuse/interpret";
import { importJaxpr } from "@gridfuse/jaxpr";
import { compile } from "@gridfuse/passes";
import { describe, expect, test } from "vitest";
import { container } from "../../packages/jaxpr/test/support/programs.ts";

const [ARRAY, REF, INT, SEMAPHORE] = [0, 1, 2, 3];
const avals = [
  { s: [4], d: "f32" },
  { k: "ref", s: [4], d: "f32", m: "any" },
  { s: [], d: "i32" },
  { k: "ref", s: [], d: "sem.dma", m: "sem" },
];
const whole = (ref: number) => ({ ref, t: [] });
const copy = (src: number, dst: number) => ({
  p: "dma_start",
  m: "tpu",
  x: { src: whole(src), dst: whole(dst), sem: whole(3), add: false },
});
const refs = (first: number) => [REF, REF, REF, SEMAPHORE].map((aval, i) => [first + i, aval]);

/** Core 1 copies x to memory that both share, core 0 that memory to y. */
const passedOn = (order: readonly number[]): Uint8Array =>
  container({
    format: "pallas-ir/1",
    main: 0,
    avals,
    jaxprs: [
      {
        in: [[0, ARRAY]],
        out: [1],
        eqns: [
          {
            p: "pallas_call",
            m: "pl",
            i: [0],
            o: [[1, ARRAY]],
            x: {
              name: "cores",
              kernel: 1,
              grid: [2],
              grid_names: ["core"],
              nindex: 0,
              nin: 1,
              nout: 1,
              nscratch: 0,
              scratch: [],
              order,
              blocks: ["x", "y"].map((origin) => ({
                origin,
                shape: [{ k: "blk", n: 4 }],
                array: ARRAY,
                ref: REF,
                index_map: 5,
              })),
            },
          },
        ],
      },
      {
        in: [
          [0, REF],
          [1, REF],
        ],
        out: [],
        eqns: [{ p: "run_scoped", m: "pl", i: [0, 1], o: [], x: { jaxpr: 2, nconsts: 2 } }],
      },
      {
        in: refs(0),
        out: [],
        eqns: [
          { p: "axis_index", i: [], o: [[4, INT]], x: { axis_name: "core" } },
          { p: "cond", i: [4, 0, 1, 2, 3], o: [], x: { branches: [3, 4] } },
        ],
      },
      { in: refs(0), out: [], eqns: [copy(2, 1)] },
      { in: refs(0), out: [], eqns: [copy(0, 2)] },
      { in: [[0, INT]], out: [{ lit: 0, d: "i32" }], eqns: [] },
    ],
  });

const x = Float32Array.of(1, 2, 3, 4);

async function result(order: readonly number[]): Promise<readonly number[]> {
  const graph = importJaxpr(passedOn(order), { fill: "tpu" });
  const executable = await (await cpu()).prepare(compile(graph));
  const { out0 } = (await executable.run({ in0: x })) as { readonly out0: Float32Array };
  expect(interpret(graph.program, { in0: x }).out0?.data).toEqual(out0);
  return Array.from(out0);
}

describe("cores", () => {
  test("find what the ones before them left", async () => {
    expect(await result([1, 0])).toEqual(Array.from(x));
  });

  test("find nothing where they are the first", async () => {
    expect((await result([0, 1])).every(Number.isNaN)).toBe(true);
  });
});
