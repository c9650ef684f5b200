/**
 * The WASM section: code that an executor made when the plan was saved, and what a process must know to run
 * it without decoding the plan. The portable sections stay beside it, so whoever cannot or may not use the
 * code loses nothing but time.
 *
 *   0  4  length of the header, little-endian
 *   4  n  header: JSON in ASCII (its parser is part of every host and is warm when a process starts)
 *         code of each part, each at the next multiple of 8
 *
 * The header names the producer to the exact version, the plan it was made of (its portable id, and the type,
 * length and checksum of each portable section, which can be compared without hashing), and of each part the
 * executor, the version of its code generator and the features that the code needs.
 */
import type { Container, PlacedSection } from "./container.ts";
import { sectionTypes } from "./container.ts";
import { checkShape, misshapen } from "./json-shape.ts";
import { irVersion, type Plan, type PlanOutput, type PlanPort } from "./plan.ts";
import { version } from "./version.ts";

/** What one executor made of a plan. */
export interface NativePart {
  readonly executor: string;
  /** Version of the code generator; an executor runs only its own. */
  readonly codegen: number;
  /** What the code needs of the machine, as "simd128". */
  readonly features: readonly string[];
  /** The executor's own facts, plain JSON. */
  readonly detail: unknown;
  readonly code: Uint8Array<ArrayBuffer>;
}

/** Native code on its way into a file, with the plan that it was made of. */
export interface NativeCode extends NativePart {
  readonly plan: Plan;
}

/** A constant inside CNST. */
export interface ConstantRange {
  readonly offset: number;
  readonly bytes: number;
}

export interface NativeSection {
  readonly producer: string;
  /** Portable id of the plan, 64 hexadecimal digits. */
  readonly plan: string;
  readonly sections: readonly {
    readonly type: number;
    readonly bytes: number;
    readonly crc: number;
  }[];
  readonly name: string;
  readonly arenaBytes: number;
  readonly inputs: readonly PlanPort[];
  readonly outputs: readonly PlanOutput[];
  readonly constants: readonly ConstantRange[];
  readonly parts: readonly NativePart[];
}

export const producer: string = `gridfuse ${version}`;
export const codeAlignment = 8;
/** Sections that decide what a run computes; native code belongs to exactly these. */
export const portableTypes: readonly number[] = [
  sectionTypes.plan,
  sectionTypes.cidx,
  sectionTypes.cnst,
];

const port = { name: "text", dtype: "dtype", shape: ["natural"], buffer: "natural" } as const;
const header = {
  plan: "text",
  sections: [{ type: "natural", bytes: "natural", crc: "natural" }],
  name: "text",
  arenaBytes: "natural",
  inputs: [port],
  outputs: [{ ...port, exact: "flag" }],
  constants: [{ offset: "natural", bytes: "natural" }],
  parts: [
    {
      executor: "text",
      codegen: "natural",
      features: ["text"],
      detail: "anything",
      bytes: "natural",
    },
  ],
} as const;

/** The header as JSON has it: code is elsewhere. */
export interface NativeHeader extends Omit<NativeSection, "parts"> {
  readonly ir: number;
  readonly parts: readonly (Omit<NativePart, "code"> & { readonly bytes: number })[];
}

/**
 * The section's content, or why it is not for this process: in words that follow "native code was not used: ".
 *
 * @throws PlanInvalid V21 where the producer is ours and the content is not what it writes
 */
export function readNativeSection(
  container: Container,
  content: Uint8Array,
): NativeSection | string {
  const length =
    content.length < 4
      ? Number.NaN
      : new DataView(content.buffer, content.byteOffset).getUint32(0, true);
  if (!(length <= content.length - 4)) throw misshapen("header", "it is cut off");
  const value = parse(content.subarray(4, 4 + length));
  checkShape(value, { producer: "text", ir: "natural" }, "header");
  const { producer: madeBy, ir } = value as NativeHeader;
  if (ir !== irVersion) return `its plan is of IR version ${ir}, this gridfuse runs ${irVersion}`;
  if (madeBy !== producer) return `it was made by ${madeBy}, this is ${producer}`;
  checkShape(value, header, "header");
  const section = value as NativeHeader;
  if (!belongsTo(section, container)) return "it belongs to another plan";
  return { ...section, parts: withCode(section.parts, content, 4 + length) };
}

/** Codes of characters, as many at once as a call may have arguments; a first `TextDecoder` takes ten times as long. */
function parse(bytes: Uint8Array): unknown {
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) {
    text += String.fromCharCode.apply(null, bytes.subarray(at, at + 8192) as never);
  }
  try {
    return JSON.parse(text);
  } catch {
    throw misshapen("header", "it is not JSON");
  }
}

function withCode(
  parts: NativeHeader["parts"],
  content: Uint8Array,
  end: number,
): readonly NativePart[] {
  let at = end;
  const complete = parts.map((part) => {
    const start = Math.ceil(at / codeAlignment) * codeAlignment;
    at = start + part.bytes;
    return { ...part, code: content.subarray(start, at) as Uint8Array<ArrayBuffer> };
  });
  if (at !== content.length) throw misshapen("parts", "the code does not fill the section");
  return complete;
}

/** Whether the code was made of the portable sections that lie beside it. */
function belongsTo({ sections, constants }: NativeHeader, container: Container): boolean {
  const portable = container.sections.filter(({ type }) => portableTypes.includes(type));
  const same = ({ type, content, crc }: PlacedSection, i: number): boolean => {
    const named = sections[i];
    return named?.type === type && named.bytes === content.length && named.crc === crc;
  };
  const held = portable.find(({ type }) => type === sectionTypes.cnst)?.content.length ?? 0;
  return (
    portable.length === sections.length &&
    portable.every(same) &&
    constants.every(({ offset, bytes }) => offset + bytes <= held)
  );
}
