import { describe, expect, it } from "vitest";
import { censusOf, countNodes, Emitter, newRegion, Table } from "../src/index.ts";

describe("a census", () => {
  it("counts what is inside, and anew when there is more", () => {
    const table = new Table();
    const main = newRegion();
    const e = new Emitter(table, main);
    const x = e.full("float32", [4], 1);
    e.emit("add", [x, x], {});
    expect(censusOf(table, main)).toMatchObject({ count: 2, isFlat: true });

    const body = newRegion();
    const inside = e.nested(body);
    const flag = table.newParam(body, { kind: "tensor", dtype: "float32", shape: [4] });
    body.results.push(inside.emit("tanh", [flag], {}));
    const which = e.full("int32", [], 0);
    table.newNode(main, "cond", {}, [which, x], [table.tensor(x)], [body, body]);

    const census = censusOf(table, main);
    expect(census).toMatchObject({ count: 6, isFlat: false });
    expect([...census.ops].sort()).toEqual(["add", "cond", "full", "tanh"]);
    expect(countNodes(table, main)).toBe(6);
  });
});
