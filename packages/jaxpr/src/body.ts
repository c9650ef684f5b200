/**
 * Equations into nodes, in order. A jaxpr that is called is walked where it is called; what can be
 * prepared once (its rules, its types) is prepared once for each jaxpr.
 */
import {
  BuildError,
  type DType,
  type FillMode,
  type OpName,
  type OpParams,
  type Origin,
  refType,
  type ScalarValue,
  type Shape,
  type SourceLocation,
  sameShape,
  sourceLocation,
  type Table,
  type TensorType,
  tensorType,
  type ValueId,
  type ValueType,
} from "@gridfuse/graph";
import type { Container } from "./container.ts";
import { dtypeOf, isSemaphore } from "./dtypes.ts";
import { malformed, unsupported } from "./errors.ts";
import type {
  Atom,
  Aval,
  AvalRef,
  Eqn,
  Jaxpr,
  Literal,
  Var,
  WireConstant,
  WireProgram,
} from "./format.ts";
import { NOTHING, type Scope } from "./scope.ts";

/** What a primitive becomes: its results, in the order of the equation's. */
export type Results = ValueId | readonly ValueId[] | undefined;
export interface Rule {
  (body: Body, args: readonly ValueId[], x: never, eqn: Eqn): Results;
  /** Literals come as `LITERAL`: the rule makes them in the shape that it needs (`Body.meet`). */
  readonly lateLiterals?: true;
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

interface Step {
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
}

interface Prepared {
  readonly jaxpr: Jaxpr;
  readonly params: readonly number[];
  readonly steps: readonly Step[];
}

/** What one import knows of the whole program. */
export class Importing {
  readonly program: WireProgram;
  readonly table: Table;
  readonly fill: FillMode;
  readonly reads: "clamp" | "fill";
  /** Whether some equation asks how far a semaphore has counted; else semaphores are left out. */
  readonly countsSemaphores: boolean;
  readonly #ruleOf: RuleOf;
  readonly #container: Container;
  readonly #prepared: (Prepared | undefined)[] = [];
  readonly #avals: (ValueType | null)[] = [];
  readonly #constants: Map<
    number,
    { readonly type: TensorType; readonly data: ReturnType<Container["constant"]> }
  > = new Map();

  constructor(
    container: Container,
    table: Table,
    { fill = "hlo", reads = "clamp" }: { fill?: FillMode; reads?: "clamp" | "fill" },
    ruleOf: RuleOf,
  ) {
    this.reads = reads;
    this.#ruleOf = ruleOf;
    this.#container = container;
    this.fill = fill;
    this.program = container.program;
    this.table = table;
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
    const described = typeof aval === "number" ? this.program.avals?.[aval] : aval;
    return described !== undefined && "d" in described && isSemaphore(described.d);
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
      return scope.e.emit("constant", [], { dtype: type.dtype, shape: type.shape, data });
    });
  }

  prepare(i: number): Prepared {
    const known = this.#prepared[i];
    if (known !== undefined) return known;
    const jaxpr = this.jaxpr(i);
    const prepared = {
      jaxpr,
      params: jaxpr.in.map(variableOf),
      steps: jaxpr.eqns.map((eqn) => this.#step(eqn)),
    };
    this.#prepared[i] = prepared;
    return prepared;
  }

  #step(eqn: Eqn): Step {
    const origin = this.originOf(eqn);
    const inputs = eqn.i ?? [];
    const first = eqn.o?.length === 1 ? eqn.o[0] : undefined;
    const type = first == null ? undefined : this.typeOfVar(first);
    return {
      eqn,
      rule: this.#ruleOf(eqn, this.program, () => placeOf(origin)),
      inputs,
      fixed: inputs.some(isLiteral) ? inputs.map(fixedOf) : undefined,
      type: type?.kind === "tensor" ? type : undefined,
      outputs: (eqn.o ?? []).map((v) => (v === null ? -1 : variableOf(v))),
      origin,
    };
  }

  originOf({ loc, p }: Eqn): Origin | undefined {
    const place = loc === undefined ? undefined : this.program.locs?.[loc];
    return place === undefined ? undefined : { name: p, place };
  }
}

