/** For executors: native code that plans come with, and how to read what an executor wrote beside it. */
export * as shape from "./json-shape.ts";
export { decoded, type NativeUse, nativeOf, nativeRefusal } from "./native.ts";
export type { NativePart } from "./native-section.ts";
