/** Files of the wire format, written by hand. */

/** A container around any JSON. */
export function container(json: unknown): Uint8Array {
  const text = new TextEncoder().encode(JSON.stringify(json));
  const bytes = new Uint8Array(8 + text.length);
  bytes.set([71, 70, 74, 88]);
  new DataView(bytes.buffer).setUint32(4, text.length, true);
  bytes.set(text, 8);
  return bytes;
}

/** A program of one jaxpr. */
export const program = (avals: readonly unknown[], jaxpr: object, rest: object = {}): Uint8Array =>
  container({ format: "pallas-ir/1", main: 0, avals, jaxprs: [jaxpr], ...rest });
