/**
 * Small functions that generated code calls where one scalar op takes many instructions: exact float
 * remainder, integer division without traps, the 16-bit float formats. Each is emitted once a module,
 * when first asked for.
 *
 * The bit tricks are those of the plan's `bits.ts`, so both give the same bits by construction; the
 * remainder is the classical shift-and-subtract long division, which is exact.
 */
import type { Code, ValueType } from "./code.ts";
import type { FunctionBuilder, ModuleBuilder } from "./module.ts";

export type HelperName =
  | `${"i32" | "i64"}.${"div" | "rem"}_${"s" | "u"}`
  | "f64.rem"
  | "f32.rem"
  | "f64ToF32Odd"
  | "f32ToBf16"
  | "f32ToF16"
  | "f16ToF32";

interface Helper {
  readonly params: readonly ValueType[];
  readonly result: ValueType;
  build(fn: FunctionBuilder, library: HelperLibrary): void;
}

export class HelperLibrary {
  readonly #module: ModuleBuilder;
  readonly #known = new Map<HelperName, number>();

  constructor(module: ModuleBuilder) {
    this.#module = module;
  }

  /** Function index of a helper. */
  get(name: HelperName): number {
    let index = this.#known.get(name);
    if (index === undefined) {
      const helper = helpers[name];
      const fn = this.#module.define(helper.params, [helper.result]);
      index = fn.index;
      this.#known.set(name, index);
      helper.build(fn, this);
    }
    return index;
  }
}

/** x/0 = all ones, MIN/−1 = MIN; x rem 0 = x, MIN rem −1 = 0. */
function signedDivision(type: "i32" | "i64", kind: "div" | "rem"): Helper {
  return {
    params: [type, type],
    result: type,
    build({ code }) {
      const literal = (value: number): Code =>
        type === "i32" ? code.i32(value) : code.i64(BigInt(value));
      code.get(1).op(`${type}.eqz`).if();
      if (kind === "div") literal(-1);
      else code.get(0);
      code.op("return").end();
      code.get(1);
      literal(-1).op(`${type}.eq`).if();
      literal(0);
      if (kind === "div") code.get(0).op(`${type}.sub`);
      code.op("return").end();
      code.get(0).get(1).op(`${type}.${kind}_s`);
    },
  };
}

function unsignedDivision(type: "i32" | "i64", kind: "div" | "rem"): Helper {
  return {
    params: [type, type],
    result: type,
    build({ code }) {
      code.get(1).op(`${type}.eqz`).if();
      if (kind === "rem") code.get(0);
      else if (type === "i32") code.i32(-1);
      else code.i64(-1n);
      code.op("return").end();
      code.get(0).get(1).op(`${type}.${kind}_u`);
    },
  };
}

