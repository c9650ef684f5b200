import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { crc32c } from "../src/hash/crc32c.ts";
import { hex, sha256 } from "../src/hash/sha256.ts";

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

describe("crc32c", () => {
  it("gives the check value of RFC 3720 and of the CRC catalogue", () => {
    expect(crc32c(ascii("123456789"))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
    expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
    expect(crc32c(new Uint8Array(0))).toBe(0);
  });

  it("can be continued", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(64), (bytes, at) => {
        const cut = Math.min(at, bytes.length);
        expect(crc32c(bytes.subarray(cut), crc32c(bytes.subarray(0, cut)))).toBe(crc32c(bytes));
      }),
    );
  });
});

describe("crc32c of long inputs", () => {
  it("does not depend on how many bytes are taken at a step", () => {
    const all = Uint8Array.from({ length: 70_000 }, (_, i) => (i * 7919) >>> 3);
    for (const length of [65_535, 65_536, 65_539, 70_000]) {
      let crc = 0;
      for (let at = 0; at < length; at += 999) {
        crc = crc32c(all.subarray(at, Math.min(at + 999, length)), crc);
      }
      expect(crc32c(all.subarray(0, length))).toBe(crc);
    }
  });
});

describe("sha256", () => {
  it("is node:crypto's, for every length around the block size and for large inputs", () => {
    const all = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7919) >>> 3);
    for (const length of [...Array(200).keys(), 300_000]) {
      const bytes = all.subarray(0, length);
      expect(hex(sha256(bytes))).toBe(createHash("sha256").update(bytes).digest("hex"));
    }
  });
});
