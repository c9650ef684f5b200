/** Compile times in fresh processes, round by round through all graphs. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { median } from "@gridfuse/docs/examples";
import type { CompileTimes } from "./fresh-compile.ts";

export interface CompileTiming extends CompileTimes {
  readonly name: string;
  readonly rounds: number;
}

const script = fileURLToPath(new URL("fresh-compile.js", import.meta.url));

export function measureCompileTimes(
  names: readonly string[],
  rounds: number,
): readonly CompileTiming[] {
  const all = names.map((): CompileTimes[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, name] of names.entries()) all[i].push(freshCompile(name));
  }
  return names.map((name, i) => {
    const middle = (key: keyof CompileTimes) => median(all[i].map((times) => times[key]));
    return {
      name,
      nodes: middle("nodes"),
      traceMs: middle("traceMs"),
      firstCompileMs: middle("firstCompileMs"),
      compileMs: middle("compileMs"),
      prepareMs: middle("prepareMs"),
      rounds,
    };
  });
}

function freshCompile(name: string): CompileTimes {
  const child = spawnSync(process.execPath, [script, name], { encoding: "utf8" });
  if (child.status !== 0) throw new Error(`${name}: ${child.stderr}`);
  return JSON.parse(child.stdout) as CompileTimes;
}
