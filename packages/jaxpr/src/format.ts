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

export interface Jaxpr {
  readonly name?: string;
  readonly consts?: readonly (
    | readonly [number, number]
    | { readonly v: number; readonly const: number }
  )[];
  readonly in: readonly Var[];
  readonly out: readonly Atom[];
  readonly eqns: readonly Eqn[];
}

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
  readonly jaxprs: readonly Jaxpr[];
  readonly consts?: readonly WireConstant[];
  readonly locs?: readonly string[];
}

// ── Refs ────────────────────────────────────────────────────────────────────────────────────

export type IndexEntry =
  | { readonly k: "i"; readonly a: Atom }
  | { readonly k: "s"; readonly start: Atom; readonly size: number; readonly stride?: number }
  | { readonly k: "arr"; readonly a: Atom };

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
  readonly cp?: { readonly dimension_semantics?: readonly (string | null)[] | null } | null;
}
