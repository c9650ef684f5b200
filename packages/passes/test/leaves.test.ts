import * as ix from "@gridfuse/plan/index-expr";
import { ScalarBuilder } from "@gridfuse/plan/scalar";
import { describe, expect, it } from "vitest";
import { leavesOf, shareLeaves } from "../src/fuse/leaves.ts";

const zeroBits = { lo: 0, hi: 0 };

describe("the leaves of a scalar program", () => {
  it("are what is no arithmetic, and grow with it", () => {
    const b = new ScalarBuilder();
    const x = b.load("float32", 0, ix.axis(0, 8), [], zeroBits);
    const bits = b.bitcast(b.add(x, x), "uint32");
    expect(leavesOf(b.nodes)).toMatchObject({ loads: [x], positions: [], bitcasts: [bits] });
    const y = b.load("float32", 1, ix.axis(0, 8), [], zeroBits);
    const place = b.index("uint32", ix.axis(0, 8));
    const sum = b.reduced("float32", 0, 0);
    expect(leavesOf(b.nodes)).toMatchObject({
      loads: [x, y],
      positions: [place],
      reduced: [sum],
      bitcasts: [bits],
    });
  });

  it("of a copy stay what they are when the original goes on", () => {
    const b = new ScalarBuilder();
    const x = b.load("float32", 0, ix.axis(0, 8), [], zeroBits);
    const copy = b.nodes.slice();
    shareLeaves(copy, b.nodes);
    b.load("float32", 1, ix.axis(0, 8), [], zeroBits);
    expect(leavesOf(b.nodes).loads).toHaveLength(2);
    expect(leavesOf(copy).loads).toEqual([x]);
  });
});
