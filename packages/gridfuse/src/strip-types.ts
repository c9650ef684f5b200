/**
 * Module hooks for hosts whose Node does not strip types itself (before 22.18): TypeScript modules are read,
 * their types are blanked out with the same stripper that Node uses, and everything else about
 * resolution stays Node's. Runs in Node's loader thread.
 */
import type { LoadHook } from "node:module";
import { transformSync } from "amaro";

export const load: LoadHook = async (url, context, nextLoad) => {
  if (!/\.m?ts$/.test(new URL(url).pathname)) return nextLoad(url, context);
  const { source } = await nextLoad(url, { ...context, format: "module" });
  const text = typeof source === "string" ? source : new TextDecoder().decode(source as Uint8Array);
  const { code } = transformSync(text, { mode: "strip-only", filename: url });
  return { format: "module", source: code, shortCircuit: true };
};
