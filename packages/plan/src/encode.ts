/** The build side of plan files; a production process does not load it. */
export { type EncodeOptions, encodePlan, planId, savePlan } from "./save.ts";
