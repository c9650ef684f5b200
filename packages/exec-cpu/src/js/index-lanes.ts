/** Index expressions over many points at once: the meaning of `evaluate`, lane by lane. */
import type { IndexExpr } from "@gridfuse/plan/index-expr";

export interface IndexLanes {
  readonly count: number;
  /** Coordinate of every lane along an axis. */
  axis(axis: number): Float64Array;
  loop(loop: number): number;
  /** Lanes of an earlier scalar node. */
  value(node: number): ArrayLike<number | bigint>;
}

const map2 = (
  a: Float64Array,
  b: Float64Array,
  f: (x: number, y: number) => number,
): Float64Array => a.map((x, i) => f(x, b[i] as number));

const bitwise =
  (op: "xor" | "and") =>
  (x: number, y: number): number => {
    if (x < 2 ** 31 && y < 2 ** 31) return op === "xor" ? x ^ y : x & y;
    return Number(op === "xor" ? BigInt(x) ^ BigInt(y) : BigInt(x) & BigInt(y));
  };

export function indexLanes(e: IndexExpr, lanes: IndexLanes): Float64Array {
  const { count } = lanes;
  switch (e.k) {
    case "const":
      return new Float64Array(count).fill(e.value);
    case "axis":
      return lanes.axis(e.axis);
    case "loop":
      return new Float64Array(count).fill(lanes.loop(e.loop));
    case "value": {
      const values = lanes.value(e.node);
      return Float64Array.from({ length: count }, (_, i) => Number(values[i]));
    }
    case "sum": {
      const total = new Float64Array(count).fill(e.constant);
      for (const { factor, of } of e.terms) {
        const term = indexLanes(of, lanes);
        for (let i = 0; i < count; i++) {
          total[i] = (total[i] as number) + factor * (term[i] as number);
        }
      }
      return total;
    }
    case "floordiv":
      return indexLanes(e.of, lanes).map((x) => Math.floor(x / e.by));
    case "mod":
      return indexLanes(e.of, lanes).map((x) => x - Math.floor(x / e.by) * e.by);
    case "min":
      return map2(indexLanes(e.a, lanes), indexLanes(e.b, lanes), Math.min);
    case "max":
      return map2(indexLanes(e.a, lanes), indexLanes(e.b, lanes), Math.max);
    case "xor":
    case "and":
      return map2(indexLanes(e.a, lanes), indexLanes(e.b, lanes), bitwise(e.k));
    default:
      return e satisfies never;
  }
}
