/**
 * Upkeep of the directory of compiled code: what was used least recently goes once there is too much, as in the cache of
 * plans. A process that has loaded a file keeps what it has when the file goes.
 */
type Files = typeof import("node:fs");

const hour = 3_600_000;
const defaultMegabytes = 512;
/** The share of the limit that pruning leaves, so that it is rare. */
const pruneTo = 0.7;

/** Bytes that may be kept: GRIDFUSE_CACHE_MAX_MB, or 512 MiB where that is no number. */
export function mostBytes(megabytes: string | undefined): number {
  const number = Number(megabytes || defaultMegabytes);
  return (number >= 0 ? number : defaultMegabytes) * 2 ** 20;
}

/** Marks an entry as used, at most once an hour. */
export function touch(files: Files, path: string): void {
  quietly(() => {
    const now = new Date();
    if (now.getTime() - files.statSync(path).mtimeMs > hour) files.utimesSync(path, now, now);
  });
}

/** Deletes least recently used entries beyond `bytes`, each with its digest, and what killed writers left. */
export function prune(files: Files, directory: string, bytes: number): void {
  const entries: { path: string; size: number; mtimeMs: number }[] = [];
  quietly(() => {
    for (const name of files.readdirSync(directory)) {
      const path = `${directory}/${name}`;
      quietly(() => {
        const { size, mtimeMs } = files.statSync(path);
        if (name.includes(".tmp")) {
          if (Date.now() - mtimeMs > hour) files.unlinkSync(path);
        } else if (name.endsWith(".node")) {
          entries.push({ path, size, mtimeMs });
        }
      });
    }
  });
  let left = entries.reduce((total, { size }) => total + size, 0);
  if (left <= bytes) return;
  entries.sort((p, q) => p.mtimeMs - q.mtimeMs);
  for (const { path, size } of entries) {
    if (left <= bytes * pruneTo) return;
    quietly(() => {
      files.unlinkSync(path);
      files.rmSync(path.replace(/node$/, "sum"), { force: true });
      left -= size;
    });
  }
}

/** Another process may have been quicker, or a file may be in use. */
function quietly(work: () => void): void {
  try {
    work();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
  }
}
