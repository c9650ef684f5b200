/** What members of a team have to themselves is apart from what the others have, and whole. */
import { irVersion, type Plan, type PlanBuffer, type TileStep } from "@gridfuse/plan";
import fc from "fast-check";
import { expect, test } from "vitest";
import { localPlaces } from "../src/codegen/local-places.ts";
import { layoutOf, type MemoryLayout, slack } from "../src/layout.ts";

interface Span {
  readonly from: number;
  readonly to: number;
}
const meet = (a: Span, b: Span): boolean => a.from < b.to && b.from < a.to;

const arena = 1 << 14;
const unit = 256;

/** Tiles with temporaries anywhere in the arena, one inside of another. */
const plans = fc
  .record({
    buffers: fc.array(
      fc.record({
        offset: fc.nat(40).map((n) => n * unit),
        length: fc.integer({ min: 1, max: 500 }),
      }),
      { minLength: 3, maxLength: 9 },
    ),
    cuts: fc.tuple(fc.nat(9), fc.nat(9)),
  })
  .map(({ buffers, cuts }): Plan => {
    const [a, b] = [...cuts].sort((x, y) => x - y) as [number, number];
    const ids = buffers.map((_, i) => i);
    const tile = (loop: number, locals: number[], body: TileStep[]): TileStep => ({
      kind: "tile",
      name: `tile ${loop}`,
      loop,
      trips: 2,
      locals,
      body,
    });
    const inner = tile(1, ids.slice(a, b), []);
    return {
      ir: irVersion,
      name: "tiles",
      requirements: { dtypes: [], steps: [] },
      inputs: [],
      outputs: [],
      constants: [],
      arenaBytes: arena,
      buffers: buffers.map(
        ({ offset, length }): PlanBuffer => ({
          kind: "temporary",
          dtype: "float32",
          length,
          offset,
        }),
      ),
      steps: [tile(0, ids.slice(0, a), [inner]), tile(2, ids.slice(b), [])],
    };
  });

const span = (layout: MemoryLayout, plan: Plan, buffer: number): Span => {
  const from = layout.addresses[buffer] as number;
  return { from, to: from + (plan.buffers[buffer] as PlanBuffer).length * 4 };
};

test("temporaries of tiles, scratch space and its common part", () => {
  const members = 3;
  const bytes = { scratch: 700, shared: 300 };
  fc.assert(
    fc.property(plans, (plan) => {
      const locals = localPlaces(plan);
      const layouts = Array.from({ length: members }, (_, member) =>
        layoutOf(plan, bytes, undefined, { members, member, locals }),
      ) as [MemoryLayout, ...MemoryLayout[]];
      const owned = layouts.map((layout): Span[] => [
        ...plan.buffers.map((_, buffer) => span(layout, plan, buffer)),
        { from: layout.scratch, to: layout.scratch + bytes.scratch + slack },
        { from: layout.unshared, to: layout.unshared + bytes.shared + slack },
      ]);
      for (const [i, mine] of owned.entries()) {
        expect(layouts[i]?.bytes).toBe(layouts[0].bytes);
        expect(layouts[i]?.shared).toBe(layouts[0].shared);
        for (const { to } of mine) expect(to).toBeLessThanOrEqual(layouts[0].bytes);
        for (const theirs of owned.slice(0, i)) {
          expect(mine.some((a) => theirs.some((b) => meet(a, b)))).toBe(false);
        }
      }
      // Of one tile: what lies apart in the arena does so everywhere, and what shares a place still does.
      const tiles = plan.steps.map((step) => {
        const { locals: outer, body } = step as TileStep;
        return [...outer, ...body.flatMap((inside) => (inside as TileStep).locals)];
      });
      for (const tile of tiles) {
        for (const layout of layouts.slice(1)) {
          for (const a of tile) {
            for (const b of tile) {
              const distance = (of: MemoryLayout): number =>
                (of.addresses[a] as number) - (of.addresses[b] as number);
              const together = meet(span(layouts[0], plan, a), span(layouts[0], plan, b));
              if (together) expect(distance(layout)).toBe(distance(layouts[0]));
              else expect(meet(span(layout, plan, a), span(layout, plan, b))).toBe(false);
            }
          }
        }
      }
    }),
    { numRuns: 200, seed: 1 },
  );
});
