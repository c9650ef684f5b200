/**
 * A stretch of WebAssembly instructions under construction.
 *
 * Each stretch is its own byte list, so that code generation can write several places of one function
 * at once (a loop body, and the invariants in front of the loop) and join them when both are done.
 */
import {
  type AtomicOp,
  atomicOpcodes,
  type LaneOp,
  laneOpcodes,
  type MemoryLaneOp,
  type MemoryOp,
  memoryLaneOpcodes,
  memoryOpcodes,
  type PlainOp,
  plainOpcodes,
} from "./opcodes.ts";

export type ValueType = "i32" | "i64" | "f32" | "f64" | "v128";

const valueTypeBytes: { readonly [T in ValueType]: number } = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  v128: 0x7b,
};
export const valueTypeByte = (type: ValueType): number => valueTypeBytes[type];

const scratch = new DataView(new ArrayBuffer(8));

/** Appends `value` (0 ≤ value < 2^53) as unsigned LEB128. */
export function writeUnsigned(into: number[], value: number): void {
  while (value > 0x7f) {
    into.push((value % 128) | 0x80);
    value = Math.floor(value / 128);
  }
  into.push(value);
}

function writeSigned(into: number[], value: number): void {
  for (;;) {
    const low = value & 0x7f;
    value >>= 7;
    if ((value === 0 && (low & 0x40) === 0) || (value === -1 && (low & 0x40) !== 0)) {
      into.push(low);
      return;
    }
    into.push(low | 0x80);
  }
}

function writeSigned64(into: number[], value: bigint): void {
  let rest = BigInt.asIntN(64, value);
  for (;;) {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    if ((rest === 0n && (low & 0x40) === 0) || (rest === -1n && (low & 0x40) !== 0)) {
      into.push(low);
      return;
    }
    into.push(low | 0x80);
  }
}

export class Code {
  /** Instructions after the last appended stretch. */
  bytes: number[] = [];
  /** What comes before them: copied once, when the module is written. */
  readonly #before: (readonly number[] | Code)[] = [];
  #lengthBefore = 0;

  get length(): number {
    return this.#lengthBefore + this.bytes.length;
  }

  /** Writes all instructions to `out` from `at` on; returns where they end. */
  writeTo(out: Uint8Array, at: number): number {
    for (const part of this.#before) {
      if (part instanceof Code) {
        at = part.writeTo(out, at);
      } else {
        out.set(part, at);
        at += part.length;
      }
    }
    out.set(this.bytes, at);
    return at + this.bytes.length;
  }

