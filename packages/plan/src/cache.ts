/**
 * Compiled plans kept for next time: in memory, and in a directory shared by processes.
 *
 * Nothing locks. An entry is written beside its name and renamed, so a reader sees all of it or nothing; two
 * writers of one key write equivalent bytes. What is damaged is a miss and is deleted; a directory that
 * cannot be used costs one warning and then the disk is left alone. Never does a cache make a compile fail.
 * (Layout, limits and pruning to 70 % follow Wasmtime's cache; keys of labelled parts follow JAX's.)
 */
import { userCacheDirectory } from "./cache-directory.ts";
import { checked } from "./file-options.ts";
import { hex, sha256 } from "./hash/sha256.ts";
import { type FileSystem, hostProcess, nodeFileSystem, systemErrorCode } from "./host.ts";
import { decodePlan } from "./load.ts";
import type { OptionNames } from "./options.ts";
import type { Plan } from "./plan.ts";
import { PlanFileError } from "./plan-errors.ts";
import { encodePlan, writeAtomically } from "./save.ts";

export { userCacheDirectory };

/** `ro` reads and never writes; `off` keeps plans in memory only. */
export type CacheMode = "off" | "ro" | "rw";

export interface PlanCacheOptions {
  /** Default: GRIDFUSE_CACHE_DIR, else gridfuse's place in the user's cache directory. */
  readonly directory?: string;
  /** Default "rw". GRIDFUSE_CACHE can only allow less than this. */
  readonly mode?: CacheMode;
  /** Size at which old entries go; default GRIDFUSE_CACHE_MAX_MB, else 512 MiB. */
  readonly maxBytes?: number;
  /** Plans kept in memory. Default 64. */
  readonly maxPlansInMemory?: number;
  /** Told once when the directory cannot be used. Default: one line on stderr. */
  readonly onWarning?: (warning: PlanFileError) => void;
  /** For tests: a file system that fails on purpose. */
  readonly files?: FileSystem | undefined;
}
const cacheOptions: OptionNames<PlanCacheOptions> = {
  directory: true,
  mode: true,
  maxBytes: true,
  maxPlansInMemory: true,
  onWarning: true,
  files: true,
};

export interface CacheStats {
  readonly hits: number;
  readonly misses: number;
  readonly writes: number;
  readonly damaged: number;
}

const layout = "v1";
const hour = 3_600_000;
const pruneTo = 0.7;

/**
 * The key of what `parts` describe: a digest of labels and contents, each with its length, so that no two
 * lists of parts are confused. Say everything that the plan depends on and nothing else.
 */
export function cacheKey(
  parts: readonly (readonly [label: string, content: string | Uint8Array])[],
): string {
  const utf8 = new TextEncoder();
  const pieces = parts.flatMap(([label, content]) => [
    utf8.encode(label),
    typeof content === "string" ? utf8.encode(content) : content,
  ]);
  const joined = new Uint8Array(pieces.reduce((n, { length }) => n + 8 + length, 0));
  const view = new DataView(joined.buffer);
  let at = 0;
  for (const piece of pieces) {
    view.setBigUint64(at, BigInt(piece.length), true);
    joined.set(piece, at + 8);
    at += 8 + piece.length;
  }
  return hex(sha256(joined));
}

/** A directory whose entries could be anybody's. */
class Unsafe extends Error {}

export class PlanCache {
  readonly mode: CacheMode;
  readonly directory: string;
  readonly #maxBytes: number;
  readonly #maxPlansInMemory: number;
  readonly #onWarning: (warning: PlanFileError) => void;
  readonly #files: FileSystem | undefined;
  /** In order of last use. */
  readonly #memory = new Map<string, Plan>();
  readonly #counts = { hits: 0, misses: 0, writes: 0, damaged: 0 };
  /** Bytes on disk as far as this process knows; unknown before the first write. */
  #bytes: number | undefined;
  #directoryChecked = false;
  #diskIsUsable: boolean;

  /** @throws PlanError GF4023 for options there are not */
  constructor(options: PlanCacheOptions = {}) {
    checked("PlanCache", options, cacheOptions);
    const env = hostProcess()?.env ?? {};
    this.#onWarning = options.onWarning ?? ((warning) => console.warn(warning.message));
    this.mode = this.#leastMode(options.mode ?? "rw", env.GRIDFUSE_CACHE);
    this.directory = options.directory ?? env.GRIDFUSE_CACHE_DIR ?? userCacheDirectory();
    this.#maxBytes = options.maxBytes ?? this.#maxBytesFrom(env.GRIDFUSE_CACHE_MAX_MB);
    this.#maxPlansInMemory = options.maxPlansInMemory ?? 64;
    this.#files = "files" in options ? options.files : nodeFileSystem();
    this.#diskIsUsable = this.mode !== "off" && this.#files !== undefined;
  }

