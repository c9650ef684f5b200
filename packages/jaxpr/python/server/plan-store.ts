/**
 * Plans of earlier processes, with the code that was made of them, in a directory of the user's own and of this engine.
 * Names are digests of the programs, so whatever changes one finds nothing. Files that others could have written
 * are not trusted: the code in them would run unchecked.
 */
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { compileNative } from "@gridfuse/exec-cpu";
import { decodePlan, type Plan } from "@gridfuse/plan";
import { encodePlan } from "@gridfuse/plan/encode";

const MOST_BYTES = 512 * 2 ** 20;
const PRUNE_TO = 0.7;

export class PlanStore {
  readonly #directory: string | undefined;
  readonly #waiting: Map<string, Plan> = new Map();

  /** @param directory of this engine alone; undefined: nothing is kept */
  constructor(directory: string | undefined) {
    this.#directory = directory === undefined ? undefined : ownDirectory(directory);
  }

  get(key: string): Plan | undefined {
    if (this.#directory === undefined) return undefined;
    const path = join(this.#directory, key);
    try {
      const bytes = readFileSync(path);
      const now = new Date();
      utimesSync(path, now, now);
      return decodePlan(bytes, { trust: "unsafe" });
    } catch {
      return undefined;
    }
  }

  /** Remembers to write a plan when there is time: `flush`. */
  put(key: string, plan: Plan): void {
    if (this.#directory !== undefined) this.#waiting.set(key, plan);
  }

  /** Writes what is waiting. A cache never makes a program fail. */
  async flush(): Promise<number> {
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const [key, plan] of waiting) {
      try {
        const native = await compileNative(plan, { precision: "fast" });
        const bytes = encodePlan(plan, { debug: false, native: [native] });
        const path = join(this.#directory as string, key);
        const temporary = `${path}.tmp.${process.pid}`;
        writeFileSync(temporary, bytes, { flag: "wx" });
        renameSync(temporary, path);
      } catch {
        // A full disk, or a plan that the executor would not start from a file.
      }
    }
    if (waiting.length > 0) this.#prune();
    return waiting.length;
  }

  #prune(): void {
    try {
      const directory = this.#directory as string;
      // Compiled code of the engine lies here too; it is not many files.
      const plans = readdirSync(directory).filter((name) => !name.startsWith("code-"));
      const entries = plans.map((name) => {
        const path = join(directory, name);
        const { size, mtimeMs } = statSync(path);
        return { path, size, mtimeMs };
      });
      let total = entries.reduce((sum, { size }) => sum + size, 0);
      if (total <= MOST_BYTES) return;
      entries.sort((a, b) => a.mtimeMs - b.mtimeMs);
      for (const { path, size } of entries) {
        if (total <= MOST_BYTES * PRUNE_TO) return;
        unlinkSync(path);
        total -= size;
      }
    } catch {
      // Another process prunes at the same time.
    }
  }
}

/** The directory, made where it is missing; undefined where somebody else could write to it. */
function ownDirectory(path: string): string | undefined {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const { uid, mode } = statSync(path);
    const isOwn = process.getuid === undefined || uid === process.getuid();
    return isOwn && (mode & 0o022) === 0 ? path : undefined;
  } catch {
    return undefined;
  }
}