const isLiteral = (atom: Atom): atom is Literal => typeof atom === "object" && "lit" in atom;

const fixedOf = (atom: Atom): Fixed | undefined =>
  isLiteral(atom) ? { dtype: dtypeOf(atom.d), value: literalValue(atom) } : undefined;

const placeOf = (origin: Origin | undefined): SourceLocation | undefined =>
  origin === undefined ? undefined : sourceLocation(origin);

export const variableOf = (v: Var): number => ("v" in v ? v.v : v[0]);

/** One jaxpr at one place: its variables, and the scope that its equations append to. */
export class Body {
  readonly importing: Importing;
  readonly scope: Scope;
  readonly #env: ValueId[] = [];
  #current: Step | undefined;

  constructor(importing: Importing, scope: Scope) {
    this.importing = importing;
    this.scope = scope;
  }

  get e(): Scope["e"] {
    return this.scope.e;
  }

  /** Walks a jaxpr with its params bound to `args`; what it gives. */
  run(jaxpr: number, args: readonly ValueId[]): readonly ValueId[] {
    const { params, steps, jaxpr: given } = this.importing.prepare(jaxpr);
    if (args.length !== params.length) {
      throw malformed(`jaxpr ${jaxpr} takes ${params.length} values, not ${args.length}`);
    }
    for (const [i, variable] of params.entries()) this.#env[variable] = args[i] as ValueId;
    for (const bound of given.consts ?? []) {
      const [variable, constant] = "v" in bound ? [bound.v, bound.const] : bound;
      this.#env[variable] = this.importing.constant(this.scope, constant);
    }
    const { e } = this.scope;
    const outside = e.origin;
    for (const step of steps) {
      e.origin = step.origin ?? outside;
      this.#step(step);
    }
    e.origin = outside;
    return given.out.map((atom) => this.atom(atom));
  }

  /** Another jaxpr in this scope. */
  call(jaxpr: number, args: readonly ValueId[]): readonly ValueId[] {
    return new Body(this.importing, this.scope).run(jaxpr, args);
  }

