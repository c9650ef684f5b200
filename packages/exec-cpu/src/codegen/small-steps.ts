/** The steps that are one plain loop nest: scatter, copy. */
import { type CopyStep, itemSize, type ScatterStep } from "@gridfuse/plan";
import { add, constant, mul } from "@gridfuse/plan/index-expr";
import { heldType } from "../wasm/held.ts";
import { emitBinary } from "../wasm/scalar-ops.ts";
import { pushElement, storeElement } from "./access.ts";
import { openRanges, pushGuard } from "./guards.ts";
import { scalarBlock } from "./lanes.ts";
import { blockLoop } from "./loops.ts";
import { Nest } from "./nest.ts";
import { Program } from "./program.ts";
import { analyseProgram, valuesIn } from "./program-facts.ts";
import type { CodegenContext, StepFunction } from "./step-function.ts";

const product = (extents: readonly number[]): number => extents.reduce((a, b) => a * b, 1);

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
