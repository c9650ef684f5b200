import { existsSync, readFileSync } from "node:fs";
import { type DefaultTheme, defineConfig } from "vitepress";

/** What typedoc wrote beside the pages of the API reference. */
const apiSidebar = new URL("../api/typedoc-sidebar.json", import.meta.url);
const api: DefaultTheme.SidebarItem[] = existsSync(apiSidebar)
  ? JSON.parse(readFileSync(apiSidebar, "utf8"))
  : [];

export default defineConfig({
  title: "gridfuse",
  description: "Pallas-style kernels at native speed with no compile wait",
  cleanUrls: true,
  lastUpdated: false,
  srcExclude: ["examples/**"],
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
          ],
        },
        { text: "Examples", link: "/examples" },
        {
          text: "Reference",
          items: [
            { text: "Operations", link: "/reference/ops" },
            { text: "Errors", link: "/reference/errors" },
            { text: "API", link: "/api/" },
          ],
        },
      ],
    },
    search: { provider: "local" },
    outline: [2, 3],
  },
});
