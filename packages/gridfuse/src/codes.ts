/** Every error code of every package, in one table: what `docs` and editors look codes up in. */
import { codes as cpuCodes } from "@gridfuse/exec-cpu";
import { codes as gpuCodes } from "@gridfuse/exec-gpu";
import { codes as graphCodes } from "@gridfuse/graph";
import { codes as interpretCodes } from "@gridfuse/interpret";
import { codes as jaxprCodes } from "@gridfuse/jaxpr";
import { codes as passesCodes } from "@gridfuse/passes";
import { codes as planCodes } from "@gridfuse/plan/error-codes";
import { codes as commandCodes, type ErrorCode } from "./error-codes.ts";

/** The tables as the packages have them, for a test that no two claim one code. */
export const codeTables: readonly Readonly<Record<string, ErrorCode>>[] = [
  planCodes,
  graphCodes,
  interpretCodes,
  passesCodes,
  jaxprCodes,
  cpuCodes,
  gpuCodes,
  commandCodes,
];

export const codes: Readonly<Record<string, ErrorCode>> = Object.fromEntries(
  codeTables.flatMap((table) => Object.entries(table)).sort(([a], [b]) => (a < b ? -1 : 1)),
);
