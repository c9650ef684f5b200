/** Writes the section that native-section.ts describes and reads. */
import { type Section, sectionTypes } from "./container.ts";
import { portableId } from "./container-id.ts";
import { crc32c } from "./hash/crc32c.ts";
import { hex } from "./hash/sha256.ts";
import {
  type ConstantRange,
  codeAlignment,
  type NativeHeader,
  type NativePart,
  portableTypes,
  producer,
} from "./native-section.ts";
import type { Plan, PlanPort } from "./plan.ts";

const portFacts = ({ name, dtype, shape, buffer }: PlanPort): PlanPort => ({
  name,
  dtype,
  shape,
  buffer,
});

/** The WASM section for `plan`, whose other sections are `sections`. */
export function nativeSection(
  plan: Plan,
  sections: readonly Section[],
  constants: readonly ConstantRange[],
  parts: readonly NativePart[],
): Section {
  const header: NativeHeader = {
    producer,
    ir: plan.ir,
    plan: hex(portableId(sections)),
    sections: sections
      .filter(({ type }) => portableTypes.includes(type))
      .map(({ type, content }) => ({ type, bytes: content.length, crc: crc32c(content) })),
    name: plan.name,
    arenaBytes: plan.arenaBytes,
    inputs: plan.inputs.map(portFacts),
    outputs: plan.outputs.map((port) => ({ ...portFacts(port), exact: port.exact })),
    constants,
    parts: parts.map(({ executor, codegen, features, detail, code }) => ({
      executor,
      codegen,
      features,
      detail,
      bytes: code.length,
    })),
  };
  const head = new TextEncoder().encode(ascii(JSON.stringify(header)));
  const starts: number[] = [];
  let end = 4 + head.length;
  for (const { code } of parts) {
    const start = Math.ceil(end / codeAlignment) * codeAlignment;
    starts.push(start);
    end = start + code.length;
  }
  const content = new Uint8Array(end);
  new DataView(content.buffer).setUint32(0, head.length, true);
  content.set(head, 4);
  parts.forEach(({ code }, i) => {
    content.set(code, starts[i]);
  });
  return { type: sectionTypes.wasm, critical: false, content };
}

/** JSON text with everything beyond ASCII escaped. */
const ascii = (json: string): string =>
  json.replace(
    /[\u007f-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
