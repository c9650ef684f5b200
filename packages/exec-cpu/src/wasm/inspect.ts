/**
 * What native code may ask of its host (rule V21): the memory of exactly the size it was laid out for, the functions
 * `print` and `fuel`, and nothing else; one export, `run`; nothing that happens by itself when it is
 * instantiated. That the instructions are sound is the engine's own validation, which every module goes through.
 */
import { PlanInvalid } from "@gridfuse/plan/executor";
import { pageBytes } from "../wasm-program.ts";

const importSection = 2;
/** Custom, types, imports, functions, globals, exports, code: no tables, own memory, start or data. */
const allowedSections: readonly number[] = [0, 1, importSection, 3, 6, 7, 10];
const importKinds: Readonly<Record<string, string>> = {
  memory: "memory",
  print: "function",
  fuel: "function",
};

const refused = (what: string): PlanInvalid => new PlanInvalid("V21", "WASM.code", what);

/** @throws PlanInvalid V21 */
export function checkModule(code: Uint8Array, module: WebAssembly.Module, pages: number): void {
  const imports = WebAssembly.Module.imports(module);
  for (const { module: from, name, kind } of imports) {
    if (from !== "env" || !Object.hasOwn(importKinds, name) || importKinds[name] !== kind) {
      throw refused(`it imports ${kind} "${from}.${name}"`);
    }
  }
  if (imports[0]?.name !== "memory" || imports.filter(({ kind }) => kind === "memory").length > 1) {
    throw refused("its first import, and no other, must be the memory");
  }
  const exports = WebAssembly.Module.exports(module).map(({ name, kind }) => `${kind} ${name}`);
  if (exports.length !== 1 || exports[0] !== "function run") {
    throw refused(`it exports ${exports.join(", ") || "nothing"}, not function run`);
  }
  checkSections(code, pages);
}

/** The engine has accepted the module, so only what it does not tell is read here. */
function checkSections(code: Uint8Array, pages: number): void {
  let at = 8;
  const unsigned = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = code[at++] as number;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < code.length) {
    const id = code[at++] as number;
    if (!allowedSections.includes(id)) throw refused(`it has a section of type ${id}`);
    const end = unsigned() + at;
    if (id === importSection) {
      unsigned();
      at += "env".length + "memory".length + 3;
      const [limits, least] = [unsigned(), unsigned()];
      if (limits !== 0 || least !== pages) {
        throw refused(`its memory is not one of ${pages * pageBytes} bytes`);
      }
    }
    at = end;
  }
}
