/** The bytes of a plan file from its sections; the layout is described where it is read. */
import {
  alignUp,
  containerVersion,
  crcAt,
  entryBytes,
  headerBytes,
  headerChecksum,
  idAt,
  littleEndianFlag,
  nativeFlag,
  type Section,
  sectionAlignment,
  sectionTypes,
  signature,
} from "./container.ts";
import { contentId, setU64 } from "./container-id.ts";
import { crc32c } from "./hash/crc32c.ts";

export function writeContainer(sections: readonly Section[]): Uint8Array {
  const tableEnd = headerBytes + entryBytes * sections.length;
  const offsets: number[] = [];
  let end = tableEnd;
  for (const { content } of sections) {
    offsets.push(alignUp(end));
    end = alignUp(end) + content.length;
  }
  const file = new Uint8Array(end);
  const view = new DataView(file.buffer);
  file.set(signature);
  view.setUint16(8, containerVersion.major, true);
  view.setUint16(10, containerVersion.minor, true);
  view.setUint32(12, littleEndianFlag | (sections.some(isNative) ? nativeFlag : 0), true);
  setU64(view, 16, end);
  view.setUint32(24, sections.length, true);
  file.set(contentId(sections), idAt);
  sections.forEach(({ type, critical, content }, i) => {
    const at = headerBytes + entryBytes * i;
    view.setUint32(at, type, true);
    view.setUint32(at + 4, critical ? 1 : 0, true);
    setU64(view, at + 8, offsets[i]!);
    setU64(view, at + 16, content.length);
    view.setUint32(at + 24, crc32c(content), true);
    view.setUint32(at + 28, Math.log2(sectionAlignment), true);
    file.set(content, offsets[i]);
  });
  view.setUint32(crcAt, headerChecksum(file, tableEnd), true);
  return file;
}

const isNative = ({ type }: Section): boolean =>
  type === sectionTypes.wasm || type === sectionTypes.wgsl;
