/**
 * Several sweeps of the heat equation on a block before it is written back (temporal blocking; Wolf and
 * Lam, 1991). A block comes with a halo as wide as there are sweeps; each sweep makes one more ring of it
 * stale, and what is left in the middle is right. Outside of the plate it is always 0.
 */
import {
  element,
  f32,
  fori,
  type Graph,
  graph,
  i32,
  iota,
  kernel,
  type Tensor,
  tensor,
  where,
} from "gridfuse";
import { type Check, exactly, type Inputs, type Outputs, randomFloats } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

interface StencilShape {
  readonly height: number;
  readonly width: number;
  /** Rows of a block; divides height. */
  readonly block: number;
  readonly sweeps: number;
}
type Plate = Tensor<"float32">;

/** x: f32[height, width] → y: f32[height, width] after all sweeps. */
export function stencil({ height, width, block, sweeps }: StencilShape): Graph {
  const rows = block + 2 * sweeps;
  const plate = tensor(f32, [height, width]);
  const heat = kernel(
    "stencil",
    {
      grid: { i: height / block },
      inputs: {
        x: plate.blocks([element(rows, { padding: [sweeps, sweeps] }), width], ({ i }) => [
          i.mul(block),
          0,
        ]),
      },
      outputs: { y: plate.blocks([block, width], ({ i }) => [i, 0]) },
    },
    ({ x, y }, { i }) => {
      const row = iota(i32, [rows, width]).add(i.mul(block).sub(sweeps));
      const onPlate = row.ge(0).and(row.lt(height));
      const start = where(onPlate, x.get(), 0);
      const last = fori(0, sweeps, start, (_, now) => where(onPlate, sweep(now), 0));
      y.set(last.index(`${sweeps}:${sweeps + block}`));
    },
  );
  return graph(heat.inputs, heat, { name: "stencil" });
}

/** Every element a quarter of the way to the mean of its neighbours, which are 0 beyond the edge. */
function sweep(now: Plate): Plate {
  const padded = now.pad([
    [1, 1],
    [1, 1],
  ]);
  const from = (dy: number, dx: number) =>
    padded.index(
      `${dy}:${dy + (now.shape[0] as number)}`,
      `${dx}:${dx + (now.shape[1] as number)}`,
    );
  const around = from(0, 1)
    .add(from(2, 1))
    .add(from(1, 0).add(from(1, 2)));
  return now.mul(0.75).add(around.mul(0.0625));
}

const inputs = ({ height, width }: StencilShape): Inputs => ({
  x: randomFloats(height * width, 1, 89),
});

/** Sweep by sweep over the whole plate, rounded to float32 where the kernel rounds: exact. */
const check =
  ({ height, width, sweeps }: StencilShape) =>
  ({ x }: Inputs, { y }: Outputs): Check => {
    const round = Math.fround;
    let now = x as Float32Array;
    for (let pass = 0; pass < sweeps; pass++) {
      const before = now;
      now = before.map((value, at) => {
        const [row, column] = [Math.floor(at / width), at % width];
        const above = row > 0 ? before[at - width] : 0;
        const below = row < height - 1 ? before[at + width] : 0;
        const left = column > 0 ? before[at - 1] : 0;
        const right = column < width - 1 ? before[at + 1] : 0;
        const around = round(round(above + below) + round(left + right));
        return round(round(value * 0.75) + round(around * 0.0625));
      });
    }
    return exactly(y, now);
  };

export const examples: readonly SuiteExample[] = [
  defineExample<StencilShape>({
    name: "stencil",
    about: "four sweeps of a plate block by block, halos as wide as there are sweeps",
    full: { height: 512, width: 512, block: 32, sweeps: 4 },
    small: { height: 8, width: 5, block: 4, sweeps: 3 },
    graph: stencil,
    inputs,
    check,
  }),
];
