/**
 * Puts a shader together: bindings for the heaps that its body touches, and the functions it calls.
 *
 * A body names what it needs and nothing else: `load2(i)` reads word i of heap 2, `store0_u8(i, bits)`
 * writes a byte of heap 0. A heap whose bytes are written becomes atomic for the whole module, since
 * neighbours share a word.
 */
import { float16Helpers } from "./float16.ts";
import { float32Helpers, type HelperTable, type Subnormals } from "./float32.ts";
import { integerHelpers } from "./integers.ts";
import { selectionHelpers } from "./selection.ts";

export interface HeapBinding {
  readonly heap: number;
  /** In group 0; binding 0 is the uniform block with the opaque zero and the loop counters. */
  readonly binding: number;
  readonly access: "read-only-storage" | "storage";
}

export interface ShaderModuleText {
  readonly code: string;
  readonly heaps: readonly HeapBinding[];
  /** Loop counters that the shader reads: 0 … loops − 1. */
  readonly loops: number;
}

const indented = (lines: readonly string[]): string => lines.map((line) => `  ${line}`).join("\n");

/**
 * @param declarations module-scope text, such as workgroup variables
 * @param body statements of `main`, which has `id`, `group`, `local` and `groups`
 */
export function assembleModule(
  name: string,
  workgroupSize: number,
  declarations: readonly string[],
  body: readonly string[],
  subnormals: Subnormals,
): ShaderModuleText {
  const main = indented(body);
  const helpers = calledFunctions(main, {
    ...integerHelpers,
    ...float32Helpers[subnormals],
    ...float16Helpers,
    ...selectionHelpers,
  });
  const access = heapAccess(main);
  const heaps: HeapBinding[] = [...access].map(([heap, calls], i) => ({
    heap,
    binding: i + 1,
    access: calls.some((call) => call.startsWith("store")) ? "storage" : "read-only-storage",
  }));
  const loops =
    1 + Math.max(-1, ...[...main.matchAll(/params\.loop(\d+)/g)].map((m) => Number(m[1])));
  const code = [
    `// ${name}`,
    parameterBlock(loops),
    ...heaps.map((heap) => heapText(heap, access.get(heap.heap) as readonly string[])),
    ...declarations,
    ...helpers.map((text) => text.trim()),
    "",
    `@compute @workgroup_size(${workgroupSize})`,
    "fn main(",
    "  @builtin(global_invocation_id) id: vec3<u32>,",
    "  @builtin(workgroup_id) group: vec3<u32>,",
    "  @builtin(local_invocation_index) local: u32,",
    "  @builtin(num_workgroups) groups: vec3<u32>,",
    ") {",
    main,
    "}",
    "",
  ].join("\n");
  return { code, heaps, loops };
}

function parameterBlock(loops: number): string {
  const counters = Array.from({ length: loops }, (_, i) => `  loop${i}: i32,\n`).join("");
  const launch = "  zero: u32,\n  level: u32,\n  reach: u32,\n  unused: u32,\n";
  return `struct Params {\n${launch}${counters}}\n@group(0) @binding(0) var<uniform> params: Params;`;
}

/** Heap → the access functions that the body calls, in order of heaps. */
function heapAccess(body: string): Map<number, readonly string[]> {
  const calls = new Map<number, Set<string>>();
  for (const [, call, kind, heap] of body.matchAll(/\b((load|store)(\d+)(?:_u8|_u16)?)\(/g)) {
    const known = calls.get(Number(heap)) ?? new Set();
    calls.set(Number(heap), known.add(call as string));
    // Sub-word functions call the word's.
    if (kind === "load") known.add(`load${heap}`);
  }
  return new Map(
    [...calls].sort(([a], [b]) => a - b).map(([heap, set]) => [heap, [...set].sort()]),
  );
}

function heapText({ heap, binding, access }: HeapBinding, calls: readonly string[]): string {
  const atomic = calls.some((call) => /^store\d+_/.test(call));
  const mode = access === "storage" ? "read_write" : "read";
  const type = atomic ? "atomic<u32>" : "u32";
  const lines = [
    `@group(0) @binding(${binding}) var<storage, ${mode}> heap${heap}: array<${type}>;`,
  ];
  for (const call of calls) lines.push(accessFunction(heap, call, atomic));
  return lines.join("\n");
}

function accessFunction(heap: number, call: string, atomic: boolean): string {
  const suffix = call.replace(/^(load|store)\d+/, "");
  const bits = suffix === "_u8" ? 8 : suffix === "_u16" ? 16 : 32;
  const perWord = 32 / bits;
  const at = `i >> ${Math.log2(perWord)}u`;
  const shift = `(i & ${perWord - 1}u) * ${bits}u`;
  const mask = `0x${(2 ** bits - 1).toString(16)}u`;
  if (call.startsWith("load")) {
    const word = atomic ? `atomicLoad(&heap${heap}[i])` : `heap${heap}[i]`;
    const value = bits === 32 ? word : `(load${heap}(${at}) >> (${shift})) & ${mask}`;
    return `fn ${call}(i: u32) -> u32 {\n  return ${value};\n}`;
  }
  if (bits === 32) {
    const statement = atomic ? `atomicStore(&heap${heap}[i], word)` : `heap${heap}[i] = word`;
    return `fn ${call}(i: u32, word: u32) {\n  ${statement};\n}`;
  }
  return [
    `fn ${call}(i: u32, bits: u32) {`,
    `  let shift = ${shift};`,
    `  atomicAnd(&heap${heap}[${at}], ~(${mask} << shift));`,
    `  atomicOr(&heap${heap}[${at}], bits << shift);`,
    "}",
  ].join("\n");
}

/** The texts of all functions that `body` calls, directly or through each other. */
function calledFunctions(body: string, table: HelperTable): string[] {
  const used = new Set<string>();
  const visit = (text: string): void => {
    for (const [, name] of text.matchAll(/\b([a-z]\w*)\(/g)) {
      if (!Object.hasOwn(table, name as string) || used.has(name as string)) continue;
      used.add(name as string);
      visit(table[name as string] as string);
    }
  };
  visit(body);
  return Object.keys(table)
    .filter((name) => used.has(name))
    .map((name) => table[name] as string);
}
