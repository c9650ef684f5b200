import { describe, expect, it } from "vitest";
import { Emitter } from "../../src/ir/emit.ts";
import { newRegion, type Region, Table, type ValueId } from "../../src/ir/table.ts";
import type { TensorType, ValueType } from "../../src/ir/types.ts";
import { bool, f32, i32 } from "./samples.ts";

class Builder {
  readonly table: Table = new Table();
  readonly main: Region = newRegion();
  readonly e: Emitter = new Emitter(this.table, this.main);

  param(type: ValueType): ValueId {
    return this.table.newParam(this.main, type);
  }

  /** A region of `params` whose results `body` gives. */
  region(params: readonly ValueType[], body: (e: Emitter, values: ValueId[]) => ValueId[]): Region {
    const region = newRegion();
    const values = params.map((type) => this.table.newParam(region, type));
    region.results.push(...body(this.e.nested(region), values));
    return region;
  }

  types(values: readonly ValueId[]): readonly TensorType[] {
    return values.map((value) => this.table.tensor(value));
  }
}

describe("types of structured ops", () => {
  it("scan gives its carries and stacks what each trip yields", () => {
    const b = new Builder();
    const body = b.region([i32(), f32(2), f32(3), f32()], (e, [i, carry, x]) => [
      carry!,
      x!,
      e.convert(i!, "float32"),
    ]);
    const inputs = [b.param(f32(2)), b.param(f32(5, 3)), b.param(f32())];
    const results = b.e.emitAll("scan", inputs, { trips: 5, carries: 1, xs: 1, reverse: false }, [
      body,
    ]);
    expect(b.types(results)).toEqual([f32(2), f32(5, 3), f32(5)]);
  });

  it("while gives its carries", () => {
    const b = new Builder();
    const params = [i32(), i32()];
    const condition = b.region(params, (e, [i, n]) => [e.emit("lt", [i!, n!], {})]);
    const body = b.region(params, (e, [i]) => [e.emit("add", [i!, e.full("int32", [], 1)], {})]);
    const inputs = [b.param(i32()), b.param(i32())];
    expect(b.types(b.e.emitAll("while", inputs, { carries: 1 }, [condition, body]))).toEqual([
      i32(),
    ]);
  });

  it("cond gives what its branches give", () => {
    const b = new Builder();
    const branch = () => b.region([f32(2)], (e, [x]) => [e.emit("neg", [x!], {}), x!]);
    const inputs = [b.param(bool()), b.param(f32(2))];
    const results = b.e.emitAll("cond", inputs, {}, [branch(), branch()]);
    expect(b.types(results)).toEqual([f32(2), f32(2)]);
  });

  it("a body that changes what it carries is refused", () => {
    const b = new Builder();
    const body = b.region([i32(), f32(2)], (e, [, x]) => [
      e.emit("reduce_sum", [x!], { axes: [0] }),
    ]);
    const inputs = [b.param(f32(2))];
    const params = { trips: 5, carries: 1, xs: 0, reverse: false };
    expect(() => b.e.emitAll("scan", inputs, params, [body])).toThrow(
      /GF2115 {2}carried results of a scan body are \(float32\[\]\) instead of \(float32\[2\]\)/,
    );
  });

  it("branches that differ are refused", () => {
    const b = new Builder();
    const same = b.region([f32()], (_, [x]) => [x!]);
    const other = b.region([f32()], (e, [x]) => [e.convert(x!, "int32")]);
    const inputs = [b.param(i32()), b.param(f32())];
    expect(() => b.e.emitAll("cond", inputs, {}, [same, other])).toThrow(/GF2115.*branch 1/);
  });

  it("a condition that is not one bool is refused", () => {
    const b = new Builder();
    const identity = () => b.region([i32()], (_, [i]) => [i!]);
    expect(() =>
      b.e.emitAll("while", [b.param(i32())], { carries: 1 }, [identity(), identity()]),
    ).toThrow(/GF2115.*condition/);
  });

  it("missing regions are refused", () => {
    const b = new Builder();
    expect(() => b.e.emitAll("cond", [b.param(bool())], {}, [])).toThrow("GF2115");
  });
});
