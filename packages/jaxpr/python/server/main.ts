/**
 * The process behind the Python package: reads requests from its parent until there is none any more.
 *
 * Its argument is the folder for what is kept between processes. The build puts a digest of the bundle in GRIDFUSE_ENGINE.
 */
import { dirname, join } from "node:path";
import { type ImportOptions, inspectJaxpr } from "@gridfuse/jaxpr";
import { GridfuseError } from "@gridfuse/plan";
import { Frames } from "./frames.ts";
import { PlanStore } from "./plan-store.ts";
import { Programs } from "./programs.ts";
import { type Place, SharedFiles } from "./shared-files.ts";
import { SMALL_RUN, SmallRuns } from "./small-runs.ts";
import { WarmUp } from "./warm-up.ts";

declare const GRIDFUSE_ENGINE: string;
/** Of the bundle. */
declare const GRIDFUSE_PATH: string;
/** Given by boot.cjs. */
declare const keepCode: (kind: "found" | "made") => void;

type Request =
  | { readonly op: "run"; readonly id: number; readonly in: Place[]; readonly out: Place[] }
  | { readonly op: "find"; readonly key: string }
  | {
      readonly op: "load";
      readonly key: string;
      readonly mode: ImportOptions;
      readonly keep: boolean;
      readonly at: Place;
      readonly bytes: number;
    }
  | { readonly op: "inspect"; readonly at: Place; readonly bytes: number }
  | { readonly op: "explain"; readonly id: number }
  | { readonly op: "open"; readonly file: number; readonly path: string }
  | { readonly op: "close"; readonly file: number }
  | { readonly op: "flush" }
  | { readonly op: "hello" };

const files = new SharedFiles();
const store = new PlanStore(process.argv[2]);
const programs = new Programs(files, store);
const smallRuns = new SmallRuns(programs);
const warmUp = new WarmUp(join(dirname(GRIDFUSE_PATH), "warm-up.json"));

function bytesAt(at: Place, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  files.read(at, bytes);
  return bytes;
}

/** Requests that come before the first program. */
const early: ReadonlySet<Request["op"]> = new Set(["hello", "open", "close"]);

async function answer(request: Request): Promise<unknown> {
  if (!early.has(request.op)) warmUp.end();
  switch (request.op) {
    case "run":
      programs.run(request.id, request.in, request.out);
      return {};
    case "find":
      return programs.find(request.key) ?? { unknown: true };
    case "load": {
      const { key, at, bytes, mode, keep } = request;
      return programs.load(key, bytesAt(at, bytes), mode, keep);
    }
    case "inspect":
      return inspectJaxpr(bytesAt(request.at, request.bytes));
    case "explain":
      return { text: programs.explain(request.id) };
    case "open":
      files.open(request.file, request.path);
      return {};
    case "close":
      files.close(request.file);
      return {};
    case "flush":
      return { written: await store.flush() };
    case "hello":
      return {
        engine: GRIDFUSE_ENGINE,
        node: process.version,
        pid: process.pid,
        warmedUp: warmUp.programs,
      };
    default:
      throw new Error(`there is no request ${(request satisfies never as Request).op}`);
  }
}

function described(error: unknown): unknown {
  if (!(error instanceof GridfuseError)) {
    const { message, stack } = error instanceof Error ? error : new Error(String(error));
    return { message, stack };
  }
  const { code, message, path, at } = error;
  return { code, message, path, ...(at !== undefined && { at: `${at.file}:${at.line}` }) };
}

// Replies are all that goes to the standard output.
console.log = console.error;

async function serve(frames: Frames): Promise<void> {
  for (;;) {
    if (warmUp.goesOn) await warmUp.until(frames.arrived());
    const body = frames.read();
    if (body === undefined) break;
    let reply: unknown;
    try {
      if (body[0] === SMALL_RUN) {
        const frame = smallRuns.run(body);
        // What it printed goes ahead of what it gives.
        if (programs.printed.length > 0) frames.write({ printed: programs.printed.splice(0) });
        frames.send(frame);
        continue;
      }
      reply = await answer(JSON.parse(body.toString("utf8")) as Request);
    } catch (error) {
      reply = { error: described(error) };
    }
    const printed = programs.printed.splice(0);
    frames.write(printed.length === 0 ? reply : { ...(reply as object), printed });
  }
  await store.flush();
  if (programs.kind !== undefined) keepCode(programs.kind);
  process.exit(0);
}

void serve(new Frames(0, 1));
