/** Options of the functions that build graphs and kernels. */
import { BuildError } from "@gridfuse/plan/errors";
import { type OptionCheck, optionCheck } from "@gridfuse/plan/options";
import { captureOrigin } from "./origin.ts";
import { activeScope, located } from "./scope.ts";

export type { OptionNames } from "@gridfuse/plan/options";

/** For use inside `traced` or `located`, which know the user's line. @throws BuildError GF2010 */
export const checked: OptionCheck = optionCheck(BuildError, "GF2010");

/** For functions that make no node: their line is looked for only where something is wrong. @throws BuildError GF2010 */
export const checkedHere: OptionCheck = (call, given, names) => {
  try {
    return checked(call, given, names);
  } catch (error) {
    return located(captureOrigin(call), activeScope(), () => {
      throw error;
    });
  }
};
