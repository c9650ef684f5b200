/**
 * Chromium without a window, from the npm package that also brings the tests a software GPU: a browser that is the same
 * everywhere and needs no installation. Linux on x64 only.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliDecompressSync } from "node:zlib";
import { tarEntries } from "../../tools/tar.mjs";

const modules = fileURLToPath(new URL("../../../node_modules", import.meta.url));
const packed = join(modules, "@sparticuz/chromium/bin");
const folder = join(modules, ".cache/chromium");
const program = join(folder, "chromium");

export const hasChromium = (): boolean => process.platform === "linux" && process.arch === "x64";

/** Unpacks the browser, once for all runs: some 200 MB and five seconds. */
export async function unpackChromium(): Promise<void> {
  if (existsSync(program)) return;
  mkdirSync(folder, { recursive: true });
  const unpack = (name: string): Buffer =>
    brotliDecompressSync(readFileSync(join(packed, `${name}.br`)));
  for (const [name, contents] of tarEntries(unpack("al2023.tar"))) {
    await writeFile(join(folder, name), contents);
  }
  // Under its own name last and at once: whoever sees it may start it.
  const fresh = `${program}.${process.pid}`;
  await writeFile(fresh, unpack("chromium"), { mode: 0o755 });
  renameSync(fresh, program);
}

/** Opens a page until `done` settles, and says what the browser said where it did not. */
export async function openPage<T>(url: string, done: Promise<T>, seconds: number): Promise<T> {
  const profile = mkdtempSync(join(tmpdir(), "gridfuse-chromium-"));
  const flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
  const browser = spawn(
    program,
    [...flags, `--user-data-dir=${profile}`, "--enable-logging=stderr", url],
    {
      env: { ...process.env, LD_LIBRARY_PATH: folder },
      stdio: ["ignore", "ignore", "pipe"],
    },
  );
  let said = "";
  browser.stderr.on("data", (text: Buffer) => {
    said += text.toString();
  });
  const ended = new Promise<void>((resolve) => browser.once("close", () => resolve()));
  const gone = ended.then((): never => {
    throw new Error(`the browser ended before its page had an answer:\n${said}`);
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const fail = () => reject(new Error(`no answer from ${url} in ${seconds} s:\n${said}`));
    timer = setTimeout(fail, seconds * 1000);
  });
  try {
    return await Promise.race([done, gone, late]);
  } finally {
    clearTimeout(timer);
    gone.catch(() => {});
    browser.kill("SIGKILL");
    await ended;
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}
