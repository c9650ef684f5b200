/** The steps that are one plain loop nest: scan, scatter, copy. */
import { type CopyStep, itemSize, type ScanStep, type ScatterStep } from "@gridfuse/plan";
import { add, axis, constant, mul } from "@gridfuse/plan/index-expr";
import { heldType } from "../wasm/held.ts";
import { emitBinary, type Push } from "../wasm/scalar-ops.ts";
import { openRanges, pushElement, pushGuard, storeElement } from "./access.ts";
import { scalarBlock } from "./lanes.ts";
import { blockLoop } from "./loops.ts";
import { Nest } from "./nest.ts";
import { Program } from "./program.ts";
import { analyseProgram, valuesIn } from "./program-facts.ts";
import type { CodegenContext, StepFunction } from "./step-function.ts";

const product = (extents: readonly number[]): number => extents.reduce((a, b) => a * b, 1);

/** Each element from the one before it, which was just written: out[e] = out[e − 1] ⊕ in[e]. */
export function emitScan(context: CodegenContext, step: ScanStep): StepFunction | undefined {
  const { outer, extent, inner, dtype, reverse, op } = step;
  if (outer * extent * inner === 0) return undefined;
  const fn = context.module.define(["i32", "i32"], []);
  const nest = new Nest(fn, context.helpers, context.loopGlobals);
  const locals = [0, 1, 2].map(() => nest.local("i32")) as [number, number, number];
  for (const [i, local] of locals.entries()) nest.axes.set(i, { local, level: i + 1, unit: 1 });
  const [from, to] = [step.input, step.output].map((buffer) => context.addresses[buffer] as number);
  const along = axis(1, extent);
  const place = reverse ? add(constant(extent - 1), mul(along, -1)) : along;
  const index = add(mul(axis(0, outer), extent * inner), mul(place, inner), axis(2, inner));
  const before = add(index, constant(reverse ? inner : -inner));
  const [sum, value] = [nest.local(heldType(dtype)), nest.local(heldType(dtype))];

  const element = (): void => {
    pushElement(nest, dtype, from as number, index);
    nest.code.set(value);
    nest.code.get(locals[1]).if();
    nest.code.append(
      nest.branch(() => {
        pushElement(nest, dtype, to as number, before);
        nest.code.set(sum);
        const [x, y]: [Push, Push] = [(code) => code.get(sum), (code) => code.get(value)];
        emitBinary(nest.code, nest.helpers, op, dtype, x, y);
        nest.code.set(value);
      }),
    );
    nest.code.end();
    storeElement(nest, dtype, to as number, index, () => nest.code.get(value));
  };
  const loops = (depth: number): void => {
    const local = locals[depth];
    if (local === undefined) {
      element();
      return;
    }
    if (depth === 0) nest.code.get(0).set(local);
    else nest.code.i32(0).set(local);
    const end = depth === 0 ? { local: 1 } : { constant: depth === 1 ? extent : inner };
    blockLoop(nest, local, 1, end, true, () => loops(depth + 1));
  };
  loops(0);
  return { index: fn.index, extent: outer, grain: 1, how: "scalar", work: outer * extent * inner };
}

/** One point after the other, in row-major order. */
export function emitScatter(context: CodegenContext, step: ScatterStep): StepFunction | undefined {
  if (product(step.axes) === 0) return undefined;
  const fn = context.module.define(["i32", "i32"], []);
  const nest = new Nest(fn, context.helpers, context.loopGlobals);
  const locals = step.axes.map(() => nest.local("i32"));
  for (const [i, local] of locals.entries()) nest.axes.set(i, { local, level: i + 1, unit: 1 });
  const { write } = step;
  const level: number[] = [];
  nest.values = { level: (node) => level[node] as number, push: () => {} };
  const roots = [
    write.value,
    ...valuesIn(write.index),
    ...write.guard.flatMap(({ index }) => valuesIn(index)),
  ];
  const programContext = {
    levelOf: nest.levelOf.bind(nest),
    laneAxis: undefined,
    reducedLevel: 0,
    reducedVaries: false,
  };
  const facts = analyseProgram(step.nodes, roots, programContext, level);
  const program = new Program(nest, {
    id: 0,
    nodes: step.nodes,
    facts,
    lanes: undefined,
    addresses: context.addresses,
    reduced: () => {
      throw new RangeError("a scatter has no reductions");
    },
  });
  const address = context.addresses[write.buffer] as number;
  const loops = (depth: number): void => {
    const local = locals[depth];
    if (local === undefined) {
      program.emitAll(scalarBlock);
      emitScatterWrite(nest, program, step, address);
      return;
    }
    nest.code.i32(0).set(local);
    blockLoop(nest, local, 1, { constant: step.axes[depth] as number }, true, () => {
      loops(depth + 1);
    });
  };
  loops(0);
  const work = product(step.axes) * (step.nodes.length + 1);
  return { index: fn.index, extent: 1, grain: 1, how: "scalar, in order", work };
}

function emitScatterWrite(
  nest: Nest,
  program: Program,
  { write, combine }: ScatterStep,
  address: number,
): void {
  const open = openRanges(write.guard);
  if (open === undefined) return;
  const store = (): void => {
    storeElement(nest, write.dtype, address, write.index, () => {
      const value = program.scalar(write.value);
      if (combine === "set") {
        value(nest.code);
        return;
      }
      const present = nest.local(heldType(write.dtype));
      pushElement(nest, write.dtype, address, write.index);
      nest.code.set(present);
      emitBinary(nest.code, nest.helpers, combine, write.dtype, (code) => code.get(present), value);
    });
  };
  if (open.length === 0) {
    store();
    return;
  }
  pushGuard(nest, open);
  nest.code.if().append(nest.branch(store)).end();
}

export function emitCopy(context: CodegenContext, step: CopyStep): StepFunction | undefined {
  if (step.length === 0) return undefined;
  const fn = context.module.define(["i32", "i32"], []);
  const nest = new Nest(fn, context.helpers, context.loopGlobals);
  const size = itemSize(step.dtype);
  for (const [buffer, index] of [
    [step.to, step.toIndex],
    [step.from, step.fromIndex],
  ] as const) {
    nest.pushIndex(add(mul(index, size), constant(context.addresses[buffer] as number)));
  }
  nest.code.i32(step.length * size).memoryCopy();
  return { index: fn.index, extent: 1, grain: 1, how: "memory.copy", work: step.length };
}
