/**
 * One file of a program and all it imports, as applications are deployed. It is CommonJS because Node reads such a file at
 * once; its loader of ES modules is a program of its own, which takes longer to start than gridfuse does. What the
 * program imports later, on demand, stays in files beside it.
 */

/**
 * @param entry a compiled JavaScript file without top-level `await`, which CommonJS does not have
 * @param folder where the bundle goes; what is there stays
 * @returns the path of the bundle's entry
 */
export async function bundleApplication(entry: string, folder: string): Promise<string> {
  const { build } = await import("vite");
  await build({
    configFile: false,
    logLevel: "warn",
    ssr: { noExternal: true },
    build: {
      ssr: entry,
      outDir: folder,
      emptyOutDir: false,
      copyPublicDir: false,
      rollupOptions: {
        external: [/^node:/],
        output: { format: "cjs", entryFileNames: "application.cjs", chunkFileNames: "[name].cjs" },
      },
    },
  });
  return `${folder}/application.cjs`;
}
