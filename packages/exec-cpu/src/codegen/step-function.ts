/** What the code of steps is written into, and what a step's code is for whoever calls it. */
import type { HelperLibrary } from "../wasm/helpers.ts";
import type { ModuleBuilder } from "../wasm/module.ts";

export interface CodegenContext {
  readonly module: ModuleBuilder;
  readonly helpers: HelperLibrary;
  /** Byte address of each buffer of the plan; longer where a step has buffers of its own. */
  readonly addresses: readonly number[];
  /** Byte address of the scratch space, which every step may use from its start. */
  readonly scratch: number;
  /** Byte address of scratch space that the parts of a step have in common. */
  readonly shared: number;
  /** Whether a product and a sum may be rounded once. */
  readonly contracts: boolean;
  /** Whether neighbouring vectors are laid out so that V8 can join them to wider ones (see wide.ts). */
  readonly isWide: boolean;
  /** Globals that hold the counters of enclosing loop steps. */
  readonly loopGlobals: readonly number[];
}

/** A function `(lo, hi)` that does a part of a step. */
export interface StepFunction {
  readonly index: number;
  /** The parts are lo ≤ i < hi of this range; 1 where the step cannot be cut. */
  readonly extent: number;
  /** Cuts are multiples of this. */
  readonly grain: number;
  /** For reports: "simd", "scalar", … */
  readonly how: string;
  /** Rough number of scalar operations in the whole step. */
  readonly work: number;
}
