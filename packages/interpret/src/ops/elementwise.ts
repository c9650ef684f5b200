/**
 * Elementwise ops mean what the op table declares on scalars, evaluated here on all elements.
 *
 * The programs run over pieces of the operands, so that an expansion of two hundred scalar nodes
 * holds two hundred short arrays and not two hundred tensors.
 */
import {
  type DType,
  definitionOf,
  evaluateProgram,
  type Lanes,
  loadLanes,
  type Node,
  type OpDefinition,
  type OpName,
  ScalarBuilder,
  type ScalarNode,
  storeLanes,
  tensorType,
} from "@gridfuse/graph";
import { canonicaliseNaNs, type HostTensor, sizeOf, zeros } from "../tensor.ts";

/** A scalar program whose arguments are the operands' elements. */
interface ElementProgram {
  readonly nodes: readonly ScalarNode[];
  readonly result: number;
  readonly dtype: DType;
}

const pieceLength = 4096;
const programs = new Map<string, ElementProgram>();

/** The meaning of `op` on operands of these dtypes, made once. */
function programOf(op: OpName, params: Node["params"], dtypes: readonly DType[]): ElementProgram {
  const key = `${op} ${JSON.stringify(params)} ${dtypes.join(" ")}`;
  const known = programs.get(key);
  if (known !== undefined) return known;
  const definition = definitionOf(op) as OpDefinition<OpName>;
  const scalars = dtypes.map((dtype) => tensorType(dtype, []));
  const [{ dtype }] = definition.infer(scalars, params);
  const builder = new ScalarBuilder();
  const args = dtypes.map((argument, i) => builder.argument(argument, i));
  const result = definition.scalar?.(builder, args, params, dtype);
  if (result === undefined) throw new TypeError(`op ${op} declares no meaning on scalars`);
  const program = { nodes: builder.nodes, result, dtype };
  programs.set(key, program);
  return program;
}

/** Does the op table say what `op` means on scalars? */
export const isElementwise = (op: OpName): boolean =>
  (definitionOf(op) as OpDefinition<OpName>).scalar !== undefined;

/** Applies an elementwise op. An operand of rank 0 among others stands for all elements. */
export function elementwise(
  op: OpName,
  params: Node["params"],
  operands: readonly HostTensor[],
): HostTensor {
  const { nodes, result, dtype } = programOf(
    op,
    params,
    operands.map((operand) => operand.dtype),
  );
  const shape = operands.find((operand) => operand.shape.length > 0)?.shape ?? [];
  const out = zeros(dtype, shape);
  const count = sizeOf(shape);
  for (let start = 0; start < count; start += pieceLength) {
    const n = Math.min(pieceLength, count - start);
    const values = evaluateProgram(nodes, n, (node) => {
      if (node.op !== "argument") throw new TypeError(`${op} reads more than its operands`);
      return operandLanes(operands[node.index], shape.length, start, n);
    });
    storeLanes(dtype, values[result], out.data, start, n);
    canonicaliseNaNs(out, values[result], start);
  }
  return out;
}

function operandLanes(operand: HostTensor, rank: number, start: number, n: number): Lanes {
  const { dtype, data } = operand;
  if (operand.shape.length === rank) return loadLanes(dtype, data, start, n);
  const repeated = data.slice(0, 0).constructor as new (length: number) => typeof data;
  return loadLanes(dtype, new repeated(n).fill(data[0] as never), 0, n);
}
