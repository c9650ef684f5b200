/** What one import knows of the whole program: its types and constants, and each jaxpr made ready once. */
import {
  type DType,
  type FillMode,
  type Origin,
  refType,
  type ScalarValue,
  type SourceLocation,
  sourceLocation,
  type Table,
  type TensorType,
  tensorType,
  type ValueId,
  type ValueType,
} from "@gridfuse/graph";
import type { Body } from "./body.ts";
import type { Container } from "./container.ts";
import { dtypeOf, isSemaphore } from "./dtypes.ts";
import { isEightBitFloat, moving } from "./eight-bit-floats.ts";
import { malformed, unsupported } from "./errors.ts";
import { hasFewBits, wrapped } from "./few-bits.ts";
import type {
  Atom,
  Aval,
  AvalRef,
  Eqn,
  Jaxpr,
  Literal,
  Var,
  WireConstant,
  WireDType,
  WireProgram,
} from "./format.ts";
import { literalValue } from "./literal.ts";
import type { Scope } from "./scope.ts";
import { StepKinds, withoutDead } from "./steps.ts";

/** What a primitive becomes: its results, in the order of the equation's. */
export type Results = ValueId | readonly ValueId[] | undefined;
export interface Rule {
  (body: Body, args: readonly ValueId[], x: never, eqn: Eqn): Results;
  /** Literals come as `LITERAL`: the rule makes them in the shape that it needs (`Body.meet`). */
  readonly lateLiterals?: true;
  /** What it gives depends on its operands and parameters only, and it does nothing besides. */
  readonly isPure?: true;
  /** Does what another jaxpr does. */
  readonly isCall?: true;
}

/** Stands for an operand that the equation has written down. */
export const LITERAL: ValueId = -2;

interface Fixed {
  readonly dtype: DType;
  readonly value: ScalarValue;
}

/** The rule of an equation; throws where there is none. */
export type RuleOf = (
  eqn: Eqn,
  program: WireProgram,
  place: () => SourceLocation | undefined,
) => Rule;

export interface Step {
  readonly eqn: Eqn;
  readonly rule: Rule;
  readonly inputs: readonly Atom[];
  /** The literals among the inputs; undefined where there is none. */
  readonly fixed: readonly (Fixed | undefined)[] | undefined;
  /** Type of the one result as JAX has it. */
  readonly type: TensorType | undefined;
  /** Variables of the results, −1 where nobody reads one. */
  readonly outputs: readonly number[];
  readonly origin: Origin | undefined;
  /** Dtype of the first result, where it has too few bits for what the equation computes. */
  readonly wraps: WireDType | undefined;
  /** Dtype of the first operand, where it is held in another form. */
  readonly from: WireDType | undefined;
  /** Where it computes with floats of eight bits, which are float32 meanwhile. */
  readonly eightBits: EightBits | undefined;
  /** Equal for steps that give the same of the same operands; −1 for those that may not. */
  readonly kind: number;
}

/** Which operands and results of an equation are floats of eight bits, by their dtypes. */
export interface EightBits {
  readonly inputs: readonly (WireDType | undefined)[];
  readonly outputs: readonly (WireDType | undefined)[];
}

export interface Prepared {
  readonly jaxpr: Jaxpr;
  readonly params: readonly number[];
  readonly steps: readonly Step[];
}

/** How memory behaves that nobody wrote, or that is not there. */
export interface ImportModes {
  readonly fill?: FillMode;
  readonly reads?: "clamp" | "fill";
  readonly writes?: "clamp" | "drop";
  readonly bounds?: "clamp" | "report";
}

/** What one import knows of the whole program. */
export class Importing {
  readonly program: WireProgram;
  readonly table: Table;
  readonly fill: FillMode;
  readonly reads: "clamp" | "fill";
  readonly writes: "clamp" | "drop";
  /** Whether indices that lie outside are reported. */
  readonly reports: boolean;
  /** What kernels report, in the order of their calls. */
  readonly faults: ValueId[] = [];
  /** Whether some equation asks how far a semaphore has counted; else semaphores are left out. */
  readonly countsSemaphores: boolean;
  readonly #hasEightBits: boolean;
  readonly #ruleOf: RuleOf;
  readonly #container: Container;
  readonly #prepared: (Prepared | undefined)[] = [];
  readonly #kinds = new StepKinds();
  readonly #avals: (ValueType | null)[] = [];
  readonly #constants: Map<
    number,
    { readonly type: TensorType; readonly data: ReturnType<Container["constant"]> }
  > = new Map();

