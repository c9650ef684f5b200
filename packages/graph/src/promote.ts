/**
 * Which dtype two operands of different dtypes meet in: JAX's type promotion lattice.
 *
 * Each dtype points at the next wider ones; two dtypes meet in their least upper bound. Weak
 * (Python's, here JavaScript's) numbers sit between bool and the arrays, so that a literal adopts
 * the dtype of its partner: `i*` below all integers, `f*` between the integers and the floats.
 * Where nothing else decides, `i*` is int32 and `f*` is float32, so that float64 never appears
 * unless an operand is float64. (JAX documentation, "Type promotion semantics".)
 */
import { type DType, isFloat } from "@gridfuse/plan/scalar";

/** A dtype, and whether it comes from a literal and gives way to any array of its kind. */
export interface PromotedType {
  readonly dtype: DType;
  readonly weak: boolean;
}

type LatticePoint = DType | "i*" | "f*";

const wider: { readonly [P in LatticePoint]: readonly LatticePoint[] } = {
  bool: ["i*"],
  "i*": ["uint8", "int8"],
  uint8: ["int16", "uint16"],
  uint16: ["int32", "uint32"],
  uint32: ["int64", "uint64"],
  uint64: ["f*"],
  int8: ["int16"],
  int16: ["int32"],
  int32: ["int64"],
  int64: ["f*"],
  "f*": ["bfloat16", "float16"],
  bfloat16: ["float32"],
  float16: ["float32"],
  float32: ["float64"],
  float64: [],
};

/** The point and everything wider. */
function upperBounds(point: LatticePoint): ReadonlySet<LatticePoint> {
  const bounds = new Set<LatticePoint>([point]);
  for (const bound of bounds) for (const next of wider[bound]) bounds.add(next);
  return bounds;
}

/** The common upper bound that all other common upper bounds are wider than. */
function meet(a: LatticePoint, b: LatticePoint): LatticePoint {
  const above = upperBounds(b);
  const common = [...upperBounds(a)].filter((point) => above.has(point));
  const least = common.find((point) => upperBounds(point).size === common.length);
  return least as LatticePoint; // float64 bounds everything, so there is one
}

const pointOf = ({ dtype, weak }: PromotedType): LatticePoint =>
  !weak || dtype === "bool" ? dtype : isFloat(dtype) ? "f*" : "i*";

function typeOf(point: LatticePoint): PromotedType {
  if (point === "i*") return { dtype: "int32", weak: true };
  if (point === "f*") return { dtype: "float32", weak: true };
  return { dtype: point, weak: false };
}

/** The dtype in which `a` and `b` meet, and whether it is still weak. */
export function promoteTypes(a: PromotedType, b: PromotedType): PromotedType {
  if (a.weak && b.weak) {
    const { dtype } = typeOf(meet(a.dtype, b.dtype));
    return { dtype, weak: dtype !== "bool" };
  }
  if (a.dtype === b.dtype) return { dtype: a.dtype, weak: false };
  return typeOf(meet(pointOf(a), pointOf(b)));
}

/** The dtype in which two arrays (nothing weak) meet. */
export const promoteDTypes = (a: DType, b: DType): DType =>
  promoteTypes({ dtype: a, weak: false }, { dtype: b, weak: false }).dtype;
