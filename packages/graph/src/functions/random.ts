/**
 * Random numbers, equal to the bit to jax.random with its default generator (Threefry-2x32,
 * partitionable): the bits of element i depend on the key and on i only. A key is two uint32 words;
 * nothing is hidden and nothing changes, so use a key once and `split` it for more.
 */
import { BuildError } from "@gridfuse/plan/errors";
import { type DType, itemSize, kindOf } from "@gridfuse/plan/scalar";
import { tensorOf, valueFor } from "../operand.ts";
import { checked, type OptionNames } from "../options.ts";
import { type Scope, traced } from "../scope.ts";
import { isTensor, type Operand, type Tensor } from "../tensor.ts";
import { constant, full, iota } from "./create.ts";
import {
  add,
  astype,
  bitcast,
  clamp,
  erfInv,
  le,
  maximum,
  mul,
  nextafter,
  or,
  rem,
  shiftLeft,
  shiftRightLogical,
  sub,
  where,
  xor,
} from "./elementwise.ts";
import { index } from "./indexing.ts";
import { broadcastTo, reshape, stack } from "./movement.ts";

export type Key = Tensor<"uint32", readonly [2]>;

/** The key of a seed. A computed seed is an integer scalar of at most 32 bits. */
function key(seed: number | bigint | Tensor): Key {
  return traced("random.key", () => {
    if (isTensor(seed)) {
      return stack([full("uint32", [], 0) as Tensor, astype(seed, "uint32") as Tensor]);
    }
    const words = BigInt.asUintN(64, BigInt(seed));
    // A seed of 32 bits has an empty high word, negative or not, as in JAX.
    const narrow = BigInt(seed) >= -(2n ** 31n) && BigInt(seed) < 2n ** 32n;
    const high = narrow ? 0 : Number(words >> 32n);
    return constant([high, Number(words & 0xffffffffn)], { dtype: "uint32" });
  }) as Key;
}

const words = (k: Tensor): readonly [Tensor, Tensor] => [index(k, 0), index(k, 1)];

/** Both words of the block of every counter under a key. */
function threefry(scope: Scope, k: Tensor, high: Tensor, low: Tensor): readonly [Tensor, Tensor] {
  requireKey(k);
  const [k0, k1] = words(k).map((word) => broadcastTo(word, high.shape) as Tensor);
  const inputs = [k0, k1, high, low].map((tensor) => (tensor as Tensor).id);
  return [0, 1].map((word) =>
    tensorOf(scope, scope.emitter.emit("threefry2x32", inputs, { word: word as 0 | 1 })),
  ) as unknown as readonly [Tensor, Tensor];
}

function requireKey(k: Tensor): void {
  if (isTensor(k) && k.dtype === "uint32" && k.ndim === 1 && k.shape[0] === 2) return;
  throw new BuildError("GF2315", `${isTensor(k) ? k.toString() : String(k)} is not a random key`, {
    expected: "uint32[2]",
    received: isTensor(k) ? k.toString() : k,
    help: "make one with `random.key(seed)`; `random.split(key)` gives an array: take `.index(i)`",
  });
}

/** Row-major numbers of the elements of `shape`, as two words. */
function counters(shape: readonly number[]): readonly [Tensor, Tensor] {
  const count = shape.reduce((n, dim) => n * dim, 1);
  if (count > 2 ** 32) {
    throw new BuildError("GF2316", `random bits for ${count} elements`, {
      expected: "at most 2^32",
      received: count,
      help: "draw them in parts with split keys",
    });
  }
  const low = reshape(iota("uint32", [count], 0) as Tensor, shape) as Tensor;
  return [full("uint32", shape, 0) as Tensor, low];
}

type Word = "uint8" | "uint16" | "uint32" | "uint64";

/** Uniform bits. */
function bits<const S extends readonly number[], D extends Word = "uint32">(
  k: Key,
  shape: S,
  dtype?: D,
): Tensor<D, S> {
  return traced("random.bits", (scope) => {
    const [high, low] = threefry(scope, k, ...counters(shape));
    if (dtype === "uint64") {
      return or(shiftLeft(astype(high, "uint64"), 32) as Tensor, astype(low, "uint64") as Tensor);
    }
    return astype(xor(high, low), dtype ?? "uint32");
  }) as unknown as Tensor<D, S>;
}

/** `count` keys: an array of [count, 2]. */
function split<const N extends number = 2>(k: Key, count?: N): Tensor<"uint32", readonly [N, 2]> {
  return traced("random.split", (scope) => {
    const pair = threefry(scope, k, ...counters([count ?? 2]));
    return stack(pair, { axis: 1 });
  }) as unknown as Tensor<"uint32", readonly [N, 2]>;
}

/** A key that depends on `data` too: one for each step or layer. */
function foldIn(k: Key, data: Operand): Key {
  return traced("random.foldIn", (scope) => {
    const low = isTensor(data)
      ? (astype(data, "uint32") as Tensor)
      : tensorOf(scope, scope.emitter.full("uint32", [], data));
    return stack(threefry(scope, k, full("uint32", [], 0) as Tensor, low));
  }) as Key;
}

type Float = "float16" | "bfloat16" | "float32" | "float64";
const mantissaBits: { readonly [D in Float]: number } = {
  float16: 10,
  bfloat16: 7,
  float32: 23,
  float64: 52,
};

