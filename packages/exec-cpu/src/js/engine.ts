/** Runs a plan by interpretation over typed arrays: for hosts without WebAssembly, and as a second opinion. */
import {
  type DotStep,
  type DType,
  formatPrintLines,
  itemSize,
  type Plan,
  type ScanStep,
  type Step,
  type StorageArray,
  type WhileStep,
} from "@gridfuse/plan";
import { evaluate, type IndexExpr } from "@gridfuse/plan/index-expr";
import { applyNode, type Lanes, lanes, loadLanes, storeLanes } from "@gridfuse/plan/scalar";
import type { Engine, EngineOptions, EngineReport } from "../engine.ts";
import { allocated, HostedEngine } from "../hosted-engine.ts";
import { hostedPlan, layoutOf } from "../layout.ts";
import { combineLanes, type JsContext, runKernel, runScatter } from "./kernel.ts";
import { runSort, runTopK } from "./sorting.ts";

/** @throws OutOfMemoryError GF5001, GF5002 */
export function jsEngine(plan: Plan, options: EngineOptions): Engine {
  return new JsEngine(plan, options);
}

class JsEngine extends HostedEngine implements JsContext {
  readonly report: EngineReport;
  readonly #plan: Plan;
  readonly #mostFuel: number;
  readonly #loops: number[] = [];

  constructor(plan: Plan, options: EngineOptions) {
    const layout = layoutOf(plan, { scratch: 0, shared: 0 }, options.maxBytes);
    const memory = allocated(layout.bytes, () => new ArrayBuffer(layout.bytes));
    super(hostedPlan(plan, layout.addresses), memory, {
      ...options,
      formatPrint: formatPrintLines,
    });
    this.#plan = plan;
    this.#mostFuel = options.maxFuel ?? Number.POSITIVE_INFINITY;
    this.report = {
      backend: "js",
      notes: [],
      arenaBytes: plan.arenaBytes,
      steps: plan.steps.map(({ name, kind }) => ({ name, kind, how: "js" })),
    };
    for (const [i, { constant }] of plan.buffers.entries()) {
      const source = constant === undefined ? undefined : plan.constants[constant];
      if (source !== undefined) this.#bytes(i).set(source.data);
    }
  }

