/**
 * Carries and operands are a tensor, an array or a record of them, nested at will. Flattening gives the
 * leaves in a fixed order and a function that puts other leaves in their places.
 */
import { BuildError } from "@gridfuse/plan/errors";
import type { Shape } from "./ir/types.ts";
import { isTensor, type Operand, type Tensor } from "./tensor.ts";
import type { DTypeOf } from "./types/signatures.ts";

export type Tree = Operand | readonly Tree[] | { readonly [name: string]: Tree };

/** The same structure with every leaf a tensor: what a body receives. */
export type Traced<T> = T extends Tensor
  ? T
  : T extends number | bigint | boolean
    ? Tensor<DTypeOf<T>, readonly []>
    : { readonly [K in keyof T]: Traced<T[K]> };

/** Each of several operands as a body receives it. */
export type TracedAll<O extends readonly unknown[]> = { [K in keyof O]: Traced<O[K]> };

/** What a body may return for a carry of type T: the same structure, shapes checked when it is built. */
export type Returned<T> = T extends Operand ? Operand : { readonly [K in keyof T]: Returned<T[K]> };

/** A tree whose tensors have one more leading dimension. */
export type Stacked<T> = T extends Tensor
  ? T["shape"] extends readonly [unknown, ...infer Rest extends Shape]
    ? Tensor<T["dtype"], Rest>
    : Tensor<T["dtype"]>
  : { readonly [K in keyof T]: Stacked<T[K]> };

export interface Flat {
  readonly leaves: readonly Operand[];
  /** Where each leaf stands, as `carry.x[0]`. */
  readonly paths: readonly string[];
  /** Equal for trees of the same structure. */
  readonly structure: string;
  rebuild(leaves: readonly Operand[]): Tree;
}

const isLiteral = (value: unknown): value is number | bigint | boolean =>
  typeof value === "number" || typeof value === "bigint" || typeof value === "boolean";

/** @throws BuildError GF2302 where something is neither a tensor nor a number nor a structure of them */
export function flatten(tree: Tree, path: string): Flat {
  const leaves: Operand[] = [];
  const paths: string[] = [];
  const structure = visit(tree, path, leaves, paths);
  return {
    leaves,
    paths,
    structure,
    rebuild: (others) => {
      let next = 0;
      return rebuildFrom(tree, () => others[next++] as Operand);
    },
  };
}

function visit(tree: Tree, path: string, leaves: Operand[], paths: string[]): string {
  if (isTensor(tree) || isLiteral(tree)) {
    leaves.push(tree);
    paths.push(path);
    return "*";
  }
  if (Array.isArray(tree)) {
    return `[${tree.map((t: Tree, i) => visit(t, `${path}[${i}]`, leaves, paths)).join(",")}]`;
  }
  if (
    typeof tree === "object" &&
    tree !== null &&
    Object.getPrototypeOf(tree) === Object.prototype
  ) {
    const record = tree as { readonly [name: string]: Tree };
    const parts = Object.keys(record).map(
      (name) => `${name}:${visit(record[name] as Tree, `${path}.${name}`, leaves, paths)}`,
    );
    return `{${parts.join(",")}}`;
  }
  if (tree instanceof Promise) {
    tree.catch(() => {});
    throw new BuildError("GF2003", `${path} is a promise: the body is an async function`, {
      help: "tracing runs a body once, from start to end: await before the graph is built",
    });
  }
  throw new BuildError("GF2302", `${path} is ${nameOf(tree)}`, {
    expected: "a tensor, a number, or an array or record of them",
    received: tree,
    help:
      tree === undefined
        ? "did the body forget to return it?"
        : "pass tensors; a ref is read with `.get()`",
  });
}

const nameOf = (value: unknown): string => {
  if (value === null || value === undefined) return String(value);
  return typeof value === "object" ? `a ${value.constructor.name}` : `a ${typeof value}`;
};

function rebuildFrom(tree: Tree, next: () => Operand): Tree {
  if (isTensor(tree) || isLiteral(tree)) return next();
  if (Array.isArray(tree)) return tree.map((t: Tree) => rebuildFrom(t, next));
  const record = tree as { readonly [name: string]: Tree };
  return Object.fromEntries(
    Object.keys(record).map((k) => [k, rebuildFrom(record[k] as Tree, next)]),
  );
}