  #step(step: Step): void {
    const { eqn, rule, inputs, outputs, origin } = step;
    let results: Results;
    try {
      const late = step.fixed !== undefined && rule.lateLiterals === true;
      const args = new Array<ValueId>(inputs.length);
      for (let i = 0; i < inputs.length; i++) {
        const atom = inputs[i] as Atom;
        args[i] = late && step.fixed?.[i] !== undefined ? LITERAL : this.atom(atom);
      }
      this.#current = step;
      results = rule(this, args, (eqn.x ?? {}) as never, eqn);
    } catch (error) {
      throw located(error, eqn, origin);
    }
    if (outputs.length === 0) return;
    if (typeof results === "number") {
      if (outputs[0] !== -1) this.#env[outputs[0] as number] = results;
      return;
    }
    for (const [i, variable] of outputs.entries()) {
      if (variable !== -1) this.#env[variable] = results?.[i] ?? NOTHING;
    }
  }

  atom(atom: Atom): ValueId {
    if (typeof atom === "number") return this.#variable(atom);
    if ("lit" in atom) return this.scope.full(dtypeOf(atom.d), [], literalValue(atom));
    if ("litc" in atom) return this.importing.constant(this.scope, atom.litc);
    return this.#variable(atom.v);
  }

  #variable(variable: number): ValueId {
    const value = this.#env[variable];
    if (value === undefined) throw malformed(`variable ${variable} is used before it is made`);
    return value;
  }

  // ── What rules need ─────────────────────────────────────────────────────────────────────

  dtype(value: ValueId): DType {
    return this.e.dtype(value);
  }
  shape(value: ValueId): readonly number[] {
    return this.e.shape(value) as readonly number[];
  }
  full(dtype: DType, shape: Shape, value: ScalarValue): ValueId {
    return this.scope.full(dtype, shape, value);
  }
  /** Operands of one shape: literals, scalars and dimensions of 1 stretch to the others. */
  meet(args: readonly ValueId[]): readonly ValueId[] {
    const fixed = this.#current?.fixed;
    let shape: readonly number[] | undefined;
    let same = true;
    for (const arg of args) {
      if (arg === LITERAL) {
        same = false;
        continue;
      }
      const own = this.shape(arg);
      if (shape === undefined) shape = own;
      else if (shape !== own && !sameShape(shape, own)) {
        shape = broadcast(shape, own);
        same = false;
      }
    }
    if (same) return args;
    const common = shape ?? [];
    return args.map((arg, i) => {
      const known = fixed?.[i];
      return known !== undefined && (arg === LITERAL || common.length > 0)
        ? this.full(known.dtype, common, known.value)
        : this.e.broadcastTo(arg, common);
    });
  }

  /** The same for all but the first `count` operands, which stay as they are. */
  meetAfter(args: readonly ValueId[], count: number): readonly ValueId[] {
    const shapes = args.slice(count).filter((arg) => arg !== LITERAL);
    const shape = shapes.map((arg) => this.shape(arg)).reduce(broadcast, []);
    const fixed = this.#current?.fixed;
    return args.map((arg, i) => {
      const known = fixed?.[i];
      if (i < count) return known === undefined ? arg : this.full(known.dtype, [], known.value);
      return known === undefined
        ? this.e.broadcastTo(arg, shape)
        : this.full(known.dtype, shape, known.value);
    });
  }

  /** An elementwise node of the type that the equation says, where its shape is that of `like`. */
  pointwise<K extends OpName>(
    op: K,
    operands: readonly ValueId[],
    params: OpParams[K],
    like: ValueId = operands[0] as ValueId,
  ): ValueId {
    const type = this.#current?.type;
    const { e } = this;
    if (type === undefined || !sameShape(type.shape, this.shape(like)))
      return e.emit(op, operands, params);
    return e.table.newNode(e.region, op, params, operands, [type], [], e.origin)
      .outputs[0] as ValueId;
  }

  /** Type of result `i` as JAX has it. */
  resultType(eqn: Eqn, i = 0): TensorType {
    const v = eqn.o?.[i];
    const type = v == null ? undefined : this.importing.typeOfVar(v);
    if (type?.kind !== "tensor") throw malformed(`${eqn.p} has no result ${i}`);
    return type;
  }
  unsupported(eqn: Eqn, form: string): BuildError {
    return unsupported(eqn.p, form, placeOf(this.importing.originOf(eqn)));
  }
}

/** NumPy's broadcasting of two shapes that fit. */
function broadcast(a: readonly number[], b: readonly number[]): readonly number[] {
  const [long, short] = a.length >= b.length ? [a, b] : [b, a];
  const skipped = long.length - short.length;
  return long.map((size, d) =>
    size === 1 && d >= skipped ? (short[d - skipped] as number) : size,
  );
}

/** The number that a literal of the wire stands for. */
export function literalValue({ lit, d }: Literal): ScalarValue {
  if (typeof lit !== "string") return lit;
  switch (lit) {
    case "nan":
      return Number.NaN;
    case "inf":
      return Number.POSITIVE_INFINITY;
    case "-inf":
      return Number.NEGATIVE_INFINITY;
    case "-0.0":
      return -0;
    default:
      return /^[iu]64$/.test(d) ? BigInt(lit) : Number(lit);
  }
}

/** The whole number that an atom stands for where the program has it written down. */
export function staticInt(atom: Atom): number | undefined {
  return typeof atom === "object" && "lit" in atom ? Number(literalValue(atom)) : undefined;
}

/** An error of the graph's, with the place that the equation came from. */
function located(error: unknown, { p }: Eqn, origin: Origin | undefined): unknown {
  if (!(error instanceof BuildError) || error.at !== undefined) return error;
  const at = placeOf(origin);
  if (at === undefined && error.path !== undefined) return error;
  const { code, what, path, expected, received, notes, help, cause } = error;
  return new BuildError(code, what.startsWith(p) ? what : `${p}: ${what}`, {
    path: path ?? p,
    ...(help === undefined ? {} : { help }),
    ...(cause === undefined ? {} : { cause }),
    expected,
    received,
    at,
    notes,
  });
}
