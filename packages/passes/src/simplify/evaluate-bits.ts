/** The value of a constant scalar program, as bits. */
import {
  type Bits,
  type DType,
  evaluateProgram,
  type ScalarNode,
  storageArray,
  storeLanes,
} from "@gridfuse/plan/scalar";

export function evaluateBits(nodes: readonly ScalarNode[], root: number): Bits {
  const dtype: DType = (nodes[root] as ScalarNode).dtype;
  const node = nodes[root] as ScalarNode;
  if (node.op === "const") return node.bits;
  const all = evaluateProgram(nodes, 1, () => {
    throw new RangeError("a constant program has no leaves");
  });
  const stored = storageArray(dtype, 1);
  storeLanes(dtype, all[root]!, stored, 0, 1);
  const bytes = new Uint8Array(8);
  bytes.set(new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength));
  const words = new DataView(bytes.buffer);
  return { lo: words.getUint32(0, true), hi: words.getUint32(4, true) };
}
