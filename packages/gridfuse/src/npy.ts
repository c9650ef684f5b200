/**
 * NumPy's .npy files, versions 1 to 3 (NEP 1): six signature bytes, a version, and a Python dictionary as text
 * that gives dtype, order and shape of the bytes that follow. The dictionary is read by a parser for exactly
 * the three entries it has; objects would need pickle, which can run code, and are refused.
 *
 * NumPy has no bfloat16: such arrays are written as uint16 patterns, and read from uint16 or from the two
 * opaque bytes that ml_dtypes' bfloat16 is saved as.
 */
import {
  type DType,
  type HostTensor,
  itemSize,
  type StorageArray,
  storageArray,
} from "@gridfuse/plan";
import { CommandError } from "./errors.ts";

/** An array as a file describes it; `descr` is NumPy's type string. */
export interface NpyArray {
  readonly descr: string;
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

const signature = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
const alignment = 64;

const descrOf: { readonly [D in DType]: string } = {
  bool: "|b1",
  int8: "|i1",
  int16: "<i2",
  int32: "<i4",
  int64: "<i8",
  uint8: "|u1",
  uint16: "<u2",
  uint32: "<u4",
  uint64: "<u8",
  float16: "<f2",
  bfloat16: "<u2",
  float32: "<f4",
  float64: "<f8",
};
/** What a file may hold for a dtype besides what is written for it. */
const alsoRead: { readonly [D in DType]?: readonly string[] } = { bfloat16: ["|V2", "<V2"] };

// ── Reading ─────────────────────────────────────────────────────────────────────────────────

/** @throws CommandError GF6010, GF6011 */
export function parseNpy(bytes: Uint8Array, path: string): NpyArray {
  const malformed = (what: string): CommandError =>
    new CommandError("GF6010", `${path}: ${what}`, { path, help: "write it with numpy.save" });
  if (signature.some((byte, i) => bytes[i] !== byte)) throw malformed("not a .npy file");
  const major = bytes[6]!;
  if (!(major >= 1 && major <= 3)) throw malformed(`.npy version ${major} is not known`);
  const lengthBytes = major === 1 ? 2 : 4;
  const start = 8 + lengthBytes;
  if (bytes.length < start) throw malformed("the header is cut off");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerLength = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  if (headerLength > bytes.length - start) throw malformed("the header is cut off");
  const text = new TextDecoder(major === 3 ? "utf-8" : "latin1").decode(
    bytes.subarray(start, start + headerLength),
  );
  const { descr, fortranOrder, shape } = parseHeader(text, path);
  if (fortranOrder && shape.filter((extent) => extent > 1).length > 1) {
    throw unsupported(path, "the array is in Fortran order");
  }
  const data = bytes.subarray(start + headerLength);
  const expected = shape.reduce((n, extent) => n * extent, Number(/\d+$/.exec(descr)?.[0]));
  if (data.length !== expected) {
    throw malformed(
      `${data.length} bytes of data where ${descr} [${shape.join(", ")}] has ${expected}`,
    );
  }
  return { descr, shape, data };
}

/** {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } in any order of entries. */
function parseHeader(
  text: string,
  path: string,
): { descr: string; fortranOrder: boolean; shape: readonly number[] } {
  const body = /^\{(.*)\}\s*$/s.exec(text.trimEnd())?.[1];
  const descr = body && /'descr'\s*:\s*'([^']*)'/.exec(body)?.[1];
  const order = body && /'fortran_order'\s*:\s*(True|False)/.exec(body)?.[1];
  const tuple = body && /'shape'\s*:\s*\(([\d\s,L]*)\)/.exec(body)?.[1];
  if (body !== undefined && /'descr'\s*:\s*\[/.test(body)) {
    throw unsupported(path, "the array has a structured dtype");
  }
  if (descr === undefined || order === undefined || tuple === undefined) {
    throw new CommandError("GF6010", `${path}: the header is not understood`, { received: text });
  }
  if (descr.startsWith(">")) throw unsupported(path, `the array is big-endian (${descr})`);
  if (/^[|<=]?O/.test(descr)) throw unsupported(path, "the array holds Python objects");
  if (!/^[|<=][biufV]\d+$/.test(descr)) throw unsupported(path, `dtype ${descr} is not supported`);
  const shape = tuple
    .split(",")
    .map((extent) => extent.trim().replace(/L$/, ""))
    .filter((extent) => extent !== "")
    .map(Number);
  return { descr, fortranOrder: order === "True", shape };
}

const unsupported = (path: string, what: string): CommandError =>
  new CommandError("GF6011", `${path}: ${what}`, {
    path,
    help: "save it with numpy.save(path, numpy.ascontiguousarray(x, dtype=…))",
  });

/**
 * The array as elements of `dtype`, which must be what the file holds.
 *
 * @throws CommandError GF6012
 */
export function tensorOf(array: NpyArray, dtype: DType, path: string): HostTensor {
  const found = array.descr.replace("=", "<");
  const sameType = found.slice(1) === descrOf[dtype].slice(1);
  if (!sameType && !alsoRead[dtype]?.includes(found)) {
    throw new CommandError("GF6012", `${path} holds ${array.descr}, the plan takes ${dtype}`, {
      path,
      expected: descrOf[dtype],
      received: array.descr,
      help:
        dtype === "bfloat16"
          ? "save the bit patterns: numpy.save(path, x.view(numpy.uint16))"
          : `save it with dtype=numpy.${dtype === "bool" ? "bool_" : dtype}`,
    });
  }
  const { data, shape } = array;
  const aligned = data.byteOffset % itemSize(dtype) === 0 ? data : data.slice();
  const length = aligned.length / itemSize(dtype);
  return { dtype, shape, data: storageArray(dtype, aligned.buffer, aligned.byteOffset, length) };
}

// ── Writing ─────────────────────────────────────────────────────────────────────────────────

/** The bytes of a .npy file; `data` is row-major. */
export function encodeNpy(dtype: DType, shape: readonly number[], data: StorageArray): Uint8Array {
  const tuple = shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
  const header = `{'descr': '${descrOf[dtype]}', 'fortran_order': False, 'shape': ${tuple}, }`;
  const isLong = header.length + 1 + 10 > 0xffff - alignment;
  const prefix = isLong ? 12 : 10;
  const total = Math.ceil((prefix + header.length + 1) / alignment) * alignment;
  const file = new Uint8Array(total + data.byteLength);
  file.set([...signature, isLong ? 2 : 1, 0]);
  const view = new DataView(file.buffer);
  if (isLong) view.setUint32(8, total - prefix, true);
  else view.setUint16(8, total - prefix, true);
  file.set(new TextEncoder().encode(header.padEnd(total - prefix - 1) + "\n"), prefix);
  file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), total);
  return file;
}