  constructor(
    container: Container,
    table: Table,
    { fill = "hlo", reads = "clamp", writes = "clamp", bounds = "clamp" }: ImportModes,
    ruleOf: RuleOf,
  ) {
    this.reads = reads;
    this.writes = writes;
    this.reports = bounds === "report";
    this.#ruleOf = ruleOf;
    this.#container = container;
    this.fill = fill;
    this.program = container.program;
    this.table = table;
    this.#hasEightBits = (this.program.avals ?? []).some(
      (aval) => "d" in aval && isEightBitFloat(aval.d),
    );
    this.countsSemaphores = this.program.jaxprs.some(({ eqns }) =>
      eqns.some(({ p }) => p === "semaphore_read"),
    );
  }

  jaxpr(i: number): Jaxpr {
    const jaxpr = this.program.jaxprs[i];
    if (jaxpr === undefined) throw malformed(`there is no jaxpr ${i}`);
    return jaxpr;
  }

  /** Type of the values of an aval; undefined for what is left out. */
  typeOf(aval: AvalRef): ValueType | undefined {
    if (typeof aval !== "number") return this.#typeOf(aval);
    const known = this.#avals[aval];
    if (known !== undefined) return known ?? undefined;
    const described = this.program.avals?.[aval];
    if (described === undefined) throw malformed(`there is no aval ${aval}`);
    const type = this.#typeOf(described);
    this.#avals[aval] = type ?? null;
    return type;
  }

  #typeOf(aval: Aval): ValueType | undefined {
    switch (aval.k) {
      case "token":
        return undefined;
      case "key":
        return tensorType("uint64", aval.s);
      case "ref": {
        if (isSemaphore(aval.d) && !this.countsSemaphores) return undefined;
        const space =
          aval.m === "smem" ? "smem" : aval.m === "any" || aval.m === "hbm" ? "any" : "vmem";
        return refType(dtypeOf(aval.d), aval.s, space);
      }
      default:
        if (isSemaphore(aval.d) && !this.countsSemaphores) return undefined;
        return tensorType(dtypeOf(aval.d), aval.s);
    }
  }

  isKey(v: Var): boolean {
    const aval = "v" in v ? v.a : v[1];
    return (typeof aval === "number" ? this.program.avals?.[aval] : aval)?.k === "key";
  }

  isSemaphore(aval: AvalRef): boolean {
    return isSemaphore(this.wireDType(aval));
  }

  /** The dtype as the wire names it; empty for what has none. */
  wireDType(aval: AvalRef): string {
    const described = typeof aval === "number" ? this.program.avals?.[aval] : aval;
    return described !== undefined && "d" in described ? described.d : "";
  }

  typeOfVar(v: Var): ValueType | undefined {
    return this.typeOf("v" in v ? v.a : v[1]);
  }

  constant(scope: Scope, i: number): ValueId {
    return scope.constant(i, () => {
      let known = this.#constants.get(i);
      if (known === undefined) {
        const data = this.#container.constant(i);
        const { dtype, shape } = (this.program.consts ?? [])[i] as WireConstant;
        known = { type: tensorType(dtypeOf(dtype), shape), data };
        this.#constants.set(i, known);
      }
      const { type, data } = known;
      const value = scope.e.emit("constant", [], { dtype: type.dtype, shape: type.shape, data });
      return wrapped(scope, value, (this.program.consts ?? [])[i]?.dtype ?? "");
    });
  }

  prepare(i: number): Prepared {
    const known = this.#prepared[i];
    if (known !== undefined) return known;
    const jaxpr = this.jaxpr(i);
    const eightBits = this.#hasEightBits ? this.#eightBitVariables(jaxpr) : undefined;
    const prepared = {
      jaxpr,
      params: jaxpr.in.map(variableOf),
      steps: withoutDead(
        jaxpr,
        jaxpr.eqns.map((eqn) => this.#step(eqn, eightBits)),
      ),
    };
    this.#prepared[i] = prepared;
    return prepared;
  }

  #eightBitVariables(jaxpr: Jaxpr): Map<number, WireDType> {
    const found = new Map<number, WireDType>();
    for (const v of [...jaxpr.in, ...jaxpr.eqns.flatMap(({ o = [] }) => o)]) {
      if (v === null) continue;
      const wire = this.wireDType("v" in v ? v.a : v[1]);
      if (isEightBitFloat(wire)) found.set(variableOf(v), wire);
    }
    return found;
  }

  #step(eqn: Eqn, eightBits: ReadonlyMap<number, WireDType> | undefined): Step {
    const origin = this.originOf(eqn);
    const inputs = eqn.i ?? [];
    const first = eqn.o?.length === 1 ? eqn.o[0] : undefined;
    const type = first == null ? undefined : this.typeOfVar(first);
    const wireOf = (atom: Atom): WireDType | undefined =>
      typeof atom === "number" ? eightBits?.get(atom) : isLiteral(atom) ? atom.d : undefined;
    const computes = eightBits === undefined || moving.has(eqn.p) ? undefined : eightBits;
    if (eightBits !== undefined && updatesMemory(eqn, wireOf))
      throw unsupported(eqn.p, "arithmetic on floats of eight bits in memory", placeOf(origin));
    const held = computes && heldInEight(eqn, wireOf, computes);
    const rule = this.#ruleOf(eqn, this.program, () => placeOf(origin));
    return {
      kind: this.reports || eightBits !== undefined ? -1 : this.#kindOf(eqn, rule),
      from: eightBits === undefined ? undefined : wireOf(inputs[0] ?? -1),
      eqn: held === undefined ? eqn : inFloat32(eqn),
      rule,
      inputs,
      fixed: inputs.some(isLiteral) ? inputs.map(fixedOf) : undefined,
      type: type?.kind !== "tensor" ? undefined : held?.outputs[0] ? asFloat32(type) : type,
      outputs: (eqn.o ?? []).map((v) => (v === null ? -1 : variableOf(v))),
      origin,
      wraps: first != null && overflows.has(eqn.p) ? this.#fewBits(first) : undefined,
      eightBits: held,
    };
  }

  #kindOf(eqn: Eqn, rule: Rule): number {
    if (rule.isPure === true) return this.#kinds.numberOf(eqn);
    const { jaxpr } = (eqn.x ?? {}) as { readonly jaxpr?: number };
    if (rule.isCall !== true || jaxpr === undefined) return -1;
    const isPure = this.prepare(jaxpr).steps.every(({ kind }) => kind >= 0);
    return isPure ? this.#kinds.ofCall(jaxpr) : -1;
  }

  #fewBits(v: Var): WireDType | undefined {
    const wire = this.wireDType("v" in v ? v.a : v[1]);
    return hasFewBits(wire) ? wire : undefined;
  }

  originOf({ loc, p }: Eqn): Origin | undefined {
    const place = loc === undefined ? undefined : this.program.locs?.[loc];
    return place === undefined ? undefined : { name: p, place };
  }
}

