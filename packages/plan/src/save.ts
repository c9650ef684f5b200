/**
 * From a plan to the bytes of a file; build side only, because it loads msgpackr. The same plan gives the same bytes on
 * every machine: no time, host or path is written, and what may differ between builds (META, DBG) is
 * outside the plan id.
 */
import { type Section, type SectionName, sectionAlignment, sectionTypes } from "./container.ts";
import { contentId } from "./container-id.ts";
import { writeContainer } from "./container-write.ts";
import { itemSize } from "./dtype.ts";
import { PlanError } from "./errors.ts";
import { checked } from "./file-options.ts";
import { hex } from "./hash/sha256.ts";
import { type FileSystem, hostProcess, nodeFileSystem, systemErrorCode } from "./host.ts";
import { decodePlan } from "./load.ts";
import type { Wire } from "./msgpack/decode.ts";
import { encodeMsgpack } from "./msgpack/encode.ts";
import type { NativeCode } from "./native-section.ts";
import { nativeSection } from "./native-write.ts";
import type { OptionNames } from "./options.ts";
import type { Plan, PlanConstant } from "./plan.ts";
import { PlanFileError, PlanInvalid } from "./plan-errors.ts";
import { fileError, filePath } from "./source.ts";
import { version } from "./version.ts";
import {
  type ConstantEntry,
  constantIndexToWire,
  debugToWire,
  metaToWire,
  planToWire,
} from "./wire/records.ts";

export interface EncodeOptions {
  /** Write the debug section, if the plan has one. Default true. */
  readonly debug?: boolean;
  /** Code that executors made of this plan, for whoever loads it with trust. */
  readonly native?: readonly NativeCode[];
}
const encodeOptions: OptionNames<EncodeOptions> = { debug: true, native: true };

/**
 * The bytes of a plan file.
 *
 * @throws PlanInvalid where the plan has not the shape that the types promise; PlanError GF4017 where
 *   native code was made of another plan, GF4023 for options there are not
 */
export function encodePlan(plan: Plan, options: EncodeOptions = {}): Uint8Array {
  return writeContainer(sectionsOf(plan, checked("encodePlan", options, encodeOptions)));
}

/**
 * The id of a plan, as 64 hexadecimal digits: equal for plans that compute the same way. A file without native
 * code carries it in its header, native code carries it as what it belongs to.
 */
export function planId(plan: Plan): string {
  return hex(contentId(sectionsOf(plan, { debug: false })));
}

/**
 * Writes a plan file. It appears under its name complete or not at all: the bytes go to a temporary file
 * beside it, reach the disk, and are renamed. What is written is what `loadPlan` accepts; that is checked first.
 *
 * @throws PlanInvalid, PlanFileError
 */
export async function savePlan(
  path: string | URL,
  plan: Plan,
  options: EncodeOptions = {},
): Promise<void> {
  const bytes = encodePlan(plan, checked("savePlan", options, encodeOptions));
  decodePlan(bytes);
  if (options.native !== undefined) decodePlan(bytes, { trust: "unsafe", checkId: true });
  const files = nodeFileSystem();
  if (files === undefined) {
    throw new PlanFileError("GF4014", "there is no file system on this host", {
      help: "use encodePlan and store the bytes yourself",
    });
  }
  const target = filePath(path);
  try {
    writeAtomically(files, target, bytes, { durable: true });
  } catch (cause) {
    throw fileError(`cannot write plan file ${target}`, target, cause);
  }
}

function sectionsOf(plan: Plan, { debug = true, native = [] }: EncodeOptions): Section[] {
  const packed = (name: SectionName, critical: boolean, wire: Wire): Section => ({
    type: sectionTypes[name],
    critical,
    content: encodeMsgpack(wire, name.toUpperCase()),
  });
  const meta = { producer: `gridfuse ${version}`, ir: plan.ir };
  const sections = [
    packed("meta", false, metaToWire(meta)),
    packed("plan", true, planToWire(plan)),
  ];
  const { entries, content } = layOut(plan.constants);
  if (entries.length > 0) {
    sections.push(packed("cidx", true, constantIndexToWire(entries)));
    sections.push({ type: sectionTypes.cnst, critical: true, content });
  }
  if (native.length > 0) {
    refuseForeign(plan, native);
    const ranges = entries.map(({ offset }, i) => ({
      offset,
      bytes: plan.constants[i]!.data.length,
    }));
    sections.push(nativeSection(plan, sections, ranges, native));
  }
  if (debug && plan.debug !== undefined) {
    sections.push(packed("dbg", false, debugToWire(plan.debug)));
  }
  return sections;
}

function refuseForeign(plan: Plan, native: readonly NativeCode[]): void {
  for (const { plan: source, executor } of native) {
    if (source === plan || planId(source) === planId(plan)) continue;
    throw new PlanError(
      "GF4017",
      `native code for ${executor} was made of plan "${source.name}", which is not the one being saved`,
      {
        path: "native",
        expected: planId(plan),
        received: planId(source),
        help: "compile native code from the plan that you save",
      },
    );
  }
}

function layOut(constants: readonly PlanConstant[]): {
  entries: ConstantEntry[];
  content: Uint8Array;
} {
  const entries: ConstantEntry[] = [];
  let end = 0;
  constants.forEach(({ dtype, length, data }, i) => {
    if (!(data instanceof Uint8Array) || data.length !== length * itemSize(dtype)) {
      throw new PlanInvalid("V20", `constants[${i}]`, `not the bytes of ${length} ${dtype}`);
    }
    const offset = Math.ceil(end / sectionAlignment) * sectionAlignment;
    entries.push({ dtype, length, offset });
    end = offset + data.length;
  });
  const content = new Uint8Array(end);
  entries.forEach(({ offset }, i) => {
    content.set(constants[i]!.data, offset);
  });
  return { entries, content };
}

// ── Files ───────────────────────────────────────────────────────────────────────────────────

let temporaries = 0;

/** Temporary names of this process; a pruner recognises and removes what a killed one left. */
export const temporaryName = (path: string): string =>
  `${path}.tmp.${hostProcess()?.pid ?? 0}.${++temporaries}`;

/** Writes beside `path` and renames. `durable` waits for the disk, which a cache has no need of. */
export function writeAtomically(
  files: FileSystem,
  path: string,
  bytes: Uint8Array,
  { durable }: { readonly durable: boolean },
): void {
  const temporary = temporaryName(path);
  try {
    const fd = files.openSync(temporary, "wx", 0o666);
    try {
      for (let done = 0; done < bytes.length; ) {
        done += files.writeSync(fd, bytes, done, bytes.length - done);
      }
      if (durable) files.fsyncSync(fd);
    } finally {
      files.closeSync(fd);
    }
    files.renameSync(temporary, path);
  } catch (cause) {
    removeQuietly(files, temporary);
    throw cause;
  }
  if (durable) syncDirectory(files, path);
}

function removeQuietly(files: FileSystem, path: string): void {
  try {
    files.unlinkSync(path);
  } catch {
    // It was never made, or somebody else was quicker.
  }
}

/** Makes the rename itself durable. Windows cannot open directories, some file systems cannot sync them. */
function syncDirectory(files: FileSystem, path: string): void {
  const directory = path.replace(/[^/\\]*$/, "") || ".";
  try {
    const fd = files.openSync(directory, "r");
    try {
      files.fsyncSync(fd);
    } finally {
      files.closeSync(fd);
    }
  } catch (error) {
    const code = systemErrorCode(error);
    if (!["EINVAL", "EPERM", "EISDIR", "EACCES", "ENOTSUP"].includes(code ?? "")) throw error;
  }
}
