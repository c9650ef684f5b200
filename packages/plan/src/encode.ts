/** The build side of plan files; a production process does not load it. */
export type { NativeCode } from "./native-section.ts";
export { type EncodeOptions, encodePlan, planId, savePlan } from "./save.ts";
