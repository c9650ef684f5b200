import { itemSize } from "@gridfuse/plan";
import { binaryOps, compareOps, type Scalar, unaryOps } from "@gridfuse/plan/scalar";
import { describe, test } from "vitest";
import { agree, columns, shaderDTypes } from "./agree.ts";
import { hasMeaning } from "./meaning.ts";

describe.each(shaderDTypes)("%s on the device computes the bits of plain JS", (dtype) => {
  test("unary ops", async () => {
    const { builder, x, data } = columns(dtype);
    const results = unaryOps
      .filter((op) => hasMeaning(op, dtype))
      .map((name) => ({ name, node: builder.unary(name, x) }));
    await agree(dtype, results, builder.nodes, data);
  });

  test("binary ops", async () => {
    const { builder, x, y, data } = columns(dtype);
    const results = binaryOps
      .filter((op) => hasMeaning(op, dtype))
      .map((name) => ({ name, node: builder.binary(name, x, y) }));
    await agree(dtype, results, builder.nodes, data);
  });

  test("comparisons and select", async () => {
    const { builder, x, y, data } = columns(dtype);
    const results: { name: string; node: Scalar }[] = compareOps.map((name) => ({
      name,
      node: builder.compare(name, x, y),
    }));
    const less = builder.compare("lt", x, y);
    results.push({ name: "select", node: builder.select(less, x, y) });
    results.push({ name: "rare", node: builder.rare(less, x, y) });
    await agree(dtype, results, builder.nodes, data);
  });

  test("conversions and bitcasts", async () => {
    const { builder, x, data } = columns(dtype);
    const results = shaderDTypes
      .filter((to) => to !== dtype)
      .map((to) => ({ name: `to ${to}`, node: builder.convert(x, to) }));
    const sameWidth = shaderDTypes.filter(
      (to) => to !== dtype && dtype !== "bool" && to !== "bool" && itemSize(to) === itemSize(dtype),
    );
    for (const to of sameWidth) results.push({ name: `as ${to}`, node: builder.bitcast(x, to) });
    await agree(dtype, results, builder.nodes, data);
  });
});
