/**
 * `npm run nightly -- native`: the differential suites with the system's C compiler in place of WebAssembly and JavaScript. A
 * compiler takes about a second a program, and there are a thousand of them; what it made is kept.
 */
import { spawnSync } from "node:child_process";

const files = [
  "functions",
  "op-matrix",
  "known-cases",
  "tiles",
  "call-extents",
  "long-arrays",
  "native",
].map((name) => `test/differential/${name}.test.ts`);

/** @returns the exit status */
export function runNative({ json }: { readonly json?: string }): number {
  const report = json === undefined ? [] : ["--reporter=json", `--outputFile.json=${json}`];
  const { status } = spawnSync(
    "npx",
    ["vitest", "run", ...files, "--testTimeout=3600000", "--reporter=default", ...report],
    { stdio: "inherit", env: { ...process.env, GRIDFUSE_BACKENDS: "native" } },
  );
  return status ?? 1;
}
