/**
 * A function being generated as a nest of loops, written at all levels at once.
 *
 * Level 0 is the function's entry, level k the body of the k-th loop around the current place. A frame
 * is the code of one level; computing something invariant appends it to the frame of its own level,
 * which lies before the loop that is being written, because that loop is appended when it is left.
 * So loop-invariant code motion is where a value is put, not a pass.
 *
 * A conditional frame is code of the current level that may be skipped: what it computes is forgotten
 * when it is left.
 */
import { CapabilityError } from "@gridfuse/plan";
import {
  add,
  constant,
  type IndexExpr,
  type IndexLeaf,
  type IndexSum,
  mul,
} from "@gridfuse/plan/index-expr";
import { Code, type ValueType } from "../wasm/code.ts";
import type { HelperLibrary } from "../wasm/helpers.ts";
import type { FunctionBuilder } from "../wasm/module.ts";
import type { LaneCount } from "../wasm/vector-lanes.ts";

export type MemoKey = string | number;

/** An element index as bytes, without its constant part. */
interface ScaledIndex {
  readonly dynamic: IndexExpr;
  readonly fixed: number;
}

export interface Frame {
  readonly code: Code;
  readonly level: number;
  readonly conditional: boolean;
  readonly parent: Frame | undefined;
  /** Locals that hold what was computed here, by a key that says what. */
  readonly memo: Map<MemoKey, number>;
}

/** An axis leaf is `local / unit`; a loop that steps by blocks of lanes has a second axis with unit > 1. */
export interface AxisPlace {
  readonly local: number;
  readonly level: number;
  readonly unit: number;
}

/** Where a buffer begins: known, or in a local that is set at entry. */
export type Address = number | { readonly local: number };

/** Scalar values that index expressions refer to. */
export interface IndexValues {
  level(node: number): number;
  /** Pushes the value as i32, of the given lane where it differs between lanes. */
  push(node: number, lane: number): void;
}

const noValues: IndexValues = {
  level: () => 0,
  push: (node) => {
    throw new RangeError(`index expression refers to scalar node ${node} where there are none`);
  },
};

export class Nest {
  readonly fn: FunctionBuilder;
  readonly helpers: HelperLibrary;
  /** Lanes of a vector. */
  readonly lanes: LaneCount;
  readonly axes: Map<number, AxisPlace> = new Map();
  /** Globals that hold the counters of enclosing loop steps. */
  readonly loopGlobals: readonly number[];
  values: IndexValues = noValues;
  /** The lane whose value a computed index takes. */
  lane = 0;
  /** The program whose values computed indices name. */
  program = 0;
  #frame: Frame;
  /** By size of an element, then by index. */
  readonly #scaled: Map<string, ScaledIndex>[] = [];
  readonly #outerParts = new Map<string, IndexExpr>();

  readonly #keepsSums: boolean;

