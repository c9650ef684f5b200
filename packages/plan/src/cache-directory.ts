/** Where the platform keeps what can be made again. */
import { builtin, hostProcess } from "./host.ts";

export function userCacheDirectory(): string {
  const host = hostProcess();
  const home = builtin<{ homedir(): string }>("node:os")?.homedir() ?? ".";
  switch (host?.platform) {
    case "win32":
      return `${host.env.LOCALAPPDATA ?? `${home}/AppData/Local`}/gridfuse/Cache`;
    case "darwin":
      return `${home}/Library/Caches/gridfuse`;
    default:
      return `${host?.env.XDG_CACHE_HOME || `${home}/.cache`}/gridfuse`;
  }
}
