/** The errors of importing, each with the source line that the equation came from. */
import { BuildError, type SourceLocation } from "@gridfuse/graph";

export const notAProgram = (received: string, cause?: unknown): BuildError =>
  new BuildError("GF2601", "this is not a program exported from JAX", {
    expected: "GFJX, format pallas-ir/1",
    received,
    cause,
    help: "export one with the Python package: `gridfuse.export(f, *arguments)`",
  });

export const malformed = (what: string, at?: SourceLocation): BuildError =>
  new BuildError("GF2602", `malformed program: ${what}`, {
    at,
    help: "export it again with the same version of gridfuse",
  });

/** A primitive that is known, in a form that has no meaning here. */
export const unsupported = (primitive: string, form: string, at?: SourceLocation): BuildError =>
  new BuildError("GF2604", `${primitive}: ${form} is not supported`, { path: primitive, at });