  #opcode(opcode: number): void {
    const { bytes } = this;
    if (opcode < 0x100) {
      bytes.push(opcode);
    } else if (opcode > 0xffff) {
      bytes.push(opcode >> 16);
      writeUnsigned(bytes, opcode & 0xffff);
    } else {
      const number = opcode & 0xff;
      if (number < 0x80) bytes.push(opcode >> 8, number);
      else bytes.push(opcode >> 8, number, 1);
    }
  }

  op(name: PlainOp): this {
    this.#opcode(plainOpcodes[name]);
    return this;
  }
  /** A load or store at the popped address plus `offset` bytes. */
  memory(name: MemoryOp, offset: number): this {
    this.#opcode(memoryOpcodes[name]);
    this.bytes.push(0);
    writeUnsigned(this.bytes, offset);
    return this;
  }
  /** The same, atomically; these want their alignment said. */
  atomic(name: AtomicOp, offset: number): this {
    this.#opcode(atomicOpcodes[name]);
    this.bytes.push(2);
    writeUnsigned(this.bytes, offset);
    return this;
  }
  lane(name: LaneOp, lane: number): this {
    this.#opcode(laneOpcodes[name]);
    this.bytes.push(lane);
    return this;
  }
  memoryLane(name: MemoryLaneOp, offset: number, lane: number): this {
    this.#opcode(memoryLaneOpcodes[name]);
    this.bytes.push(0);
    writeUnsigned(this.bytes, offset);
    this.bytes.push(lane);
    return this;
  }
  /** i8x16.shuffle: byte i of the result is byte `bytes[i]` of the 32 bytes of the two operands. */
  shuffle(bytes: readonly number[]): this {
    this.#opcode(0xfd0d);
    this.bytes.push(...bytes);
    return this;
  }
  /** The shuffle of four 32-bit lanes out of the eight of the two operands. */
  shuffleLanes(lanes: readonly number[]): this {
    return this.shuffle(lanes.flatMap((lane) => [0, 1, 2, 3].map((byte) => 4 * lane + byte)));
  }

  i32(value: number): this {
    this.bytes.push(0x41);
    writeSigned(this.bytes, value | 0);
    return this;
  }
  i64(value: bigint): this {
    this.bytes.push(0x42);
    writeSigned64(this.bytes, value);
    return this;
  }
  #word(word: number): void {
    this.bytes.push(word & 255, (word >>> 8) & 255, (word >>> 16) & 255, word >>> 24);
  }
  /** f32.const by bits, so that NaN payloads survive. */
  f32Bits(bits: number): this {
    this.bytes.push(0x43);
    this.#word(bits);
    return this;
  }
  f32(value: number): this {
    scratch.setFloat32(0, value, true);
    return this.f32Bits(scratch.getUint32(0, true));
  }
  f64Bits(lo: number, hi: number): this {
    this.bytes.push(0x44);
    this.#word(lo);
    this.#word(hi);
    return this;
  }
  f64(value: number): this {
    scratch.setFloat64(0, value, true);
    return this.f64Bits(scratch.getUint32(0, true), scratch.getUint32(4, true));
  }
  /** v128.const of four 32-bit words. */
  v128(words: readonly [number, number, number, number]): this {
    this.#opcode(0xfd0c);
    for (const word of words) this.#word(word);
    return this;
  }

  /** An opcode and a number, which is small most often. */
  #numbered(opcode: number, number: number): this {
    const { bytes } = this;
    if (number < 0x80) {
      bytes.push(opcode, number);
    } else {
      bytes.push(opcode);
      writeUnsigned(bytes, number);
    }
    return this;
  }
  get(local: number): this {
    return this.#numbered(0x20, local);
  }
  set(local: number): this {
    return this.#numbered(0x21, local);
  }
  tee(local: number): this {
    return this.#numbered(0x22, local);
  }
  getGlobal(global: number): this {
    this.bytes.push(0x23);
    writeUnsigned(this.bytes, global);
    return this;
  }
  setGlobal(global: number): this {
    this.bytes.push(0x24);
    writeUnsigned(this.bytes, global);
    return this;
  }
  call(index: number): this {
    this.bytes.push(0x10);
    writeUnsigned(this.bytes, index);
    return this;
  }
  /** memory.copy: pops destination, source, byte count. */
  memoryCopy(): this {
    this.bytes.push(0xfc, 10, 0, 0);
    return this;
  }

  /** memory.fill: pops address, byte, byte count. */
  memoryFill(): this {
    this.bytes.push(0xfc, 11, 0);
    return this;
  }

  #structured(opcode: number, result: ValueType | undefined): this {
    this.bytes.push(opcode, result === undefined ? 0x40 : valueTypeBytes[result]);
    return this;
  }
  block(result?: ValueType): this {
    return this.#structured(0x02, result);
  }
  loop(result?: ValueType): this {
    return this.#structured(0x03, result);
  }
  if(result?: ValueType): this {
    return this.#structured(0x04, result);
  }
  else(): this {
    return this.op("else");
  }
  end(): this {
    return this.op("end");
  }
  br(depth: number): this {
    this.bytes.push(0x0c);
    writeUnsigned(this.bytes, depth);
    return this;
  }
  brIf(depth: number): this {
    this.bytes.push(0x0d);
    writeUnsigned(this.bytes, depth);
    return this;
  }
  /** br_table: depth `i` for selector i, the last one for everything above. */
  brTable(depths: number): this {
    this.bytes.push(0x0e);
    writeUnsigned(this.bytes, depths - 1);
    for (let depth = 0; depth < depths; depth++) writeUnsigned(this.bytes, depth);
    return this;
  }

  /** Appends a stretch that is finished: nothing may be added to it afterwards. */
  append(other: Code): this {
    this.#lengthBefore = this.length + other.length;
    this.#before.push(this.bytes, other);
    this.bytes = [];
    return this;
  }
}
