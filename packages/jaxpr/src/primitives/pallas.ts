/** Pallas: kernel calls, grid coordinates, memory of a scope, semaphores. */
import { refType, tensorType, type ValueId, type ValueType } from "@gridfuse/graph";
import { Body } from "../body.ts";
import type { Atom, Eqn, PallasCall, View } from "../format.ts";
import type { Rule } from "../importing.ts";
import { isUnbounded, kernelCall, sharesBlocks } from "../kernel-call.ts";
import { uninitialised } from "../memory.ts";
import { inKernel } from "../outside.ts";
import { type KernelScope, NOTHING } from "../scope.ts";
import { steppedCall } from "../stepped-call.ts";
import { readRef, writeRef } from "../views.ts";
import type { Rules } from "./table.ts";

const skipped: Rule = () => undefined;

function kernelOf(body: Body, eqn: Eqn): KernelScope {
  const { kernel } = body.scope;
  if (kernel === undefined) throw body.unsupported(eqn, "the grid outside of a kernel");
  return kernel;
}

const programId: Rule = (body, _, { axis }: { axis: number }, eqn) => {
  const kernel = kernelOf(body, eqn);
  const id = kernel.ids[axis];
  if (id === undefined) throw body.unsupported(eqn, `axis ${axis} of ${kernel.ids.length}`);
  if (kernel.extents[axis] === 1) return body.full("int32", [], 0);
  return body.scope.reach(id, kernel.scope);
};

const numPrograms: Rule = (body, _, { axis }: { axis: number }, eqn) => {
  const kernel = kernelOf(body, eqn);
  const extent = kernel.extents[axis];
  if (extent === undefined) throw body.unsupported(eqn, `axis ${axis} of ${kernel.ids.length}`);
  if (typeof extent === "number") return body.full("int32", [], extent);
  if ("value" in extent) return body.scope.reach(extent.value, kernel.scope);
  const ref = body.scope.reach(extent.ref, kernel.scope);
  return body.e.convert(body.e.emit("get", [ref], { transforms: [] }), "int32");
};

const axisIndex: Rule = (body, _, { axis_name }: { axis_name: string }, eqn) => {
  const axis = body.scope.axes.find(({ name }) => name === axis_name);
  if (axis === undefined) throw body.unsupported(eqn, `axis "${axis_name}" of a device mesh`);
  return body.scope.reach(axis.index, axis.owner);
};

/** Memory for the length of a body, of what nobody wrote; semaphores begin at zero. */
export function allocate(body: Body, type: ValueType, semaphore = false): ValueId {
  const { dtype, shape } = type;
  const kernel = body.scope.kernel as KernelScope;
  const owned = kernel.allocate("scoped", refType(dtype, shape, "vmem"));
  const ref = body.scope.reach(owned, kernel.scope);
  const first = semaphore ? body.full(dtype, shape, 0) : uninitialised(body, dtype, shape);
  const isShared = type.kind === "ref" && type.space === "any" && kernel.firstCore !== undefined;
  const kept = isShared ? keptFromBefore(body, kernel, ref, first) : first;
  body.e.emitAll("set", [ref, kept], { transforms: [] });
  return ref;
}

/** Outside of the cores, memory is there for all of them from the first on. */
function keptFromBefore(body: Body, kernel: KernelScope, ref: ValueId, first: ValueId): ValueId {
  const id = body.scope.reach(kernel.ids[0] as ValueId, kernel.scope);
  const one = body.full("int32", [], kernel.firstCore ?? 0);
  const isFirst = body.e.broadcastTo(body.e.emit("eq", [id, one], {}), body.shape(first));
  const before = body.e.emit("get", [ref], { transforms: [] });
  return body.e.emit("select_n", [isFirst, before, first], {});
}

interface Scoped {
  readonly jaxpr: number;
  readonly nconsts: number;
}

function runScoped(
  body: Body,
  args: readonly ValueId[],
  { jaxpr, nconsts }: Scoped,
): readonly ValueId[] {
  const refs = body.importing
    .jaxpr(jaxpr)
    .in.slice(nconsts)
    .map((v) => {
      const type = body.importing.typeOfVar(v);
      if (type === undefined) return NOTHING;
      return allocate(body, type, body.importing.isSemaphore("v" in v ? v.a : v[1]));
    });
  return body.call(jaxpr, [...args, ...refs]);
}

const scoped: Rule = (body, args, x: Scoped, eqn) => {
  if (body.scope.kernel !== undefined) return runScoped(body, args, x);
  const types = (eqn.o ?? []).map((_, i) => body.resultType(eqn, i));
  return inKernel(body, "run_scoped", types, (inside, outs, reach) => {
    const results = runScoped(inside, args.map(reach), x);
    for (const [i, out] of outs.entries())
      inside.e.emitAll("set", [out, results[i] as ValueId], { transforms: [] });
  });
};

/** Refs that begin with values, for the length of a body; what they hold at its end. */
const runState: Rule = (body, args, { jaxpr }: { jaxpr: number }) => {
  const types = args.map((value) => {
    const { dtype, shape } = body.e.type(value);
    return tensorType(dtype, shape);
  });
  return inKernel(body, "run_state", types, (inside, outs, reach) => {
    for (const [i, out] of outs.entries()) {
      inside.e.emitAll("set", [out, reach(args[i] as ValueId)], { transforms: [] });
    }
    inside.call(jaxpr, outs);
  });
};

interface CoreMap extends Scoped {
  readonly mesh: readonly (readonly [string, number])[];
}

