import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defaultServerConditions } from "vite";
import { defineConfig } from "vitest/config";

/** Workspace packages resolve to their TypeScript sources, so a test run needs no build. */
const conditions = ["@gridfuse/source", ...defaultServerConditions];

/**
 * The software WebGPU adapter that test/tools/setup-swiftshader.mjs unpacks. The Vulkan loader reads
 * the variable from the process, so it is set here and inherited by vitest's forked workers. A value
 * set by the caller (a real GPU) wins.
 */
const softwareAdapter = fileURLToPath(
  new URL("node_modules/.cache/swiftshader/vk_swiftshader_icd.json", import.meta.url),
);
if (existsSync(softwareAdapter)) process.env.VK_DRIVER_FILES ??= softwareAdapter;

const exclude = ["**/node_modules/**", "**/dist/**", "**/fixtures/**"];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  server: { watch: { ignored: ["**/.generated/**"] } },
  test: {
    pool: "forks",
    // A machine that is busy with something else is no fault.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    setupFiles: [fileURLToPath(new URL("test/tools/property-seed.ts", import.meta.url))],
    projects: [
      {
        extends: true,
        test: { name: "packages", include: ["packages/*/test/**/*.test.ts"], exclude },
      },
      {
        extends: true,
        test: { name: "workspace", include: ["test/**/*.test.ts"], exclude },
      },
    ],
  },
});
