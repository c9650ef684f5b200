/** The pages of these tests, made of the sources by the bundler that web applications use. */
import { fileURLToPath } from "node:url";
import { build, type Rollup } from "vite";
import type { Files } from "./server.ts";

const folder = fileURLToPath(new URL("../pages/", import.meta.url));

/** `names` of files in pages/, each with a document that loads nothing else, so that any policy may be served with it. */
export async function buildPages(names: readonly string[]): Promise<Files> {
  const { output } = (await build({
    configFile: false,
    logLevel: "warn",
    resolve: { conditions: ["@gridfuse/source", "browser", "module", "import"] },
    build: {
      write: false,
      minify: false,
      target: "es2022",
      modulePreload: { polyfill: false },
      rollupOptions: {
        input: Object.fromEntries(names.map((name) => [name, `${folder}${name}.ts`])),
        output: { entryFileNames: "[name].js", chunkFileNames: "[name]-[hash].js" },
      },
    },
  })) as Rollup.RollupOutput;
  const documents = names.map((name) => [
    `${name}.html`,
    `<!doctype html><title>${name}</title><script type="module" src="/${name}.js"></script>`,
  ]);
  const scripts = output.map((file) => [
    file.fileName,
    file.type === "chunk" ? file.code : file.source,
  ]);
  return new Map([...documents, ...scripts] as [string, string | Uint8Array][]);
}
