/**
 * What one point of an axis does to a state. The interesting ones are the *folds*: the state of the last
 * point is a function of the state before the first one and of what all points contribute, in one go.
 *
 *  reduced    s ⊕ f(i)                         a reduction over the axis
 *  scattered  s with updates u(i) at k(i)      one scatter of all updates, in the order of the points
 *  picked     f(i) beats s ? g(i) : s          the g of the first point with the greatest (least) f
 */
import {
  type Node,
  type NodeNamed,
  type OpName,
  type Shape,
  sameShape,
  type ValueId,
} from "@gridfuse/graph";
import { type AxisView, isStateAfterFirst, stateParam } from "./axis-view.ts";

export type ReduceOp = Extract<OpName, "add" | "mul" | "max" | "min" | "and" | "or" | "xor">;
const reduceOps: ReadonlySet<string> = new Set(["add", "mul", "max", "min", "and", "or", "xor"]);
export const isReduceOp = (op: OpName): op is ReduceOp => reduceOps.has(op);

/** In all of them `start` is the value whose meaning at the first point is the initial value. */
export type FoldRole =
  | {
      readonly kind: "reduced";
      readonly op: ReduceOp;
      readonly start: ValueId;
      readonly term: ValueId;
      /** Points read what the points before them have left. */
      readonly prefixes?: true;
    }
  | {
      readonly kind: "scattered";
      readonly start: ValueId;
      readonly scatter: NodeNamed<"scatter">;
    }
  | {
      readonly kind: "picked";
      readonly start: ValueId;
      readonly term: ValueId;
      /** The state that is compared; itself for one of them. */
      readonly leader: number;
      readonly order: "gt" | "lt";
    };

export type StateRole =
  /** Every point has its own block. */
  | { readonly kind: "own" }
  /** Not written. */
  | { readonly kind: "kept" }
  /** Written without looking at what was there. */
  | { readonly kind: "overwritten" }
  | FoldRole
  /** Changed at the last point only, from the other states' final values. */
  | { readonly kind: "published" }
  /** Needs the point before. */
  | { readonly kind: "carried" };

/** The carried states that a value depends on. */
export type Needs = (value: ValueId) => ReadonlySet<ValueId>;

export const isFold = (role: StateRole): role is FoldRole =>
  role.kind === "reduced" || role.kind === "scattered" || role.kind === "picked";

/** What the points contribute: values that need no state. */
export function termsOf(role: FoldRole): readonly ValueId[] {
  return role.kind === "scattered" ? role.scatter.inputs.slice(1) : [role.term];
}

/** How the body folds into state `s`, where it does. */
export function foldRole(view: AxisView, s: number, needs: Needs): FoldRole | undefined {
  const node = resultNode(view, s);
  if (node === undefined) return undefined;
  if (node.op === "scatter") return scatteredRole(view, s, node, needs);
  if (node.op === "select_n") return pickedRole(view, s, needs);
  return isReduceOp(node.op) ? reducedRole(view, s, node, needs) : undefined;
}

/** The node of the body that makes the state's new value. */
function resultNode({ table, region }: AxisView, s: number): Node | undefined {
  const node = table.producer(region.results[s] as ValueId);
  return node !== undefined && region.nodes.includes(node.id) ? node : undefined;
}

function reducedRole(view: AxisView, s: number, node: Node, needs: Needs): FoldRole | undefined {
  const [x, y] = node.inputs as readonly [ValueId, ValueId];
  for (const [start, term] of [
    [x, y],
    [y, x],
  ] as const) {
    if (needs(term).size > 0 || !isStateAfterFirst(view, start, s)) continue;
    return { kind: "reduced", op: node.op as ReduceOp, start, term };
  }
  return undefined;
}

function scatteredRole(
  view: AxisView,
  s: number,
  scatter: NodeNamed<"scatter">,
  needs: Needs,
): FoldRole | undefined {
  const [start, indices, updates] = scatter.inputs as readonly [ValueId, ValueId, ValueId];
  if (needs(indices).size > 0 || needs(updates).size > 0) return undefined;
  return isStateAfterFirst(view, start, s) ? { kind: "scattered", start, scatter } : undefined;
}

// ── Picking ─────────────────────────────────────────────────────────────────────────────────

interface Choice {
  readonly condition: ValueId;
  readonly keep: ValueId;
  readonly take: ValueId;
}

/** state = condition ? take : keep, where `keep` is the state and `take` needs none. */
function choiceOf(view: AxisView, s: number, needs: Needs): Choice | undefined {
  const node = resultNode(view, s);
  if (node?.op !== "select_n" || node.inputs.length !== 3) return undefined;
  const [condition, keep, take] = node.inputs as readonly [ValueId, ValueId, ValueId];
  if (view.table.tensor(condition).dtype !== "bool" || needs(take).size > 0) return undefined;
  return isStateAfterFirst(view, keep, s) ? { condition, keep, take } : undefined;
}

function pickedRole(view: AxisView, s: number, needs: Needs): FoldRole | undefined {
  const own = choiceOf(view, s, needs);
  const comparison = own && view.table.producer(own.condition);
  if (own === undefined || (comparison?.op !== "gt" && comparison?.op !== "lt")) return undefined;
  const [x, y] = comparison.inputs as readonly [ValueId, ValueId];
  const { states } = view.body;
  const leader = states.findIndex((_, v) => {
    const choice =
      view.region.results[v] === stateParam(view, v) ? undefined : choiceOf(view, v, needs);
    return (
      choice?.condition === own.condition &&
      ((x === choice.take && y === choice.keep) || (x === choice.keep && y === choice.take)) &&
      fitsWinner(states[v]?.type.shape as Shape, states[s]?.type.shape as Shape)
    );
  });
  if (leader < 0) return undefined;
  const { keep } = choiceOf(view, leader, needs) as Choice;
  const order = (comparison.op === "gt") === (y === keep) ? "gt" : "lt";
  return { kind: "picked", start: own.keep, term: own.take, leader, order };
}

/** Element by element, or all of it at once. */
const fitsWinner = (leader: Shape, own: Shape): boolean =>
  leader.length === 0 || sameShape(leader, own);
