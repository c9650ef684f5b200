/**
 * From the sections of a file to a verified plan: MessagePack, records, rules. Nothing of this needs a compiler, a
 * dependency, or code generation, and every way to fail is a `PlanError`.
 */
import { type Container, findSection, sectionAlignment } from "./container.ts";
import { checkId, portableId } from "./container-id.ts";
import { type DType, itemSize } from "./dtype.ts";
import { hex } from "./hash/sha256.ts";
import { decodeMsgpack, type Wire } from "./msgpack/decode.ts";
import { checkBudget, type LoadOptions, openNative, trustedPlan, withoutNative } from "./native.ts";
import { irVersion, type Plan, type PlanConstant } from "./plan.ts";
import { PlanInvalid, PlanTooLarge, PlanVersionUnsupported } from "./plan-errors.ts";
import { verifyDecoded } from "./verify/verify.ts";
import {
  constantIndexFromWire,
  debugFromWire,
  metaFromWire,
  type PlanMeta,
  planFromWire,
} from "./wire/records.ts";

/** The plan of a file: with its native code where the caller trusts it and it fits, verified otherwise. */
export function planOfFile(container: Container, options: LoadOptions): Plan {
  const native = openNative(container, options.trust);
  if (options.checkId === true) {
    checkId(container);
    if (typeof native === "object" && native.plan !== hex(portableId(container.sections))) {
      throw new PlanInvalid("V21", "WASM.plan", "not the id of the plan beside it");
    }
  }
  return typeof native === "object"
    ? trustedPlan(container, native, options, { now: decodePortable })
    : withoutNative(decodePortable(container, options), native);
}

/** The portable part, decoded and verified. */
export function decodePortable(container: Container, options: LoadOptions): Plan {
  const plan = planOf(container);
  verifyDecoded(plan);
  const constantBytes = plan.constants.reduce((sum, { data }) => sum + data.length, 0);
  checkBudget(plan, constantBytes, options.limits?.bytes);
  return plan;
}

/** META of a file, for tools. */
export function readMeta(container: Container): PlanMeta | undefined {
  const section = findSection(container, "meta");
  return section && metaFromWire(decodeMsgpack(section, "META"));
}

function planOf(container: Container): Plan {
  const section = findSection(container, "plan");
  if (section === undefined) throw new PlanInvalid("V10", "PLAN", "the section is missing");
  const wire = decodeMsgpack(section, "PLAN");
  checkIr(wire);
  const body = planFromWire(wire);
  const constants = readConstants(container);
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
function readConstants(container: Container): readonly PlanConstant[] {
  const index = findSection(container, "cidx");
  const content = findSection(container, "cnst");
  if (index === undefined && content === undefined) return [];
  if (index === undefined || content === undefined) {
    throw new PlanInvalid("V20", "constants", "CNST and CIDX come together");
  }
  const align = (offset: number): number => Math.ceil(offset / sectionAlignment) * sectionAlignment;
  // A view can serve any dtype only where memory and file agree on what is aligned.
  const aligned = content.byteOffset % 8 === 0;
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
