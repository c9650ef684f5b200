/** What a scalar program is written from, and what it is to those who write its nodes. */
import type { IndexExpr } from "@gridfuse/plan/index-expr";
import type { LoadNode, ScalarNode } from "@gridfuse/plan/scalar";
import type { Code } from "../wasm/code.ts";
import type { Push } from "../wasm/scalar-ops.ts";
import type { Contractions } from "./contract.ts";
import type { QuadGuard } from "./guards.ts";
import type { LaneQuad } from "./lane-quad.ts";
import type { LaneAxis, LaneIndex } from "./lanes.ts";
import type { Address, Nest } from "./nest.ts";
import type { ProgramFacts } from "./program-facts.ts";

/** Where results of earlier stages are: pushes the scalar, or a v128 of lanes. */
export type ReducedValues = (
  stage: number,
  reduction: number,
  part: number | undefined,
) => (code: Code) => void;

export interface ProgramSource {
  /** Distinguishes the programs of one function. */
  readonly id: number;
  readonly nodes: readonly ScalarNode[];
  readonly facts: ProgramFacts;
  readonly lanes: LaneAxis | undefined;
  readonly addresses: readonly Address[];
  readonly reduced: ReducedValues;
  readonly contractions?: Contractions | undefined;
  /** Products that only a reduction takes in. */
  readonly folded?: ReadonlySet<number> | undefined;
}

/** What the code of single nodes asks of the program they belong to. */
export interface ProgramView {
  readonly nest: Nest;
  readonly source: ProgramSource;
  node(index: number): ScalarNode;
  isVector(index: number): boolean;
  /** Pushes a node that is the same in all lanes, as it is held. */
  scalar(index: number): Push;
  /** Pushes the lanes of `part` of a node. */
  vector(index: number, part: number): Push;
  laneIndex(e: IndexExpr): LaneIndex;
  /** The lanes of `part` of an index. */
  quad(e: IndexExpr, part: number): LaneQuad;
  quadGuard(guard: LoadNode["guard"], part: number): QuadGuard;
  /** A name for the vectors that this load shares with loads of its neighbours, where there are any. */
  sharedVectors(node: LoadNode): string | undefined;
}