  #bytes(buffer: number): Uint8Array {
    const { byteOffset, byteLength } = this.view(buffer);
    return new Uint8Array(this.memory, byteOffset, byteLength);
  }
  loop(loop: number): number {
    return this.#loops[loop] as number;
  }
  #index(e: IndexExpr): number {
    return evaluate(e, { axis: () => 0, loop: (loop) => this.loop(loop) });
  }

  protected override execute(): void {
    this.#steps(this.#plan.steps);
  }

  #steps(steps: readonly Step[]): void {
    for (const step of steps) this.#step(step);
  }

  #step(step: Step): void {
    const view = (buffer: number): StorageArray => this.view(buffer);
    switch (step.kind) {
      case "kernel":
        runKernel(this, step);
        return;
      case "scatter":
        runScatter(this, step);
        return;
      case "dot":
        this.#dot(step);
        return;
      case "scan":
        this.#scan(step);
        return;
      case "sort":
        runSort(step, view);
        return;
      case "topk":
        runTopK(step, view);
        return;
      case "copy": {
        const size = itemSize(step.dtype);
        const from = this.#index(step.fromIndex) * size;
        const source = this.#bytes(step.from).slice(from, from + step.length * size);
        this.#bytes(step.to).set(source, this.#index(step.toIndex) * size);
        return;
      }
      case "loop":
      case "tile":
        for (let trip = 0; trip < step.trips; trip++) {
          this.#loops[step.loop] = trip;
          this.#steps(step.body);
        }
        return;
      case "while":
        this.#while(step);
        return;
      case "branch": {
        const selector = (this.view(step.selector) as Int32Array)[0] as number;
        const last = step.branches.length - 1;
        this.#steps(step.branches[Math.min(Math.max(selector, 0), last)] ?? []);
        return;
      }
      case "print":
        this.print(step, this.#plan.steps.indexOf(step));
        return;
      default:
        throw step satisfies never;
    }
  }

  #while(step: WhileStep): void {
    const fuel = Math.min(step.fuel, this.#mostFuel);
    for (let round = 0; ; round++) {
      this.#steps(step.condition);
      if (Number(this.view(step.predicate)[0]) === 0) return;
      if (round >= fuel) throw this.outOfFuel(step);
      this.#steps(step.body);
    }
  }

  #scan(step: ScanStep): void {
    const { outer, extent, inner, dtype, op, reverse } = step;
    const [from, to] = [this.view(step.input), this.view(step.output)];
    const width = outer * inner;
    if (width * extent === 0) return;
    const row = (at: number): Lanes => {
      const result = lanes(dtype, width);
      for (let o = 0; o < outer; o++) {
        const start = (o * extent + at) * inner;
        result.set(loadLanes(dtype, from, start, inner) as never, o * inner);
      }
      return result;
    };
    let total: Lanes | undefined;
    for (let e = 0; e < extent; e++) {
      const at = reverse ? extent - 1 - e : e;
      const values = row(at);
      if (total === undefined) total = values;
      else combineLanes(op, dtype, total, values, width);
      for (let o = 0; o < outer; o++) {
        const part = total.subarray(o * inner, (o + 1) * inner);
        storeLanes(dtype, part, to, (o * extent + at) * inner, inner);
      }
    }
  }

  /** One row of results at a time: n sums side by side, k in order. */
  #dot(step: DotStep): void {
    const { accumulate, lhs, rhs, out } = step;
    const operand = (buffer: number, dtype: DType): Lanes => {
      const storage = this.view(buffer);
      return convert(loadLanes(dtype, storage, 0, storage.length), dtype, accumulate);
    };
    const left = operand(lhs.buffer, step.lhsDType);
    const right = operand(rhs.buffer, step.rhsDType);
    const target = this.view(out.buffer);
    const [lb, rb, ob] = [lhs, rhs, out].map(({ batch }) => offsets(step.batch, batch));
    const lm = offsets(step.m, lhs.free);
    const rn = offsets(step.n, rhs.free);
    const om = offsets(step.m, out.free.slice(0, step.m.length));
    const on = offsets(step.n, out.free.slice(step.m.length));
    const lk = offsets(step.k, lhs.contract);
    const rk = offsets(step.k, rhs.contract);
    const width = rn.length;
    const [lhsBase, rhsBase, outBase] = [lhs, rhs, out].map(({ base }) => this.#index(base)) as [
      number,
      number,
      number,
    ];
    const row = lanes(accumulate, width);
    const scale = lanes(accumulate, width);
    for (const [b, lBatch] of (lb as number[]).entries()) {
      for (const [m, lRow] of lm.entries()) {
        const start = outBase + ((ob as number[])[b] as number) + (om[m] as number);
        const sums = lanes(accumulate, width);
        for (let n = 0; n < width && step.onto === true; n++) {
          const place = start + (on[n] as number);
          sums[n] = loadLanes(step.dtype, target, place, 1)[0] as never;
        }
        for (const [k, lInner] of lk.entries()) {
          const element = lhsBase + lBatch + lRow + lInner;
          scale.fill(left[element] as never);
          const from = rhsBase + ((rb as number[])[b] as number) + (rk[k] as number);
          for (let n = 0; n < width; n++) row[n] = right[from + (rn[n] as number)] as never;
          combineLanes("mul", accumulate, row, scale, width);
          combineLanes("add", accumulate, sums, row, width);
        }
        const results = convert(sums, accumulate, step.dtype);
        for (let n = 0; n < width; n++) {
          const place = start + (on[n] as number);
          storeLanes(step.dtype, results.subarray(n, n + 1), target, place, 1);
        }
      }
    }
  }
}

function convert(values: Lanes, from: DType, to: DType): Lanes {
  if (from === to) return values;
  return applyNode({ op: "convert", dtype: to, args: [0] }, [values], [from], values.length);
}

/** Offset of every point of a row-major domain. */
function offsets(extents: readonly number[], strides: readonly number[]): number[] {
  let found = [0];
  for (const [i, extent] of extents.entries()) {
    const stride = strides[i] as number;
    found = found.flatMap((base) => Array.from({ length: extent }, (_, at) => base + at * stride));
  }
  return found;
}
