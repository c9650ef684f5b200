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
import * as shape from "./json-shape.ts";
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

/**
 * The section's content, or why it is not for this process: in words that follow "native code was not used: ".
 *
 * @throws PlanInvalid V21 where the producer is ours and the content is not what it writes
 */
export function readNativeSection(
  container: Container,
  content: Uint8Array,
): NativeSection | string {
  const header = readHeader(content);
  const madeBy = shape.text(header.value.producer, "producer");
  const ir = shape.natural(header.value.ir, "ir");
  if (ir !== irVersion) return `its plan is of IR version ${ir}, this gridfuse runs ${irVersion}`;
  if (madeBy !== producer) return `it was made by ${madeBy}, this is ${producer}`;
  const section = { ...readFacts(header.value), parts: readParts(header, content) };
  return belongsTo(section, container) ? section : "it belongs to another plan";
}

interface Header {
  readonly value: Readonly<Record<string, unknown>>;
  readonly end: number;
}

function readHeader(content: Uint8Array): Header {
  const length =
    content.length < 4
      ? Number.NaN
      : new DataView(content.buffer, content.byteOffset).getUint32(0, true);
  if (!(length <= content.length - 4)) throw shape.misshapen("header", "it is cut off");
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(content.subarray(4, 4 + length)));
  } catch {
    throw shape.misshapen("header", "it is not JSON");
  }
  return { value: shape.record(value, "header"), end: 4 + length };
}

const readFacts = (value: Header["value"]): Omit<NativeSection, "parts"> => ({
  producer,
  plan: shape.text(value.plan, "plan"),
  sections: shape.list(value.sections, "sections", (each, path) => {
    const [type, bytes, crc] = shape.tuple(each, path, 3);
    return {
      type: shape.natural(type, path),
      bytes: shape.natural(bytes, path),
      crc: shape.natural(crc, path),
    };
  }),
  name: shape.text(value.name, "name"),
  arenaBytes: shape.natural(value.arenaBytes, "arenaBytes"),
  inputs: shape.list(value.inputs, "inputs", readPort),
  outputs: shape.list(value.outputs, "outputs", (each, path) => ({
    ...readPort(each, path),
    exact: shape.flag(shape.record(each, path).exact, `${path}.exact`),
  })),
  constants: shape.list(value.constants, "constants", (each, path) => {
    const [offset, bytes] = shape.tuple(each, path, 2);
    return { offset: shape.natural(offset, path), bytes: shape.natural(bytes, path) };
  }),
});

function readPort(value: unknown, path: string): PlanPort {
  const port = shape.record(value, path);
  return {
    name: shape.text(port.name, `${path}.name`),
    dtype: shape.dtype(port.dtype, `${path}.dtype`),
    shape: shape.list(port.shape, `${path}.shape`, shape.natural),
    buffer: shape.natural(port.buffer, `${path}.buffer`),
  };
}

function readParts({ value, end }: Header, content: Uint8Array): readonly NativePart[] {
  let at = end;
  const parts = shape.list(value.parts, "parts", (each, path): NativePart => {
    const part = shape.record(each, path);
    const start = Math.ceil(at / codeAlignment) * codeAlignment;
    at = start + shape.natural(part.bytes, `${path}.bytes`);
    if (at > content.length) throw shape.misshapen(`${path}.bytes`, "the code is cut off");
    return {
      executor: shape.text(part.executor, `${path}.executor`),
      codegen: shape.natural(part.codegen, `${path}.codegen`),
      features: shape.list(part.features, `${path}.features`, shape.text),
      detail: part.detail,
      code: content.subarray(start, at) as Uint8Array<ArrayBuffer>,
    };
  });
  if (at !== content.length) throw shape.misshapen("parts", "bytes follow the code");
  return parts;
}

/** Whether the code was made of the portable sections that lie beside it. */
function belongsTo({ sections, constants }: NativeSection, container: Container): boolean {
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
