/**
 * The plan file's outer layer: a signature, a header, a table of sections, and the sections, each starting at a
 * multiple of 256 bytes so that constants can be used where they lie (256 is WebGPU's storage alignment).
 *
 *   0   8  signature 89 47 46 50 0D 0A 1A 0A, PNG's idea: shows text-mode and 7-bit damage
 *   8   2  major version   10  2  minor version
 *  12   4  flags (1 native code, 2 signed, 4 little-endian: always set)
 *  16   8  file length
 *  24   4  number of sections
 *  28   4  CRC-32C of the header and the table, without these four bytes
 *  32  32  plan id: SHA-256 over (type u32, length u64, SHA-256 of the content) of the identifying sections
 *  64 32n  table: type u32, flags u32 (1 critical), offset u64, length u64, CRC-32C u32, log2 alignment u32
 *
 * All numbers are little-endian. Rules V1–V7 are checked here, in that order. Files are written, and ids computed, beside
 * this: a process that only loads needs neither.
 */
import { crc32c } from "./hash/crc32c.ts";
import { PlanCorrupt, PlanVersionUnsupported } from "./plan-errors.ts";

export const containerVersion: { readonly major: number; readonly minor: number } = {
  major: 1,
  minor: 0,
};

/** Numbers of the section types. `wgsl`, `tune` and `sign` are reserved: not written yet, skipped by readers. */
export const sectionTypes = {
  meta: 1,
  plan: 2,
  cnst: 3,
  cidx: 4,
  wasm: 5,
  wgsl: 6,
  dbg: 7,
  tune: 8,
  sign: 9,
} as const;
export type SectionName = keyof typeof sectionTypes;

/** What may be critical; native code never is, because a plan runs without it. */
const readable: readonly number[] = [
  sectionTypes.meta,
  sectionTypes.plan,
  sectionTypes.cnst,
  sectionTypes.cidx,
  sectionTypes.dbg,
];

export const sectionAlignment = 256;
export const signature: readonly number[] = [0x89, 0x47, 0x46, 0x50, 0x0d, 0x0a, 0x1a, 0x0a];
export const headerBytes = 64;
export const entryBytes = 32;
export const crcAt = 28;
export const idAt = 32;
const maxSections = 64;
export const nativeFlag = 1;
export const littleEndianFlag = 4;
const knownFlags = 7;

export interface Section {
  readonly type: number;
  readonly critical: boolean;
  readonly content: Uint8Array;
}

export interface PlacedSection extends Section {
  readonly offset: number;
  readonly crc: number;
}

export interface Container {
  readonly major: number;
  readonly minor: number;
  readonly id: Uint8Array;
  readonly sections: readonly PlacedSection[];
}

const nameOf = (type: number): SectionName | undefined =>
  (Object.keys(sectionTypes) as SectionName[]).find((name) => sectionTypes[name] === type);

/** "PLAN", or "section 77" for a type that has no name here. */
export const sectionLabel = (type: number): string =>
  nameOf(type)?.toUpperCase() ?? `section ${type}`;

export const findSection = (container: Container, name: SectionName): Uint8Array | undefined =>
  container.sections.find(({ type }) => type === sectionTypes[name])?.content;

export const alignUp = (offset: number): number =>
  Math.ceil(offset / sectionAlignment) * sectionAlignment;

/** Checks the layout and every checksum; the sections returned are views of `file`. */
export function readContainer(file: Uint8Array): Container {
  checkSignature(file);
  if (file.length < headerBytes) throw truncated(file.length, headerBytes);
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const major = view.getUint16(8, true);
  const minor = view.getUint16(10, true);
  if (major !== containerVersion.major) throw unknownMajor(major, minor);
  const length = getU64(view, 16);
  if (length !== file.length) throw truncated(file.length, length);
  const count = view.getUint32(24, true);
  if (count > maxSections) {
    throw malformed("V4", `${count} sections; at most ${maxSections} are allowed`);
  }
  const tableEnd = headerBytes + entryBytes * count;
  if (tableEnd > file.length) throw malformed("V4", `the table of ${count} sections is cut off`);
  const checksum = headerChecksum(file, tableEnd);
  const written = view.getUint32(crcAt, true);
  if (checksum !== written) throw damaged("header", checksum, written);
  checkFlags(view.getUint32(12, true), minor);

  const sections: PlacedSection[] = [];
  let end = tableEnd;
  for (let i = 0; i < count; i++) {
    const section = readEntry(file, view, headerBytes + entryBytes * i, end, minor);
    sections.push(section);
    end = section.offset + section.content.length;
  }
  if (end !== file.length)
    throw malformed("V3", `${file.length - end} bytes after the last section`);
  checkUnique(sections);
  for (const { type, crc, content } of sections) {
    if (crc32c(content) !== crc) throw damaged(sectionLabel(type), crc32c(content), crc);
  }
  return { major, minor, id: file.slice(idAt, idAt + 32), sections };
}

