/**
 * `npm run bench -- jax [--json FILE]`: JAX's interpret modes, the drop-in and a saved plan, side by side. The work is
 * done by packages/jaxpr/python/bench/side_by_side.py; here is what it needs from this side: the
 * engine bundled, and the way to a saved plan. GRIDFUSE_TALLAX names a checkout of tallax, GRIDFUSE_PYTHON the Python
 * that has JAX, GRIDFUSE_BENCH_INTO a page whose tables are replaced (docs/guide/jax.md).
 */
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "..", "..", "..");
const python = join(root, "packages", "jaxpr", "python");

/** @returns the exit status */
export function compareWithJax(json: string | undefined, options: readonly string[] = []): number {
  const bundled = spawnSync("node", [join(python, "build.mjs")], { stdio: "inherit" });
  if (bundled.status !== 0) return bundled.status ?? 1;
  const page = process.env.GRIDFUSE_BENCH_INTO;
  const output = [
    ...(json === undefined ? [] : ["--json", json]),
    ...(page === undefined ? [] : ["--into", page]),
  ];
  const { status } = spawnSync(
    process.env.GRIDFUSE_PYTHON ?? "python3",
    [join(python, "bench", "side_by_side.py"), ...output, ...options],
    { stdio: "inherit", env: { ...process.env, GRIDFUSE_RUN_PLAN: join(here, "jax-plan.js") } },
  );
  return status ?? 1;
}
