/**
 * Plans that come with native code. What belongs to a plan besides its data is kept beside it, by
 * identity: a plan that somebody copied and changed is another plan and has no code.
 *
 * A trusted plan shows its name and ports from the native section; the portable part is decoded and verified when
 * somebody looks further, which a process that only runs the code never does.
 */
import type { Container } from "./container.ts";
import { findSection } from "./container.ts";
import { itemSize } from "./dtype.ts";
import { type NativePart, type NativeSection, readNativeSection } from "./native-section.ts";
import {
  irVersion,
  type Plan,
  type PlanBuffer,
  type PlanConstant,
  type PlanDebug,
  type PlanPort,
  type Step,
} from "./plan.ts";
import { PlanInvalid, PlanTooLarge, PlanUndecoded } from "./plan-errors.ts";
import { checkTrust, type Trust } from "./trust.ts";

export interface LoadLimits {
  /** Arena, constants, inputs and outputs together. */
  readonly bytes?: number;
}

export interface LoadOptions {
  readonly limits?: LoadLimits;
  /** Also compare the plan id with the content; accidental damage is found without it. Default false. */
  readonly checkId?: boolean;
  /**
   * "unsafe" vouches for the file: native code in it is run as it is, and the plan is decoded and verified only
   * when somebody looks at its steps. Without it the plan is verified and code is made from it. Default: none.
   */
  readonly trust?: Trust;
}

/** The portable part of a file, decoded and verified. */
export type DecodePortable = (container: Container, options: LoadOptions) => Plan;

/** What executors find beside a plan. */
export interface NativeUse {
  readonly parts: readonly NativePart[];
  /** The plan's constants, bytes as they lie in the file. */
  readonly constants: readonly Uint8Array[];
}

interface Trusted extends NativeUse {
  readonly portable: Portable;
}

/** For a plan of a file with native code: what may be used, or why it is not. */
const beside = new WeakMap<Plan, Trusted | string>();

/** The native code that may be used for `plan`, or why what it came with is not used. */
export const nativeOf = (plan: Plan): NativeUse | string | undefined => beside.get(plan);

/** In reports. */
export const unused = (reason: string): string => `native code was not used: ${reason}`;

/** `plan`, remembering why its file's native code is not used. */
export function withoutNative(plan: Plan, reason: string | undefined): Plan {
  if (reason !== undefined) beside.set(plan, unused(reason));
  return plan;
}

/**
 * The plan with every part decoded and verified: `plan` itself unless it was loaded with trust.
 *
 * @throws what `loadPlan` throws without trust
 */
export async function decoded(plan: Plan): Promise<Plan> {
  const found = beside.get(plan);
  return typeof found === "object" ? found.portable.whole() : plan;
}

/** Reads the native section of a file as far as `trust` allows: the section, why it is not used, or nothing. */
export function openNative(
  container: Container,
  trust: Trust | undefined,
): NativeSection | string | undefined {
  checkTrust(trust);
  const content = findSection(container, "wasm");
  if (content === undefined) return undefined;
  return trust === undefined
    ? "the plan was loaded without trust"
    : readNativeSection(container, content);
}

/** The one decoding of a portable part, made when it is first asked for. */
class Portable {
  readonly #container: Container;
  readonly #options: LoadOptions;
  readonly #native: NativeSection;
  readonly #later: () => Promise<DecodePortable>;
  #decode: DecodePortable | undefined;
  #plan: Plan | undefined;

  constructor(container: Container, options: LoadOptions, native: NativeSection, decode: Decoder) {
    this.#container = container;
    this.#options = options;
    this.#native = native;
    this.#decode = "now" in decode ? decode.now : undefined;
    this.#later = "now" in decode ? async () => decode.now : decode.later;
  }

  now(): Plan {
    if (this.#plan !== undefined) return this.#plan;
    if (this.#decode === undefined) {
      throw new PlanUndecoded("GF4016", `plan "${this.#native.name}" is not decoded`, {
        help: "await decoded(plan) first, or load the plan without trust",
      });
    }
    const plan = this.#decode(this.#container, this.#options);
    for (const side of ["inputs", "outputs"] as const) {
      if (JSON.stringify(facts(plan[side])) !== JSON.stringify(facts(this.#native[side]))) {
        throw new PlanInvalid("V21", `WASM.${side}`, "not those of the plan");
      }
    }
    this.#plan = plan;
    return plan;
  }

  async whole(): Promise<Plan> {
    this.#decode ??= await this.#later();
    return this.now();
  }
}

const facts = (ports: readonly PlanPort[]): unknown =>
  ports.map(({ name, dtype, shape, buffer }) => [name, dtype, shape, buffer]);

/** How the portable part can be decoded: at once, or after a module was loaded. */
export type Decoder =
  | { readonly now: DecodePortable }
  | { readonly later: () => Promise<DecodePortable> };

/** A plan that shows what its native section says and decodes the rest on demand. */
export function trustedPlan(
  container: Container,
  native: NativeSection,
  options: LoadOptions,
  decode: Decoder,
): Plan {
  const cnst = findSection(container, "cnst") ?? new Uint8Array(0);
  checkBudget(native, cnst.length, options.limits?.bytes);
  const portable = new Portable(container, options, native, decode);
  const { name, arenaBytes, inputs, outputs } = native;
  const plan: Plan = {
    ir: irVersion,
    name,
    arenaBytes,
    inputs,
    outputs,
    get requirements(): Plan["requirements"] {
      return portable.now().requirements;
    },
    get buffers(): readonly PlanBuffer[] {
      return portable.now().buffers;
    },
    get constants(): readonly PlanConstant[] {
      return portable.now().constants;
    },
    get steps(): readonly Step[] {
      return portable.now().steps;
    },
    get debug(): PlanDebug {
      return portable.now().debug as PlanDebug;
    },
  };
  beside.set(plan, {
    portable,
    parts: native.parts,
    constants: native.constants.map(({ offset, bytes }) => cnst.subarray(offset, offset + bytes)),
  });
  return plan;
}

/** @throws PlanTooLarge */
export function checkBudget(
  { arenaBytes, inputs, outputs }: Pick<Plan, "arenaBytes" | "inputs" | "outputs">,
  constantBytes: number,
  limit: number | undefined,
): void {
  if (limit === undefined) return;
  const ports = [...inputs, ...outputs];
  const needed = ports.reduce(
    (sum, { dtype, shape }) => sum + shape.reduce((n, extent) => n * extent, itemSize(dtype)),
    arenaBytes + constantBytes,
  );
  if (needed <= limit) return;
  throw new PlanTooLarge("plan", `a run needs ${needed} bytes, the limit is ${limit} (rule V23)`, {
    expected: limit,
    received: needed,
    help: "raise limits.bytes, or compile for smaller shapes",
  });
}
