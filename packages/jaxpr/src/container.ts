/**
 * The file: magic, length, JSON, and the constants after it, each aligned so that it can be viewed
 * in place.
 */
import { type StorageArray, storageArray } from "@gridfuse/graph";
import { inRows } from "./columns.ts";
import { dtypeOf } from "./dtypes.ts";
import { malformed, notAProgram } from "./errors.ts";
import type { WireProgram, WrittenProgram } from "./format.ts";

const MAGIC = 0x584a4647; // GFJX
const HEADER = 8;
const ALIGNMENT = 64;

export interface Container {
  readonly program: WireProgram;
  /** Elements of constant `i`, in the memory of the file where they are aligned there. */
  constant(i: number): StorageArray;
}

const align = (offset: number): number => Math.ceil(offset / ALIGNMENT) * ALIGNMENT;

/**
 * @throws BuildError GF2601 where the bytes are no such file
 */
export function readContainer(bytes: Uint8Array): Container {
  if (bytes.length < HEADER) throw notAProgram(`${bytes.length} bytes`);
  const header = new DataView(bytes.buffer, bytes.byteOffset, HEADER);
  if (header.getUint32(0, true) !== MAGIC) throw notAProgram("other magic bytes");
  const end = HEADER + header.getUint32(4, true);
  if (end > bytes.length) throw notAProgram(`${bytes.length} of ${end} bytes`);
  const program = parse(bytes.subarray(HEADER, end));
  const constants = align(end);
  return { program, constant: (i) => constantAt(bytes, constants, program, i) };
}

function parse(json: Uint8Array): WireProgram {
  let program: WrittenProgram;
  try {
    program = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(json)) as WrittenProgram;
  } catch (cause) {
    throw notAProgram("no JSON", cause);
  }
  if (program?.format !== "pallas-ir/1") throw notAProgram(`format ${String(program?.format)}`);
  if (!Array.isArray(program.jaxprs)) throw malformed("there are no jaxprs");
  return { ...program, jaxprs: program.jaxprs.map((jaxpr) => inRows(program, jaxpr)) };
}

function constantAt(
  bytes: Uint8Array,
  start: number,
  { consts = [] }: WireProgram,
  i: number,
): StorageArray {
  const entry = consts[i];
  if (entry === undefined) throw malformed(`there is no constant ${i}`);
  const { dtype, shape, offset, bytes: size } = entry;
  const from = start + offset;
  const count = shape.reduce((product, dim) => product * dim, 1);
  if (from + size > bytes.length) throw malformed(`constant ${i} lies outside of the file`);
  // A copy where the file's own buffer begins at an odd place.
  const data = bytes.slice(from, from + size);
  const elements = storageArray(
    dtypeOf(dtype),
    data.buffer,
    0,
    data.byteLength / itemBytes(size, count),
  );
  if (elements.length !== count)
    throw malformed(`constant ${i} has ${size} bytes for ${count} elements`);
  return elements;
}

const itemBytes = (size: number, count: number): number => (count === 0 ? 1 : size / count);
