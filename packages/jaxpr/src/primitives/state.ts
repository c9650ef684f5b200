/** Reading and writing memory. */
import type { OpName, ValueId } from "@gridfuse/graph";
import type { Body } from "../body.ts";
import { reportOverhang } from "../bounds.ts";
import type { Atom, View } from "../format.ts";
import type { Rule } from "../importing.ts";
import { openWindow, windowOf } from "../open-window.ts";
import { addToRef, readOpen, readPadded, readRef, writeOpen, writeRef } from "../views.ts";
import type { Rules } from "./table.ts";

interface Access {
  readonly view: View;
  readonly val?: Atom;
  readonly mask?: Atom;
  readonly other?: Atom;
}

const wantsOld = ({ o }: { readonly o?: readonly unknown[] }): boolean => o?.[0] != null;

const swap: Rule = (body, _, { view, val }: Access, eqn) =>
  writeRef(body, view, body.atom(val as Atom), wantsOld(eqn));

/** Loads and stores under a mask do not move a window that overhangs: what lies outside nobody wrote. */
const maskedLoad: Rule = (body, _, { view, mask, other }: Access) => {
  const window = openWindow(body, view);
  const loaded = window === undefined ? readRef(body, view) : readOpen(body, window);
  if (mask === undefined || other === undefined) return loaded;
  return chosen(body, body.atom(mask), loaded, body.atom(other));
};

/** Gives what was there before, and where nothing is stored the value itself. */
const maskedStore: Rule = (body, _, { view, val, mask }: Access, eqn) => {
  const window = openWindow(body, view);
  const value = body.atom(val as Atom);
  if (window === undefined) {
    if (mask === undefined) return writeRef(body, view, value, wantsOld(eqn));
    const old = readRef(body, view);
    writeRef(body, view, chosen(body, body.atom(mask), old, value, true));
    return chosen(body, body.atom(mask), old, value);
  }
  const chooses =
    mask === undefined ? undefined : body.e.broadcastTo(body.atom(mask), window.result);
  reportOverhang(body, eqn, window, chooses);
  const padded = readPadded(body, window);
  const old = windowOf(body, window, padded);
  const written = mask === undefined ? value : chosen(body, body.atom(mask), old, value, true);
  writeOpen(body, window, padded, written);
  return mask === undefined ? old : chosen(body, body.atom(mask), old, value);
};

interface Atomic extends Access {
  readonly op: string;
}

const combinations: { readonly [op: string]: OpName | undefined } = {
  add: "add",
  max: "max",
  min: "min",
  and: "and",
  or: "or",
  xor: "xor",
};

/** One core: what is read, and written in its place, is nobody else's in between. Gives what was there before. */
const atomicUpdate: Rule = (body, _, { view, val, mask, op }: Atomic, eqn) => {
  const old = readRef(body, view);
  const given = body.e.broadcastTo(body.atom(val as Atom), body.shape(old));
  const combine = combinations[op];
  if (combine === undefined && op !== "xchg") throw body.unsupported(eqn, `${op} of memory`);
  const next = combine === undefined ? given : body.e.emit(combine, [old, given], {});
  const kept = mask === undefined ? next : chosen(body, body.atom(mask), old, next, true);
  writeRef(body, view, kept);
  return old;
};

const atomicCompareAndSwap: Rule = (
  body,
  _,
  { view, cmp, val }: { view: View; cmp: Atom; val: Atom },
) => {
  const old = readRef(body, view);
  const same = body.e.emit("eq", [old, body.atom(cmp)], {});
  writeRef(body, view, chosen(body, same, old, body.atom(val), true));
  return old;
};

/** `yes` where the mask holds (`onFalse` first where `storing`), all brought to one shape. */
function chosen(
  body: Body,
  mask: ValueId,
  loaded: ValueId,
  other: ValueId,
  storing = false,
): ValueId {
  const shape = body.shape(loaded);
  const condition = body.e.broadcastTo(mask, shape);
  const alternative = body.e.broadcastTo(body.e.convert(other, body.dtype(loaded)), shape);
  const cases = storing ? [loaded, alternative] : [alternative, loaded];
  return body.e.emit("select_n", [condition, ...cases], {});
}

export const state: Rules = {
  "state:get": (body, _, { view }: Access) => readRef(body, view),
  "state:swap": swap,
  "state:addupdate": (body, _, { view, val }: Access) => {
    addToRef(body, view, body.atom(val as Atom));
    return undefined;
  },
  "state:broadcast_to": (body, [x], { shape }: { shape: readonly number[] }) =>
    body.e.broadcastTo(x as ValueId, shape),
  "pl:masked_load": maskedLoad,
  "pl:masked_swap": maskedStore,
  "tpu:load": maskedLoad,
  "tpu:store": maskedStore,
  "tpu:swap": maskedStore,
  "pl:load": maskedLoad,
  "pl:swap": maskedStore,
  "pl:atomic_rmw": atomicUpdate,
  "pl:atomic_cas": atomicCompareAndSwap,
  "gpu:atomic_rmw": atomicUpdate,
  "gpu:atomic_cas": atomicCompareAndSwap,
};
