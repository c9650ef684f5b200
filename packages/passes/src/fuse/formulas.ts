/**
 * Functions that expand to many scalar nodes stay one node, a call, until a plan is written down: a program has thousands of
 * tanh, each of them is the same fifty nodes, and no pass has anything to do with what is inside.
 *
 * A call is an operation that the vocabulary does not have; its op names the function and the dtypes of its operands. It is
 * no node of any plan: expand-calls.ts puts its nodes in its place.
 */
import type { OpName } from "@gridfuse/graph";
import {
  argsOf,
  type ConstNode,
  type DType,
  type Formula,
  isFloat,
  ScalarBuilder,
  type ScalarNode,
} from "@gridfuse/plan/scalar";
import { hasEntries } from "../simplify/key.ts";

/** An op's meaning: what it makes of operands. */
export type Meaning = (
  b: ScalarBuilder,
  x: readonly number[],
  params: unknown,
  dtype: DType,
) => number;

/** What a call stands for. */
export interface Called {
  readonly formula: Formula;
  /** How many operands it takes. */
  readonly operands: number;
  /** Operations and constants that it expands to. */
  readonly operations: number;
  readonly constants: number;
  /** A number for each of its nodes that is a constant: the same for equal ones, in all functions; −1 for the others. */
  readonly numbers: Int32Array;
  /** Whether it looks at the bits of an operand as they are: those of one that was only moved must be kept. */
  readonly readsBits: boolean;
  /** Whether every operation comes, through others, from an operand: then calls of different operands have none in common. */
  readonly isOwn: boolean;
}

/** What an op expands to, and the call of it where it may be one. */
interface Expansion {
  readonly formula: Formula;
  readonly call: ScalarNode | undefined;
}

/** Nodes up to which it is quicker to make them than to find out what they are. */
const fewNodes = 3;
/** A node has no more operands than that. */
const mostOperands = 3;

interface NumberedConstant {
  readonly node: ConstNode;
  readonly number: number;
}

/** The constants that functions have, by number. */
class ConstantNumbers {
  readonly #byLow = new Map<number, NumberedConstant[]>();
  #count = 0;

  add(node: ConstNode): number {
    const known = this.numberOf(node);
    if (known >= 0) return known;
    const number = this.#count;
    this.#count += 1;
    const low = node.bits.lo | 0;
    const alike = this.#byLow.get(low);
    if (alike === undefined) this.#byLow.set(low, [{ node, number }]);
    else alike.push({ node, number });
    return number;
  }

  /** −1 for one that no function has. */
  numberOf({ dtype, bits }: ConstNode): number {
    const alike = this.#byLow.get(bits.lo | 0);
    if (alike === undefined) return -1;
    for (let i = 0; i < alike.length; i += 1) {
      const { node, number } = alike[i] as NumberedConstant;
      if (node.dtype === dtype && (node.bits.hi | 0) === (bits.hi | 0)) return number;
    }
    return -1;
  }
}

const constantNumbers = new ConstantNumbers();

/** The number that functions have for a constant; −1 for one that none has. */
export const numberOfConstant = (node: ConstNode): number => constantNumbers.numberOf(node);

/** Expansions by op and dtypes of operands; null for ops that are a few nodes. They are the same for all programs. */
const expansions = new Map<OpName, Map<string, Expansion> | null>();
const called = new Map<string, Called>();

/** What `op` makes of `operands` in `b`, for a result of `dtype`. */
export function expand(
  b: ScalarBuilder,
  op: OpName,
  meaning: Meaning,
  operands: readonly number[],
  params: unknown,
  dtype: DType,
): number {
  const known = expansions.get(op);
  if (known === null || hasEntries(params)) return meaning(b, operands, params, dtype);
  let key = "";
  for (let i = 0; i < operands.length; i += 1) key += `${b.dtypeOf(operands[i] as number)} `;
  let expansion = known?.get(key);
  if (expansion === undefined) {
    const dtypes = operands.map((operand) => b.dtypeOf(operand));
    const formula = ScalarBuilder.formula(dtypes, (own, x) => meaning(own, x, params, dtype));
    expansion = { formula, call: callOf(`${op}(${dtypes.join()})`, formula, dtypes.length) };
    if (formula.nodes.length - operands.length <= fewNodes) expansions.set(op, null);
    else if (known === undefined) expansions.set(op, new Map([[key, expansion]]));
    else known.set(key, expansion);
  }
  return expansion.call === undefined
    ? b.apply(expansion.formula, operands)
    : b.again(expansion.call, operands);
}

/** Whether `op` is no op of the vocabulary but names what is called. */
export const isCall = (op: string): boolean => op.charCodeAt(op.length - 1) === closingParenthesis;

const closingParenthesis = 41;

/** What the call with this op stands for. */
export const calledBy = (op: string): Called => called.get(op) as Called;

/** The call of a formula; none of one that is a few nodes, or that may hand on the bits of an operand as they are. */
function callOf(op: string, formula: Formula, operands: number): ScalarNode | undefined {
  const { nodes, result } = formula;
  const inner = nodes.length - operands;
  const keepsBits = kept(nodes);
  if (inner <= fewNodes || operands > mostOperands || keepsBits[result] === 1) return undefined;
  const isOwn = nodes.map(({ op }) => op === "argument");
  const numbers = new Int32Array(nodes.length).fill(-1);
  let constants = 0;
  let readsBits = false;
  for (let i = operands; i < nodes.length; i += 1) {
    const node = nodes[i] as ScalarNode;
    const args = argsOf(node);
    if (node.op === "const") {
      constants += 1;
      numbers[i] = constantNumbers.add(node);
    }
    if (node.op === "bitcast" && keepsBits[args[0] as number] === 1) readsBits = true;
    isOwn[i] = node.op === "const" || args.some((arg) => isOwn[arg] && nodes[arg]?.op !== "const");
  }
  called.set(op, {
    formula,
    operands,
    operations: inner - constants,
    constants,
    numbers,
    readsBits,
    isOwn: isOwn.every((own) => own),
  });
  const { dtype } = nodes[result] as ScalarNode;
  return { op, dtype, args: [...Array(operands).keys()] } as unknown as ScalarNode;
}

/** Nodes (1) that are floats and no arithmetic, if the operands are: bits of those, or of constants. */
function kept(nodes: readonly ScalarNode[]): Uint8Array {
  const keeps = new Uint8Array(nodes.length);
  for (let i = 0; i < nodes.length; i += 1) {
    const node = nodes[i] as ScalarNode;
    const of = (arg: number): boolean => keeps[arg] === 1;
    const isKept =
      node.op === "argument" ||
      node.op === "const" ||
      (node.op === "select" && of(node.args[1]) && of(node.args[2])) ||
      (node.op === "bitcast" &&
        (of(node.args[0]) || !isFloat((nodes[node.args[0]] as ScalarNode).dtype)));
    if (isKept) keeps[i] = 1;
  }
  return keeps;
}