/** One core after the other, as JAX's interpreter runs them. */
const coreMap: Rule = (body, args, { jaxpr, mesh }: CoreMap, eqn) => {
  const kernel = kernelOf(body, eqn);
  const count = mesh.reduce((product, [, size]) => product * size, 1);
  const inner = body.scope.inside();
  const i = inner.param({ kind: "tensor", dtype: "int32", shape: [] });
  let stride = count;
  const ids = mesh.map(([, size]) => {
    stride /= size;
    const quotient = inner.e.emit("div", [i, inner.full("int32", [], stride)], {});
    return inner.e.emit("rem", [quotient, inner.full("int32", [], size)], {});
  });
  inner.axes = mesh.map(([name, size], d) => ({
    name,
    size,
    index: ids[d] as ValueId,
    owner: inner,
  }));
  inner.kernel = {
    scope: inner,
    ids,
    extents: mesh.map(([, size]) => size),
    faults: kernel.faults == null ? kernel.faults : inner.reach(kernel.faults, kernel.scope),
    allocate: (name, type) => inner.reach(kernel.allocate(name, type), kernel.scope),
  };
  new Body(body.importing, inner).run(
    jaxpr,
    args.map((value) => inner.capture(value)),
  );
  const captures = [...inner.captures.keys()];
  body.e.emitAll("scan", captures, { trips: count, carries: 0, xs: 0, reverse: false }, [
    inner.region,
  ]);
  return undefined;
};

// ── Semaphores ──────────────────────────────────────────────────────────────────────────────

interface Semaphore {
  readonly sem: View;
  readonly value?: Atom;
  readonly device_id?: unknown;
}

/** Changes a semaphore's count; nothing where no one ever asks for it. */
export function countSemaphore(body: Body, sem: View, op: "add" | "sub", amount: ValueId): void {
  if (!body.importing.countsSemaphores) return;
  const before = readRef(body, sem);
  const by = body.e.broadcastTo(body.e.convert(amount, "int16"), body.shape(before));
  writeRef(body, sem, body.e.emit(op, [before, by], {}));
}

const semaphore =
  (op: "add" | "sub"): Rule =>
  (body, _, { sem, value, device_id }: Semaphore, eqn) => {
    if (device_id != null) throw body.unsupported(eqn, "a semaphore of another device");
    const amount = value === undefined ? body.full("int32", [], 1) : body.atom(value);
    countSemaphore(body, sem, op, amount);
    return undefined;
  };

/** Memory of a kernel that is made on the way; what begins with a value is written at once. */
const newRef: Rule = (body, [first], _, eqn) => {
  kernelOf(body, eqn);
  const v = eqn.o?.[0];
  const type = v == null ? undefined : body.importing.typeOfVar(v);
  if (type === undefined) return undefined;
  const ref = allocate(body, type);
  if (first !== undefined) body.e.emitAll("set", [ref, first], { transforms: [] });
  return ref;
};

const debugPrint: Rule = (body, args, { fmt }: { fmt: string }) => {
  const operands = args.map((value) =>
    body.e.table.types[value]?.kind === "ref"
      ? body.e.emit("get", [value], { transforms: [] })
      : value,
  );
  body.e.emitAll("debug_print", operands, { format: fmt, batch: 0, masked: false });
  return undefined;
};

export const pallas: Rules = {
  "pl:pallas_call": (body, args, x: PallasCall, eqn) => {
    if ((x.nclosed ?? 0) > 0) throw body.unsupported(eqn, "a kernel that closes over refs");
    const { fill } = body.importing;
    const isStepped = isUnbounded(body, x, args) || (fill !== "hlo" && sharesBlocks(body, x));
    return isStepped ? steppedCall(body, args, x, eqn) : kernelCall(body, args, x, eqn, fill);
  },
  "pl:program_id": programId,
  "pl:num_programs": numPrograms,
  "lax:axis_index": axisIndex,
  "core:axis_index": axisIndex,
  "pl:multiple_of": (_, [x]) => x,
  "pl:max_contiguous": (_, [x]) => x,
  "gpu:max_contiguous": (_, [x]) => x,
  "pl:reciprocal": (body, [x], { approx }: { approx?: boolean }) => {
    const dtype = body.dtype(x as ValueId);
    const taken = approx === true ? body.e.convert(x as ValueId, "bfloat16") : (x as ValueId);
    const one = body.full(body.dtype(taken), body.shape(taken), 1);
    return body.e.convert(body.e.emit("div", [one, taken], {}), dtype);
  },
  "pl:run_scoped": scoped,
  "state:run_state": runState,
  "pl:core_map": coreMap,
  "pl:mpmd_map": coreMap,
  "pl:jaxpr_call": (body, args, { jaxpr }: { jaxpr: number }) => body.call(jaxpr, args),
  "pl:semaphore_signal": semaphore("add"),
  "pl:semaphore_wait": semaphore("sub"),
  "pl:semaphore_read": (body, _, { sem }: Semaphore) => body.e.convert(readRef(body, sem), "int32"),
  "pl:with_memory_space_constraint": (_, [x]) => x,
  "pl:delay": skipped,
  "lax:debug_print": debugPrint,
  "core:new_ref": newRef,
  "core:empty_ref": newRef,
  "core:freeze": (body, [ref]) => body.e.emit("get", [ref as ValueId], { transforms: [] }),
  "core:free_ref": skipped,
  "lax:check": skipped,
  "core:check": skipped,
};
