/**
 * Plans of earlier processes, with the code that was made of them, in a directory of the user's own. Names are digests
 * of the program and of this engine, so whatever changes either finds nothing. Files that others could have written
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
import { homedir } from "node:os";
import { join } from "node:path";
import { compileNative } from "@gridfuse/exec-cpu";
import { decodePlan, type Plan } from "@gridfuse/plan";
import { encodePlan } from "@gridfuse/plan/encode";

const MOST_BYTES = 512 * 2 ** 20;
const PRUNE_TO = 0.7;

export class PlanStore {
  readonly #directory: string | undefined;
  readonly #waiting: Map<string, Plan> = new Map();

  /** @param engine what tells this engine from others */
  constructor(engine: string, directory: string | undefined = cacheDirectory()) {
    this.#directory = directory === undefined ? undefined : ownDirectory(directory, engine);
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
        const native = await compileNative(plan);
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
      const entries = readdirSync(directory).map((name) => {
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

function cacheDirectory(): string | undefined {
  const { GRIDFUSE_CACHE, GRIDFUSE_CACHE_DIR, XDG_CACHE_HOME } = process.env;
  if (GRIDFUSE_CACHE === "off") return undefined;
  return join(
    GRIDFUSE_CACHE_DIR ?? join(XDG_CACHE_HOME ?? join(homedir(), ".cache"), "gridfuse"),
    "jax",
  );
}

/** The directory, made where it is missing; undefined where somebody else could write to it. */
function ownDirectory(base: string, engine: string): string | undefined {
  const path = join(base, engine);
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const { uid, mode } = statSync(path);
    const isOwn = process.getuid === undefined || uid === process.getuid();
    return isOwn && (mode & 0o022) === 0 ? path : undefined;
  } catch {
    return undefined;
  }
}
