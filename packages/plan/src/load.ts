/**
 * From bytes to a verified plan: container, MessagePack, records, rules. Nothing of this needs a compiler, a
 * dependency, or code generation, and every way to fail is a `PlanError`.
 */

import {
  type Container,
  checkId,
  findSection,
  readContainer,
  sectionAlignment,
} from "./container.ts";
import { type DType, itemSize } from "./dtype.ts";
import { builtin, type FileSystem, nodeFileSystem, systemErrorCode } from "./host.ts";
import { decodeMsgpack, type Wire } from "./msgpack/decode.ts";
import { irVersion, type Plan, type PlanConstant } from "./plan.ts";
import { PlanFileError, PlanInvalid, PlanTooLarge, PlanVersionUnsupported } from "./plan-errors.ts";
import { verifyDecoded } from "./verify/verify.ts";
import {
  constantIndexFromWire,
  debugFromWire,
  metaFromWire,
  type PlanMeta,
  planFromWire,
} from "./wire/records.ts";

export interface LoadLimits {
  /** Arena, constants, inputs and outputs together. */
  readonly bytes?: number;
}

export interface LoadOptions {
  readonly limits?: LoadLimits;
  /** Also compare the plan id with the content; accidental damage is found without it. Default false. */
  readonly checkId?: boolean;
}

/**
 * Reads and verifies a plan. In Node a string or a `file:` URL is read from disk (synchronously: it is
 * done once, and small plans load fastest that way); other URLs, and in browsers strings, are fetched. Bytes are used
 * in place: constants are views of them, so leave them alone afterwards.
 *
 * @throws PlanCorrupt, PlanVersionUnsupported, PlanInvalid, PlanNotCanonical, PlanTooLarge, PlanFileError
 */
export async function loadPlan(
  source: string | URL | Uint8Array | ArrayBuffer,
  options: LoadOptions = {},
): Promise<Plan> {
  return decodePlan(await readSource(source), options);
}

/** The plan in the bytes of a file: `loadPlan` without the reading. */
export function decodePlan(bytes: Uint8Array, options: LoadOptions = {}): Plan {
  const container = readContainer(bytes);
  if (options.checkId === true) checkId(container);
  const plan = planOf(container, bytes);
  verifyDecoded(plan);
  checkBudget(plan, options.limits?.bytes ?? Number.POSITIVE_INFINITY);
  return plan;
}

/** META of a file, for tools. */
export function readMeta(container: Container): PlanMeta | undefined {
  const section = findSection(container, "meta");
  return section && metaFromWire(decodeMsgpack(section, "META"));
}

function planOf(container: Container, bytes: Uint8Array): Plan {
  const section = findSection(container, "plan");
  if (section === undefined) throw new PlanInvalid("V10", "PLAN", "the section is missing");
  const wire = decodeMsgpack(section, "PLAN");
  checkIr(wire);
  const body = planFromWire(wire);
  const constants = readConstants(container, bytes);
  const dbg = findSection(container, "dbg");
  if (dbg === undefined) return { ...body, constants };
  return { ...body, constants, debug: debugFromWire(decodeMsgpack(dbg, "DBG")) };
}

/** Before anything else is read: records of another version may have any shape. */
function checkIr(wire: Wire): void {
  const ir = typeof wire === "object" && wire !== null && "ir" in wire ? wire.ir : undefined;
  if (ir === irVersion) return;
  if (typeof ir !== "number") throw new PlanInvalid("V10", "ir", "the IR version is missing");
  throw new PlanVersionUnsupported(
    "GF4007",
    `plan of IR version ${ir}; this gridfuse runs version ${irVersion}`,
    {
      path: "ir",
      expected: irVersion,
      received: ir,
      help:
        ir > irVersion
          ? "update @gridfuse/plan in the process that loads"
          : "compile the plan again with this gridfuse",
    },
  );
}