/** What of integers gives others of the same dtype, and can leave their range. */
const overflows: ReadonlySet<string> = new Set(
  `add sub mul div neg abs not shift_left integer_pow pow add_any reduce_sum reduce_prod cumsum cumprod dot_general
   iota`.split(/\s+/),
);

/** Undefined where none is a float of eight bits. */
function heldInEight(
  { i = [], o = [] }: Eqn,
  wireOf: (atom: Atom) => WireDType | undefined,
  variables: ReadonlyMap<number, WireDType>,
): EightBits | undefined {
  const inputs = i.map((atom) => {
    const wire = wireOf(atom);
    return wire !== undefined && isEightBitFloat(wire) ? wire : undefined;
  });
  const outputs = o.map((v) => (v === null ? undefined : variables.get(variableOf(v))));
  return [...inputs, ...outputs].some((wire) => wire !== undefined)
    ? { inputs, outputs }
    : undefined;
}

/** Whether an equation computes with what a ref of floats of eight bits holds. */
function updatesMemory(eqn: Eqn, wireOf: (atom: Atom) => WireDType | undefined): boolean {
  const { val, add } = (eqn.x ?? {}) as { readonly val?: Atom; readonly add?: boolean };
  const computes = eqn.p === "addupdate" || eqn.p.startsWith("atomic") || add === true;
  return computes && (val === undefined || isEightBitFloat(wireOf(val) ?? ""));
}

export const asFloat32 = ({ shape }: TensorType): TensorType => tensorType("float32", shape);

/** Dtypes among an equation's parameters, for the same in float32. */
function inFloat32(eqn: Eqn): Eqn {
  const x = Object.entries(eqn.x ?? {}).map(([key, value]) => [
    key,
    (key === "d" || key === "pref") && typeof value === "string" && isEightBitFloat(value)
      ? "f32"
      : value,
  ]);
  return eqn.x === undefined ? eqn : { ...eqn, x: Object.fromEntries(x) };
}

const isLiteral = (atom: Atom): atom is Literal => typeof atom === "object" && "lit" in atom;

const fixedOf = (atom: Atom): Fixed | undefined =>
  isLiteral(atom) && !isEightBitFloat(atom.d)
    ? { dtype: dtypeOf(atom.d), value: literalValue(atom) }
    : undefined;

export const placeOf = (origin: Origin | undefined): SourceLocation | undefined =>
  origin === undefined ? undefined : sourceLocation(origin);

export const variableOf = (v: Var): number => ("v" in v ? v.v : v[0]);
