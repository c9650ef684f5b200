/** Results as a few characters, for comparing them between hosts. */
import type { RunOutputs } from "gridfuse";

export async function digest(outputs: RunOutputs): Promise<string> {
  let text = "";
  for (const [name, { buffer, byteOffset, byteLength }] of Object.entries(outputs)) {
    // A copy: memory that is shared with workers cannot be digested.
    const bytes = Uint8Array.from(new Uint8Array(buffer, byteOffset, byteLength));
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    text += `${name} ${[...hash.subarray(0, 8)].map((byte) => byte.toString(16).padStart(2, "0")).join("")} `;
  }
  return text.trimEnd();
}
