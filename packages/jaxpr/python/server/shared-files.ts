/**
 * The files that arrays travel through. Python maps them; Node cannot map files, so it reads and writes them,
 * straight from and to the memory that programs run in: one copy in the kernel for each array.
 */
import { closeSync, openSync, readSync, writeSync } from "node:fs";

/** A place in a shared file. */
export type Place = readonly [file: number, offset: number];

export class SharedFiles {
  readonly #descriptors: Map<number, number> = new Map();

  open(file: number, path: string): void {
    this.close(file);
    this.#descriptors.set(file, openSync(path, "r+"));
  }

  close(file: number): void {
    const known = this.#descriptors.get(file);
    if (known !== undefined) closeSync(known);
    this.#descriptors.delete(file);
  }

  read([file, offset]: Place, into: NodeJS.ArrayBufferView): void {
    this.#whole(file, offset, into, readSync);
  }

  write([file, offset]: Place, from: NodeJS.ArrayBufferView): void {
    this.#whole(file, offset, from, writeSync);
  }

  /** The system moves at most 2 GiB at once. */
  #whole(
    file: number,
    offset: number,
    array: NodeJS.ArrayBufferView,
    move: (fd: number, bytes: Uint8Array, at: number, length: number, position: number) => number,
  ): void {
    const fd = this.#descriptors.get(file);
    if (fd === undefined) throw new Error(`there is no shared file ${file}`);
    const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
    for (let done = 0; done < bytes.length; ) {
      const count = move(fd, bytes, done, Math.min(bytes.length - done, 1 << 30), offset + done);
      if (count === 0) throw new Error(`shared file ${file} ends at ${offset + done}`);
      done += count;
    }
  }
}
