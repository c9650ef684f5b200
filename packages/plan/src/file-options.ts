/** Options of plan files and caches. */
import { PlanError } from "./errors.ts";
import { type OptionCheck, optionCheck } from "./options.ts";

/** @throws PlanError GF4023 */
export const checked: OptionCheck = optionCheck(PlanError, "GF4023");
