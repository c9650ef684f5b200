/** The error page's data: the `codes` tables of all packages, as built. */
import { existsSync, readdirSync } from "node:fs";

interface ErrorCode {
  readonly title: string;
  readonly cause: string;
  readonly fix: string;
}
export interface ErrorGroup {
  readonly title: string;
  readonly codes: readonly (ErrorCode & { readonly code: string })[];
}

const titles: Readonly<Record<string, string>> = {
  GF1: "GF1: inputs of a run",
  GF2: "GF2: building graphs and kernels",
  GF3: "GF3: compiling",
  GF4: "GF4: plan files and caches",
  GF5: "GF5: executors",
  GF6: "GF6: the command",
  GF9: "GF9: bugs of gridfuse",
};

const packages = new URL("../../packages/", import.meta.url);

async function allCodes(): Promise<ReadonlyMap<string, ErrorCode>> {
  const codes = new Map<string, ErrorCode>();
  for (const name of readdirSync(packages)) {
    const table = new URL(`${name}/dist/error-codes.js`, packages);
    if (!existsSync(table)) continue;
    const module = (await import(table.href)) as { codes?: Readonly<Record<string, ErrorCode>> };
    for (const [code, entry] of Object.entries(module.codes ?? {})) codes.set(code, entry);
  }
  return codes;
}

export declare const data: readonly ErrorGroup[];

export default {
  async load(): Promise<readonly ErrorGroup[]> {
    const codes = [...(await allCodes())].sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.entries(titles)
      .map(([prefix, title]) => ({
        title,
        codes: codes
          .filter(([code]) => code.startsWith(prefix))
          .map(([code, entry]) => ({ code, ...entry })),
      }))
      .filter((group) => group.codes.length > 0);
  },
};
