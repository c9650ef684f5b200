/** The wire format `pallas-ir/1` as types; FORMAT.md is its description. */

export type WireDType = string;

export type Aval =
  | { readonly k?: "array"; readonly s: readonly number[]; readonly d: WireDType }
  | {
      readonly k: "ref";
      readonly s: readonly number[];
      readonly d: WireDType;
      readonly m?: string | null;
    }
  | { readonly k: "key"; readonly s: readonly number[]; readonly impl: string }
  | { readonly k: "token" };

export type AvalRef = number | Aval;

export interface Literal {
  readonly lit: number | boolean | string;
  readonly d: WireDType;
}

export type Atom = number | Literal | { readonly litc: number } | { readonly v: number };

export type Var = readonly [number, AvalRef] | { readonly v: number; readonly a: AvalRef };

export interface Eqn {
  readonly p: string;
  readonly m?: string;
  readonly i?: readonly Atom[];
  readonly o?: readonly (Var | null)[];
  readonly x?: object;
  readonly loc?: number;
}

interface JaxprHead {
  readonly name?: string;
  readonly consts?: readonly (
    | readonly [number, number]
    | { readonly v: number; readonly const: number }
  )[];
  readonly in: readonly Var[];
  readonly out: readonly Atom[];
}

export interface Jaxpr extends JaxprHead {
  readonly eqns: readonly Eqn[];
}

/** Equations as columns; results are numbered on from `consts` and `in`. */
export interface ColumnJaxpr extends JaxprHead {
  /** For each equation its index into the program's `ops`. */
  readonly ops: readonly number[];
  /** How many operands each has, and all of them: variables, or −1 − an index into the program's `atoms`. */
  readonly ni: readonly number[];
  readonly i: readonly number[];
  /** How many results each has (1 where it is left out), and the avals of all, −1 where nobody reads one. */
  readonly no?: readonly number[];
  readonly o: readonly number[];
  readonly locs?: readonly number[];
}

export type WireJaxpr = Jaxpr | ColumnJaxpr;

export interface WireConstant {
  readonly dtype: WireDType;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly bytes: number;
}

export interface WireProgram {
  readonly format: string;
  readonly jax?: string;
  readonly name?: string;
  readonly main: number;
  readonly inputs?: readonly string[];
  readonly outputs?: readonly string[];
  readonly avals?: readonly Aval[];
  /** What equations in columns do: each without its results. */
  readonly ops?: readonly Eqn[];
  readonly atoms?: readonly Atom[];
  readonly jaxprs: readonly Jaxpr[];
  readonly consts?: readonly WireConstant[];
  readonly locs?: readonly string[];
}

/** The program as it stands in the file. */
export interface WrittenProgram extends Omit<WireProgram, "jaxprs"> {
  readonly jaxprs: readonly WireJaxpr[];
}

// ── Refs ────────────────────────────────────────────────────────────────────────────────────

export type IndexEntry =
  | { readonly k: "i"; readonly a: Atom }
  /** `n`: how many, where that is computed; then `size` is the extent. Only what is copied is of such a size. */
  | {
      readonly k: "s";
      readonly start: Atom;
      readonly size: number;
      readonly stride?: number;
      readonly n?: Atom;
    }
  | { readonly k: "arr"; readonly a: Atom }
  /** What memory holds when the view is used. */
  | { readonly k: "arr"; readonly in: View };

export type Transform =
  | { readonly k: "idx"; readonly shape: readonly number[]; readonly ix: readonly IndexEntry[] }
  | { readonly k: "bitcast"; readonly d: WireDType }
  | { readonly k: "reshape"; readonly s: readonly number[] }
  | { readonly k: "transpose"; readonly perm: readonly number[] }
  | { readonly k: "select"; readonly a: Atom; readonly refs: readonly View[] };

export interface View {
  readonly ref: Atom;
  readonly t: readonly Transform[];
}

// ── pallas_call ─────────────────────────────────────────────────────────────────────────────

export type WireBlockDim =
  | { readonly k: "blk"; readonly n: number }
  | { readonly k: "sq" }
  | { readonly k: "el"; readonly n: number; readonly pad?: readonly [number, number] }
  | { readonly k: "bs"; readonly n: number }
  | { readonly k: "ind"; readonly n: number };

export interface WireBlock {
  readonly origin?: string;
  readonly shape: readonly WireBlockDim[];
  readonly array: AvalRef;
  readonly ref: AvalRef;
  readonly index_map: number;
}

export interface PallasCall {
  readonly name?: string | null;
  readonly kernel: number;
  readonly grid: readonly (number | null)[];
  readonly grid_max?: readonly (number | null)[];
  readonly grid_names?: readonly (string | null)[] | null;
  readonly vmapped?: readonly number[];
  readonly nclosed?: number;
  readonly ndyn?: number;
  readonly nindex: number;
  readonly nin: number;
  readonly nout: number;
  readonly nscratch: number;
  readonly blocks: readonly WireBlock[];
  readonly scratch: readonly AvalRef[];
  readonly aliases?: readonly (readonly [number, number])[];
  /** Aliases that are one memory although the kernel writes only what it takes for an input. */
  readonly shared?: readonly (readonly [number, number])[];
  /** The points of a grid of one axis in the order that they are walked: each is a core of its own. */
  readonly order?: readonly number[];
  readonly cp?: { readonly dimension_semantics?: readonly (string | null)[] | null } | null;
}
