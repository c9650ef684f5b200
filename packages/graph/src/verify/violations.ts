/** What a verifier finds, and where: a path of regions and nodes, outermost first. */

/** The rules that every program keeps; their order is that of this list. */
export type Invariant =
  /** Nodes and values name each other as the table says, and every type is well-formed. */
  | "table"
  /** A node stands in one place of one region. */
  | "placed once"
  /** A value is made once. */
  | "made once"
  /** A region uses only its params and what it makes itself. */
  | "closed"
  /** What a node takes is made by nodes before it. */
  | "order"
  /** Results have the types that the op table infers; params and results of regions fit their op. */
  | "types"
  /** Params of a grid's regions: coordinates, then operands and state, then captures. */
  | "grid"
  /** `loop` leaves of index expressions name an enclosing scan and its range. */
  | "loops"
  /** As many inputs and outputs as `main` has params and results, all tensors, each name once. */
  | "ports"
  /** No ref is left. */
  | "no refs"
  /** No grid is left. */
  | "no grids";

export interface Violation {
  readonly invariant: Invariant;
  readonly where: string;
  readonly what: string;
}

export class Violations {
  readonly list: Violation[] = [];

  add(invariant: Invariant, where: string, what: string): void {
    this.list.push({ invariant, where, what });
  }
}
