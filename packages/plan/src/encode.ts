/** The build side of plan files; a production process does not load it. */
export { type EncodeOptions, encodePlan, type NativeCode, planId, savePlan } from "./save.ts";
