/**
 * Reading index expressions: their leaves, the integer they stand for, and their text.
 */
import type { IndexExpr, IndexLeaf, IndexTerm } from "./nodes.ts";

export function forEachLeaf(e: IndexExpr, visit: (leaf: IndexLeaf) => void): void {
  switch (e.k) {
    case "const":
      return;
    case "axis":
    case "loop":
    case "value":
      visit(e);
      return;
    case "sum":
      for (let i = 0; i < e.terms.length; i += 1) forEachLeaf((e.terms[i] as IndexTerm).of, visit);
      return;
    case "floordiv":
    case "mod":
      forEachLeaf(e.of, visit);
      return;
    default:
      forEachLeaf(e.a, visit);
      forEachLeaf(e.b, visit);
  }
}

export interface IndexEnvironment {
  axis(axis: number): number;
  loop?(loop: number): number;
  value?(node: number): number;
}

/** The meaning: the integer that `e` stands for. */
export function evaluate(e: IndexExpr, env: IndexEnvironment): number {
  switch (e.k) {
    case "const":
      return e.value;
    case "axis":
      return env.axis(e.axis);
    case "loop":
      if (env.loop === undefined) throw new RangeError("index expression needs a loop counter");
      return env.loop(e.loop);
    case "value":
      if (env.value === undefined) throw new RangeError("index expression needs scalar values");
      return env.value(e.node);
    case "sum": {
      let total = e.constant;
      for (let i = 0; i < e.terms.length; i += 1) {
        const { factor, of } = e.terms[i] as IndexTerm;
        total += factor * evaluate(of, env);
      }
      return total;
    }
    case "floordiv":
      return Math.floor(evaluate(e.of, env) / e.by);
    case "mod": {
      const dividend = evaluate(e.of, env);
      return dividend - Math.floor(dividend / e.by) * e.by;
    }
    case "min":
      return Math.min(evaluate(e.a, env), evaluate(e.b, env));
    case "max":
      return Math.max(evaluate(e.a, env), evaluate(e.b, env));
    case "xor":
      return Number(BigInt(evaluate(e.a, env)) ^ BigInt(evaluate(e.b, env)));
    case "and":
      return Number(BigInt(evaluate(e.a, env)) & BigInt(evaluate(e.b, env)));
    default:
      return e satisfies never;
  }
}

const precedence = (text: string): string => (/[ ]/.test(text) ? `(${text})` : text);

/** Readable form; `axisName` names the coordinates. */
export function format(e: IndexExpr, axisName: (axis: number) => string = (i) => `i${i}`): string {
  const inner = (child: IndexExpr): string => precedence(format(child, axisName));
  switch (e.k) {
    case "const":
      return `${e.value}`;
    case "axis":
      return axisName(e.axis);
    case "loop":
      return `loop${e.loop}`;
    case "value":
      return `%${e.node}`;
    case "sum": {
      let text = "";
      for (const { factor, of } of e.terms) {
        const size = Math.abs(factor);
        const part = size === 1 ? inner(of) : `${inner(of)}*${size}`;
        text +=
          text === "" ? (factor < 0 ? `-${part}` : part) : factor < 0 ? ` - ${part}` : ` + ${part}`;
      }
      if (e.constant === 0) return text;
      return e.constant < 0 ? `${text} - ${-e.constant}` : `${text} + ${e.constant}`;
    }
    case "floordiv":
      return `${inner(e.of)} floordiv ${e.by}`;
    case "mod":
      return `${inner(e.of)} mod ${e.by}`;
    case "min":
    case "max":
      return `${e.k}(${format(e.a, axisName)}, ${format(e.b, axisName)})`;
    case "xor":
      return `${inner(e.a)} xor ${inner(e.b)}`;
    case "and":
      return `${inner(e.a)} and ${inner(e.b)}`;
    default:
      return e satisfies never;
  }
}
