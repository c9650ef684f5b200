/**
 * What Mosaic adds for TPUs, as far as one host has it: local copies, which are done when they begin (for a
 * program without races that is the same as later), rolls, repacked bits, and the generator, which
 * here is Threefry-2x32 of the seed and a count of draws.
 */
import { type DType, itemSize, tensorType, type ValueId } from "@gridfuse/graph";
import type { Body } from "../body.ts";
import { copyComputed, elementsOf, isComputed } from "../computed-copy.ts";
import { dtypeOf } from "../dtypes.ts";
import type { Atom, Eqn, View, WireDType } from "../format.ts";
import type { Rule } from "../importing.ts";
import { staticInt } from "../literal.ts";
import type { KernelScope } from "../scope.ts";
import { addToRef, readRef, repacked, writeRef } from "../views.ts";
import { sliceAxis } from "./movement.ts";
import { countSemaphore } from "./pallas.ts";
import { threefry } from "./random.ts";
import type { Rules } from "./table.ts";

// ── Copies ──────────────────────────────────────────────────────────────────────────────────

interface Copy {
  readonly src: View;
  readonly dst: View;
  readonly sem: View;
  readonly device_id?: unknown;
  readonly add?: boolean;
}

/** Elements count, as in JAX's interpreter, as far as a 16-bit cell can. */
const amount = (body: Body, value: ValueId): ValueId => {
  const count = body.shape(value).reduce((product, size) => product * size, 1);
  return body.full("int32", [], Math.min(count, 32767));
};

const start: Rule = (body, _, { src, dst, sem, device_id, add }: Copy, eqn) => {
  if (device_id != null) throw body.unsupported(eqn, "a copy to another device");
  if (isComputed(src) || isComputed(dst)) {
    if (add === true || !copyComputed(body, src, dst))
      throw body.unsupported(eqn, "a slice whose size is computed");
    if (body.importing.countsSemaphores) countSemaphore(body, sem, "add", elementsOf(body, dst));
    return undefined;
  }
  const value = readRef(body, src);
  if (add === true) addToRef(body, dst, value);
  else writeRef(body, dst, value);
  countSemaphore(body, sem, "add", amount(body, value));
  return undefined;
};

const wait: Rule = (body, _, { dst, sem, device_id }: Copy, eqn) => {
  if (device_id != null) throw body.unsupported(eqn, "a copy to another device");
  if (body.importing.countsSemaphores)
    countSemaphore(
      body,
      sem,
      "sub",
      isComputed(dst) ? elementsOf(body, dst) : amount(body, readRef(body, dst)),
    );
  return undefined;
};

// ── Rolls ───────────────────────────────────────────────────────────────────────────────────

interface Roll {
  readonly axis: number;
  readonly stride?: number | null;
  readonly stride_axis?: number | null;
}

/** result[j] = x[(j − shift) mod n] along `axis`. */
function roll(
  body: Body,
  x: ValueId,
  shift: ValueId,
  known: number | undefined,
  axis: number,
): ValueId {
  const size = body.shape(x)[axis] as number;
  if (size < 2) return x;
  if (known !== undefined) {
    const by = ((known % size) + size) % size;
    if (by === 0) return x;
    const parts = [
      sliceAxis(body, x, axis, size - by, size),
      sliceAxis(body, x, axis, 0, size - by),
    ];
    return body.e.emit("concatenate", parts, { dimension: axis });
  }
  const n = body.full("int32", [], size);
  const rest = body.e.emit("rem", [body.e.convert(shift, "int32"), n], {});
  const from = body.e.emit("rem", [body.e.emit("sub", [n, rest], {}), n], {});
  const negative = body.e.emit("lt", [rest, body.full("int32", [], 0)], {});
  const begin = body.e.emit("select_n", [negative, from, body.e.emit("neg", [rest], {})], {});
  const twice = body.e.emit("concatenate", [x, x], { dimension: axis });
  const starts = body.shape(x).map((_, d) => (d === axis ? begin : body.full("int32", [], 0)));
  return body.e.emit("dynamic_slice", [twice, ...starts], { sizes: body.shape(x) });
}

function strided(
  body: Body,
  x: ValueId,
  shift: ValueId,
  known: number | undefined,
  p: Roll,
): ValueId {
  const { axis, stride, stride_axis } = p;
  if (stride == null || stride_axis == null) return roll(body, x, shift, known, axis);
  const rows = body.shape(x)[stride_axis] as number;
  const parts = Array.from({ length: rows }, (_, i) => {
    const row = sliceAxis(body, x, stride_axis, i, i + 1);
    const by = body.e.emit(
      "add",
      [body.e.convert(shift, "int32"), body.full("int32", [], i * stride)],
      {},
    );
    return roll(body, row, by, known === undefined ? undefined : known + i * stride, axis);
  });
  return parts.length === 1
    ? (parts[0] as ValueId)
    : body.e.emit("concatenate", parts, { dimension: stride_axis });
}

// ── The generator ───────────────────────────────────────────────────────────────────────────

const generators: WeakMap<KernelScope, ValueId> = new WeakMap();

/** Two words of seed and a count of draws; zeros until seeded. */
function generator(body: Body, eqn: Eqn): ValueId {
  const { kernel } = body.scope;
  if (kernel === undefined) throw body.unsupported(eqn, "the generator outside of a kernel");
  let owned = generators.get(kernel);
  if (owned === undefined) {
    owned = kernel.allocate("generator", tensorType("uint32", [3]));
    generators.set(kernel, owned);
  }
  return body.scope.reach(owned, kernel.scope);
}

const word = (body: Body, ref: ValueId, index: number): ValueId =>
  body.e.emit("get", [ref], { transforms: [[{ kind: "int", index }]] });

