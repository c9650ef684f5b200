/**
 * A plan as one WebAssembly module. Its function `run` walks through the steps; loops, branches and
 * `while` are its own control flow, so JS is left only for printing.
 *
 * Long kernels are called in several parts: V8 has no on-stack replacement for WebAssembly, and a kernel
 * that is called once would run to its end in the baseline compiler's code.
 */
import type {
  BranchStep,
  KernelStep,
  LoopStep,
  Plan,
  PrintStep,
  Step,
  TileStep,
  WhileStep,
} from "@gridfuse/plan";
import { layoutOf, type MemoryLayout } from "../layout.ts";
import { HelperLibrary } from "../wasm/helpers.ts";
import { type FunctionBuilder, ModuleBuilder } from "../wasm/module.ts";
import { dotScratch, emitDot } from "./dot.ts";
import { emitKernel, kernelScratch } from "./kernel.ts";
import { type KernelKey, kernelKeys } from "./kernel-key.ts";
import { isInPlace } from "./kernel-late.ts";
import { localPlaces } from "./local-places.ts";
import { hasRelaxedSimd } from "./relaxed-simd.ts";
import { emitScan } from "./scan.ts";
import { maySection, Sections } from "./sections.ts";
import { emitCopy, emitScatter } from "./small-steps.ts";
import { emitSort, sortScratch } from "./sort.ts";
import type { CodegenContext, StepFunction } from "./step-function.ts";

export interface CompiledPlan {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly layout: MemoryLayout;
  /** Import `print(i)` does step i of these. */
  readonly printSteps: readonly PrintStep[];
  /** Import `fuel(i)` says that loop i of these ran out. */
  readonly whileSteps: readonly WhileStep[];
  readonly steps: readonly { readonly name: string; readonly kind: string; readonly how: string }[];
  /** How many pieces of work are shared between the members of a team. */
  readonly sections: number;
  /** Whether every member's code is the same. */
  readonly isUniform: boolean;
}

export interface TeamOptions {
  readonly members: number;
  readonly member: number;
  /** Scalar operations that are worth a part; less only where sharing is to be tried on small plans. */
  readonly leastPart?: number | undefined;
}

export interface CompileOptions {
  /** With "fast", a product and a sum are rounded once; the host must have relaxed SIMD. Default "exact". */
  readonly precision?: "exact" | "fast" | undefined;
  readonly maxBytes?: number | undefined;
  readonly maxFuel?: number | undefined;
  /** Neighbouring vectors are laid out for V8 to join them. */
  readonly simd?: "wide" | undefined;
  /** Code for a member of a team, 0 being the one that runs the plan. */
  readonly team?: TeamOptions | undefined;
}

const pageBytes = 65536;
export const pagesOf = ({ bytes }: MemoryLayout): number => Math.ceil(bytes / pageBytes);

function forEachStep(steps: readonly Step[], visit: (step: Step) => void): void {
  for (const step of steps) {
    visit(step);
    if (step.kind === "loop" || step.kind === "tile") forEachStep(step.body, visit);
    if (step.kind === "branch") for (const branch of step.branches) forEachStep(branch, visit);
    if (step.kind === "while") {
      forEachStep(step.condition, visit);
      forEachStep(step.body, visit);
    }
  }
}

/** Work in one call that is worth cutting up, in scalar operations. */
const partWork = 1 << 15;
const mostParts = 8;

/** As many parts must there be for sharing: some ten times what it costs to open a section and to close it. */
const leastParts = 4;
/** Parts for each member: one that was descheduled holds up the others by a part. */
const partsEach = 4;

const isSilent = (steps: readonly Step[]): boolean => {
  let silent = true;
  forEachStep(steps, ({ kind }) => {
    if (kind === "print" || kind === "while") silent = false;
  });
  return silent;
};