export interface UniformOptions<D extends Float> {
  readonly dtype?: D;
  readonly minval?: Operand;
  readonly maxval?: Operand;
}
const uniformOptions: OptionNames<UniformOptions<Float>> = {
  dtype: true,
  minval: true,
  maxval: true,
};

/** Uniform in [minval, maxval): random mantissa bits under the exponent of 1, moved to the interval. */
function uniform<const S extends readonly number[], D extends Float = "float32">(
  k: Key,
  shape: S,
  options: UniformOptions<D> = {},
): Tensor<D, S> {
  return traced("random.uniform", (scope) => {
    checked("random.uniform", options, uniformOptions);
    const dtype: Float = options.dtype ?? "float32";
    const width = itemSize(dtype) * 8;
    const drawn = mantissaBits[dtype] < 8 ? 8 : width;
    const word = `uint${width}` as Word;
    const raw = astype(bits(k, shape, `uint${drawn}` as Word) as Tensor, word) as Tensor;
    const shifted = shiftRightLogical(raw, drawn - mantissaBits[dtype]) as Tensor;
    const one = bitcast(full(dtype, [], 1) as Tensor, word);
    const unit = sub(bitcast(or(shifted, one) as Tensor, dtype) as Tensor, 1) as Tensor;
    const bound = (value: Operand) => tensorOf(scope, valueFor(scope, "uniform", value, dtype));
    const least = bound(options.minval ?? 0);
    const most = bound(options.maxval ?? 1);
    const scaled = add(mul(unit, sub(most, least) as Tensor) as Tensor, least) as Tensor;
    return maximum(least, scaled);
  }) as unknown as Tensor<D, S>;
}

/** Of at most 16 bits. */
function integerRange(dtype: DType): { readonly min: number; readonly max: number } {
  const values = 2 ** (itemSize(dtype) * 8);
  return kindOf(dtype) === "int"
    ? { min: -values / 2, max: values / 2 - 1 }
    : { min: 0, max: values - 1 };
}

type IntegerType = Exclude<DType, "bool" | Float>;

/**
 * Whole numbers in [minval, maxval), by a multiply and remainders over two draws. Those of 8 and 16 bits are
 * drawn as int32, which keeps the bias of the remainder small; `maxval` may be one past the greatest.
 */
function randint<const S extends readonly number[], D extends IntegerType = "int32">(
  k: Key,
  shape: S,
  minval: Operand,
  maxval: Operand,
  dtype?: D,
): Tensor<D, S> {
  return traced("random.randint", (scope) => {
    const result: DType = dtype ?? "int32";
    if (kindOf(result) !== "int" && kindOf(result) !== "uint") {
      throw new BuildError("GF2304", `randint of ${result}`, {
        expected: "an integer dtype",
        received: result,
        help: "use `uniform` for floats",
      });
    }
    if (itemSize(result) < 4) {
      const { min, max } = integerRange(result);
      const clipped = (value: Operand, most: number) => {
        const wide = isTensor(value) ? astype(value, "int32") : full("int32", [], value);
        return clamp(wide as Tensor, min, most);
      };
      const drawn = randint(k, shape, clipped(minval, max), clipped(maxval, max + 1));
      return astype(drawn as Tensor, result);
    }
    const width = itemSize(result) * 8;
    const word = `uint${width}` as Word;
    const keys = split(k);
    const draw = (i: number) => bits(index(keys as Tensor, i) as Key, shape, word) as Tensor;
    const [high, low] = [draw(0), draw(1)];
    const bound = (value: Operand) => tensorOf(scope, valueFor(scope, "randint", value, result));
    const [least, most] = [bound(minval), bound(maxval)];
    const wide = astype(sub(most, least) as Tensor, word) as Tensor;
    const span = where(le(most, least) as Tensor, full(word, [], 1) as Tensor, wide) as Tensor;
    const half = rem(full(word, [], 2n ** BigInt(width / 2)) as Tensor, span) as Tensor;
    const scale = rem(mul(half, half) as Tensor, span) as Tensor;
    const offset = rem(
      add(mul(rem(high, span) as Tensor, scale) as Tensor, rem(low, span) as Tensor) as Tensor,
      span,
    ) as Tensor;
    return add(least, astype(offset, result) as Tensor);
  }) as unknown as Tensor<D, S>;
}

/** Standard normal: √2 · erf⁻¹ of a uniform number in (−1, 1). */
function normal<const S extends readonly number[], D extends Float = "float32">(
  k: Key,
  shape: S,
  dtype?: D,
): Tensor<D, S> {
  return traced("random.normal", () => {
    const type: Float = dtype ?? "float32";
    const least = nextafter(full(type, [], -1) as Tensor, full(type, [], 0) as Tensor) as Tensor;
    const u = uniform(k, shape, { dtype: type, minval: least, maxval: 1 }) as Tensor;
    return mul(erfInv(u) as Tensor, Math.SQRT2);
  }) as unknown as Tensor<D, S>;
}

export interface Random {
  readonly key: typeof key;
  readonly split: typeof split;
  readonly foldIn: typeof foldIn;
  readonly bits: typeof bits;
  readonly uniform: typeof uniform;
  readonly randint: typeof randint;
  readonly normal: typeof normal;
}
export const random: Random = { key, split, foldIn, bits, uniform, randint, normal };
