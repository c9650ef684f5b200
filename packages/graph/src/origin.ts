/**
 * Where a node comes from. A capture is one `new Error()`, some microseconds; the stack is parsed and
 * the source line read only when somebody asks: an error, a report, a printed graph with lines.
 *
 * A frame is the user's when it lies outside gridfuse's own `src` and `dist` folders, found from the
 * place of this very file, so that it works in the workspace, under node_modules and in a bundle.
 */
import type { SourceLocation } from "@gridfuse/plan/errors";
import type { Origin } from "./ir/table.ts";

/** Frames kept: the user's lies below ours, and ours are few. Each costs some of the time of a trace, and memory. */
const FRAMES = 8;

interface StackLimited {
  stackTraceLimit: number;
}

/** The place of the current call, unread. */
export function captureOrigin(name?: string): Origin {
  const host = Error as unknown as StackLimited;
  const limit = host.stackTraceLimit;
  host.stackTraceLimit = FRAMES;
  const stack = new Error();
  host.stackTraceLimit = limit;
  return name === undefined ? { stack } : { name, stack };
}

const OWN_PACKAGES = [
  "plan",
  "graph",
  "interpret",
  "passes",
  "exec-cpu",
  "exec-gpu",
  "jaxpr",
  "gridfuse",
];
const ownFile = plainPath(import.meta.url);
const ownRoot = /^(.*\/)graph\/(?:src|dist)\//.exec(ownFile)?.[1];

function isOurs(file: string): boolean {
  if (file === ownFile) return true;
  if (ownRoot === undefined || !file.startsWith(ownRoot)) return false;
  const [folder, inside] = file.slice(ownRoot.length).split("/");
  return OWN_PACKAGES.includes(folder as string) && (inside === "src" || inside === "dist");
}

function plainPath(url: string): string {
  const path = url.startsWith("file://") ? decodeURIComponent(url.slice("file://".length)) : url;
  return path.replace(/[?#].*$/, "");
}

interface Frame {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

function parseFrame(line: string): Frame | undefined {
  if (/[( ]node:/.test(line)) return undefined;
  const match = /(?:\(|@|at )?((?:[a-z]+:\/\/|\/|[A-Za-z]:[\\/])[^()]*):(\d+):(\d+)\)?$/.exec(
    line.trim(),
  );
  if (match === null) return undefined;
  return {
    file: plainPath(match[1] as string),
    line: Number(match[2]),
    column: Number(match[3]),
  };
}

/** `file:line:function` as a place; Windows drives have a colon of their own. */
function parsePlace(place: string): Frame | undefined {
  const match = /^(.+?):(\d+)(?::|$)/.exec(place);
  if (match === null) return undefined;
  return { file: match[1] as string, line: Number(match[2]), column: 1 };
}

/** The first frame outside gridfuse, or undefined where the stack has none. */
function userFrame(origin: Origin | undefined): Frame | undefined {
  if (origin?.place !== undefined) return parsePlace(origin.place);
  for (const line of origin?.stack?.stack?.split("\n") ?? []) {
    const frame = parseFrame(line);
    if (frame === undefined || isOurs(frame.file) || frame.file.startsWith("node:")) continue;
    return frame;
  }
  return undefined;
}

/** The user's line, without its text: no file is read. */
export function sourcePlace(origin: Origin | undefined): SourceLocation | undefined {
  const frame = userFrame(origin);
  return frame && { ...frame, file: relativeToHere(frame.file) };
}

/** The user's line with its text, where the file is at hand. */
export function sourceLocation(origin: Origin | undefined): SourceLocation | undefined {
  const frame = userFrame(origin);
  if (frame === undefined) return undefined;
  const text = readLine(frame.file, frame.line);
  return { ...frame, file: relativeToHere(frame.file), ...(text === undefined ? {} : { text }) };
}

interface HostProcess {
  cwd?(): string;
  getBuiltinModule?(id: "node:fs"): { readFileSync(path: string, encoding: "utf8"): string };
}
const host = (): HostProcess =>
  (globalThis as unknown as { readonly process?: HostProcess }).process ?? {};

function readLine(file: string, line: number): string | undefined {
  try {
    return host().getBuiltinModule?.("node:fs").readFileSync(file, "utf8").split("\n")[line - 1];
  } catch {
    return undefined; // A file that is gone or remote has no frame.
  }
}

function relativeToHere(file: string): string {
  const here = host().cwd?.();
  return here !== undefined && file.startsWith(`${here}/`) ? file.slice(here.length + 1) : file;
}
