import * as nodeFiles from "node:fs";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { cacheKey, PlanCache, type PlanCacheOptions } from "../src/cache.ts";
import { encodePlan } from "../src/encode.ts";
import type { FileSystem } from "../src/host.ts";
import type { PlanFileError } from "../src/index.ts";
import { everythingPlan, smallPlan } from "./sample-plans.ts";

let directory: string;
let warnings: PlanFileError[];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "gridfuse-cache-"));
  warnings = [];
  for (const name of ["GRIDFUSE_CACHE", "GRIDFUSE_CACHE_DIR", "GRIDFUSE_CACHE_MAX_MB"]) {
    vi.stubEnv(name, undefined);
  }
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(directory, { recursive: true, force: true });
});

const open = (options: PlanCacheOptions = {}): PlanCache =>
  new PlanCache({ directory, onWarning: (warning) => warnings.push(warning), ...options });
const key = cacheKey([["graph", "a"]]);
const fileOf = (of: string): string => join(directory, "v1", of.slice(0, 2), `${of}.plan`);
const planFiles = (): string[] =>
  readdirSync(directory, { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".plan"),
  );

/** Node's file system, except for what is replaced. */
const filesWith = (changes: Partial<FileSystem>): FileSystem => ({
  ...(nodeFiles as FileSystem),
  ...changes,
});
const failing = (code: string) => (): never => {
  throw Object.assign(new Error(code), { code });
};

describe("cacheKey", () => {
  it("is 64 hexadecimal digits", () => {
    expect(key).toMatch(/^[0-9a-f]{64}$/);
  });

  it("tells lists of parts apart, however their text runs together", () => {
    const parts = fc.array(fc.tuple(fc.string({ maxLength: 4 }), fc.string({ maxLength: 4 })), {
      maxLength: 4,
    });
    fc.assert(
      fc.property(parts, parts, (a, b) => {
        expect(cacheKey(a) === cacheKey(b)).toBe(JSON.stringify(a) === JSON.stringify(b));
      }),
    );
    expect(cacheKey([["a", "bc"]])).not.toBe(cacheKey([["ab", "c"]]));
    expect(
      cacheKey([
        ["a", ""],
        ["", "b"],
      ]),
    ).not.toBe(cacheKey([["a", "b"]]));
  });
});

