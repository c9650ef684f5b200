/**
 * Equations into nodes, in order. A jaxpr that is called is walked where it is called; what can be
 * prepared once (its rules, its types) is prepared once for each jaxpr.
 */
import {
  BuildError,
  type DType,
  type OpName,
  type OpParams,
  type Origin,
  type ScalarValue,
  type Shape,
  sameShape,
  type TensorType,
  type ValueId,
} from "@gridfuse/graph";
import { reportOutside } from "./bounds.ts";
import { dtypeOf } from "./dtypes.ts";
import { fromBits, isEightBitFloat, toBits } from "./eight-bit-floats.ts";
import { malformed, unsupported } from "./errors.ts";
import { wrapped } from "./few-bits.ts";
import type { Atom, Eqn, WireDType } from "./format.ts";
import {
  asFloat32,
  type EightBits,
  type Importing,
  LITERAL,
  placeOf,
  type Results,
  type Step,
} from "./importing.ts";
import { literalValue } from "./literal.ts";
import { NOTHING, type Scope } from "./scope.ts";
import { keyOf } from "./steps.ts";

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
      const given = step.kind < 0 ? undefined : this.scope.given.of(step.kind);
      const key = given === undefined ? 0 : keyOf(args);
      const known = given?.get(key);
      if (known !== undefined) {
        this.#bind(outputs, known);
        return;
      }
      this.#current = step;
      if (step.eightBits !== undefined) this.#widen(args, step.eightBits);
      results = rule(this, args, (eqn.x ?? {}) as never, eqn);
      if (step.eightBits !== undefined) results = this.#narrowed(results, step.eightBits);
      if (step.wraps !== undefined && typeof results === "number")
        results = wrapped(this.scope, results, step.wraps);
      given?.set(key, results);
    } catch (error) {
      throw located(error, eqn, origin);
    }
    this.#bind(outputs, results);
  }

  #bind(outputs: readonly number[], results: Results): void {
    if (outputs.length === 0) return;
    if (typeof results === "number") {
      if (outputs[0] !== -1) this.#env[outputs[0] as number] = results;
      return;
    }
    for (const [i, variable] of outputs.entries()) {
      if (variable !== -1) this.#env[variable] = results?.[i] ?? NOTHING;
    }
  }

  #widen(args: ValueId[], { inputs }: EightBits): void {
    for (const [i, wire] of inputs.entries())
      if (wire !== undefined) args[i] = fromBits(this, args[i] as ValueId, wire);
  }

  /** Computed in float32 and rounded: for one operation that is the same as in float16, which XLA takes. */
  #narrowed(results: Results, { outputs }: EightBits): Results {
    const given = results === undefined || typeof results === "number" ? [results] : results;
    return outputs.map((wire, i) => {
      const value = given[i];
      if (value === undefined) return NOTHING;
      return wire === undefined ? value : toBits(this, value, wire);
    });
  }

  atom(atom: Atom): ValueId {
    if (typeof atom === "number") return this.#variable(atom);
    if ("lit" in atom && isEightBitFloat(atom.d)) {
      const number = this.full("float32", [], literalValue(atom));
      return toBits(this, number, atom.d);
    }
    if ("lit" in atom) return this.scope.full(dtypeOf(atom.d), [], literalValue(atom));
    if ("litc" in atom) return this.importing.constant(this.scope, atom.litc);
    return this.#variable(atom.v);
  }

  #variable(variable: number): ValueId {
    const value = this.#env[variable];
    if (value === undefined) throw malformed(`variable ${variable} is used before it is made`);
    return value;
  }

  /** Dtype of the first operand of the equation at hand, where it is held in another form. */
  get from(): WireDType | undefined {
    return this.#current?.from;
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
    return this.#current?.eightBits?.outputs[i] === undefined ? type : asFloat32(type);
  }
  /** Notes where `index` of the equation at hand is not from 0 to `last`. */
  reportOutside(index: ValueId, last: number): void {
    if (this.#current !== undefined) reportOutside(this, this.#current.eqn, index, last);
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