const helpers: Readonly<Record<HelperName, Helper>> = {
  "i32.div_s": signedDivision("i32", "div"),
  "i32.rem_s": signedDivision("i32", "rem"),
  "i64.div_s": signedDivision("i64", "div"),
  "i64.rem_s": signedDivision("i64", "rem"),
  "i32.div_u": unsignedDivision("i32", "div"),
  "i32.rem_u": unsignedDivision("i32", "rem"),
  "i64.div_u": unsignedDivision("i64", "div"),
  "i64.rem_u": unsignedDivision("i64", "rem"),

  /** C's fmod. */
  "f64.rem": {
    params: ["f64", "f64"],
    result: "f64",
    build(fn) {
      const { code } = fn;
      const x = fn.local("i64");
      const y = fn.local("i64");
      const ex = fn.local("i64");
      const ey = fn.local("i64");
      const implicit = 1n << 52n;
      const magnitude = (1n << 63n) - 1n;
      // y = 0, NaN anywhere, x infinite: x·y / x·y is NaN in each of these.
      code.get(1).f64(0).op("f64.eq");
      code.get(1).get(1).op("f64.ne").op("i32.or");
      code.get(0).get(0).op("f64.sub").f64(0).op("f64.ne").op("i32.or").if();
      code.f64(Number.NaN).op("return").end();
      code.get(0).op("f64.abs").get(1).op("f64.abs").op("f64.lt").if();
      code.get(0).op("return").end();
      for (const [from, bits, exponent] of [
        [0, x, ex],
        [1, y, ey],
      ] as const) {
        code.get(from).op("i64.reinterpret_f64").i64(magnitude).op("i64.and").tee(bits);
        code.i64(52n).op("i64.shr_u").tee(exponent).op("i64.eqz").if();
        // A denormal: shifted until it looks like the others, with an exponent below 1.
        code.i64(1n).set(exponent).loop();
        code.get(bits).i64(1n).op("i64.shl").set(bits);
        code.get(exponent).i64(1n).op("i64.sub").set(exponent);
        code.get(bits).i64(implicit).op("i64.lt_u").brIf(0).end().else();
        code
          .get(bits)
          .i64(implicit - 1n)
          .op("i64.and")
          .i64(implicit)
          .op("i64.or")
          .set(bits)
          .end();
      }
      code.block().loop();
      code.get(x).get(y).op("i64.ge_u").if().get(x).get(y).op("i64.sub").set(x).end();
      code.get(ex).get(ey).op("i64.le_s").brIf(1);
      code.get(x).op("i64.eqz").brIf(1);
      code.get(x).i64(1n).op("i64.shl").set(x);
      code.get(ex).i64(1n).op("i64.sub").set(ex);
      code.br(0).end().end();
      code.get(x).op("i64.eqz").if();
      code.f64(0).get(0).op("f64.copysign").op("return").end();
      code.block().loop();
      code.get(x).i64(implicit).op("i64.ge_u").brIf(1);
      code.get(ex).i64(1n).op("i64.le_s").brIf(1);
      code.get(x).i64(1n).op("i64.shl").set(x);
      code.get(ex).i64(1n).op("i64.sub").set(ex);
      code.br(0).end().end();
      code.get(ex).i64(1n).op("i64.lt_s").if();
      code.get(x).i64(1n).get(ex).op("i64.sub").op("i64.shr_u").set(x).i64(1n).set(ex).end();
      // ex = 1 with no implicit bit is the denormal encoding: exponent field 0.
      code.get(ex).i64(1n).op("i64.sub").i64(52n).op("i64.shl").get(x).op("i64.add");
      code.op("f64.reinterpret_i64").get(0).op("f64.copysign");
    },
  },

  "f32.rem": {
    params: ["f32", "f32"],
    result: "f32",
    build({ code }, library) {
      code.get(0).op("f64.promote_f32").get(1).op("f64.promote_f32");
      code.call(library.get("f64.rem")).op("f32.demote_f64");
    },
  },

  /** float64 → float32 with round-to-odd, so that a second rounding is a correct single one. */
  f64ToF32Odd: {
    params: ["f64"],
    result: "f32",
    build(fn) {
      const { code } = fn;
      const near = fn.local("f32");
      const bits = fn.local("i32");
      code.get(0).op("f32.demote_f64").tee(near).op("f64.promote_f32").get(0).op("f64.eq");
      code.get(0).get(0).op("f64.ne").op("i32.or").if().get(near).op("return").end();
      code.get(near).op("i32.reinterpret_f32").set(bits);
      code.get(near).op("f64.promote_f32").op("f64.abs").get(0).op("f64.abs").op("f64.gt").if();
      code.get(bits).i32(1).op("i32.sub").set(bits).end();
      code.get(bits).i32(1).op("i32.or").op("f32.reinterpret_i32");
    },
  },

  /** float32 → the 16 bits of bfloat16, nearest even. */
  f32ToBf16: {
    params: ["f32"],
    result: "i32",
    build(fn) {
      const { code } = fn;
      const bits = fn.local("i32");
      code.get(0).op("i32.reinterpret_f32").set(bits);
      code.get(0).get(0).op("f32.ne").if();
      code.get(bits).i32(16).op("i32.shr_u").i32(0x8000).op("i32.and");
      code.i32(0x7fc0).op("i32.or").op("return").end();
      code.get(bits).i32(0x7fff).op("i32.add");
      code.get(bits).i32(16).op("i32.shr_u").i32(1).op("i32.and").op("i32.add");
      code.i32(16).op("i32.shr_u");
    },
  },

  /** float32 → the 16 bits of float16, nearest even. */
  f32ToF16: {
    params: ["f32"],
    result: "i32",
    build(fn) {
      const { code } = fn;
      const sign = fn.local("i32");
      const size = fn.local("i32");
      code.get(0).op("i32.reinterpret_f32").tee(size);
      code.i32(16).op("i32.shr_u").i32(0x8000).op("i32.and").set(sign);
      code.get(size).i32(0x7fffffff).op("i32.and").tee(size);
      code.i32(0x47800000).op("i32.ge_u").if();
      code.i32(0x7e00).i32(0x7c00).get(size).i32(0x7f800000).op("i32.gt_u").op("select");
      code.get(sign).op("i32.or").op("return").end();
      code.get(size).i32(0x38800000).op("i32.lt_u").if();
      // Adding 0.5 aligns the last place of float16's denormals with bit 0.
      code.get(size).op("f32.reinterpret_i32").f32(0.5).op("f32.add").op("i32.reinterpret_f32");
      code.i32(0x3f000000).op("i32.sub").get(sign).op("i32.or").op("return").end();
      code.get(size).i32(0x38000000).op("i32.sub").i32(0xfff).op("i32.add");
      code.get(size).i32(13).op("i32.shr_u").i32(1).op("i32.and").op("i32.add");
      code.i32(13).op("i32.shr_u").get(sign).op("i32.or");
    },
  },

  /** The 16 bits of float16 → float32, exact. */
  f16ToF32: {
    params: ["i32"],
    result: "f32",
    build(fn) {
      const { code } = fn;
      const sign = fn.local("i32");
      const size = fn.local("i32");
      code.get(0).i32(0x8000).op("i32.and").i32(16).op("i32.shl").set(sign);
      code.get(0).i32(0x7fff).op("i32.and").set(size);
      code.get(size).i32(0x400).op("i32.lt_u").if();
      code
        .get(size)
        .op("f32.convert_i32_u")
        .f32(2 ** -24)
        .op("f32.mul");
      code.get(sign).op("f32.reinterpret_i32").op("f32.copysign").op("return").end();
      code.get(size).i32(13).op("i32.shl");
      code.i32(0x70000000).i32(0x38000000).get(size).i32(0x7c00).op("i32.ge_u").op("select");
      code.op("i32.add").get(sign).op("i32.or").op("f32.reinterpret_i32");
    },
  },
};