describe("a plan cache", () => {
  it("gives back what was put, in this process and the next", () => {
    const cache = open();
    expect(cache.get(key)).toBeUndefined();
    cache.put(key, everythingPlan());
    expect(cache.get(key)).toEqual(everythingPlan());
    expect(cache.stats).toEqual({ hits: 1, misses: 1, writes: 1, damaged: 0 });
    expect(open().get(key)).toEqual(everythingPlan());
    expect([...readFileSync(fileOf(key))]).toEqual([...encodePlan(everythingPlan())]);
    expect(warnings).toEqual([]);
  });

  it("keeps its directory to its owner", () => {
    rmSync(directory, { recursive: true });
    open().put(key, smallPlan());
    expect(statSync(directory).mode & 0o777).toBe(0o700);
  });

  it.each([
    ["a flipped byte", (bytes: Buffer) => bytes.fill(bytes[600]! ^ 1, 600, 601)],
    ["a torn file", (bytes: Buffer) => bytes.subarray(0, 700)],
    ["an empty file", () => Buffer.alloc(0)],
  ])("misses %s, deletes it, and works on", (_name, damage) => {
    open().put(key, smallPlan());
    writeFileSync(fileOf(key), damage(readFileSync(fileOf(key))));
    const cache = open();
    expect(cache.get(key)).toBeUndefined();
    expect(cache.stats).toMatchObject({ misses: 1, damaged: 1 });
    expect(existsSync(fileOf(key))).toBe(false);
    cache.put(key, smallPlan());
    expect(open().get(key)).toEqual(smallPlan());
  });

  it.each(["ENOSPC", "EACCES", "EROFS", "EMFILE"])(
    "warns once and goes on in memory when writing fails with %s",
    (code) => {
      const cache = open({ files: filesWith({ openSync: failing(code) }) });
      const other = cacheKey([["graph", "b"]]);
      cache.put(key, smallPlan());
      cache.put(other, smallPlan());
      expect(cache.get(key)).toEqual(smallPlan());
      expect(cache.stats.writes).toBe(0);
      expect(warnings.map((warning) => warning.code)).toEqual(["GF4020"]);
      expect(warnings[0]!.message).toContain(code);
      expect(planFiles()).toEqual([]);
    },
  );

  it("does the same when reading fails", () => {
    const cache = open({ files: filesWith({ readFileSync: failing("EIO") }) });
    expect(cache.get(key)).toBeUndefined();
    expect(cache.get(key)).toBeUndefined();
    expect(warnings).toHaveLength(1);
  });

  it("refuses a directory that everybody may write to", () => {
    chmodSync(directory, 0o777);
    const cache = open();
    cache.put(key, smallPlan());
    expect(warnings.map((warning) => warning.code)).toEqual(["GF4020"]);
    expect(planFiles()).toEqual([]);
  });

  it("refuses a directory that belongs to somebody else", () => {
    const foreign = filesWith({
      statSync: (path) => ({ ...statSync(path), uid: 12345, size: 0, mtimeMs: 0, mode: 0o40700 }),
    });
    open({ files: foreign }).put(key, smallPlan());
    expect(warnings[0]!.message).toContain("another user");
  });

  it("does not fail on a host without files", () => {
    const cache = open({ files: undefined });
    cache.put(key, smallPlan());
    expect(cache.get(key)).toEqual(smallPlan());
  });

  it("forgets the plan unused for longest when memory is full", () => {
    const cache = open({ mode: "off", maxPlansInMemory: 2 });
    const [a, b, c] = ["a", "b", "c"].map((name) => cacheKey([["graph", name]])) as [
      string,
      string,
      string,
    ];
    cache.put(a, smallPlan());
    cache.put(b, smallPlan());
    cache.get(a);
    cache.put(c, smallPlan());
    expect([a, b, c].map((k) => cache.get(k) !== undefined)).toEqual([true, false, true]);
  });

  it("prunes to 70 % of its size, oldest first, and what killed writers left", () => {
    const keys = Array.from({ length: 10 }, (_, n) => cacheKey([["graph", `${n}`]]));
    const size = encodePlan(smallPlan()).length;
    const cache = open({ maxBytes: 9.5 * size });
    keys.forEach((k, n) => {
      cache.put(k, smallPlan());
      if (n === 9) return;
      utimesSync(fileOf(k), n + 1, n + 1);
    });
    const left = keys.map((k) => existsSync(fileOf(k)));
    expect(left).toEqual([false, false, false, false, true, true, true, true, true, true]);

    const abandoned = `${fileOf(keys[0]!)}.tmp.1.1`;
    mkdirSync(join(abandoned, ".."), { recursive: true });
    writeFileSync(abandoned, "x");
    utimesSync(abandoned, 1, 1);
    for (const k of keys.slice(0, 4)) cache.put(k, smallPlan());
    expect(existsSync(abandoned)).toBe(false);
  });

  it("refuses keys that are not digests, lest they name other files", () => {
    expect(() => open().get("../../etc/passwd")).toThrow(
      expect.objectContaining({ code: "GF4022" }),
    );
  });
});

describe("settings of the environment", () => {
  it("can only allow less than the program asks for", () => {
    vi.stubEnv("GRIDFUSE_CACHE", "ro");
    expect(open({ mode: "rw" }).mode).toBe("ro");
    expect(open({ mode: "off" }).mode).toBe("off");
    vi.stubEnv("GRIDFUSE_CACHE", "off");
    expect(open({ mode: "rw" }).mode).toBe("off");
    vi.stubEnv("GRIDFUSE_CACHE", "rw");
    expect(open({ mode: "ro" }).mode).toBe("ro");
  });

  it("ro reads and leaves even damaged entries alone", () => {
    open().put(key, smallPlan());
    const reader = open({ mode: "ro" });
    expect(reader.get(key)).toEqual(smallPlan());
    writeFileSync(fileOf(key), "broken");
    expect(open({ mode: "ro" }).get(key)).toBeUndefined();
    const other = cacheKey([["graph", "b"]]);
    reader.put(other, smallPlan());
    expect(planFiles()).toHaveLength(1);
  });

  it("name the directory, unless the program does", () => {
    vi.stubEnv("GRIDFUSE_CACHE_DIR", "/somewhere");
    expect(new PlanCache().directory).toBe("/somewhere");
    expect(open().directory).toBe(directory);
    vi.stubEnv("GRIDFUSE_CACHE_DIR", undefined);
    vi.stubEnv("XDG_CACHE_HOME", "/xdg");
    if (process.platform === "linux") expect(new PlanCache().directory).toBe("/xdg/gridfuse");
  });

  it("that make no sense give a warning", () => {
    vi.stubEnv("GRIDFUSE_CACHE", "sometimes");
    vi.stubEnv("GRIDFUSE_CACHE_MAX_MB", "many");
    expect(open().mode).toBe("off");
    expect(warnings.map((warning) => warning.code)).toEqual(["GF4021", "GF4021"]);
  });
});
