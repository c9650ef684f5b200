/**
 * Work on the bits of whole numbers: Gray codes there and back (Warren, Hacker's Delight, ch. 13), the number
 * of set bits, and a CRC-32 whose eight rounds for each byte are a JavaScript loop (ISO 3309).
 */
import { type Graph, graph, kernel, type Tensor, tensor, u32, where } from "gridfuse";
import { type Check, exactly, type Inputs, type Outputs, randomInts } from "../check.ts";
import { defineExample, type SuiteExample } from "../example.ts";

const block = 512;

/** x: u32[n] → gray, back: u32[n], ones: u32[n]; n is a multiple of 512. */
export function grayCodes(n: number): Graph {
  const blocks = tensor(u32, [n]).blocks([block], ({ i }) => [i]);
  const convert = kernel(
    "gray_codes",
    {
      grid: { i: n / block },
      inputs: { x: blocks },
      outputs: { gray: blocks, back: blocks, ones: blocks },
    },
    ({ x, gray, back, ones }) => {
      const code = x.get().xor(x.get().shiftRightLogical(1)) as Tensor<"uint32">;
      let plain = code;
      for (let shift = 1; shift < 32; shift *= 2) {
        plain = plain.xor(plain.shiftRightLogical(shift)) as Tensor<"uint32">;
      }
      gray.set(code);
      back.set(plain);
      ones.set(code.populationCount());
    },
  );
  return graph(convert.inputs, convert, { name: "gray_codes" });
}

export interface Messages {
  /** A multiple of 8. */
  readonly messages: number;
  readonly bytes: number;
}

/** bytes: u32[messages, bytes], each from 0 to 255 → crc: u32[messages, 1]. */
export function crc32({ messages, bytes }: Messages): Graph {
  const checksum = kernel(
    "crc32",
    {
      grid: { i: messages / 8, byte: bytes },
      inputs: {
        bytes: tensor(u32, [messages, bytes]).blocks([8, 1], ({ i, byte }) => [i, byte]),
      },
      outputs: { crc: tensor(u32, [messages, 1]).blocks([8, 1], ({ i }) => [i, 0]) },
    },
    (refs, { byte }) => {
      const start = where(byte.isFirst, 0xffffffff, refs.crc.get()) as Tensor<"uint32">;
      let crc = start.xor(refs.bytes.get()) as Tensor<"uint32">;
      for (let bit = 0; bit < 8; bit++) {
        const half = crc.shiftRightLogical(1);
        crc = where(crc.and(1).eq(1), half.xor(0xedb88320), half) as Tensor<"uint32">;
      }
      refs.crc.set(where(byte.isLast, crc.not(), crc) as Tensor<"uint32">);
    },
  );
  return graph(checksum.inputs, checksum, { name: "crc32" });
}

const checkGray =
  (_: number) =>
  (inputs: Inputs, { gray, back, ones }: Outputs): Check => {
    const x = inputs.x as Uint32Array;
    const codes = x.map((value) => value ^ (value >>> 1));
    const counts = codes.map((code) => code.toString(2).replaceAll("0", "").length);
    const checks = [exactly(gray, codes), exactly(back, x), exactly(ones, counts)];
    return checks.find(({ ok }) => !ok) ?? checks[0];
  };

/** By a table of 256 remainders. */
const checkCrc =
  ({ messages, bytes }: Messages) =>
  (inputs: Inputs, { crc }: Outputs): Check => {
    const table = Array.from({ length: 256 }, (_, byte) => {
      let remainder = byte;
      for (let bit = 0; bit < 8; bit++) {
        remainder = (remainder >>> 1) ^ (remainder & 1 ? 0xedb88320 : 0);
      }
      return remainder;
    });
    const expected = Uint32Array.from({ length: messages }, (_, message) => {
      const own = (inputs.bytes as Uint32Array).subarray(message * bytes, (message + 1) * bytes);
      return ~own.reduce((sum, byte) => table[(sum ^ byte) & 255] ^ (sum >>> 8), 0xffffffff);
    });
    return exactly(crc, expected);
  };

export const examples: readonly SuiteExample[] = [
  defineExample<number>({
    name: "Gray codes and set bits",
    about: "shifts, exclusive ors and population counts",
    full: 1 << 18,
    small: 1024,
    graph: grayCodes,
    inputs: (n) => ({ x: Uint32Array.from(randomInts(n, 2 ** 32, 68)) }),
    check: checkGray,
  }),
  defineExample<Messages>({
    name: "CRC-32",
    about: "a checksum whose bytes follow each other, of many messages at once",
    full: { messages: 1024, bytes: 64 },
    small: { messages: 16, bytes: 9 },
    graph: crc32,
    inputs: ({ messages, bytes }) => ({
      bytes: Uint32Array.from(randomInts(messages * bytes, 256, 69)),
    }),
    check: checkCrc,
    expects: {
      gridLoops: 1,
      sequential: { "crc32.byte": "a remainder is divided further, byte by byte" },
    },
  }),
];
