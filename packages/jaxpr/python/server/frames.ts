/**
 * Requests and replies over two pipes: each a length and JSON, or a length and the bytes of a small run (`small-runs.ts`).
 * Everything blocks: the process has one client and nothing else to do, and waking up through an event loop costs more than
 * a small run does.
 */
import { read, readSync, writeSync } from "node:fs";

/** Bytes before a frame's body: its length. */
export const HEADER = 4;

export class Frames {
  readonly #from: number;
  readonly #to: number;
  #buffer: Buffer = Buffer.allocUnsafe(1 << 16);
  #length = 0;
  /** Where the frame ends that was handed out last. */
  #end = 0;

  constructor(from: number, to: number) {
    this.#from = from;
    this.#to = to;
  }

  /** The body of the next request, which is there until the one after it is asked for; undefined when the client has gone. */
  read(): Buffer | undefined {
    this.#forget();
    if (!this.#fill(HEADER)) return undefined;
    const end = HEADER + this.#buffer.readUInt32LE(0);
    if (!this.#fill(end)) return undefined;
    this.#end = end;
    return this.#buffer.subarray(HEADER, end);
  }

  /** Some of the next request has come, or the client has gone. Until then the process may do something else. */
  arrived(): Promise<void> {
    this.#forget();
    if (this.#length > 0) return Promise.resolve();
    return new Promise((resolve) => {
      read(this.#from, this.#buffer, 0, this.#buffer.length, null, (error, count) => {
        // What went wrong goes wrong again when the request is read.
        if (error === null) this.#length = count;
        resolve();
      });
    });
  }

  /** The frame that was handed out last is not needed any more. */
  #forget(): void {
    if (this.#length > this.#end) this.#buffer.copy(this.#buffer, 0, this.#end, this.#length);
    this.#length -= this.#end;
    this.#end = 0;
  }

  write(reply: unknown): void {
    const body = Buffer.from(JSON.stringify(reply));
    const frame = Buffer.allocUnsafe(HEADER + body.length);
    body.copy(frame, HEADER);
    this.send(frame);
  }

  /** Sends a frame whose body is there already, after HEADER bytes for its length. */
  send(frame: Buffer): void {
    frame.writeUInt32LE(frame.length - HEADER, 0);
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
