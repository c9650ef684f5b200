/**
 * Requests and replies over two pipes: each a length and JSON. Everything blocks: the process has one
 * client and nothing else to do, and waking up through an event loop costs more than a small run does.
 */
import { readSync, writeSync } from "node:fs";

const HEADER = 4;

export class Frames {
  readonly #from: number;
  readonly #to: number;
  #buffer: Buffer = Buffer.allocUnsafe(1 << 16);
  #length = 0;

  constructor(from: number, to: number) {
    this.#from = from;
    this.#to = to;
  }

  /** The next request; undefined when the client has gone. */
  read(): unknown {
    if (!this.#fill(HEADER)) return undefined;
    const end = HEADER + this.#buffer.readUInt32LE(0);
    if (!this.#fill(end)) return undefined;
    const text = this.#buffer.toString("utf8", HEADER, end);
    this.#buffer.copy(this.#buffer, 0, end, this.#length);
    this.#length -= end;
    return JSON.parse(text);
  }

  write(reply: unknown): void {
    const body = Buffer.from(JSON.stringify(reply));
    const frame = Buffer.allocUnsafe(HEADER + body.length);
    frame.writeUInt32LE(body.length, 0);
    body.copy(frame, HEADER);
    for (let done = 0; done < frame.length; ) done += writeSync(this.#to, frame, done);
  }

  #fill(wanted: number): boolean {
    if (this.#buffer.length < wanted) {
      const larger = Buffer.allocUnsafe(Math.max(wanted, 2 * this.#buffer.length));
      this.#buffer.copy(larger, 0, 0, this.#length);
      this.#buffer = larger;
    }
    while (this.#length < wanted) {
      const room = this.#buffer.length - this.#length;
      const count = readSync(this.#from, this.#buffer, this.#length, room, null);
      if (count === 0) return false;
      this.#length += count;
    }
    return true;
  }
}
