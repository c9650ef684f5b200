/** Subjects as the driver sees them: a process each, which is started when it is first needed. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import type { Contender, Job, Reply, Request } from "./subject.ts";

export interface SubjectProcess {
  readonly subject: Contender;
  /** The first call, and a later one; or why there is none. */
  begin(job: Job): Promise<Reply>;
  time(calls: number): Promise<Reply>;
  /** Milliseconds that its threads have waited for a processor so far; 0 where the system does not say. */
  waitedMs(): number;
  /** Resident memory at its height so far; undefined where the system does not say. */
  peakBytes(): number | undefined;
  end(): void;
}

/** Python and C are read where they were written. */
const source = (name: string): string =>
  fileURLToPath(new URL(`../../src/suite/${name}`, import.meta.url));
const script = fileURLToPath(new URL("subject-process.js", import.meta.url));

const patienceMs = 120_000;

/** A process that answers requests, one at a time. */
class Answering {
  readonly #child: ChildProcess;
  #waiting: ((reply: Reply) => void) | undefined;
  #over: Reply | undefined;

  constructor(command: string, args: readonly string[], env: object = {}) {
    this.#child = spawn(command, args, {
      stdio: ["pipe", "ignore", "ignore", "pipe"],
      env: { ...process.env, ...env },
    });
    const lines = createInterface({ input: this.#child.stdio[3] as Readable });
    lines.on("line", (line) => this.#answer(JSON.parse(line) as Reply));
    this.#child.on("error", ({ message }) => this.#answer({ missing: message }));
    this.#child.on("exit", (code, signal) => {
      // What it wrote last is read first.
      setTimeout(() => {
        this.#over ??= { missing: `its process ended (${signal ?? code})` };
        this.#answer(this.#over);
      }, 50);
    });
  }
  /** By Linux's account of each thread: time on a processor, time in the queue for one, turns. */
  waitedMs(): number {
    try {
      const folder = `/proc/${this.#child.pid}/task`;
      const waits = readdirSync(folder).map((task) =>
        Number(readFileSync(`${folder}/${task}/schedstat`, "utf8").split(" ")[1]),
      );
      return waits.reduce((total, ns) => total + ns, 0) / 1e6;
    } catch {
      return 0;
    }
  }
  peakBytes(): number | undefined {
    try {
      const status = readFileSync(`/proc/${this.#child.pid}/status`, "utf8");
      const [, kib] = /^VmHWM:\s*(\d+) kB$/m.exec(status) ?? [];
      return kib === undefined ? undefined : Number(kib) * 1024;
    } catch {
      return undefined;
    }
  }
  get isOver(): boolean {
    return this.#over !== undefined;
  }
  #answer(reply: Reply): void {
    if (this.#waiting === undefined) this.#over ??= reply;
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.(reply);
  }
  async ask(text: string): Promise<Reply> {
    if (this.#over !== undefined) return this.#over;
    const reply = this.answer();
    (this.#child.stdin as Writable).write(`${text}\n`);
    return reply;
  }
  answer(): Promise<Reply> {
    if (this.#over !== undefined) return Promise.resolve(this.#over);
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#over = { missing: `no answer within ${patienceMs / 1000} s` };
        this.#child.kill("SIGKILL");
        resolve(this.#over);
      }, patienceMs);
      this.#waiting = (reply) => {
        clearTimeout(timer);
        resolve(reply);
      };
    });
  }
  end(): void {
    (this.#child.stdin as Writable).end();
    this.#child.kill();
  }
}

class Server implements SubjectProcess {
  readonly subject: Contender;
  readonly #spawn: () => Answering;
  #process: Answering | undefined;

  constructor(subject: Contender, start: () => Answering) {
    this.subject = subject;
    this.#spawn = start;
  }
  #ask(request: Request): Promise<Reply> {
    if (this.#process?.isOver !== false) this.#process = this.#spawn();
    return this.#process.ask(JSON.stringify(request));
  }
  begin(job: Job): Promise<Reply> {
    return this.#ask({ start: job });
  }
  time(calls: number): Promise<Reply> {
    return this.#ask({ time: calls });
  }
  waitedMs(): number {
    return this.#process?.waitedMs() ?? 0;
  }
  peakBytes(): number | undefined {
    return this.#process?.peakBytes();
  }
  end(): void {
    this.#process?.end();
    this.#process = undefined;
  }
}

/** The C program is one process a job. */
class Compiled implements SubjectProcess {
  readonly subject = "c";
  readonly #folder: string;
  #binary: string | undefined;
  #process: Answering | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }
  #compile(): Reply | undefined {
    if (this.#binary !== undefined) return undefined;
    const binary = join(this.#folder, "peers");
    const flags = ["-O3", "-march=native", "-ffast-math"];
    const { status, error } = spawnSync("cc", [...flags, "-o", binary, source("peers.c"), "-lm"]);
    if (status !== 0) return { missing: error === undefined ? "cc refuses it" : "no C compiler" };
    this.#binary = binary;
    return undefined;
  }
  async begin({ work, shape, resultFile, inputs }: Job): Promise<Reply> {
    this.end();
    const failure = this.#compile();
    if (failure !== undefined) return failure;
    const [rows, columns = 1, depth = 1] = shape;
    const numbers = [rows, columns, depth].map(String);
    const files = [resultFile, ...inputs.map(({ file }) => file)];
    this.#process = new Answering(this.#binary as string, [work, ...numbers, ...files]);
    return this.#process.answer();
  }
  async time(calls: number): Promise<Reply> {
    return (await this.#process?.ask(String(calls))) ?? { missing: "not started" };
  }
  waitedMs(): number {
    return this.#process?.waitedMs() ?? 0;
  }
  peakBytes(): number | undefined {
    return this.#process?.peakBytes();
  }
  end(): void {
    this.#process?.end();
    this.#process = undefined;
  }
}

export function processOf(subject: Contender, folder: string): SubjectProcess {
  switch (subject) {
    case "numpy":
    case "xla":
      return new Server(subject, () => new Answering("python3", [source("peers.py"), subject]));
    case "c":
      return new Compiled(folder);
    case "gridfuse-wide": {
      const flags = ["--experimental-wasm-revectorize"];
      const known = Number(process.versions.node.split(".")[0]) >= 24 ? flags : [];
      return new Server(
        subject,
        () => new Answering(process.execPath, [...known, script, subject]),
      );
    }
    default:
      return new Server(subject, () => new Answering(process.execPath, [script, subject]));
  }
}