  /** @param keepsSums sums are kept too, as they may be where no axis moves while code of its level is written */
  constructor(
    fn: FunctionBuilder,
    helpers: HelperLibrary,
    loopGlobals: readonly number[],
    lanes: LaneCount = 4,
    keepsSums = true,
  ) {
    this.#keepsSums = keepsSums;
    this.lanes = lanes;
    this.fn = fn;
    this.helpers = helpers;
    this.loopGlobals = loopGlobals;
    this.#frame = {
      code: fn.code,
      level: 0,
      conditional: false,
      parent: undefined,
      memo: new Map(),
    };
  }

  get code(): Code {
    return this.#frame.code;
  }
  get level(): number {
    return this.#frame.level;
  }
  /** Whether the current code may be skipped at run time. */
  get conditional(): boolean {
    return this.#frame.conditional;
  }
  local(type: ValueType): number {
    return this.fn.local(type);
  }

  /** Runs `body` in a new frame one level down and returns the code it wrote. */
  nested(body: () => void): Code {
    return this.#within(this.#frame.level + 1, false, body);
  }
  /** Runs `body` in a conditional frame of the current level and returns the code it wrote. */
  branch(body: () => void): Code {
    return this.#within(this.#frame.level, true, body);
  }
  #within(level: number, conditional: boolean, body: () => void): Code {
    const parent = this.#frame;
    const frame: Frame = { code: new Code(), level, conditional, parent, memo: new Map() };
    this.#frame = frame;
    body();
    this.#frame = parent;
    return frame.code;
  }

  /** Runs `body` in the frame of an enclosing level (or here, where that is the current one). */
  at<T>(level: number, body: () => T): T {
    const here = this.#frame;
    if (level >= here.level) return body();
    let frame: Frame = here;
    while (frame.level > level || frame.conditional) frame = frame.parent as Frame;
    this.#frame = frame;
    const result = body();
    this.#frame = here;
    return result;
  }

  recall(key: MemoKey): number | undefined {
    for (let frame: Frame | undefined = this.#frame; frame !== undefined; frame = frame.parent) {
      const known = frame.memo.get(key);
      if (known !== undefined) return known;
    }
    return undefined;
  }
  remember(key: MemoKey, local: number): void {
    this.#frame.memo.set(key, local);
  }

  /** A local that holds what `compute` pushes, computed once at `level`. */
  memoised(key: MemoKey, level: number, type: ValueType, compute: () => void): number {
    const known = this.recall(key);
    if (known !== undefined) return known;
    return this.at(level, () => {
      compute();
      const local = this.local(type);
      this.code.set(local);
      this.remember(key, local);
      return local;
    });
  }

  // ── Index expressions ─────────────────────────────────────────────────────────────────────

  /** The innermost level whose variables `e` reads. */
  levelOf(e: IndexExpr): number {
    switch (e.k) {
      case "const":
      case "loop":
        return 0;
      case "axis":
        return this.#place(e.axis).level;
      case "value":
        return this.values.level(e.node);
      case "sum": {
        let level = 0;
        for (const term of e.terms) level = Math.max(level, this.levelOf(term.of));
        return level;
      }
      case "floordiv":
      case "mod":
        return this.levelOf(e.of);
      default:
        return Math.max(this.levelOf(e.a), this.levelOf(e.b));
    }
  }

  #place(axis: number): AxisPlace {
    const place = this.axes.get(axis);
    if (place === undefined)
      throw new RangeError(`index expression refers to unknown axis ${axis}`);
    return place;
  }

  /**
   * Pushes e as an i32, modulo 2^32; what is invariant here is computed at its own level. It is computed once into a local:
   * there is less code, and accesses beside each other show that they are.
   */
  pushIndex(e: IndexExpr): void {
    if (e.k === "const") {
      this.code.i32(e.value);
    } else if (e.k === "axis" || e.k === "value") {
      this.#pushLeaf(e);
    } else {
      const isKept = this.#keepsSums || e.k !== "sum" || this.levelOf(e) < this.level;
      if (isKept) this.code.get(this.#inLocal(e));
      else this.#compute(e);
    }
  }

  #inLocal(e: IndexExpr): number {
    const key = e.key.includes("v") ? `${e.key}@${this.program}.${this.lane}` : e.key;
    return this.recall(key) ?? this.memoised(key, this.levelOf(e), "i32", () => this.#compute(e));
  }

  #pushLeaf(leaf: IndexLeaf): void {
    switch (leaf.k) {
      case "axis": {
        const { local, unit } = this.#place(leaf.axis);
        this.code.get(local);
        if (unit > 1) this.code.i32(Math.log2(unit)).op("i32.shr_u");
        return;
      }
      case "loop":
        this.code.getGlobal(this.loopGlobals[leaf.loop] as number);
        return;
      case "value":
        this.values.push(leaf.node, this.lane);
        return;
      default:
        throw leaf satisfies never;
    }
  }

  #compute(e: IndexExpr): void {
    const { code } = this;
    switch (e.k) {
      case "const":
      case "axis":
      case "loop":
      case "value":
        if (e.k === "const") code.i32(e.value);
        else this.#pushLeaf(e);
        return;
      case "sum":
        this.#computeSum(e);
        return;
      case "floordiv":
        requireWord(e.of);
        this.pushIndex(e.of);
        divide(code, e.of, e.by);
        return;
      case "mod":
        if (!isPowerOfTwo(e.by)) requireWord(e.of);
        this.pushIndex(e.of);
        this.#modulo(e.of, e.by);
        return;
      case "xor":
      case "and":
        this.pushIndex(e.a);
        this.pushIndex(e.b);
        code.op(`i32.${e.k}`);
        return;
      default: {
        requireWord(e.a);
        requireWord(e.b);
        const [a, b] = [this.#inLocal(e.a), this.#inLocal(e.b)];
        const sign = e.a.lo >= 0 && e.b.lo >= 0 ? "u" : "s";
        code.get(a).get(b).get(a).get(b);
        code.op(`i32.${e.k === "min" ? "lt" : "gt"}_${sign}`).op("select");
      }
    }
  }

  /** Terms of outer levels first, as one invariant; then the rest, one product after the other. */
  #computeSum(e: IndexSum): void {
    const { code } = this;
    const outer = this.#outerPart(e);
    let pushed = outer !== undefined;
    if (outer !== undefined) this.pushIndex(outer);
    for (const { factor, of } of e.terms) {
      if (outer !== undefined && this.levelOf(of) < this.level) continue;
      const negative = pushed && factor < 0;
      this.#pushProduct(of, negative ? -factor : factor);
      if (pushed) code.op(negative ? "i32.sub" : "i32.add");
      pushed = true;
    }
    if (outer === undefined && e.constant !== 0) code.i32(e.constant).op("i32.add");
  }

  /** The terms of a sum that do not change here, with its constant; undefined where all do. */
  #outerPart(e: IndexSum): IndexExpr | undefined {
    if (e.terms.every(({ of }) => this.levelOf(of) >= this.level)) return undefined;
    const key = `${this.level} ${e.key}`;
    const known = this.#outerParts.get(key);
    if (known !== undefined) return known;
    const terms = e.terms.filter(({ of }) => this.levelOf(of) < this.level);
    const part = add(...terms.map(({ factor, of }) => mul(of, factor)), constant(e.constant));
    this.#outerParts.set(key, part);
    return part;
  }

  #pushProduct(of: IndexExpr, factor: number): void {
    const { code } = this;
    if (of.k === "axis") {
      const { local, unit } = this.#place(of.axis);
      if (unit > 1 && factor % unit === 0) {
        code.get(local);
        times(code, factor / unit);
        return;
      }
    }
    this.pushIndex(of);
    times(code, factor);
  }

  #modulo(of: IndexExpr, by: number): void {
    const { code } = this;
    if (isPowerOfTwo(by)) {
      code.i32(by - 1).op("i32.and");
    } else if (of.lo >= 0) {
      code.i32(by).op("i32.rem_u");
    } else {
      const rest = this.local("i32");
      code.i32(by).op("i32.rem_s").tee(rest);
      code.get(rest).i32(31).op("i32.shr_s").i32(by).op("i32.and").op("i32.add");
    }
  }

  /**
   * Pushes the dynamic part of the byte address of element e + shift of an array at `base`, and returns the
   * offset that the memory instruction adds. The dynamic part never wraps below 0.
   */
  pushAddress(e: IndexExpr, size: number, base: Address, shift = 0): number {
    const { dynamic, fixed } = this.#scale(e, size);
    const offset = fixed + size * shift + (typeof base === "number" ? base : 0);
    const apart = dynamic.lo >= 0 && offset >= 0;
    const pushed = apart ? dynamic : add(dynamic, constant(offset));
    if (typeof base === "number") {
      this.pushIndex(pushed);
    } else {
      this.code.get(base.local);
      if (pushed.k !== "const" || pushed.value !== 0) {
        this.pushIndex(pushed);
        this.code.op("i32.add");
      }
    }
    return apart ? offset : 0;
  }

  #scale(e: IndexExpr, size: number): ScaledIndex {
    let known = this.#scaled[size];
    if (known === undefined) {
      known = new Map();
      this.#scaled[size] = known;
    }
    const own = known.get(e.key);
    if (own !== undefined) return own;
    const scaled = mul(e, size);
    const fixed = scaled.k === "const" ? scaled.value : scaled.k === "sum" ? scaled.constant : 0;
    const dynamic = fixed === 0 ? scaled : add(scaled, constant(-fixed));
    const result = { dynamic, fixed };
    known.set(e.key, result);
    return result;
  }
}

