// Lets a spawned node run the sources of the workspace: types are stripped by esbuild on the way in. With
// the condition "@gridfuse/source" nothing of a build is needed, or can be stale.
import { register } from "node:module";

register(
  `data:text/javascript,${encodeURIComponent(`
    import { readFile } from "node:fs/promises";
    import { fileURLToPath } from "node:url";
    import { transform } from ${JSON.stringify(import.meta.resolve("esbuild"))};
    export async function load(url, context, next) {
      if (!/\\/packages\\/[^/]+\\/src\\/.*\\.ts$/.test(url)) return next(url, context);
      const text = await readFile(fileURLToPath(url), "utf8");
      const { code } = await transform(text, { loader: "ts", target: "node20" });
      return { format: "module", source: code, shortCircuit: true };
    }
  `)}`,
);
