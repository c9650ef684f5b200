/**
 * The id of a plan file: a hash over what decides the results of a run. Loading does without it (checksums find
 * damage, and whoever can edit a file can also write its id), so hashing stays out of what a process loads to run.
 */
import { type Container, type Section, sectionTypes } from "./container.ts";
import { sha256 } from "./hash/sha256.ts";
import { PlanCorrupt, PlanTooLarge } from "./plan-errors.ts";

/** Rebuilding with other names, timings or signatures keeps a plan's id. */
const outsideId: ReadonlySet<number> = new Set([
  sectionTypes.meta,
  sectionTypes.dbg,
  sectionTypes.tune,
  sectionTypes.sign,
]);

/** What one executor made of the portable sections. */
const nativeTypes: ReadonlySet<number> = new Set([sectionTypes.wasm, sectionTypes.wgsl]);

/** The id that the header must carry: a hash over content that decides what a run computes. */
export function contentId(sections: readonly Section[]): Uint8Array {
  const identifying = sections.filter(({ type }) => !outsideId.has(type));
  const parts = new Uint8Array(identifying.length * 44);
  const view = new DataView(parts.buffer);
  identifying.forEach(({ type, content }, i) => {
    view.setUint32(44 * i, type, true);
    setU64(view, 44 * i + 4, content.length);
    parts.set(sha256(content), 44 * i + 12);
  });
  return sha256(parts);
}

/** The id of the same plan without native code: what that code says it belongs to. */
export const portableId = (sections: readonly Section[]): Uint8Array =>
  contentId(sections.filter(({ type }) => !nativeTypes.has(type)));

/**
 * Compares the id in the header with the content. Checksums already found accidental damage and whoever can
 * edit a file can also write its id, so loading leaves this out: it is for tools and for callers that compare ids.
 */
export function checkId(container: Container): void {
  const wanted = contentId(container.sections);
  if (wanted.some((byte, i) => byte !== container.id[i])) {
    throw new PlanCorrupt("GF4008", "V7", "the plan id in the header is not that of the content");
  }
}

export function setU64(view: DataView, at: number, value: number): void {
  if (!Number.isSafeInteger(value)) {
    throw new PlanTooLarge("file", `${value} bytes cannot be written`);
  }
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}
