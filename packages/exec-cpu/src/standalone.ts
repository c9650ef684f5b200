/** Plan files and the CPU executor with all their faces, bundled by the build into a single file. */
export * from "@gridfuse/plan";
export * from "./index.ts";