  get stats(): CacheStats {
    return { ...this.#counts };
  }

  /** The plan that was put under `key`, verified anew if it comes from disk. */
  get(key: string): Plan | undefined {
    const plan = this.#memory.get(key) ?? this.#fromDisk(key);
    if (plan === undefined) {
      this.#counts.misses++;
      return undefined;
    }
    this.#counts.hits++;
    this.#remember(key, plan);
    return plan;
  }

  put(key: string, plan: Plan): void {
    this.#remember(key, plan);
    if (this.mode === "rw") this.#toDisk(key, encodePlan(plan));
  }

  #remember(key: string, plan: Plan): void {
    this.#memory.delete(key);
    this.#memory.set(key, plan);
    if (this.#memory.size <= this.#maxPlansInMemory) return;
    const [oldest] = this.#memory.keys();
    this.#memory.delete(oldest!);
  }

  // ── Disk ──────────────────────────────────────────────────────────────────────────────────

  #fromDisk(key: string): Plan | undefined {
    return this.#withDisk((files) => {
      const path = this.#pathOf(key);
      let bytes: Uint8Array;
      try {
        bytes = files.readFileSync(path);
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
      try {
        const plan = decodePlan(bytes);
        this.#touch(files, path);
        return plan;
      } catch {
        // Damaged, or of another version: of no use to anybody.
        this.#counts.damaged++;
        if (this.mode === "rw") quietly(() => files.unlinkSync(path));
        return undefined;
      }
    });
  }

  #toDisk(key: string, bytes: Uint8Array): void {
    this.#withDisk((files) => {
      const path = this.#pathOf(key);
      files.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true, mode: 0o700 });
      writeAtomically(files, path, bytes, { durable: false });
      this.#counts.writes++;
      this.#bytes = (this.#bytes ?? this.#entries(files).bytes - bytes.length) + bytes.length;
      if (this.#bytes > this.#maxBytes) this.#bytes = this.#prune(files);
    });
  }

  /** Runs `work` unless the disk has been given up; an error of the host gives it up. */
  #withDisk<T>(work: (files: FileSystem) => T): T | undefined {
    const files = this.#files;
    if (files === undefined || !this.#diskIsUsable) return undefined;
    try {
      if (!this.#directoryChecked) this.#checkDirectory(files);
      return work(files);
    } catch (error) {
      const reason = error instanceof Unsafe ? error.message : systemErrorCode(error);
      if (reason === undefined || error instanceof PlanFileError) throw error;
      this.#diskIsUsable = false;
      this.#warn("GF4020", `plan cache ${this.directory} cannot be used: ${reason}`, error);
      return undefined;
    }
  }

  /** A directory of somebody else, or open to everybody, could hold anybody's plans. */
  #checkDirectory(files: FileSystem): void {
    const host = hostProcess();
    try {
      if (this.mode === "rw") files.mkdirSync(this.directory, { recursive: true, mode: 0o700 });
      const { uid, mode } = files.statSync(this.directory);
      const isForeign = host?.getuid !== undefined && uid !== host.getuid();
      const isOpen = host?.platform !== "win32" && (mode & 0o002) !== 0;
      if (isForeign) throw new Unsafe("it belongs to another user");
      if (isOpen) throw new Unsafe("everybody may write to it");
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
    this.#directoryChecked = true;
  }

  /** Marks an entry as used, at most once an hour. */
  #touch(files: FileSystem, path: string): void {
    if (this.mode !== "rw") return;
    quietly(() => {
      const now = new Date();
      if (now.getTime() - files.statSync(path).mtimeMs > hour) files.utimesSync(path, now, now);
    });
  }

  /** Deletes least recently used entries until 70 % are left, and what killed writers left; the bytes that stay. */
  #prune(files: FileSystem): number {
    const { entries, bytes } = this.#entries(files);
    let left = bytes;
    entries.sort((p, q) => p.mtimeMs - q.mtimeMs);
    for (const { path, size, mtimeMs } of entries) {
      const isAbandoned = path.includes(".tmp.") && Date.now() - mtimeMs > hour;
      if (!isAbandoned && left <= this.#maxBytes * pruneTo) continue;
      quietly(() => {
        files.unlinkSync(path);
        left -= size;
      });
    }
    return left;
  }

  #entries(files: FileSystem): {
    entries: { path: string; size: number; mtimeMs: number }[];
    bytes: number;
  } {
    const root = `${this.directory}/${layout}`;
    const entries: { path: string; size: number; mtimeMs: number }[] = [];
    for (const shard of files.readdirSync(root)) {
      quietly(() => {
        for (const name of files.readdirSync(`${root}/${shard}`)) {
          const path = `${root}/${shard}/${name}`;
          const { size, mtimeMs } = files.statSync(path);
          entries.push({ path, size, mtimeMs });
        }
      });
    }
    return { entries, bytes: entries.reduce((n, { size }) => n + size, 0) };
  }

  #pathOf(key: string): string {
    if (!/^[0-9a-f]{64}$/.test(key)) {
      throw new PlanFileError("GF4022", `"${key}" is not a cache key`, {
        help: "make keys with cacheKey",
      });
    }
    return `${this.directory}/${layout}/${key.slice(0, 2)}/${key}.plan`;
  }

  // ── Settings ──────────────────────────────────────────────────────────────────────────────

  #leastMode(wanted: CacheMode, allowed: string | undefined): CacheMode {
    const modes: readonly string[] = ["off", "ro", "rw"];
    if (allowed === undefined || allowed === "") return wanted;
    if (!modes.includes(allowed)) {
      this.#warn("GF4021", `GRIDFUSE_CACHE is "${allowed}", not one of off, ro, rw; taken as off`);
      return "off";
    }
    return modes.indexOf(allowed) < modes.indexOf(wanted) ? (allowed as CacheMode) : wanted;
  }

  #maxBytesFrom(megabytes: string | undefined): number {
    const number = Number(megabytes || 512);
    if (number >= 0) return number * 2 ** 20;
    this.#warn("GF4021", `GRIDFUSE_CACHE_MAX_MB is "${megabytes}", not a number; taken as 512`);
    return 512 * 2 ** 20;
  }

  #warn(code: `GF${number}`, what: string, cause?: unknown): void {
    this.#onWarning(new PlanFileError(code, what, { path: this.directory ?? "", cause }));
  }
}

const isMissing = (error: unknown): boolean => systemErrorCode(error) === "ENOENT";

/** For upkeep: another process may have been quicker, and Windows refuses to delete what is open. */
function quietly(work: () => void): void {
  try {
    work();
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error;
  }
}
