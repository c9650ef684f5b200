/**
 * Native code in a plan file, from this executor's side: a program written down as JSON beside its module, and
 * read back. Sizes and addresses are checked against the memory, so that the worst a trusted file can do is to
 * compute nonsense inside its own memory.
 */
import type { Plan, PrintStep } from "@gridfuse/plan";
import { itemSize, type NativePart, nativeOf, nativeRefusal, shape } from "@gridfuse/plan/executor";
import { codegenVersion } from "./codegen/version.ts";
import type { EngineOptions } from "./engine.ts";
import { type Place, type PlacedConstant, pageBytes, type WasmProgram } from "./wasm-program.ts";

export const executorName = "cpu";
/** What generated code needs of the machine. */
export const codeFeatures: readonly string[] = ["simd128"];

/** A program without its code and without what the plan file says anyway. */
export function describeProgram(program: WasmProgram): unknown {
  const { pages, inputs, outputs, prints, whiles, steps } = program;
  const shown = [...inputs, ...outputs, ...prints.flatMap(({ operands }) => operands)];
  const buffers = new Set([
    ...shown.map(({ buffer }) => buffer),
    ...prints.flatMap(({ mask }) => mask ?? []),
  ]);
  return {
    pages,
    places: [...buffers].map((buffer) => {
      const { dtype, length, address } = program.place(buffer);
      return [buffer, dtype, length, address];
    }),
    constants: program.constants.map(({ index, address }) => [index, address]),
    prints: prints.map(({ name, format, batch, mask, operands }) => ({
      name,
      format,
      batch,
      mask: mask ?? null,
      operands: operands.map((operand) => [operand.buffer, operand.dtype, operand.shape]),
    })),
    whiles: whiles.map(({ name, fuel }) => [name, fuel]),
    steps: steps.map(({ name, kind, how }) => [name, kind, how]),
  };
}

/**
 * The program that `plan` came with, the reason why it is not used, or nothing where there is none.
 *
 * @throws PlanInvalid V21
 */
export function nativeProgram(
  plan: Plan,
  { maxBytes, maxFuel }: EngineOptions,
): WasmProgram | string | undefined {
  const use = nativeOf(plan);
  if (use === undefined) return nativeRefusal(plan);
  const part = use.parts.find(({ executor }) => executor === executorName);
  const mismatch = part === undefined ? `none is for ${executorName}` : misfit(part);
  if (part === undefined || mismatch !== undefined) return unused(mismatch as string);
  const program = readProgram(plan, part, use.constants);
  if (maxBytes !== undefined && program.pages * pageBytes > maxBytes) {
    return unused("its memory is larger than maxBytes");
  }
  if (maxFuel !== undefined && program.whiles.some(({ fuel }) => fuel > maxFuel)) {
    return unused("its loops may run longer than maxFuel");
  }
  return program;
}

export const unused = (reason: string): string => `native code was not used: ${reason}`;

/** Why this executor does not run `part`. */
function misfit({ codegen, features }: NativePart): string | undefined {
  if (codegen !== codegenVersion) {
    return `it was made by code generator ${codegen}, this is ${codegenVersion}`;
  }
  const unknown = features.find((feature) => !codeFeatures.includes(feature));
  return unknown === undefined ? undefined : `it needs "${unknown}"`;
}

function readProgram(
  plan: Plan,
  { detail, code }: NativePart,
  constants: readonly Uint8Array[],
): WasmProgram {
  const { natural, text, list, tuple, dtype } = shape;
  const value = shape.record(detail, "detail");
  const pages = natural(value.pages, "pages", 65536);
  const within = (address: number, bytes: number, path: string): void => {
    if (address + bytes > pages * pageBytes) throw shape.misshapen(path, "outside of the memory");
  };
  const places = new Map(
    list(value.places, "places", (each, path): readonly [number, Place] => {
      const [buffer, type, length, address] = tuple(each, path, 4);
      const place = {
        dtype: dtype(type, path),
        length: natural(length, path),
        address: natural(address, path),
      };
      within(place.address, place.length * itemSize(place.dtype), path);
      if (place.address % itemSize(place.dtype) !== 0) throw shape.misshapen(path, "not aligned");
      return [natural(buffer, path), place];
    }),
  );
  const placed = (buffer: number): Place => {
    const found = places.get(buffer);
    if (found === undefined) throw shape.misshapen("places", `buffer ${buffer} has none`);
    return found;
  };
  for (const port of [...plan.inputs, ...plan.outputs]) {
    const { dtype: held, length } = placed(port.buffer);
    if (held !== port.dtype || length !== port.shape.reduce((n, extent) => n * extent, 1)) {
      throw shape.misshapen("places", `buffer ${port.buffer} does not fit port "${port.name}"`);
    }
  }
  return {
    name: plan.name,
    arenaBytes: plan.arenaBytes,
    pages,
    inputs: plan.inputs,
    outputs: plan.outputs,
    place: placed,
    constants: list(value.constants, "constants", (each, path): PlacedConstant => {
      const [index, address] = tuple(each, path, 2).map((n) => natural(n, path)) as [
        number,
        number,
      ];
      const data = constants[index];
      if (data === undefined) throw shape.misshapen(path, `there is no constant ${index}`);
      within(address, data.length, path);
      return { index, address, data };
    }),
    prints: list(value.prints, "prints", (each, path) => {
      const print = readPrint(each, path);
      for (const { buffer } of print.operands) placed(buffer);
      if (print.mask !== undefined) placed(print.mask);
      return print;
    }),
    whiles: list(value.whiles, "whiles", (each, path) => {
      const [name, fuel] = tuple(each, path, 2);
      return { name: text(name, path), fuel: natural(fuel, path) };
    }),
    steps: list(value.steps, "steps", (each, path) => {
      const [name, kind, how] = tuple(each, path, 3);
      return { name: text(name, path), kind: text(kind, path), how: text(how, path) };
    }),
    code,
    isForeign: true,
  };
}

function readPrint(value: unknown, path: string): PrintStep {
  const { natural, text } = shape;
  const { name, format, batch, mask, operands } = shape.record(value, path);
  return {
    kind: "print",
    name: text(name, `${path}.name`),
    format: text(format, `${path}.format`),
    batch: natural(batch, `${path}.batch`),
    ...(mask !== null && { mask: natural(mask, `${path}.mask`) }),
    operands: shape.list(operands, `${path}.operands`, (each, at) => {
      const [buffer, type, extents] = shape.tuple(each, at, 3);
      return {
        buffer: natural(buffer, at),
        dtype: shape.dtype(type, at),
        shape: shape.list(extents, at, natural),
      };
    }),
  };
}