class Driver {
  readonly module = new ModuleBuilder();
  readonly #helpers = new HelperLibrary(this.module);
  /** Imported where a step needs them: V8 compiles a way into JS for each, which takes half a millisecond. */
  readonly #print: number | undefined;
  readonly #outOfFuel: number | undefined;
  #context: CodegenContext;
  readonly #unshared: number;
  /** What the steps are being written into. */
  #run: FunctionBuilder;
  readonly #loops: number[] = [];
  readonly #members: number;
  readonly #leastPart: number;
  readonly #sections: Sections | undefined;
  /** Globals that count the loops around the step being written, the outermost first. */
  readonly #around: number[] = [];
  /** Inside of a section there are no others. */
  #inSection = false;
  /** Scalar operations in what was written since somebody set it. */
  #work = 0;
  readonly #maxFuel: number;
  readonly #keys: ReadonlyMap<KernelStep, KernelKey>;
  readonly #uses = new Map<string, number>();
  /** Kernels of which some have results where their operands lie. */
  readonly #inPlace = new Set<string>();
  readonly #shared = new Map<string, readonly StepFunction[]>();
  readonly printSteps: PrintStep[] = [];
  readonly whileSteps: WhileStep[] = [];
  readonly reports: { name: string; kind: string; how: string }[] = [];

  constructor(
    plan: Plan,
    layout: MemoryLayout,
    maxFuel: number,
    team: TeamOptions | undefined,
    contracts: boolean,
    isWide: boolean,
  ) {
    this.#maxFuel = maxFuel;
    this.#members = team?.members ?? 1;
    this.#leastPart = team?.leastPart ?? partWork;
    this.#unshared = layout.unshared;
    const kinds = new Set<Step["kind"]>();
    forEachStep(plan.steps, ({ kind }) => kinds.add(kind));
    if (kinds.has("print")) this.#print = this.module.import("print", ["i32"], []);
    if (kinds.has("while")) this.#outOfFuel = this.module.import("fuel", ["i32"], []);
    if (team !== undefined) this.#sections = new Sections(this.module);
    const kernels: KernelStep[] = [];
    forEachStep(plan.steps, (step) => {
      if (step.kind === "loop" || step.kind === "tile")
        this.#loops[step.loop] ??= this.module.global();
      if (step.kind === "kernel") kernels.push(step);
    });
    this.#keys = kernelKeys(kernels);
    for (const [step, { text }] of this.#keys) {
      this.#uses.set(text, (this.#uses.get(text) ?? 0) + 1);
      if (isInPlace(step, layout.addresses, plan.buffers)) this.#inPlace.add(text);
    }
    this.#context = {
      module: this.module,
      helpers: this.#helpers,
      addresses: layout.addresses,
      scratch: layout.scratch,
      shared: layout.shared,
      contracts,
      isWide,
      loopGlobals: this.#loops,
    };
    this.#run = this.module.define([], []);
    this.module.export("run", this.#run);
    this.#steps(plan.steps);
    this.#sections?.finish();
  }

  get sections(): number {
    return this.#sections?.count ?? 0;
  }

