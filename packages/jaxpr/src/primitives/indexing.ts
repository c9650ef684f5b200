/** gather and scatter: the same windows as lax's, under the names of the graph. */
import {
  type Bits,
  type DType,
  isFloat,
  isSigned,
  itemSize,
  type OpParams,
  type OutOfBounds,
  type ScalarValue,
  toBits,
  type ValueId,
} from "@gridfuse/graph";
import type { Body } from "../body.ts";
import type { Literal } from "../format.ts";
import type { Rule } from "../importing.ts";
import { literalValue } from "../literal.ts";
import type { Rules } from "./table.ts";

interface GatherParams {
  readonly dn: {
    readonly offset: readonly number[];
    readonly collapsed: readonly number[];
    readonly start_index_map: readonly number[];
    readonly operand_batch?: readonly number[];
    readonly indices_batch?: readonly number[];
  };
  readonly sizes: readonly number[];
  readonly mode?: string;
  readonly fill?: Literal | number | null;
}

interface ScatterParams {
  readonly dn: {
    readonly update_window: readonly number[];
    readonly inserted: readonly number[];
    readonly scatter_to_operand: readonly number[];
    readonly operand_batch?: readonly number[];
    readonly indices_batch?: readonly number[];
  };
  readonly mode?: string;
}

/** What lies outside counts as inside only where the program promises that nothing does, or asks to clip. */
const outOfBounds = (mode: string | undefined): OutOfBounds =>
  mode === "fill" || mode === "fill_or_drop" || mode === undefined ? "fill" : "clip";

/** What JAX fills with unless told otherwise: NaN, the least signed, the greatest unsigned, true. */
function defaultFill(dtype: DType): Bits {
  const bits = BigInt(itemSize(dtype) * 8);
  let value: ScalarValue = true;
  if (isFloat(dtype)) value = Number.NaN;
  else if (isSigned(dtype)) value = -(1n << (bits - 1n));
  else if (dtype !== "bool") value = (1n << bits) - 1n;
  return toBits(dtype, typeof value === "bigint" && bits < 64n ? Number(value) : value);
}

function fillOf(dtype: DType, fill: GatherParams["fill"]): Bits {
  if (fill === null || fill === undefined) return defaultFill(dtype);
  return toBits(dtype, typeof fill === "number" ? fill : literalValue(fill));
}

const gather: Rule = (body, [operand, indices], p: GatherParams) => {
  const { dn } = p;
  return body.e.emit("gather", [operand as ValueId, indices as ValueId], {
    dimensions: {
      offsetDims: dn.offset,
      collapsedSliceDims: dn.collapsed,
      startIndexMap: dn.start_index_map,
      operandBatchingDims: dn.operand_batch ?? [],
      startIndicesBatchingDims: dn.indices_batch ?? [],
    },
    sliceSizes: p.sizes,
    mode: outOfBounds(p.mode),
    fill: fillOf(body.dtype(operand as ValueId), p.fill),
  });
};

type Combine = OpParams["scatter"]["combine"];

const scatter =
  (combine: Combine, prepare: (body: Body, updates: ValueId) => ValueId = (_, u) => u): Rule =>
  (body, [operand, indices, updates], p: ScatterParams) => {
    const { dn } = p;
    return body.e.emit(
      "scatter",
      [operand as ValueId, indices as ValueId, prepare(body, updates as ValueId)],
      {
        dimensions: {
          updateWindowDims: dn.update_window,
          insertedWindowDims: dn.inserted,
          scatterDimsToOperandDims: dn.scatter_to_operand,
          operandBatchingDims: dn.operand_batch ?? [],
          scatterIndicesBatchingDims: dn.indices_batch ?? [],
        },
        combine,
        // A promise that nothing lies outside may be kept in either way.
        mode: p.mode === "clip" ? "clip" : "fill",
      },
    );
  };

export const indexing: Rules = {
  "lax:gather": gather,
  "lax:scatter": scatter("set"),
  "lax:scatter_add": scatter("add"),
  "lax:scatter_mul": scatter("mul"),
  "lax:scatter_min": scatter("min"),
  "lax:scatter_max": scatter("max"),
  "lax:scatter_sub": scatter("add", (body, updates) => body.e.emit("neg", [updates], {})),
};
