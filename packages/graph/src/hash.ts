/**
 * What a program is, without what it is called: the canonical bytes behind a cache key.
 *
 * Names of graphs, kernels, axes, refs, inputs and outputs are left out, and so are origins; ops, params,
 * types, wiring and constants are in, every part preceded by its length. Names of dims stay: they
 * say which sizes are equal.
 */
import type { StorageArray } from "@gridfuse/plan/scalar";
import type { Node, Program, Region, Table, ValueId } from "./ir/table.ts";
import type { ValueType } from "./ir/types.ts";

/** First in the bytes; changes whenever the encoding or the meaning of ops does. */
const VERSION = 1;

/** The canonical bytes of a program. */
export function structuralBytes(program: Program): Uint8Array {
  const out = new ByteWriter();
  out.number(VERSION);
  writeRegion(out, program.table, program.main);
  return out.bytes();
}

/** 128 bits of the canonical bytes in hexadecimal: to compare programs, not to defend against forgers. */
export function structuralHash(program: Program): string {
  const bytes = structuralBytes(program);
  let [a, b, c, d] = [0x9e3779b9, 0x243f6a88, 0xb7e15162, 0xdeadbeef];
  for (const byte of bytes) {
    a = Math.imul(a ^ byte, 0x01000193);
    b = Math.imul(b ^ byte ^ (a >>> 15), 0x85ebca6b);
    c = Math.imul(c ^ byte ^ (b >>> 13), 0xc2b2ae35);
    d = Math.imul(d ^ byte ^ (c >>> 16), 0x27d4eb2f);
  }
  return [a, b, c, d].map((word) => (word >>> 0).toString(16).padStart(8, "0")).join("");
}

class ByteWriter {
  private buffer = new Uint8Array(1024);
  private view = new DataView(this.buffer.buffer);
  private used = 0;

  private reserve(count: number): void {
    if (this.used + count <= this.buffer.length) return;
    const larger = new Uint8Array(Math.max(this.buffer.length * 2, this.used + count));
    larger.set(this.buffer);
    this.buffer = larger;
    this.view = new DataView(larger.buffer);
  }

  number(value: number): void {
    this.reserve(8);
    this.view.setFloat64(this.used, value, true);
    this.used += 8;
  }

  raw(data: Uint8Array): void {
    this.number(data.length);
    this.reserve(data.length);
    this.buffer.set(data, this.used);
    this.used += data.length;
  }

  text(value: string): void {
    this.number(value.length);
    this.reserve(2 * value.length);
    for (let i = 0; i < value.length; i++) {
      this.view.setUint16(this.used, value.charCodeAt(i), true);
      this.used += 2;
    }
  }

  bytes(): Uint8Array {
    return this.buffer.slice(0, this.used);
  }
}

/** Values go by their place: params of the region first, then results of nodes in order. */
function writeRegion(out: ByteWriter, table: Table, region: Region): void {
  const places = new Map<ValueId, number>();
  const define = (value: ValueId) => {
    places.set(value, places.size);
    writeType(out, table.types[value] as ValueType);
  };
  const use = (values: readonly ValueId[]) => {
    out.number(values.length);
    for (const value of values) out.number(places.get(value) as number);
  };
  out.number(region.params.length);
  region.params.forEach(define);
  out.number(region.nodes.length);
  for (const id of region.nodes) {
    const node = table.nodes[id] as Node;
    out.text(node.op);
    writeParam(out, node.params, node.op);
    use(node.inputs);
    out.number(node.regions.length);
    for (const inner of node.regions) writeRegion(out, table, inner);
    out.number(node.outputs.length);
    node.outputs.forEach(define);
  }
  use(region.results);
}

function writeType(out: ByteWriter, type: ValueType): void {
  out.text(`${type.kind} ${type.dtype}`);
  writeParam(out, type.shape, "shape");
  if (type.kind === "ref") out.text(type.space);
}

/** Params that only name things. */
const isName = (key: string, within: string): boolean =>
  key === "name" && (within === "grid" || within === "scan");

function writeParam(out: ByteWriter, value: unknown, within: string): void {
  switch (typeof value) {
    case "number":
      out.text("n");
      out.number(value);
      return;
    case "string":
      out.text("s");
      out.text(value);
      return;
    case "object":
      break;
    default:
      out.text(`${typeof value} ${String(value)}`);
      return;
  }
  if (ArrayBuffer.isView(value)) {
    const { buffer, byteOffset, byteLength } = value as StorageArray;
    out.raw(new Uint8Array(buffer, byteOffset, byteLength));
  } else if (Array.isArray(value)) {
    out.text("list");
    out.number(value.length);
    for (const entry of value) writeParam(out, entry, within);
  } else if (value !== null && "key" in value) {
    out.text(`index ${String(value.key)}`);
  } else {
    const record = value as { readonly [key: string]: unknown };
    const keys = Object.keys(record)
      .filter((key) => record[key] !== undefined && !isName(key, within))
      .sort();
    out.text("record");
    out.number(keys.length);
    for (const key of keys) {
      out.text(key);
      writeParam(out, record[key], within);
    }
  }
}
