/**
 * Runs whose arrays are so small that they travel in the request and in its reply: two system calls on either side, where
 * shared files take one more for each array.
 *
 *   request  SMALL_RUN, three bytes, the number of the program, then what it takes
 *   reply    SMALL_RUN, seven bytes, then what it gives; each array begins at a multiple of eight bytes
 */
import { HEADER } from "./frames.ts";
import type { Programs, Running } from "./programs.ts";

/** No JSON begins with it. */
export const SMALL_RUN = 1;
const REQUEST = 8;
const REPLY = HEADER + 8;

const aligned = (bytes: number): number => (bytes + 7) & ~7;

/** Both copies of a program's arrays: those that it runs on, byte by byte, and where they lie in a frame. */
interface Layout {
  readonly inputs: readonly Uint8Array[];
  readonly outputs: readonly Uint8Array[];
  readonly request: number;
  readonly reply: Buffer;
}

export class SmallRuns {
  readonly #programs: Programs;
  readonly #layouts: WeakMap<Running, Layout> = new WeakMap();

  constructor(programs: Programs) {
    this.#programs = programs;
  }

  /** @returns the frame to send, which is there until the same program runs again */
  run(request: Buffer): Buffer {
    const running = this.#programs.running(request.readUInt32LE(4));
    const { inputs, outputs, request: length, reply } = this.#layoutOf(running);
    if (request.length !== length) {
      throw new Error(`a small run takes ${length} bytes, not ${request.length}`);
    }
    let at = REQUEST;
    for (const input of inputs) {
      input.set(request.subarray(at, at + input.length));
      at = aligned(at + input.length);
    }
    running.executable.runSync(running.given, { out: running.wanted });
    at = REPLY;
    for (const output of outputs) {
      reply.set(output, at);
      at = HEADER + aligned(at - HEADER + output.length);
    }
    return reply;
  }

  #layoutOf(running: Running): Layout {
    const known = this.#layouts.get(running);
    if (known !== undefined) return known;
    const bytesOf = (arrays: Running["inputs"]) =>
      arrays.map(
        ([, { buffer, byteOffset, byteLength }]) => new Uint8Array(buffer, byteOffset, byteLength),
      );
    const inputs = bytesOf(running.inputs);
    const outputs = bytesOf(running.outputs);
    const sizeOf = (arrays: readonly Uint8Array[]) =>
      arrays.reduce((sum, { length }) => sum + aligned(length), 0);
    const reply = Buffer.alloc(REPLY + sizeOf(outputs));
    reply[HEADER] = SMALL_RUN;
    const layout = { inputs, outputs, request: REQUEST + sizeOf(inputs), reply };
    this.#layouts.set(running, layout);
    return layout;
  }
}
