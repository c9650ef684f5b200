/** What makes code of a plan's steps; a trusted start does without it. */
export { formatPrintLines } from "@gridfuse/plan";
export { generate } from "./codegen/generate.ts";
export { share } from "./team/share.ts";
