/** Plan files taken apart and put together again, changed on purpose, with checksums that are right. */
import { readContainer, type Section, sectionTypes } from "../../packages/plan/src/container.ts";
import { writeContainer } from "../../packages/plan/src/container-write.ts";
import { crc32c } from "../../packages/plan/src/hash/crc32c.ts";

/** The JSON of a native section, as far as tests change it. */
export interface Header {
  producer: string;
  ir: number;
  plan: string;
  sections: { type: number; bytes: number; crc: number }[];
  name: string;
  inputs: { name: string; shape: number[] }[];
  parts: {
    executor: string;
    codegen: number;
    features: string[];
    bytes: number;
    detail: {
      pages: number;
      places: { buffer: number; length: number; address: number }[];
      constants: { index: number; address: number }[];
      whiles: { name: string; fuel: number }[];
    };
  }[];
}

export interface Opened {
  header: Header;
  /** Of the only part. */
  code: Uint8Array;
}

const isNative = ({ type }: Section): boolean => type === sectionTypes.wasm;

export function open(file: Uint8Array): Opened {
  const { content } = readContainer(file).sections.find(isNative)!;
  const length = new DataView(content.buffer, content.byteOffset).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(content.subarray(4, 4 + length))) as Header;
  return { header, code: content.slice(content.length - header.parts[0]!.bytes) };
}

export function close({ header, code }: Opened): Uint8Array {
  header.parts[0]!.bytes = code.length;
  const text = new TextEncoder().encode(JSON.stringify(header));
  const start = Math.ceil((4 + text.length) / 8) * 8;
  const content = new Uint8Array(start + code.length);
  new DataView(content.buffer).setUint32(0, text.length, true);
  content.set(text, 4);
  content.set(code, start);
  return content;
}

/** `file` with another native section. */
export const withSection = (file: Uint8Array, content: Uint8Array): Uint8Array =>
  writeContainer(
    readContainer(file).sections.map((section) =>
      isNative(section) ? { ...section, content } : section,
    ),
  );

/** `file` with its native section changed by `change`. */
export function edited(file: Uint8Array, change: (opened: Opened) => void): Uint8Array {
  const opened = open(file);
  change(opened);
  return withSection(file, close(opened));
}

/** The portable sections of `file` with the native section of `other`. */
export function paired(file: Uint8Array, other: Uint8Array): Uint8Array {
  const native = readContainer(other).sections.filter(isNative);
  return writeContainer([...readContainer(file).sections.filter((s) => !isNative(s)), ...native]);
}

/** `file` with one byte of PLAN changed, and native code that says it belongs to exactly that. */
export function withOtherPlan(file: Uint8Array, at: number): Uint8Array {
  const sections = readContainer(file).sections.map((section) => {
    if (section.type !== sectionTypes.plan) return section;
    const content = section.content.slice();
    content[at] = content[at]! ^ 0x40;
    return { ...section, content };
  });
  const plan = sections.find(({ type }) => type === sectionTypes.plan)!;
  return edited(writeContainer(sections), ({ header }) => {
    header.sections.find(({ type }) => type === plan.type)!.crc = crc32c(plan.content);
  });
}