function checkSignature(file: Uint8Array): void {
  let matching = 0;
  while (matching < signature.length && file[matching] === signature[matching]) matching++;
  if (matching === signature.length) return;
  if (matching === file.length && matching > 0) throw truncated(file.length, headerBytes);
  throw new PlanCorrupt("GF4001", "V1", "not a plan file: the signature is missing", {
    expected: signature,
    received: [...file.subarray(0, 8)],
    help:
      matching >= 4
        ? "the line ending inside the signature was changed: transfer the file as binary"
        : "check the path, and that the bytes were not converted on the way",
  });
}

function readEntry(
  file: Uint8Array,
  view: DataView,
  at: number,
  previousEnd: number,
  minor: number,
): PlacedSection {
  const type = view.getUint32(at, true);
  const flags = view.getUint32(at + 4, true);
  const offset = getU64(view, at + 8);
  const length = getU64(view, at + 16);
  const alignment = view.getUint32(at + 28, true);
  const critical = (flags & 1) === 1;
  if (critical && !readable.includes(type)) {
    throw new PlanVersionUnsupported(
      "GF4006",
      `${sectionLabel(type)} must be understood to run this plan, and this gridfuse does not (rule V6)`,
      { received: type, help: "update @gridfuse/plan in the process that loads" },
    );
  }
  if (flags > 1 && minor <= containerVersion.minor) {
    throw malformed("V5", `${sectionLabel(type)} has unknown flags ${flags}`);
  }
  if (alignment !== Math.log2(sectionAlignment)) {
    throw malformed(
      "V5",
      `${sectionLabel(type)} has alignment 2^${alignment}, not ${sectionAlignment}`,
    );
  }
  if (offset !== alignUp(previousEnd)) {
    throw malformed(
      "V5",
      `${sectionLabel(type)} starts at ${offset}, not at ${alignUp(previousEnd)}`,
    );
  }
  if (length > file.length - offset) {
    throw malformed("V5", `${sectionLabel(type)} of ${length} bytes at ${offset} leaves the file`);
  }
  if (!isZero(view, previousEnd, offset)) {
    throw malformed("V5", `the padding before ${sectionLabel(type)} is not zero`);
  }
  const content = file.subarray(offset, offset + length);
  return { type, critical, content, offset, crc: view.getUint32(at + 24, true) };
}

/** Four bytes at a time, because a process that has just started feels every step. */
function isZero(view: DataView, start: number, end: number): boolean {
  let at = start;
  for (; at + 4 <= end; at += 4) if (view.getInt32(at) !== 0) return false;
  for (; at < end; at++) if (view.getUint8(at) !== 0) return false;
  return true;
}

function checkUnique(sections: readonly Section[]): void {
  for (let i = 0; i < sections.length; i++) {
    const { type } = sections[i] as Section;
    if (type === sectionTypes.sign && i !== sections.length - 1) {
      throw malformed("V5", "SIGN is not the last section");
    }
    for (let j = 0; j < i && type <= sectionTypes.sign; j++) {
      if (sections[j]?.type === type) throw malformed("V5", `${sectionLabel(type)} appears twice`);
    }
  }
}

function checkFlags(flags: number, minor: number): void {
  if ((flags & littleEndianFlag) === 0) throw malformed("V5", "the little-endian flag is not set");
  if (minor <= containerVersion.minor && (flags & ~knownFlags) !== 0) {
    throw malformed("V5", `unknown file flags ${flags}`);
  }
}

/** Everything before the sections, except the checksum itself. */
export const headerChecksum = (file: Uint8Array, tableEnd: number): number =>
  crc32c(file.subarray(idAt, tableEnd), crc32c(file.subarray(0, crcAt)));

const damaged = (label: string, actual: number, expected: number): PlanCorrupt =>
  new PlanCorrupt("GF4003", "V7", `${label}: the checksum does not match its bytes`, {
    path: label,
    expected,
    received: actual,
    help: "copy the file again or save the plan again",
  });

const malformed = (rule: string, what: string): PlanCorrupt =>
  new PlanCorrupt("GF4004", rule, `malformed plan file: ${what}`);

const truncated = (actual: number, expected: number): PlanCorrupt =>
  new PlanCorrupt("GF4002", "V3", `plan file has ${actual} bytes, its header says ${expected}`, {
    expected,
    received: actual,
    help: "the copy is incomplete or has bytes appended: copy it again",
  });

const unknownMajor = (major: number, minor: number): PlanVersionUnsupported =>
  new PlanVersionUnsupported(
    "GF4005",
    `plan file version ${major}.${minor}; this gridfuse reads ${containerVersion.major}.x (rule V2)`,
    {
      expected: containerVersion.major,
      received: major,
      help:
        major > containerVersion.major
          ? "update @gridfuse/plan in the process that loads"
          : "save the plan again with this gridfuse",
    },
  );

/** Values beyond 2^53 are rounded: still larger than any file, which is all that is asked of them. */
const getU64 = (view: DataView, at: number): number =>
  view.getUint32(at, true) + view.getUint32(at + 4, true) * 2 ** 32;
