/**
 * Tracing: while a body runs, one scope is current and every op appends a node to its region.
 *
 * Scopes nest as regions do. A value of an outer scope used inside becomes a capture: a further param
 * of the region and a trailing operand of the node that will own it. A kernel's scope is the root of a
 * table of its own (a template that calls copy); its captures are resolved where it is called.
 */
import { BuildError } from "@gridfuse/plan/errors";
import { Emitter } from "./ir/emit.ts";
import { newRegion, type Origin, type Region, Table, type ValueId } from "./ir/table.ts";
import type { ValueType } from "./ir/types.ts";
import { captureOrigin, sourceLocation } from "./origin.ts";

/** What a user holds: a value of a scope. Tensors and refs are handles. */
export interface Handle {
  readonly scope: Scope;
  readonly id: ValueId;
}

export interface Capture {
  readonly outer: Handle;
  readonly inner: ValueId;
}

export type ScopeKind = "graph" | "kernel" | "index map" | "body";

export interface ScopeOptions {
  readonly kind: ScopeKind;
  /** As it appears in messages: `kernel "matmul"`, `the body of scan`. */
  readonly label: string;
  readonly table?: Table;
  readonly region?: Region;
  readonly parent?: Scope | undefined;
}

export class Scope {
  readonly kind: ScopeKind;
  readonly label: string;
  readonly emitter: Emitter;
  readonly parent: Scope | undefined;
  readonly captures: Capture[] = [];
  /** What the region's own params are called, for messages and the printer. */
  readonly names: Map<ValueId, string> = new Map();

  constructor(options: ScopeOptions) {
    this.kind = options.kind;
    this.label = options.label;
    this.parent = options.parent;
    this.emitter = new Emitter(options.table ?? new Table(), options.region ?? newRegion());
  }

  get table(): Table {
    return this.emitter.table;
  }
  get region(): Region {
    return this.emitter.region;
  }

  /** A scope for a region inside this one. */
  inside(label: string, kind: ScopeKind = "body"): Scope {
    return new Scope({ kind, label, table: this.table, parent: this });
  }

  /** Adds a param of the region itself. Only before anything is captured. */
  param(type: ValueType, name?: string): ValueId {
    const id = this.table.newParam(this.region, type);
    if (name !== undefined) this.names.set(id, name);
    return id;
  }

  /** The id under which `handle` is known here; captures it when it is an outer scope's. */
  resolve(handle: Handle): ValueId {
    if (handle.scope === this) return handle.id;
    if (!this.encloses(handle.scope)) throw escaped(handle.scope, this);
    if (this.kind === "index map") throw capturedInIndexMap(this);
    const outer = this.outerHandle(handle);
    const known = this.captures.find(
      (capture) => capture.outer.scope === outer.scope && capture.outer.id === outer.id,
    );
    if (known !== undefined) return known.inner;
    const inner = this.table.newParam(this.region, outer.scope.table.types[outer.id] as ValueType);
    const name = outer.scope.nameOf(outer.id);
    if (name !== undefined) this.names.set(inner, name);
    this.captures.push({ outer, inner });
    return inner;
  }

  nameOf(id: ValueId): string | undefined {
    return this.names.get(id);
  }

  /** Whether a value of `other` can be used here. */
  encloses(other: Scope): boolean {
    for (let scope: Scope | undefined = this; scope !== undefined; scope = scope.parent) {
      if (scope === other) return true;
    }
    return false;
  }

  /** This scope or the nearest around it that is a kernel. */
  kernel(): Scope | undefined {
    for (let scope: Scope | undefined = this; scope !== undefined; scope = scope.parent) {
      if (scope.kind === "kernel") return scope;
    }
    return undefined;
  }

  private outerHandle(handle: Handle): Handle {
    const parent = this.parent as Scope;
    // A kernel is a template: its captures stay what the user held until it is called.
    if (this.kind === "kernel") return handle;
    return { scope: parent, id: parent.resolve(handle) };
  }
}

function escaped(from: Scope, to: Scope): BuildError {
  return new BuildError("GF2002", `a value made in ${from.label} is used in ${to.label}`, {
    help: "return it from the body it was made in, or pass it on as an operand or carry",
  });
}

function capturedInIndexMap(scope: Scope): BuildError {
  return new BuildError("GF2214", `${scope.label} uses a tensor from outside`, {
    help: "index maps see grid ids and prefetched refs only: declare the tensor under `prefetch` and read it with `.get(…)`",
  });
}

let current: Scope | undefined;

/** The scope being traced, if any. */
export const activeScope = (): Scope | undefined => current;

/** Runs `body` with `scope` current. */
export function runIn<T>(scope: Scope, body: () => T): T {
  const previous = current;
  current = scope;
  try {
    return atOnce(scope, body());
  } finally {
    current = previous;
  }
}

/**
 * What a body returned.
 *
 * @throws BuildError GF2003 where it is a promise
 */
export function atOnce<T>(scope: Scope, result: T): T {
  if (!(result instanceof Promise)) return result;
  result.catch(() => {});
  throw new BuildError("GF2003", `${scope.label} is an async function`, {
    help: "tracing runs a body once, from start to end: await before the graph is built",
  });
}

/**
 * One call by the user: every node made during it gets one origin, and an error leaves with its place.
 *
 * @throws BuildError GF2001 outside `graph` and `kernel`
 */
export function traced<T>(name: string, build: (scope: Scope) => T): T {
  const scope = current;
  if (scope === undefined) {
    return located(captureOrigin(name), undefined, () => {
      throw new BuildError("GF2001", `${name} was called outside of a graph`, {
        help: "call it inside the function given to `graph` or `kernel`",
      });
    });
  }
  const { emitter } = scope;
  if (emitter.origin !== undefined) return build(scope);
  const origin = captureOrigin(name);
  emitter.origin = origin;
  try {
    return located(origin, scope, () => build(scope));
  } finally {
    emitter.origin = undefined;
  }
}

/** Runs `action`; a BuildError without a place gets `origin`'s, and the name of the kernel around. */
export function located<T>(origin: Origin, scope: Scope | undefined, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof BuildError) || error.at !== undefined) throw error;
    const at = sourceLocation(origin);
    const kernel = scope?.kernel()?.label;
    const prefix = kernel === undefined || error.what.startsWith(kernel) ? "" : `${kernel}: `;
    if (at === undefined && prefix === "") throw error;
    const { code, what, path, expected, received, notes, help, cause } = error;
    throw new BuildError(code, prefix + what, {
      ...(path === undefined ? {} : { path }),
      ...(help === undefined ? {} : { help }),
      ...(cause === undefined ? {} : { cause }),
      expected,
      received,
      at,
      notes,
    });
  }
}
