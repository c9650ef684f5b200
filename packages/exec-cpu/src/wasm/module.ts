/**
 * Encoder of a whole WebAssembly module: types, imports, functions, globals, exports and code, in the
 * binary format of the specification. Every module here has one imported memory ("env", "memory").
 */
import { Code, type ValueType, valueTypeByte, writeUnsigned } from "./code.ts";

export interface Signature {
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
}

/** A function under construction. Locals are numbered as in the binary: parameters first. */
export class FunctionBuilder {
  readonly index: number;
  readonly signature: Signature;
  readonly code: Code = new Code();
  readonly #locals: ValueType[] = [];

  constructor(index: number, signature: Signature) {
    this.index = index;
    this.signature = signature;
  }

  /** A new local, zero at entry. */
  local(type: ValueType): number {
    return this.signature.params.length + this.#locals.push(type) - 1;
  }

  /** What precedes the instructions in the code section: size, and local declarations by runs. */
  encodeHead(): number[] {
    const runs: { type: ValueType; count: number }[] = [];
    for (const type of this.#locals) {
      const last = runs.at(-1);
      if (last?.type === type) last.count++;
      else runs.push({ type, count: 1 });
    }
    const declarations: number[] = [];
    writeUnsigned(declarations, runs.length);
    for (const { type, count } of runs) {
      writeUnsigned(declarations, count);
      declarations.push(valueTypeByte(type));
    }
    const head: number[] = [];
    writeUnsigned(head, declarations.length + this.code.length + endOfBody.length);
    head.push(...declarations);
    return head;
  }
}

const endOfBody = [0x0b];

export class ModuleBuilder {
  readonly #types: { key: string; signature: Signature }[] = [];
  readonly #imports: { name: string; type: number }[] = [];
  readonly #functions: { builder: FunctionBuilder; type: number }[] = [];
  readonly #exports: { name: string; index: number }[] = [];
  #globals = 0;

  #type(signature: Signature): number {
    const key = `${signature.params}>${signature.results}`;
    const known = this.#types.findIndex((type) => type.key === key);
    return known >= 0 ? known : this.#types.push({ key, signature }) - 1;
  }

  /** Imports function `name` from "env"; all imports come before the first `define`. */
  import(name: string, params: readonly ValueType[], results: readonly ValueType[]): number {
    if (this.#functions.length > 0) throw new RangeError("imports come before functions");
    return this.#imports.push({ name, type: this.#type({ params, results }) }) - 1;
  }

  define(params: readonly ValueType[], results: readonly ValueType[]): FunctionBuilder {
    const signature = { params, results };
    const index = this.#imports.length + this.#functions.length;
    const builder = new FunctionBuilder(index, signature);
    this.#functions.push({ builder, type: this.#type(signature) });
    return builder;
  }

  /** A mutable i32 global, 0 at the start. */
  global(): number {
    return this.#globals++;
  }

  export(name: string, { index }: FunctionBuilder): void {
    this.#exports.push({ name, index });
  }

  /** The module; `pages` is the minimum size of the memory it imports, and the maximum of one that is shared. */
  encode(pages: number, isShared = false): Uint8Array<ArrayBuffer> {
    const out: number[] = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];
    const section = (id: number, count: number, write: (into: number[]) => void): void => {
      if (count === 0) return;
      const body: number[] = [];
      writeUnsigned(body, count);
      write(body);
      out.push(id);
      writeUnsigned(out, body.length);
      for (const byte of body) out.push(byte);
    };
    section(1, this.#types.length, (into) => {
      for (const { signature } of this.#types) {
        into.push(0x60);
        for (const list of [signature.params, signature.results]) {
          writeUnsigned(into, list.length);
          for (const type of list) into.push(valueTypeByte(type));
        }
      }
    });
    section(2, this.#imports.length + 1, (into) => {
      writeName(into, "env");
      writeName(into, "memory");
      into.push(0x02, isShared ? 0x03 : 0x00);
      writeUnsigned(into, pages);
      if (isShared) writeUnsigned(into, pages);
      for (const { name, type } of this.#imports) {
        writeName(into, "env");
        writeName(into, name);
        into.push(0x00);
        writeUnsigned(into, type);
      }
    });
    section(3, this.#functions.length, (into) => {
      for (const { type } of this.#functions) writeUnsigned(into, type);
    });
    section(6, this.#globals, (into) => {
      for (let i = 0; i < this.#globals; i++) into.push(0x7f, 0x01, 0x41, 0x00, 0x0b);
    });
    section(7, this.#exports.length, (into) => {
      for (const { name, index } of this.#exports) {
        writeName(into, name);
        into.push(0x00);
        writeUnsigned(into, index);
      }
    });
    return this.#withCode(out);
  }

  /** Appends the code section, which is most of a module, without copying bodies more than once. */
  #withCode(head: number[]): Uint8Array<ArrayBuffer> {
    const heads = this.#functions.map(({ builder }) => builder.encodeHead());
    const count: number[] = [];
    writeUnsigned(count, this.#functions.length);
    let size = count.length;
    for (const [i, { builder }] of this.#functions.entries()) {
      size += (heads[i] as number[]).length + builder.code.length + endOfBody.length;
    }
    head.push(10);
    writeUnsigned(head, size);
    const out = new Uint8Array(head.length + size);
    out.set(head);
    out.set(count, head.length);
    let at = head.length + count.length;
    for (const [i, { builder }] of this.#functions.entries()) {
      out.set(heads[i] as number[], at);
      at = builder.code.writeTo(out, at + (heads[i] as number[]).length);
      out.set(endOfBody, at);
      at += endOfBody.length;
    }
    return out;
  }
}

function writeName(into: number[], name: string): void {
  const bytes = new TextEncoder().encode(name);
  writeUnsigned(into, bytes.length);
  into.push(...bytes);
}