/** Sums may wrap; what is divided or compared must be itself in 32 bits. */
function requireWord({ lo, hi }: IndexExpr): void {
  if (lo >= -(2 ** 31) && hi < (lo < 0 ? 2 ** 31 : 2 ** 32)) return;
  throw new CapabilityError("GF5006", `an index reaches from ${lo} to ${hi}, beyond 32 bits`, {
    received: [lo, hi],
    help: 'Use smaller extents, or backend "js".',
  });
}

const isPowerOfTwo = (n: number): boolean => Number.isInteger(Math.log2(n));

/** Multiplies the i32 on the stack. */
function times(code: Code, factor: number): void {
  if (factor === 1) return;
  if (factor > 0 && isPowerOfTwo(factor)) code.i32(Math.log2(factor)).op("i32.shl");
  else code.i32(factor).op("i32.mul");
}

/** Divides the i32 on the stack, whose range is that of `of`, rounding towards −∞. */
function divide(code: Code, of: IndexExpr, by: number): void {
  if (of.lo >= 0) {
    if (isPowerOfTwo(by)) code.i32(Math.log2(by)).op("i32.shr_u");
    else code.i32(by).op("i32.div_u");
  } else if (isPowerOfTwo(by)) {
    code.i32(Math.log2(by)).op("i32.shr_s");
  } else {
    // Moved up by a multiple of the divisor that makes it non-negative, and down again by the quotient.
    const shift = Math.ceil(-of.lo / by);
    code
      .i32(shift * by)
      .op("i32.add")
      .i32(by)
      .op("i32.div_u")
      .i32(shift)
      .op("i32.sub");
  }
}
