import { existsSync, readFileSync } from "node:fs";
import {
  type DefaultTheme,
  defineConfig,
  type MarkdownEnv,
  type MarkdownRenderer,
} from "vitepress";

/** What typedoc wrote beside the pages of the API reference. */
const apiSidebar = new URL("../api/typedoc-sidebar.json", import.meta.url);
const api: DefaultTheme.SidebarItem[] = existsSync(apiSidebar)
  ? JSON.parse(readFileSync(apiSidebar, "utf8"))
  : [];

/** Doc comments may hold what Vue takes for its own, as `{{`; the pages made from them have none of Vue's. */
function showAsWritten(md: MarkdownRenderer): void {
  const render = md.render.bind(md);
  md.render = (source, env?: { readonly relativePath?: string }) => {
    const html = render(source, env);
    return env?.relativePath?.startsWith("api/") ? `<div v-pre>${html}</div>` : html;
  };
}

/** What the search finds: all of a page, and of the API reference the names. */
function searchable(source: string, env: MarkdownEnv, md: MarkdownRenderer): string {
  const isReference = env.relativePath.startsWith("api/");
  return md.render(isReference ? (/^# .*$/m.exec(source)?.[0] ?? "") : source, env);
}

export default defineConfig({
  title: "gridfuse",
  description: "Pallas-style kernels at native speed with no compile wait",
  cleanUrls: true,
  lastUpdated: false,
  srcExclude: ["examples/**"],
  markdown: { config: showAsWritten },
  themeConfig: {
    nav: [
      { text: "Guide", link: "/guide/start" },
      { text: "Examples", link: "/examples" },
      { text: "API", link: "/api/" },
    ],
    sidebar: {
      "/api/": [{ text: "API", items: api }],
      "/": [
        {
          text: "Guide",
          items: [
            { text: "Five minutes", link: "/guide/start" },
            { text: "Kernels, grids, refs", link: "/guide/kernels" },
            { text: "Passes, plans, executors", link: "/guide/passes" },
            { text: "Shipping a plan", link: "/guide/shipping" },
            { text: "Performance", link: "/guide/performance" },
            { text: "From JAX", link: "/guide/jax" },
          ],
        },
        { text: "Examples", link: "/examples" },
        {
          text: "Reference",
          items: [
            { text: "Operations", link: "/reference/ops" },
            { text: "Mathematics", link: "/reference/mathematics" },
            { text: "Errors", link: "/reference/errors" },
            { text: "API", link: "/api/" },
          ],
        },
      ],
    },
    search: { provider: "local", options: { _render: searchable } },
    outline: [2, 3],
  },
});
