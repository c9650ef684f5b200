/** Who reads what: those whose cones end there. */
import { Emitter, newRegion, Table, tensorType, type ValueId } from "@gridfuse/graph";
import fc from "fast-check";
import { expect, it } from "vitest";
import { Cones } from "../src/fuse/cones.ts";
import { RegionNumbers } from "../src/fuse/region-numbers.ts";

const steps = fc.array(
  fc.record({
    isMoved: fc.boolean(),
    isStored: fc.boolean(),
    operands: fc.tuple(fc.nat(), fc.nat()),
  }),
  { minLength: 1, maxLength: 40 },
);

it("readers are the heads whose cones read a value", () => {
  fc.assert(
    fc.property(steps, (made) => {
      const table = new Table();
      const region = newRegion();
      const e = new Emitter(table, region);
      const values: ValueId[] = [table.newParam(region, tensorType("float32", [4, 4]))];
      const roots = new Set<ValueId>();
      for (const { isMoved, isStored, operands } of made) {
        const [x, y] = operands.map((i) => values[i % values.length] as ValueId);
        const value = isMoved
          ? e.emit("transpose", [x as ValueId], { permutation: [1, 0] })
          : e.emit("add", [x as ValueId, y as ValueId], {});
        if (isStored) roots.add(value);
        values.push(value);
      }
      const cones = new Cones(table, new RegionNumbers(table, region), roots, new Set());
      for (const value of values) {
        const looked = cones.heads().filter((head) => cones.of(head).reads.includes(value));
        expect(cones.readersOf(value)).toEqual(looked);
      }
    }),
  );
});
