import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { type Section, sectionTypes } from "../src/container.ts";
import { writeContainer } from "../src/container-write.ts";
import { encodePlan } from "../src/encode.ts";
import {
  decodePlan,
  irVersion,
  loadPlan,
  type Plan,
  PlanError,
  PlanFileError,
  PlanInvalid,
  PlanTooLarge,
  PlanVersionUnsupported,
} from "../src/index.ts";
import { encodeMsgpack } from "../src/msgpack/encode.ts";
import { planToWire } from "../src/wire/records.ts";
import { everythingPlan, smallPlan } from "./sample-plans.ts";

const directory = mkdtempSync(join(tmpdir(), "gridfuse-load-"));
afterAll(() => rmSync(directory, { recursive: true }));

const small = encodePlan(smallPlan());

/** The error that decoding throws, which must be one of ours. */
function refusal(bytes: Uint8Array): PlanError {
  try {
    decodePlan(bytes);
  } catch (error) {
    if (error instanceof PlanError) return error;
    throw error;
  }
  throw new Error("the plan was accepted");
}

/** A file with right checksums and a PLAN section of any content. */
function fileOf(content: Uint8Array, others: readonly Section[] = []): Uint8Array {
  return writeContainer([{ type: sectionTypes.plan, critical: true, content }, ...others]);
}

describe("a damaged file", () => {
  it("is refused wherever one byte is changed", () => {
    for (let at = 0; at < small.length; at++) {
      const damaged = small.slice();
      damaged[at] = damaged[at]! ^ (1 << (at % 8));
      expect(refusal(damaged).code, `byte ${at}`).toMatch(/^GF400[1-5]$/);
    }
  });

  it("is refused at every length but its own", () => {
    for (let length = 0; length < small.length; length++) {
      expect(refusal(small.subarray(0, length)).code).toMatch(/^GF400[12]$/);
    }
    const longer = new Uint8Array(small.length + 1);
    longer.set(small);
    expect(refusal(longer).code).toBe("GF4002");
  });

  it("is refused when it is noise", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (noise) => {
        expect(refusal(noise)).toBeInstanceOf(PlanError);
      }),
    );
  });
});

describe("a file with right checksums and wrong content", () => {
  const plan = everythingPlan();
  const content = encodeMsgpack(planToWire(plan), "PLAN");
  const rest = sectionsAfterPlan(plan);

  it("is refused, or means what it says, whichever byte of PLAN is changed", () => {
    for (let at = 0; at < content.length; at++) {
      for (const flip of [0x01, 0x80, 0xff]) {
        const changed = content.slice();
        changed[at] = changed[at]! ^ flip;
        let read: Plan;
        try {
          read = decodePlan(fileOf(changed, rest));
        } catch (error) {
          expect(error).toBeInstanceOf(PlanError);
          continue;
        }
        // Accepted: then it must be the one spelling of another plan.
        expect([...encodeMsgpack(planToWire(read), "PLAN")]).toEqual([...changed]);
      }
    }
  });

  it("is refused at every length of PLAN", () => {
    for (let length = 0; length < content.length; length++) {
      expect(refusal(fileOf(content.subarray(0, length), rest))).toBeInstanceOf(PlanError);
    }
  });

  it("is refused when PLAN is noise or missing", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
        expect(refusal(fileOf(noise))).toBeInstanceOf(PlanError);
      }),
    );
    expect(refusal(writeContainer([]))).toBeInstanceOf(PlanInvalid);
  });

  it("is of another version when its IR is newer or older", () => {
    for (const ir of [irVersion - 1, irVersion + 1]) {
      const other = { ...(planToWire(smallPlan()) as object), ir };
      const error = refusal(fileOf(encodeMsgpack(other, "PLAN")));
      expect(error).toBeInstanceOf(PlanVersionUnsupported);
      expect(error.code).toBe("GF4007");
    }
  });

  it("names the rule and the place", () => {
    const wire = planToWire(smallPlan()) as { [key: string]: unknown };
    const bad = { ...wire, arenaBytes: -1 } as Parameters<typeof encodeMsgpack>[0];
    expect(refusal(fileOf(encodeMsgpack(bad, "PLAN")))).toMatchObject({
      rule: "V11",
      path: "arenaBytes",
    });
    const extra = { ...wire, surprise: 1 } as Parameters<typeof encodeMsgpack>[0];
    expect(refusal(fileOf(encodeMsgpack(extra, "PLAN")))).toMatchObject({ rule: "V10" });
  });
});

describe("loadPlan", () => {
  const path = join(directory, "small.plan");
  writeFileSync(path, small);

  it("reads paths, URLs and bytes", async () => {
    const url = pathToFileURL(path);
    for (const source of [path, url, String(url), small, small.slice().buffer]) {
      expect(await loadPlan(source)).toEqual(smallPlan());
    }
  });

  it("reads what fetch can reach", async () => {
    const base64 = Buffer.from(small).toString("base64");
    expect(await loadPlan(`data:application/octet-stream;base64,${base64}`)).toEqual(smallPlan());
  });

  it("says why a file cannot be read", async () => {
    await expect(loadPlan(join(directory, "missing.plan"))).rejects.toThrow(PlanFileError);
    await expect(loadPlan(directory)).rejects.toThrow(PlanFileError);
    await expect(loadPlan("http://127.0.0.1:1/x.plan")).rejects.toThrow(PlanFileError);
  });

  it("gives constants as views of the bytes, aligned for every dtype", () => {
    const { data } = decodePlan(small).constants[0]!;
    expect(data.buffer).toBe(small.buffer);
    const odd = new Uint8Array(small.length + 1);
    odd.set(small, 1);
    const copied = decodePlan(odd.subarray(1)).constants[0]!.data;
    expect(copied.buffer).not.toBe(odd.buffer);
    expect(copied).toEqual(data);
  });

  it("keeps to the caller's limit", async () => {
    await expect(loadPlan(small, { limits: { bytes: 95 } })).rejects.toThrow(PlanTooLarge);
    await expect(loadPlan(small, { limits: { bytes: 96 } })).resolves.toBeDefined();
  });

  it("compares the id when asked", async () => {
    await expect(loadPlan(small, { checkId: true })).resolves.toBeDefined();
  });
});

/** CIDX and CNST as the encoder writes them. */
function sectionsAfterPlan(plan: Plan): Section[] {
  const bytes = encodePlan(plan, { debug: false });
  const view = new DataView(bytes.buffer);
  return [2, 3].map((i) => {
    const at = 64 + 32 * i;
    const offset = view.getUint32(at + 8, true);
    const length = view.getUint32(at + 16, true);
    const type = view.getUint32(at, true);
    return { type, critical: true, content: bytes.subarray(offset, offset + length) };
  });
}
