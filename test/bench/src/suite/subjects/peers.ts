/** Peers, from where `npm run bench -- --install-peers` puts them. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Missing } from "../subject.ts";

/** Seen from the compiled file, which lies as deep as its source. */
const folder = new URL("../../../peers/", import.meta.url);

export function installPeers(): boolean {
  // Scripts of packages stay off: they fetch libraries for graphics cards.
  const { status } = spawnSync("npm", ["install", "--ignore-scripts", "--no-package-lock"], {
    cwd: fileURLToPath(folder),
    stdio: "inherit",
  });
  return status === 0;
}

interface Loader {
  load(name: string): Promise<unknown>;
}

/** @throws Missing where the peer is not installed */
export async function loadPeer<T>(name: string): Promise<T> {
  const { load } = (await import(new URL("load.mjs", folder).href)) as Loader;
  try {
    return (await load(name)) as T;
  } catch (error) {
    const notThere =
      error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND";
    if (!notThere) throw error;
    throw new Missing("not installed: npm run bench -- --install-peers");
  }
}

/** A file of an installed peer. */
export const peerFile = (path: string): string =>
  fileURLToPath(new URL(`node_modules/${path}`, folder));
