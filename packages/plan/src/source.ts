/** Where plan files come from: bytes, the file system, or the network. */
import { builtin, type FileSystem, nodeFileSystem, systemErrorCode } from "./host.ts";
import { PlanFileError } from "./plan-errors.ts";

export type PlanSource = string | URL | Uint8Array | ArrayBuffer;

export async function readSource(source: PlanSource): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source;
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  const files = nodeFileSystem();
  if (files === undefined || isRemote(String(source))) return fetchBytes(source);
  return readFile(files, filePath(source));
}

/** Most sources are paths, for which no expression has to be compiled. */
const isRemote = (source: string): boolean =>
  source.includes(":") && /^(https?|blob|data):/i.test(source);

/** A path for the file system; `file:` URLs are converted, as text too. */
export function filePath(source: string | URL): string {
  if (typeof source === "string" && !source.startsWith("file:")) return source;
  const url = builtin<{ fileURLToPath(url: string): string }>("node:url");
  if (url === undefined) {
    throw new PlanFileError("GF4014", "there is no file system on this host", {
      help: "pass bytes, or an http(s) URL",
    });
  }
  try {
    return url.fileURLToPath(String(source));
  } catch (cause) {
    throw new PlanFileError("GF4013", `${source} is not the URL of a file`, { cause });
  }
}

function readFile(files: FileSystem, path: string): Uint8Array {
  try {
    return files.readFileSync(path);
  } catch (cause) {
    throw fileError(`cannot read plan file ${path}`, path, cause);
  }
}

async function fetchBytes(source: string | URL): Promise<Uint8Array> {
  let response: Response;
  try {
    response = await fetch(source);
    if (response.ok) return new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    throw fileError(`cannot fetch plan ${source}`, String(source), cause);
  }
  throw new PlanFileError("GF4013", `cannot fetch plan ${source}: HTTP ${response.status}`, {
    path: String(source),
    received: response.status,
  });
}

export function fileError(what: string, path: string, cause: unknown): PlanFileError {
  const code = systemErrorCode(cause) ?? (cause instanceof Error ? cause.message : String(cause));
  return new PlanFileError("GF4013", `${what}: ${code}`, { path, cause });
}