const setWord = (body: Body, ref: ValueId, index: number, value: ValueId): void => {
  body.e.emitAll("set", [ref, value], { transforms: [[{ kind: "int", index }]] });
};

const seed: Rule = (body, seeds, _, eqn) => {
  const ref = generator(body, eqn);
  const zero = body.full("uint32", [], 0);
  let key: readonly [ValueId, ValueId] = [zero, zero];
  for (const value of seeds) {
    const next = body.e.convert(body.e.reshape(value, []), "uint32");
    key = threefry(body, key, [next, zero]);
  }
  setWord(body, ref, 0, key[0]);
  setWord(body, ref, 1, key[1]);
  setWord(body, ref, 2, zero);
  return undefined;
};

const randomBits: Rule = (body, _, _x, eqn) => {
  const ref = generator(body, eqn);
  const { shape, dtype } = body.resultType(eqn);
  const spread = (value: ValueId) => body.e.broadcastTo(value, shape);
  const count = (shape as readonly number[]).reduce((product, size) => product * size, 1);
  const numbers = body.e.reshape(body.e.iota("uint32", [count], 0), shape);
  const draws = word(body, ref, 2);
  const key = [spread(word(body, ref, 0)), spread(word(body, ref, 1))] as const;
  const [bits] = threefry(body, key, [spread(draws), numbers]);
  setWord(body, ref, 2, body.e.emit("add", [draws, body.full("uint32", [], 1)], {}));
  return body.e.emit("bitcast_convert_type", [bits], { dtype });
};

// ── Packing ─────────────────────────────────────────────────────────────────────────────────

const words: { readonly [bytes: number]: DType } = { 1: "uint8", 2: "uint16", 4: "uint32" };

function pack(body: Body, parts: readonly ValueId[], packed: DType): ValueId {
  const bits = itemSize(packed) * 8;
  return parts
    .map((part, i) => {
      const dtype = words[itemSize(packed)] as DType;
      const narrow = body.e.convert(part, packed);
      const own =
        packed === dtype ? narrow : body.e.emit("bitcast_convert_type", [narrow], { dtype });
      const by = body.full("uint32", body.shape(own), i * bits);
      return body.e.emit("shift_left", [body.e.convert(own, "uint32"), by], {});
    })
    .reduce((all, part) => body.e.emit("or", [all, part], {}));
}

function unpack(body: Body, x: ValueId, index: number, packed: DType): ValueId {
  const bits = itemSize(packed) * 8;
  const dtype = words[itemSize(packed)] as DType;
  const by = body.full("uint32", body.shape(x), index * bits);
  const all =
    body.dtype(x) === "uint32" ? x : body.e.emit("bitcast_convert_type", [x], { dtype: "uint32" });
  const own = body.e.convert(body.e.emit("shift_right_logical", [all, by], {}), dtype);
  return packed === dtype ? own : body.e.emit("bitcast_convert_type", [own], { dtype: packed });
}

/** Rounds up where the random lower bits carry over: float32 to bfloat16. */
function stochasticRound(body: Body, x: ValueId, bits: ValueId): ValueId {
  const shape = body.shape(x);
  const u32 = (value: number) => body.full("uint32", shape, value);
  const asBits = (value: ValueId) =>
    body.dtype(value) === "uint32"
      ? value
      : body.e.emit("bitcast_convert_type", [value], { dtype: "uint32" });
  const lower = body.e.emit("and", [asBits(bits), u32(0xffff)], {});
  const raised = body.e.emit("add", [asBits(x), lower], {});
  const upper = body.e.convert(body.e.emit("shift_right_logical", [raised, u32(16)], {}), "uint16");
  const rounded = body.e.emit("bitcast_convert_type", [upper], { dtype: "bfloat16" });
  const finite = body.e.emit("is_finite", [x], {});
  return body.e.emit("select_n", [finite, body.e.convert(x, "bfloat16"), rounded], {});
}

export const tpu: Rules = {
  "tpu:dma_start": start,
  "tpu:dma_wait": wait,
  "tpu:roll": (body, [x, shift], p: Roll, eqn) =>
    strided(
      body,
      x as ValueId,
      shift as ValueId,
      staticInt((eqn.i as readonly Atom[])[1] as Atom),
      p,
    ),
  "tpu:bitcast": (body, [x], { d }: { d: WireDType }) => repacked(body, x as ValueId, dtypeOf(d)),
  "tpu:prng_seed": seed,
  "tpu:prng_random_bits": randomBits,
  "tpu:pack_elementwise": (body, args, { packed_dtype }: { packed_dtype: WireDType }, eqn) => {
    const { dtype } = body.resultType(eqn);
    const packed = pack(body, args, dtypeOf(packed_dtype));
    return dtype === "uint32" ? packed : body.e.emit("bitcast_convert_type", [packed], { dtype });
  },
  "tpu:unpack_elementwise": (
    body,
    [x],
    p: { index: number; packed_dtype: WireDType; unpacked_dtype: WireDType },
  ) =>
    body.e.convert(
      unpack(body, x as ValueId, p.index, dtypeOf(p.packed_dtype)),
      dtypeOf(p.unpacked_dtype),
    ),
  "tpu:stochastic_round": (body, [x, bits], _, eqn) => {
    if (body.resultType(eqn).dtype !== "bfloat16") throw body.unsupported(eqn, "this dtype");
    return stochasticRound(body, x as ValueId, bits as ValueId);
  },
  "tpu:add_dependency": (_, [x]) => x,
  "tpu:touch": () => undefined,
  "tpu:trace_value": () => undefined,
};
