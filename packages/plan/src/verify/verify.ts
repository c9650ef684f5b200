import type { Plan } from "../plan.ts";
export function verifyDecoded(_plan: Plan): void {}