/** Constants lie one after the other, each at the next multiple of 256 bytes, and fill CNST exactly (rule V20). */
function readConstants(container: Container, bytes: Uint8Array): readonly PlanConstant[] {
  const index = findSection(container, "cidx");
  const content = findSection(container, "cnst");
  if (index === undefined && content === undefined) return [];
  if (index === undefined || content === undefined) {
    throw new PlanInvalid("V20", "constants", "CNST and CIDX come together");
  }
  const align = (offset: number): number => Math.ceil(offset / sectionAlignment) * sectionAlignment;
  // A view can serve any dtype only where memory and file agree on what is aligned.
  const aligned = bytes.byteOffset % 8 === 0;
  let end = 0;
  const constants = constantIndexFromWire(decodeMsgpack(index, "CIDX")).map(
    ({ dtype, length, offset }, i): PlanConstant => {
      const size = byteSize(dtype, length, `constants[${i}]`);
      if (offset !== align(end) || size > content.length - offset) {
        throw new PlanInvalid("V20", `constants[${i}]`, `bytes ${offset}…${offset + size} of CNST`);
      }
      for (let at = end; at < offset; at++) {
        if (content[at] !== 0) throw new PlanInvalid("V20", `constants[${i}]`, "padding not zero");
      }
      end = offset + size;
      const data = aligned
        ? new Uint8Array(content.buffer, content.byteOffset + offset, size)
        : new Uint8Array(content.subarray(offset, end));
      return { dtype, length, data };
    },
  );
  if (end !== content.length) throw new PlanInvalid("V20", "constants", "CNST is not filled");
  return constants;
}

function byteSize(dtype: DType, length: number, path: string): number {
  const size = length * itemSize(dtype);
  if (!Number.isSafeInteger(size)) throw new PlanTooLarge(path, `${length} elements of ${dtype}`);
  return size;
}

function checkBudget(plan: Plan, limit: number): void {
  const ports = [...plan.inputs, ...plan.outputs];
  const needed = [
    plan.arenaBytes,
    ...plan.constants.map(({ data }) => data.length),
    ...ports.map(({ dtype, shape }) => shape.reduce((n, d) => n * d, itemSize(dtype))),
  ].reduce((sum, n) => sum + n, 0);
  if (needed <= limit) return;
  throw new PlanTooLarge("plan", `a run needs ${needed} bytes, the limit is ${limit} (rule V23)`, {
    expected: limit,
    received: needed,
    help: "raise limits.bytes, or compile for smaller shapes",
  });
}

// ── Sources ─────────────────────────────────────────────────────────────────────────────────

async function readSource(source: string | URL | Uint8Array | ArrayBuffer): Promise<Uint8Array> {
  if (source instanceof Uint8Array) return source;
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  const files = nodeFileSystem();
  const isRemote = /^(https?|blob|data):/i.test(String(source));
  if (files === undefined || isRemote) return fetchBytes(source);
  return readFile(files, filePath(source));
}

/** A path for the file system; `file:` URLs are converted, as text too. */
export function filePath(source: string | URL): string {
  if (typeof source === "string" && !source.startsWith("file:")) return source;
  const url = builtin<{ fileURLToPath(url: string): string }>("node:url");
  if (url === undefined) {
    throw new PlanFileError("GF4014", "there is no file system on this host", {
      help: "pass bytes, or an http(s) URL",
    });
  }
  try {
    return url.fileURLToPath(String(source));
  } catch (cause) {
    throw new PlanFileError("GF4013", `${source} is not the URL of a file`, { cause });
  }
}

function readFile(files: FileSystem, path: string): Uint8Array {
  try {
    return files.readFileSync(path);
  } catch (cause) {
    throw fileError(`cannot read plan file ${path}`, path, cause);
  }
}

async function fetchBytes(source: string | URL): Promise<Uint8Array> {
  let response: Response;
  try {
    response = await fetch(source);
    if (response.ok) return new Uint8Array(await response.arrayBuffer());
  } catch (cause) {
    throw fileError(`cannot fetch plan ${source}`, String(source), cause);
  }
  throw new PlanFileError("GF4013", `cannot fetch plan ${source}: HTTP ${response.status}`, {
    path: String(source),
    received: response.status,
  });
}

export function fileError(what: string, path: string, cause: unknown): PlanFileError {
  const code = systemErrorCode(cause) ?? (cause instanceof Error ? cause.message : String(cause));
  return new PlanFileError("GF4013", `${what}: ${code}`, { path, cause });
}
