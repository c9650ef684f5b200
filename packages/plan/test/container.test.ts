import { describe, expect, it } from "vitest";
import { readContainer, type Section, sectionTypes } from "../src/container.ts";
import { checkId, contentId } from "../src/container-id.ts";
import { writeContainer } from "../src/container-write.ts";
import { crc32c } from "../src/hash/crc32c.ts";
import { PlanCorrupt, PlanVersionUnsupported } from "../src/index.ts";

const section = (type: number, text: string, critical = true): Section => ({
  type,
  critical,
  content: new TextEncoder().encode(text),
});
const two = [section(sectionTypes.plan, "plan"), section(sectionTypes.dbg, "debug", false)];

/** A file with bytes changed by hand and its header checksum made right again. */
function edited(
  sections: readonly Section[],
  edit: (view: DataView, file: Uint8Array) => void,
): Uint8Array {
  const file = writeContainer(sections);
  const view = new DataView(file.buffer);
  edit(view, file);
  const end = 64 + 32 * view.getUint32(24, true);
  const header = crc32c(file.subarray(32, end), crc32c(file.subarray(0, 28)));
  view.setUint32(28, header, true);
  return file;
}

describe("the container", () => {
  it("keeps sections, 256-byte aligned, in order", () => {
    const { sections, major, minor } = readContainer(writeContainer(two));
    expect([major, minor]).toEqual([1, 0]);
    expect(sections.map(({ type, critical, offset }) => ({ type, critical, offset }))).toEqual([
      { type: 2, critical: true, offset: 256 },
      { type: 7, critical: false, offset: 512 },
    ]);
    expect(sections.map(({ content }) => new TextDecoder().decode(content))).toEqual([
      "plan",
      "debug",
    ]);
  });

  it("starts with the signature and names its length", () => {
    const file = writeContainer(two);
    expect([...file.subarray(0, 8)]).toEqual([0x89, 0x47, 0x46, 0x50, 0x0d, 0x0a, 0x1a, 0x0a]);
    expect(new DataView(file.buffer).getBigUint64(16, true)).toBe(BigInt(file.length));
  });

  it("identifies what a run computes, not what is said about it", () => {
    const id = contentId(two);
    expect(contentId([...two.slice(0, 1), section(sectionTypes.dbg, "other", false)])).toEqual(id);
    expect(contentId([section(sectionTypes.plan, "plaN")])).not.toEqual(id);
    checkId(readContainer(writeContainer(two)));
  });

  it("notices an id that is not the content's, when asked", () => {
    const forged = edited(two, (_view, file) => {
      file[40] = file[40]! ^ 1;
    });
    expect(() => checkId(readContainer(forged))).toThrow(
      expect.objectContaining({ code: "GF4008" }),
    );
  });

  it("skips sections that it knows or not, as long as they are not critical", () => {
    const later = [...two, section(sectionTypes.wasm, "code", false), section(99, "?", false)];
    expect(readContainer(writeContainer(later)).sections).toHaveLength(4);
  });

  it("accepts a newer minor version", () => {
    const newer = edited(two, (view) => view.setUint16(10, 7, true));
    expect(readContainer(newer).minor).toBe(7);
  });

  it.each<[string, string, Uint8Array]>([
    ["an empty file", "GF4001", new Uint8Array(0)],
    ["another file", "GF4001", new TextEncoder().encode("PK\u0003\u0004 and then some more")],
    ["a newer major version", "GF4005", edited(two, (view) => view.setUint16(8, 2, true))],
    ["an older major version", "GF4005", edited(two, (view) => view.setUint16(8, 0, true))],
    ["an unknown critical section", "GF4006", writeContainer([...two, section(99, "?")])],
    ["native code that must be used", "GF4006", writeContainer([section(sectionTypes.wasm, "c")])],
    ["a file length of 2^40", "GF4002", edited(two, (view) => view.setUint32(20, 256, true))],
    ["a section length of 2^40", "GF4004", edited(two, (view) => view.setUint32(84, 256, true))],
    ["a section offset of 2^40", "GF4004", edited(two, (view) => view.setUint32(76, 256, true))],
    ["65 sections", "GF4004", edited(two, (view) => view.setUint32(24, 65, true))],
    ["a table beyond the file", "GF4004", edited([], (view) => view.setUint32(24, 60, true))],
    [
      "overlapping sections",
      "GF4004",
      edited(two, (view) => view.setUint32(64 + 32 + 8, 256, true)),
    ],
    ["a section twice", "GF4004", writeContainer([two[0]!, two[0]!])],
    ["a signature that is not last", "GF4004", writeContainer([section(9, "s", false), two[0]!])],
    ["padding that is not zero", "GF4004", edited(two, (_view, file) => file.fill(1, 400, 401))],
    ["another alignment", "GF4004", edited(two, (view) => view.setUint32(64 + 28, 6, true))],
    ["unknown section flags", "GF4004", edited(two, (view) => view.setUint32(64 + 4, 3, true))],
    ["unknown file flags", "GF4004", edited(two, (view) => view.setUint32(12, 12, true))],
    ["big-endian data", "GF4004", edited(two, (view) => view.setUint32(12, 0, true))],
    ["bytes after the last section", "GF4004", trailing()],
  ])("refuses %s", (_name, code, file) => {
    expect(() => readContainer(file)).toThrow(expect.objectContaining({ code }));
  });

  it("sees a text-mode transfer", () => {
    const text = writeContainer(two);
    text.set([0x0a, 0x1a, 0x0a], 4);
    expect(() => readContainer(text)).toThrow(
      expect.objectContaining({ code: "GF4001", help: expect.stringContaining("binary") }),
    );
  });

  it("says which kind of trouble it is", () => {
    expect(() => readContainer(writeContainer([section(99, "")]))).toThrow(PlanVersionUnsupported);
    expect(() => readContainer(writeContainer(two).subarray(0, -1))).toThrow(PlanCorrupt);
  });
});

/** A file whose header counts four bytes that no section holds. */
function trailing(): Uint8Array {
  const file = writeContainer(two);
  const longer = new Uint8Array(file.length + 4);
  longer.set(file);
  const view = new DataView(longer.buffer);
  view.setUint32(16, longer.length, true);
  view.setUint32(28, crc32c(longer.subarray(32, 128), crc32c(longer.subarray(0, 28))), true);
  return longer;
}
