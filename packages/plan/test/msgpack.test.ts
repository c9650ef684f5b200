import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PlanError, PlanInvalid, PlanNotCanonical, PlanTooLarge } from "../src/index.ts";
import { decodeMsgpack, limits, reservedKeys, type Wire } from "../src/msgpack/decode.ts";
import { compareBytes, encodeMsgpack } from "../src/msgpack/encode.ts";

const decode = (...bytes: number[]): Wire => decodeMsgpack(Uint8Array.from(bytes), "TEST");

const wellFormed = fc.string({ unit: "grapheme", maxLength: 300 });
const anyNumber = fc.oneof(
  fc.maxSafeInteger(),
  fc.integer(),
  fc.constantFrom(-33, -32, 127, 128, 255, 256, 65535, 65536, 2 ** 32 - 1, 2 ** 32, -(2 ** 31) - 1),
  fc.double({ noNaN: true }).map((x) => (x === 0 ? 0 : x)),
);
const { wire } = fc.letrec<{ wire: Wire }>((tie) => ({
  wire: fc.oneof(
    { maxDepth: 4 },
    fc.constant(null),
    fc.boolean(),
    anyNumber,
    wellFormed,
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie("wire"), { maxLength: 20 }),
    fc.dictionary(
      wellFormed.filter((key) => !reservedKeys.has(key)),
      tie("wire"),
      { maxKeys: 20, noNullPrototype: true },
    ),
  ),
}));

describe("canonical MessagePack", () => {
  it("reads back what was written", () => {
    fc.assert(
      fc.property(wire, (value) => {
        expect(decodeMsgpack(encodeMsgpack(value, "TEST"), "TEST")).toEqual(value);
      }),
    );
  });

  it("has one spelling: whatever is accepted is written the same way again", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 12 }), (bytes) => {
        let value: Wire;
        try {
          value = decodeMsgpack(bytes, "TEST");
        } catch (error) {
          expect(error).toBeInstanceOf(PlanError);
          return;
        }
        expect([...encodeMsgpack(value, "TEST")]).toEqual([...bytes]);
      }),
      { numRuns: 5000 },
    );
  });

  it("sorts keys by their UTF-8 bytes, not by UTF-16 units", () => {
    // U+FF5E sorts after the surrogates of U+1F600 in UTF-16 and before its bytes in UTF-8.
    const value = { "\u{1F600}": 1, "\uFF5E": 2, ab: 3, a: 4 };
    const read = decodeMsgpack(encodeMsgpack(value, "TEST"), "TEST") as object;
    expect(Object.keys(read)).toEqual(["a", "ab", "\uFF5E", "\u{1F600}"]);
  });

  it("does not depend on insertion order", () => {
    expect(encodeMsgpack({ x: 1, y: 2 }, "TEST")).toEqual(encodeMsgpack({ y: 2, x: 1 }, "TEST"));
  });

  it("orders a prefix first", () => {
    expect(compareBytes(Uint8Array.of(1), Uint8Array.of(1, 0))).toBeLessThan(0);
  });

  it.each([
    ["undefined", undefined],
    ["a function", () => 0],
    ["a bigint", 5n],
    ["NaN", Number.NaN],
    ["a Float32Array", Float32Array.of(1)],
    ["half a surrogate pair", "\ud800"],
    ["a reserved key", JSON.parse('{"__proto__": 1}')],
  ])("refuses to write %s", (_name, value) => {
    expect(() => encodeMsgpack(value as Wire, "TEST")).toThrow(PlanInvalid);
  });
});

