/** Reading and writing what commands are given, with errors that name the file. */
import { readFileSync, writeFileSync } from "node:fs";
import { CommandError } from "./errors.ts";

/** The bytes of a file, or of standard input for "-". */
export function readBytes(path: string): Uint8Array {
  try {
    const bytes = readFileSync(path === "-" ? 0 : path);
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  } catch (cause) {
    throw fileError("read", path, cause);
  }
}

export function writeBytes(path: string, bytes: Uint8Array): void {
  try {
    writeFileSync(path, bytes);
  } catch (cause) {
    throw fileError("write", path, cause);
  }
}

export const writeText = (path: string, text: string): void =>
  writeBytes(path, new TextEncoder().encode(text));

const fileError = (verb: string, path: string, cause: unknown): CommandError =>
  new CommandError("GF6002", `cannot ${verb} ${path}: ${(cause as Error).message}`, {
    path,
    cause,
  });
