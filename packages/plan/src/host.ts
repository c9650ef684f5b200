/**
 * The little we ask of a host besides the language: files and a few facts about the process. Node's modules are
 * reached through `process.getBuiltinModule`, so this package imports nothing, bundles for browsers as it
 * is, and tests can put a failing file system in its place.
 */

export interface FileSystem {
  readFileSync(path: string): Uint8Array;
  openSync(path: string, flags: string, mode?: number): number;
  writeSync(fd: number, bytes: Uint8Array, offset: number, length: number): number;
  fsyncSync(fd: number): void;
  closeSync(fd: number): void;
  renameSync(from: string, to: string): void;
  unlinkSync(path: string): void;
  mkdirSync(path: string, options: { recursive: true; mode: number }): unknown;
  readdirSync(path: string): string[];
  statSync(path: string): {
    readonly size: number;
    readonly mtimeMs: number;
    readonly mode: number;
    readonly uid: number;
  };
  utimesSync(path: string, atime: Date, mtime: Date): void;
}

interface HostProcess {
  readonly platform: string;
  readonly pid: number;
  readonly env: Readonly<Record<string, string | undefined>>;
  getuid?(): number;
  getBuiltinModule?(name: string): unknown;
}

/** Node's `process` (Deno and Bun have it too), or undefined in a browser. */
export const hostProcess = (): HostProcess | undefined =>
  (globalThis as { process?: HostProcess }).process;

/** A module that is part of the host, loaded on first use. */
export const builtin = <T>(name: `node:${string}`): T | undefined =>
  hostProcess()?.getBuiltinModule?.(name) as T | undefined;

export const nodeFileSystem = (): FileSystem | undefined => builtin<FileSystem>("node:fs");

/** The `code` of a Node system error, as "ENOENT". */
export function systemErrorCode(error: unknown): string | undefined {
  if (typeof error !== "object" || error === null || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