describe("reading MessagePack from strangers", () => {
  it.each([
    ["0xc1, which is no type", [0xc1]],
    ["a fixed extension", [0xd4, 0x00, 0x00]],
    ["an extension", [0xc7, 0x01, 0x00, 0x00]],
    ["float32", [0xca, 0, 0, 0, 0]],
    ["uint64", [0xcf, 0, 0, 0, 1, 0, 0, 0, 0]],
    ["int64 beyond 2^53", [0xd3, 0x7f, 0, 0, 0, 0, 0, 0, 0]],
    ["NaN", [0xcb, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0]],
    ["nothing", []],
    ["bytes after the value", [0x01, 0x01]],
    ["a key that is not a string", [0x81, 0x01, 0x01]],
    ["a key that ends the data", [0x81]],
    ["the key __proto__", [0x81, 0xa9, ...new TextEncoder().encode("__proto__"), 0x01]],
    ["invalid UTF-8", [0xa2, 0xc3, 0x28]],
    ["UTF-8 of a surrogate", [0xa3, 0xed, 0xa0, 0x80]],
    ["an array longer than the data", [0xdd, 0xff, 0xff, 0xff, 0xff]],
    ["a map longer than the data", [0xdf, 0xff, 0xff, 0xff, 0xff]],
    ["a string longer than the data", [0xda, 0xff, 0xff]],
    ["binary longer than the data", [0xc6, 0xff, 0xff, 0xff, 0xff]],
    ["a number cut off", [0xce, 0x00]],
    ["nesting beyond the limit", [...Array(limits.depth + 1).fill(0x91), 0xc0]],
    ["nesting without end", Array(100_000).fill(0x91)],
  ])("refuses %s", (_name, bytes) => {
    expect(() => decode(...bytes)).toThrow(PlanInvalid);
  });

  it.each([
    ["uint8 for a small number", [0xcc, 0x7f]],
    ["uint16 for a byte", [0xcd, 0x00, 0xff]],
    ["uint32 for 16 bits", [0xce, 0x00, 0x00, 0xff, 0xff]],
    ["int8 for a small number", [0xd0, 0xe0]],
    ["int8 for a positive number", [0xd0, 0x05]],
    ["int16 for a byte", [0xd1, 0xff, 0x80]],
    ["int64 for 32 bits", [0xd3, 0, 0, 0, 0, 0, 0, 0, 1]],
    ["float64 for an integer", [0xcb, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0]],
    ["float64 for minus zero", [0xcb, 0x80, 0, 0, 0, 0, 0, 0, 0]],
    ["str8 for a short string", [0xd9, 0x01, 0x61]],
    ["array16 for a short array", [0xdc, 0x00, 0x01, 0xc0]],
    ["map16 for a small map", [0xde, 0x00, 0x01, 0xa1, 0x61, 0xc0]],
    ["bin16 for few bytes", [0xc5, 0x00, 0x01, 0x00]],
    ["keys out of order", [0x82, 0xa1, 0x62, 0xc0, 0xa1, 0x61, 0xc0]],
    ["a key twice", [0x82, 0xa1, 0x61, 0xc0, 0xa1, 0x61, 0xc0]],
  ])("says that %s is not canonical", (_name, bytes) => {
    expect(() => decode(...bytes)).toThrow(PlanNotCanonical);
  });

  it("limits strings and the number of values", () => {
    const long = new Uint8Array(limits.stringBytes + 8).fill(0x61);
    long.set([0xdb, 0, 1, 0, 1]);
    expect(() => decodeMsgpack(long.subarray(0, 5 + 65537), "TEST")).toThrow(PlanTooLarge);
    const many = new Uint8Array(5 + limits.tokens).fill(0xc0);
    many.set([0xdd, 0, 0x1e, 0x84, 0x80]);
    expect(() => decodeMsgpack(many, "TEST")).toThrow(PlanTooLarge);
  });

  it("copies binary, so that a small value does not keep a large file", () => {
    const bytes = Uint8Array.from([0xc4, 2, 7, 8]);
    const value = decodeMsgpack(bytes, "TEST") as Uint8Array;
    expect([...value]).toEqual([7, 8]);
    expect(value.buffer).not.toBe(bytes.buffer);
  });
});
