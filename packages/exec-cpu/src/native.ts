/**
 * Native code in a plan file, from this executor's side: a program written down as JSON beside its module, and
 * read back. Sizes and addresses are checked against the memory, so that the worst a trusted file can do is to
 * compute nonsense inside its own memory.
 */
import type { Plan } from "@gridfuse/plan";
import {
  checkShape,
  itemSize,
  misshapen,
  type NativePart,
  nativeOf,
  type Shape,
  unused,
} from "@gridfuse/plan/executor";
import { codegenVersion } from "./codegen/version.ts";
import type { EngineOptions } from "./engine.ts";
import { type Place, pageBytes, type WasmProgram } from "./wasm-program.ts";

export const executorName = "cpu";
/** What 32-bit addresses reach. */
const mostPages = 65_536;
/** What generated code needs of the machine. */
export const codeFeatures: readonly string[] = ["simd128"];
/** What code of precision "fast" needs besides. */
export const relaxedFeature = "relaxed-simd";

interface Detail extends Pick<WasmProgram, "pages" | "prints" | "whiles" | "steps"> {
  readonly places: readonly (Place & { readonly buffer: number })[];
  readonly constants: readonly { readonly index: number; readonly address: number }[];
}

const detailShape: Shape = {
  pages: "natural",
  places: [{ buffer: "natural", dtype: "dtype", length: "natural", address: "natural" }],
  constants: [{ index: "natural", address: "natural" }],
  prints: [
    {
      name: "text",
      format: "text",
      batch: "natural",
      mask: "natural?",
      operands: [{ buffer: "natural", dtype: "dtype", shape: ["natural"] }],
    },
  ],
  whiles: [{ name: "text", fuel: "natural" }],
  steps: [{ name: "text", kind: "text", how: "text" }],
};

/** A program without its code and without what the plan file says anyway. */
export function describeProgram(program: WasmProgram): unknown {
  const { pages, inputs, outputs, prints, whiles, steps } = program;
  const shown = [...inputs, ...outputs, ...prints.flatMap(({ operands }) => operands)];
  const buffers = new Set([
    ...shown.map(({ buffer }) => buffer),
    ...prints.flatMap(({ mask }) => mask ?? []),
  ]);
  const detail: Detail = {
    pages,
    places: [...buffers].map((buffer) => ({ buffer, ...program.place(buffer) })),
    constants: program.constants.map(({ index, address }) => ({ index, address })),
    prints,
    whiles: whiles.map(({ name, fuel }) => ({ name, fuel })),
    steps,
  };
  return detail;
}

/**
 * The program that `plan` came with, the reason why it is not used, or nothing where there is none.
 *
 * @param features what the code may need of this executor
 * @throws PlanInvalid V21
 */
export function nativeProgram(
  plan: Plan,
  { maxBytes, maxFuel }: EngineOptions,
  features: readonly string[],
): WasmProgram | string | undefined {
  const use = nativeOf(plan);
  if (typeof use !== "object") return use;
  const part = use.parts.find(({ executor }) => executor === executorName);
  if (part === undefined) return unused(`none is for ${executorName}`);
  const mismatch = misfit(part, features);
  if (mismatch !== undefined) return unused(mismatch);
  const program = readProgram(plan, part, use.constants);
  if (maxBytes !== undefined && program.pages * pageBytes > maxBytes) {
    return unused("its memory is larger than maxBytes");
  }
  if (maxFuel !== undefined && program.whiles.some(({ fuel }) => fuel > maxFuel)) {
    return unused("its loops may run longer than maxFuel");
  }
  return program;
}

/** Why this executor does not run `part`. */
function misfit(
  { codegen, features }: NativePart,
  available: readonly string[],
): string | undefined {
  if (codegen !== codegenVersion) {
    return `it was made by code generator ${codegen}, this is ${codegenVersion}`;
  }
  for (const feature of features) {
    if (!available.includes(feature)) return `it needs "${feature}"`;
  }
  return undefined;
}

function readProgram(plan: Plan, part: NativePart, constants: readonly Uint8Array[]): WasmProgram {
  checkShape(part.detail, detailShape, "detail");
  const detail = part.detail as Detail;
  const { pages, prints, whiles, steps } = detail;
  const end = pages * pageBytes;
  if (pages > mostPages) throw misshapen("detail.pages", `${pages} are more than ${mostPages}`);
  const places = new Map<number, Place>();
  for (const place of detail.places) {
    const size = itemSize(place.dtype);
    if (place.address + place.length * size > end || place.address % size !== 0) {
      throw misshapen("detail.places", `buffer ${place.buffer} is outside of the memory`);
    }
    places.set(place.buffer, place);
  }
  const place = (buffer: number): Place => {
    const found = places.get(buffer);
    if (found === undefined) throw misshapen("detail.places", `buffer ${buffer} has none`);
    return found;
  };
  for (const { name, buffer, dtype, shape } of [...plan.inputs, ...plan.outputs]) {
    const held = place(buffer);
    let length = 1;
    for (const extent of shape) length *= extent;
    if (held.dtype !== dtype || held.length !== length) {
      throw misshapen("detail.places", `buffer ${buffer} does not fit port "${name}"`);
    }
  }
  for (const { operands, mask } of prints) {
    for (const { buffer } of operands) place(buffer);
    if (mask !== undefined) place(mask);
  }
  return {
    name: plan.name,
    arenaBytes: plan.arenaBytes,
    pages,
    inputs: plan.inputs,
    outputs: plan.outputs,
    place,
    constants: detail.constants.map(({ index, address }) => {
      const data = constants[index];
      if (data === undefined || address + data.length > end) {
        throw misshapen("detail.constants", `constant ${index} is not there or has no room`);
      }
      return { index, address, data };
    }),
    prints,
    whiles,
    steps,
    code: part.code,
    isForeign: true,
  };
}
