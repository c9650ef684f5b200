/**
 * Floats of eight bits, which have no dtype here: held as their bits, in uint8. They are moved about and converted;
 * what computes with them does so in float32, and rounds. Formats: OCP 8-bit floating point, E5M2 and E4M3.
 */
import type { ValueId } from "@gridfuse/graph";
import type { Body } from "./body.ts";
import type { WireDType } from "./format.ts";

interface Format {
  /** Bits of the fraction. */
  readonly fraction: number;
  /** Least normal number; below it numbers are multiples of `unit`. */
  readonly leastNormal: number;
  readonly unit: number;
  readonly greatest: number;
  /** What becomes of what is greater, as bits; NaN where there is no infinity. */
  readonly overflow: number;
  readonly nan: number;
  /** A float16 of the bits, shifted up, is the number times this. */
  readonly scale: number;
  readonly shift: number;
}

const formats: { readonly [name: WireDType]: Format | undefined } = {
  f8e5m2: {
    fraction: 2,
    leastNormal: 2 ** -14,
    unit: 2 ** -16,
    greatest: 57_344,
    overflow: 0x7c,
    nan: 0x7e,
    scale: 1,
    shift: 8,
  },
  f8e4m3fn: {
    fraction: 3,
    leastNormal: 2 ** -6,
    unit: 2 ** -9,
    greatest: 448,
    overflow: 0x7f,
    nan: 0x7f,
    scale: 2 ** -8,
    shift: 7,
  },
};

export const isEightBitFloat = (wire: WireDType): boolean => formats[wire] !== undefined;

/** What moves values, or converts them. */
export const moving: ReadonlySet<string> = new Set(
  `convert_element_type bitcast_convert_type broadcast_in_dim reshape transpose slice squeeze expand_dims concatenate
   dynamic_slice dynamic_update_slice gather rev select_n split tile stack unstack copy copy_p stop_gradient get swap
   masked_load masked_swap load store broadcast_to dma_start dma_wait call scan while cond run_scoped pallas_call
   optimization_barrier with_memory_space_constraint freeze new_ref multiple_of`.split(/\s+/),
);

/** The numbers whose bits these are, as float32. */
export function fromBits(body: Body, bits: ValueId, wire: WireDType): ValueId {
  const { scale, shift, nan } = formats[wire] as Format;
  const { e } = body;
  const shape = body.shape(bits);
  const of = (value: number) => body.full("uint8", shape, value);
  const magnitude = e.emit("and", [bits, of(0x7f)], {});
  const raised = e.emit(
    "shift_left",
    [e.convert(magnitude, "uint16"), body.full("uint16", shape, shift)],
    {},
  );
  const half = e.emit("bitcast_convert_type", [raised], { dtype: "float16" });
  const unscaled = e.convert(half, "float32");
  const whole = e.emit("mul", [unscaled, body.full("float32", shape, 1 / scale)], {});
  // E5M2 has the NaNs and infinities of float16; E4M3 has one NaN, which float16 takes for a number.
  const isNot = e.emit("eq", [magnitude, of(nan)], {});
  const number = e.emit("select_n", [isNot, whole, body.full("float32", shape, Number.NaN)], {});
  const isNegative = e.emit("ge", [bits, of(0x80)], {});
  return e.emit("select_n", [isNegative, number, e.emit("neg", [number], {})], {});
}

/** The bits of numbers, rounded to nearest, halves to even. */
export function toBits(body: Body, value: ValueId, wire: WireDType): ValueId {
  const { fraction, leastNormal, unit, greatest, overflow, nan, scale, shift } = formats[
    wire
  ] as Format;
  const { e } = body;
  const shape = body.shape(value);
  const of = (number: number) => body.full("float32", shape, number);
  const byte = (number: number) => body.full("uint8", shape, number);
  const x = e.convert(value, "float32");
  const magnitude = e.emit("abs", [x], {});
  const normal = e.emit("reduce_precision", [magnitude], {
    exponentBits: 8,
    mantissaBits: fraction,
  });
  // What is added brings the last place to `unit`, where rounding happens.
  const raise = of(1.5 * 2 ** 23 * unit);
  const small = e.emit("sub", [e.emit("add", [magnitude, raise], {}), raise], {});
  const isSmall = e.emit("lt", [magnitude, of(leastNormal)], {});
  const rounded = e.emit("select_n", [isSmall, normal, small], {});
  const half = e.convert(e.emit("mul", [rounded, of(scale)], {}), "float16");
  const word = e.emit("bitcast_convert_type", [half], { dtype: "uint16" });
  const lowered = e.emit("shift_right_logical", [word, body.full("uint16", shape, shift)], {});
  const isGreater = e.emit("gt", [rounded, of(greatest)], {});
  const finite = e.emit("select_n", [isGreater, e.convert(lowered, "uint8"), byte(overflow)], {});
  const isNot = e.emit("ne", [x, x], {});
  const unsigned = e.emit("select_n", [isNot, finite, byte(nan)], {});
  const bits = e.emit("bitcast_convert_type", [x], { dtype: "int32" });
  const isNegative = e.emit("lt", [bits, body.full("int32", shape, 0)], {});
  const sign = e.emit("select_n", [isNegative, byte(0), byte(0x80)], {});
  return e.emit("or", [unsigned, sign], {});
}