  #steps(steps: readonly Step[]): void {
    for (const step of steps) this.#step(step);
  }

  #step(step: Step): void {
    switch (step.kind) {
      case "kernel":
        this.#kernel(step);
        return;
      case "dot":
        this.#callAll(step, emitDot(this.#context, step));
        return;
      case "scan":
        this.#call(step, emitScan(this.#context, step));
        return;
      case "scatter":
        this.#call(step, emitScatter(this.#context, step));
        return;
      case "copy":
        this.#call(step, emitCopy(this.#context, step));
        return;
      case "sort":
      case "topk":
        this.#call(step, emitSort(this.#context, step));
        return;
      case "print":
        this.#report(step, "js");
        this.#run.code.i32(this.printSteps.push(step) - 1).call(this.#print as number);
        return;
      case "loop":
      case "tile":
        this.#loop(step);
        return;
      case "while":
        this.#while(step);
        return;
      case "branch":
        this.#branch(step);
        return;
      default:
        throw step satisfies never;
    }
  }

  /** Kernels that differ only in their buffers are one function. */
  #kernel(step: KernelStep): void {
    const key = this.#keys.get(step) as KernelKey;
    const isSafe = !this.#inPlace.has(key.text);
    if ((this.#uses.get(key.text) as number) === 1) {
      this.#callAll(step, emitKernel(this.#context, step, isSafe));
      return;
    }
    const known = this.#shared.get(key.text);
    const fns = known ?? emitKernel(this.#context, step, isSafe, key.buffers);
    this.#shared.set(key.text, fns);
    const addresses = key.buffers.map((buffer) => this.#context.addresses[buffer] as number);
    this.#callAll(step, fns, addresses);
  }

  #report({ name, kind }: Step, how: string): void {
    this.reports.push({ name, kind, how });
  }

  #call(step: Step, fn: StepFunction | undefined, more: readonly number[] = []): void {
    this.#callAll(step, fn === undefined ? [] : [fn], more);
  }

  /** Functions of one step, each after all parts of the one before. */
  #callAll(step: Step, fns: readonly StepFunction[], more: readonly number[] = []): void {
    const shared = fns.filter((fn) => this.#callParts(fn, more)).length;
    const how = fns.at(-1)?.how ?? "nothing to do";
    this.#report(step, shared > 0 ? `${how}, shared` : how);
  }

  /** Says whether members of a team take the parts. */
  #callParts(fn: StepFunction, more: readonly number[]): boolean {
    if (this.#share(fn, more)) return true;
    this.#work += fn.work;
    const { code } = this.#run;
    const grains = Math.ceil(fn.extent / fn.grain);
    const parts = Math.max(1, Math.min(mostParts, grains, Math.floor(fn.work / partWork)));
    const part = Math.ceil(grains / parts) * fn.grain;
    for (let lo = 0; lo < fn.extent; lo += part) {
      code.i32(lo).i32(Math.min(lo + part, fn.extent));
      for (const argument of more) code.i32(argument);
      code.call(fn.index);
    }
    return false;
  }

  /** Whether a step is worth sharing; then it is, part by part. */
  #share(fn: Omit<StepFunction, "how">, more: readonly number[]): boolean {
    if (this.#sections === undefined || this.#inSection || !maySection(this.#around)) return false;
    const grains = Math.ceil(fn.extent / fn.grain);
    const most = Math.max(mostParts, partsEach * this.#members);
    const worthwhile = Math.floor(fn.work / this.#leastPart);
    const parts = Math.min(most, grains, worthwhile);
    if (parts < 2 || worthwhile < leastParts) return false;
    const part = Math.ceil(grains / parts) * fn.grain;
    const counters = [...this.#around];
    this.#sections.share(this.#run.code, { ...fn, part, more, counters });
    return true;
  }

  #loop(step: LoopStep | TileStep): void {
    const at = this.reports.length;
    this.#report(step, "wasm");
    if (step.trips <= 0) return;
    if (step.kind === "tile" && this.#mayShareTiles(step)) {
      if (this.#tiles(step))
        this.reports[at] = { name: step.name, kind: step.kind, how: "wasm, shared" };
      return;
    }
    const { code } = this.#run;
    const counter = this.#loops[step.loop] as number;
    code.i32(0).setGlobal(counter).loop();
    this.#around.push(counter);
    const before = this.#inSection;
    // Temporaries of a tile are another's for another member, so its steps are done by one.
    if (step.kind === "tile") this.#inSection = true;
    this.#steps(step.body);
    this.#inSection = before;
    this.#around.pop();
    code.getGlobal(counter).i32(1).op("i32.add").setGlobal(counter);
    code.getGlobal(counter).i32(step.trips).op("i32.lt_u").brIf(0).end();
  }

  #mayShareTiles({ trips, body }: TileStep): boolean {
    return this.#sections !== undefined && !this.#inSection && trips > 1 && isSilent(body);
  }

  /** Tiles as a function of their own, which is shared if there is enough to do; says whether it is. */
  #tiles(step: TileStep): boolean {
    const [caller, before, context] = [this.#run, this.#work, this.#context];
    const counter = this.#loops[step.loop] as number;
    const tiles = this.module.define(["i32", "i32"], []);
    const { code } = tiles;
    this.#run = tiles;
    this.#inSection = true;
    this.#context = { ...context, shared: this.#unshared };
    this.#work = 0;
    code.get(0).setGlobal(counter).loop();
    this.#steps(step.body);
    code.getGlobal(counter).i32(1).op("i32.add").setGlobal(counter);
    code.getGlobal(counter).get(1).op("i32.lt_u").brIf(0).end();
    this.#run = caller;
    this.#inSection = false;
    this.#context = context;
    const work = this.#work * step.trips;
    this.#work = before + work;
    const { index } = tiles;
    if (this.#share({ index, extent: step.trips, grain: 1, work }, [])) return true;
    caller.code.i32(0).i32(step.trips).call(index);
    return false;
  }

  #while(step: WhileStep): void {
    this.#report(step, "wasm");
    const { code } = this.#run;
    const rounds = this.#run.local("i32");
    const fuel = Math.min(step.fuel, this.#maxFuel, 0xffffffff);
    code.i32(0).set(rounds).block().loop();
    this.#steps(step.condition);
    code.i32(0).memory("i32.load8_u", this.#context.addresses[step.predicate] as number);
    code.op("i32.eqz").brIf(1);
    code.get(rounds).i32(fuel).op("i32.ge_u").if();
    code
      .i32(this.whileSteps.push(step) - 1)
      .call(this.#outOfFuel as number)
      .op("unreachable")
      .end();
    code.get(rounds).i32(1).op("i32.add").set(rounds);
    this.#steps(step.body);
    code.br(0).end().end();
  }

  /** The selector is clamped: below 0 is the first branch, beyond the last is the last. */
  #branch(step: BranchStep): void {
    this.#report(step, "wasm");
    const { code } = this.#run;
    const selector = this.#run.local("i32");
    code
      .i32(0)
      .memory("i32.load", this.#context.addresses[step.selector] as number)
      .set(selector);
    for (const [i, branch] of step.branches.slice(0, -1).entries()) {
      code.get(selector).i32(i).op("i32.le_s").if();
      this.#steps(branch);
      code.else();
    }
    this.#steps(step.branches.at(-1) ?? []);
    for (let i = 1; i < step.branches.length; i++) code.end();
  }
}

/** @throws OutOfMemoryError GF5001 */
export function compilePlan(plan: Plan, options: CompileOptions = {}): CompiledPlan {
  const isWide = options.simd === "wide";
  let scratch = 0;
  let shared = 0;
  forEachStep(plan.steps, (step) => {
    if (step.kind === "sort" || step.kind === "topk")
      scratch = Math.max(scratch, sortScratch(step));
    if (step.kind !== "dot" && step.kind !== "kernel") return;
    const bytes = step.kind === "dot" ? dotScratch(step, isWide) : kernelScratch(step);
    scratch = Math.max(scratch, bytes.own);
    shared = Math.max(shared, bytes.shared);
  });
  const { team } = options;
  const locals = team && localPlaces(plan);
  const bytes = { scratch, shared };
  const layout = layoutOf(plan, bytes, options.maxBytes, team && locals && { ...team, locals });
  const maxFuel = options.maxFuel ?? Number.POSITIVE_INFINITY;
  const contracts = options.precision === "fast" && hasRelaxedSimd();
  const driver = new Driver(plan, layout, maxFuel, team, contracts, isWide);
  return {
    bytes: driver.module.encode(pagesOf(layout), team !== undefined),
    layout,
    printSteps: driver.printSteps,
    whileSteps: driver.whileSteps,
    steps: driver.reports,
    sections: driver.sections,
    isUniform: scratch === 0 && shared === 0 && (locals?.bytes ?? 0) === 0,
  };
}
