/** Workers of Node and of browsers behind one face. */
import { builtin } from "@gridfuse/plan/executor";
import { type Mail, type MemberData, member } from "./member.ts";

export interface WorkerHandle {
  send(mail: Mail): void;
  stop(): void;
  /** Whether its thread is known to be gone, before any event says so; false where a host cannot tell. */
  hasEnded?(): boolean;
}
/** Starts a worker that does not keep the process alive; `onEnd` hears why it ended by itself. */
export type Spawn = (data: MemberData, onEnd: (cause: unknown) => void) => WorkerHandle;

interface NodeWorker {
  on(event: string, listener: (value: unknown) => void): void;
  postMessage(message: unknown): void;
  terminate(): void;
  unref(): void;
  readonly performance?: { eventLoopUtilization?(): { readonly idle: number } };
}
interface NodeThreads {
  readonly Worker: new (source: string, options: Record<string, unknown>) => NodeWorker;
}
interface WebWorker {
  onerror: ((event: { readonly message?: string }) => void) | null;
  postMessage(message: unknown): void;
  terminate(): void;
}
interface WebHost {
  readonly Worker?: new (url: string) => WebWorker;
  readonly Blob?: new (parts: readonly string[], options: { readonly type: string }) => object;
  readonly URL: { createObjectURL(blob: object): string; revokeObjectURL(url: string): void };
  readonly crossOriginIsolated?: boolean;
}

const web = globalThis as unknown as WebHost;
const nodeThreads = (): NodeThreads | undefined => builtin<NodeThreads>("node:worker_threads");

const nodeSource = `"use strict";
const { parentPort, workerData } = process.getBuiltinModule("node:worker_threads");
parentPort.on("message", (${member})(workerData));`;

const webSource = `"use strict";
let receive;
onmessage = ({ data }) => {
  if (receive === undefined) receive = (${member})(data);
  else receive(data);
};`;

const spawnNode =
  ({ Worker }: NodeThreads): Spawn =>
  (workerData, onEnd) => {
    const worker = new Worker(nodeSource, { eval: true, execArgv: [], workerData });
    worker.unref();
    worker.on("error", onEnd);
    worker.on("exit", (code) => onEnd(`it ended with code ${code}`));
    return handleOf(worker);
  };

/**
 * The idle time of a thread that is gone is −1, once it has been asked for before: so a caller knows that waits for a part
 * and hears no events meanwhile. Deno does not say, Bun only that it cannot.
 */
export const handleOf = (worker: NodeWorker): WorkerHandle => ({
  send: (mail) => worker.postMessage(mail),
  stop: () => void worker.terminate(),
  ...(!("Bun" in globalThis) && {
    hasEnded: () => (worker.performance?.eventLoopUtilization?.().idle ?? 0) < 0,
  }),
});

const spawnWeb =
  (Worker: NonNullable<WebHost["Worker"]>, Blob: NonNullable<WebHost["Blob"]>): Spawn =>
  (data, onEnd) => {
    const url = web.URL.createObjectURL(new Blob([webSource], { type: "text/javascript" }));
    const worker = new Worker(url);
    worker.onerror = ({ message }) => onEnd(message ?? "its script was refused");
    worker.postMessage(data);
    return { send: (mail) => worker.postMessage(mail), stop: () => worker.terminate() };
  };

/** How this host starts workers, or why it cannot share memory with any. */
export function findSpawn(): Spawn | string {
  if (typeof SharedArrayBuffer === "undefined" || web.crossOriginIsolated === false) {
    return "memory can be shared only by pages that are cross-origin isolated";
  }
  const node = nodeThreads();
  if (node !== undefined) return spawnNode(node);
  if (web.Worker !== undefined && web.Blob !== undefined) return spawnWeb(web.Worker, web.Blob);
  return "this host has no workers";
}

/** Whether this thread may sleep: a page's own may not. */
export function maySleep(): boolean {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1);
    return true;
  } catch {
    return false;
  }
}
