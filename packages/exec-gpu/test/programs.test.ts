import { type DType, storageArray } from "@gridfuse/plan";
import { axis } from "@gridfuse/plan/index-expr";
import {
  binaryOps,
  compareOps,
  evaluateProgram,
  type LoadNode,
  loadLanes,
  type Scalar,
  ScalarBuilder,
  type ScalarNode,
  storeLanes,
  unaryOps,
} from "@gridfuse/plan/scalar";
import fc from "fast-check";
import { expect, test } from "vitest";
import { gpuExecutor } from "./adapter.ts";
import { hasMeaning } from "./meaning.ts";
import { planOf } from "./plans.ts";
import { comparable, pairs } from "./values.ts";

const dtypes = ["float32", "int32", "uint32", "bool"] as const satisfies readonly DType[];
type Dtype = (typeof dtypes)[number];
const length = 512;
const at = axis(0, length);

/** One step of a random program: what to do, and on which of the values so far. */
const instruction = fc.record({
  kind: fc.constantFrom(
    "unary",
    "binary",
    "binary",
    "compare",
    "select",
    "rare",
    "convert",
    "bitcast",
    "const",
  ),
  dtype: fc.constantFrom(...dtypes),
  to: fc.constantFrom(...dtypes),
  op: fc.nat({ max: 999 }),
  args: fc.tuple(fc.nat({ max: 999 }), fc.nat({ max: 999 }), fc.nat({ max: 999 })),
  bits: fc.nat({ max: 2 ** 32 - 1 }),
});
type Instruction = typeof instruction extends fc.Arbitrary<infer T> ? T : never;

const pick = <T>(from: readonly T[], choice: number): T => from[choice % from.length] as T;

/** The program, and the nodes of each dtype in order. */
function programOf(instructions: readonly Instruction[]) {
  const builder = new ScalarBuilder();
  const values = Object.fromEntries(
    dtypes.map((dtype, i) => [
      dtype,
      [0, 1].map((column) => builder.load(dtype, 2 * i + column, at, [], { lo: 0, hi: 0 })),
    ]),
  ) as Record<Dtype, Scalar[]>;
  const keep = (node: Scalar): number => values[builder.dtypeOf(node) as Dtype].push(node);
  for (const { kind, dtype, to, op, args, bits } of instructions) {
    // Late values are likelier than early ones, so that programs get deep.
    const value = (choice: number, of: Dtype): Scalar => {
      const known = values[of];
      return known[known.length - 1 - (choice % Math.min(known.length, 6))] as Scalar;
    };
    const x = value(args[0], dtype);
    const y = value(args[1], dtype);
    switch (kind) {
      case "unary":
        keep(
          builder.unary(
            pick(
              unaryOps.filter((name) => hasMeaning(name, dtype)),
              op,
            ),
            x,
          ),
        );
        break;
      case "binary":
        keep(
          builder.binary(
            pick(
              binaryOps.filter((name) => hasMeaning(name, dtype)),
              op,
            ),
            x,
            y,
          ),
        );
        break;
      case "compare":
        keep(builder.compare(pick(compareOps, op), x, y));
        break;
      case "select":
      case "rare":
        keep(builder[kind](value(args[2], "bool"), x, y));
        break;
      case "convert":
        keep(builder.convert(x, to));
        break;
      case "bitcast":
        if (dtype !== "bool" && to !== "bool") keep(builder.bitcast(x, to));
        break;
      case "const":
        keep(builder.constBits(dtype, { lo: dtype === "bool" ? bits % 2 : bits, hi: 0 }));
        break;
      default:
        throw kind satisfies never;
    }
  }
  return { nodes: builder.nodes as readonly ScalarNode[], values };
}

const inputs = dtypes.flatMap((dtype) =>
  ["x", "y"].map((column) => ({ name: `${column} ${dtype}`, dtype, length })),
);
const data = Object.fromEntries(
  dtypes.flatMap((dtype) => {
    const { x, y } = pairs(dtype, 4 * length);
    return [
      [`x ${dtype}`, x.slice(-length)],
      [`y ${dtype}`, y.slice(-length)],
    ];
  }),
);

test("random programs give the bits of plain JS", async () => {
  const executor = await gpuExecutor();
  const programs = fc.array(instruction, { minLength: 20, maxLength: 60, size: "max" });
  await fc.assert(
    fc.asyncProperty(programs, async (instructions) => {
      const { nodes, values } = programOf(instructions);
      const results = dtypes.flatMap((dtype) => values[dtype].slice(-3));
      const outputs = results.map((node) => ({
        name: `node ${node}`,
        dtype: (nodes[node] as ScalarNode).dtype,
        length,
      }));
      const writes = results.map((value, i) => {
        const { dtype } = outputs[i] as { dtype: DType };
        return { buffer: inputs.length + i, dtype, index: at, guard: [], value };
      });
      const stage = { axes: [], nodes, reductions: [], writes };
      const plan = planOf(inputs, outputs, [
        { kind: "kernel", name: "random", axes: [length], stages: [stage] },
      ]);
      using executable = await executor.prepare(plan);
      const found = await executable.run(data);
      const lanes = evaluateProgram(nodes, length, (node) => {
        const { name, dtype } = inputs[(node as LoadNode).buffer] as (typeof inputs)[number];
        return loadLanes(dtype, data[name] as Float32Array, 0, length);
      });
      for (const [i, { name, dtype }] of outputs.entries()) {
        const expected = storageArray(dtype, length);
        storeLanes(dtype, lanes[results[i] as number] as Float32Array, expected, 0);
        expect(comparable(dtype, found[name] as Float32Array), name).toEqual(
          comparable(dtype, expected),
        );
      }
    }),
    { numRuns: 15 },
  );
});
