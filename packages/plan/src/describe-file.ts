/** What a plan file says of itself, for tools: read from the container alone, whatever the plan is worth. */
import { readContainer, sectionLabel } from "./container.ts";
import { checkId } from "./container-id.ts";
import { readMeta } from "./decode.ts";
import { hex } from "./hash/sha256.ts";

export interface PlanFileDescription {
  /** Of the container, as "1.0". */
  readonly version: string;
  /** 64 hexadecimal digits; compared with the content. */
  readonly id: string;
  readonly bytes: number;
  readonly producer: string | undefined;
  readonly ir: number | undefined;
  readonly sections: readonly {
    readonly name: string;
    readonly critical: boolean;
    readonly offset: number;
    readonly bytes: number;
  }[];
}

/** @throws PlanCorrupt, PlanVersionUnsupported */
export function describePlanFile(file: Uint8Array): PlanFileDescription {
  const container = readContainer(file);
  checkId(container);
  const meta = readMeta(container);
  return {
    version: `${container.major}.${container.minor}`,
    id: hex(container.id),
    bytes: file.length,
    producer: meta?.producer,
    ir: meta?.ir,
    sections: container.sections.map(({ type, critical, offset, content }) => ({
      name: sectionLabel(type),
      critical,
      offset,
      bytes: content.length,
    })),
  };
}
