import { type DType, dtypes, itemSize, type StorageArray, storageArray } from "@gridfuse/plan";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encodeNpy, parseNpy, tensorOf } from "../src/npy.ts";

/** A file as NumPy writes it, with any header. */
function npy(header: string, data: readonly number[], version: 1 | 2 | 3 = 1): Uint8Array {
  const text = new TextEncoder().encode(`${header}\n`);
  const length =
    version === 1
      ? [text.length & 255, text.length >> 8]
      : [text.length & 255, text.length >> 8, 0, 0];
  return Uint8Array.from([0x93, ...Buffer.from("NUMPY"), version, 0, ...length, ...text, ...data]);
}

const header = (descr: string, shape: string, order = "False"): string =>
  `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': ${shape}, }`;

const code = (run: () => unknown): string => {
  try {
    run();
    return "accepted";
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
};

describe("writing .npy", () => {
  it("is what numpy.save writes for numpy.array([1, 2], numpy.float32)", () => {
    const file = encodeNpy("float32", [2], Float32Array.of(1, 2));
    const text = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }".padEnd(117) + "\n";
    expect(Buffer.from(file.subarray(0, 10))).toEqual(
      Buffer.from("\x93NUMPY\x01\x00\x76\x00", "latin1"),
    );
    expect(Buffer.from(file.subarray(10, 128)).toString()).toBe(text);
    expect([...file.subarray(128)]).toEqual([0, 0, 128, 63, 0, 0, 0, 64]);
  });

  it.each<[readonly number[], string]>([
    [[], "()"],
    [[3], "(3,)"],
    [[2, 0, 4], "(2, 0, 4)"],
  ])("spells the shape [%s] as Python does: %s", (shape, tuple) => {
    const length = shape.reduce((n, d) => n * d, 1);
    const file = encodeNpy("uint8", shape, new Uint8Array(length));
    expect(Buffer.from(file).toString("latin1")).toContain(`'shape': ${tuple}, }`);
  });

  it("is read back for every dtype and shape, to the bit", () => {
    const anyDType = fc.constantFrom(...dtypes);
    const anyShape = fc.array(fc.nat(4), { maxLength: 4 });
    fc.assert(
      fc.property(anyDType, anyShape, fc.infiniteStream(fc.nat(255)), (dtype, shape, noise) => {
        const length = shape.reduce((n, d) => n * d, 1);
        const data: StorageArray = storageArray(dtype, length);
        const bytes = new Uint8Array(data.buffer);
        for (let i = 0; i < bytes.length; i++) bytes[i] = noise.next().value;
        const file = encodeNpy(dtype, shape, data);
        expect((file.length - data.byteLength) % 64).toBe(0);
        const read = tensorOf(parseNpy(file, "x.npy"), dtype, "x.npy");
        expect(read.shape).toEqual(shape);
        expect(Buffer.from(read.data.buffer, read.data.byteOffset, read.data.byteLength)).toEqual(
          Buffer.from(bytes),
        );
      }),
    );
  });

  it("uses version 2 where the header is long", () => {
    const shape = Array<number>(25_000).fill(1);
    const file = encodeNpy("uint8", shape, new Uint8Array(1));
    expect(file[6]).toBe(2);
    expect(parseNpy(file, "x.npy").shape).toEqual(shape);
  });
});

describe("reading .npy", () => {
  it("takes versions 1, 2 and 3, entries in any order, and unaligned data", () => {
    for (const version of [1, 2, 3] as const) {
      const file = npy(
        "{'shape': (1,), 'fortran_order': False, 'descr': '<i4'}",
        [7, 0, 0, 0],
        version,
      );
      expect([...tensorOf(parseNpy(file, "x"), "int32", "x").data]).toEqual([7]);
    }
  });

  it("takes Fortran order where it makes no difference", () => {
    expect(code(() => parseNpy(npy(header("|u1", "(3, 1)", "True"), [1, 2, 3]), "x"))).toBe(
      "accepted",
    );
  });

  it("takes bfloat16 as patterns, and as ml_dtypes saves it", () => {
    for (const descr of ["<u2", "|V2"]) {
      const file = npy(header(descr, "(1,)"), [0x80, 0x3f]);
      expect([...tensorOf(parseNpy(file, "x"), "bfloat16", "x").data]).toEqual([0x3f80]);
    }
  });

  it.each<[string, string, Uint8Array]>([
    ["an empty file", "GF6010", new Uint8Array(0)],
    ["another file", "GF6010", Uint8Array.from(Buffer.from("PK\u0003\u0004....................."))],
    ["a later version", "GF6010", npy("{}", [], 1).fill(4, 6, 7)],
    ["a header beyond the file", "GF6010", npy("{}", []).fill(255, 8, 10)],
    ["a header cut off", "GF6010", npy("{}", []).subarray(0, 9)],
    ["a header that is no dictionary", "GF6010", npy("[1]", [])],
    ["a header without a shape", "GF6010", npy("{'descr': '<f4', 'fortran_order': False}", [])],
    ["a shape that is a call", "GF6010", npy(header("<f4", "(f(), 2)"), [])],
    ["too few bytes", "GF6010", npy(header("<f4", "(2,)"), [0, 0, 0, 0])],
    ["too many bytes", "GF6010", npy(header("|u1", "()"), [0, 0])],
    ["Fortran order", "GF6011", npy(header("|u1", "(2, 2)", "True"), [1, 2, 3, 4])],
    ["big-endian data", "GF6011", npy(header(">f4", "(1,)"), [0, 0, 0, 0])],
    ["Python objects", "GF6011", npy(header("|O", "(1,)"), [0])],
    ["text", "GF6011", npy(header("<U4", "(1,)"), [0])],
    ["complex numbers", "GF6011", npy(header("<c8", "(1,)"), [0])],
    [
      "records",
      "GF6011",
      npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", []),
    ],
  ])("refuses %s", (_name, expected, file) => {
    expect(code(() => parseNpy(file, "x.npy"))).toBe(expected);
  });

  it("refuses any dtype but the wanted one", () => {
    for (const from of dtypes) {
      for (const to of dtypes) {
        const array = parseNpy(encodeNpy(from, [1], storageArray(from, 1) as StorageArray), "x");
        const patterns = (d: DType): string => (d === "bfloat16" ? "uint16" : d);
        const fits = patterns(from) === patterns(to);
        expect(
          code(() => tensorOf(array, to, "x")),
          `${from} as ${to}`,
        ).toBe(fits ? "accepted" : "GF6012");
        expect(array.data.length).toBe(itemSize(from));
      }
    }
  });
});
