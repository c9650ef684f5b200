/**
 * Programs as text, after JAX's jaxprs: one line a node, operands by name, regions indented under the
 * node that owns them. Splat constants stand where they are used; index maps are printed as formulas.
 */
import { fromBits } from "@gridfuse/plan/scalar";
import type { Node, NodeNamed, Program, Region, Table, ValueId } from "./ir/table.ts";
import { type Shape, sameShape, type ValueType } from "./ir/types.ts";
import type { BlockDim, IndexSource, OpName, RefTransforms } from "./ir/vocabulary.ts";
import { definitionOf } from "./ops/table.ts";
import { printParams, printScalar, printType } from "./print-parts.ts";

/** The program as readable text. */
export function printProgram(program: Program): string {
  const printer = new Printer(program.table);
  for (const [i, param] of program.main.params.entries()) {
    printer.call(param, program.inputs[i] ?? `in${i}`);
  }
  const inputs = program.main.params.map((param) => printer.declare(param)).join(", ");
  const body = printer.region(program.main, "  ", false);
  const outputs = program.main.results
    .map((value, i) => `${program.outputs[i]}: ${printer.use(value)}`)
    .join(", ");
  return [`graph ${program.name}(${inputs})`, ...body, `  return { ${outputs} }`].join("\n");
}

const infix: { readonly [op: string]: string } = {
  add: "+",
  sub: "-",
  mul: "*",
  div: "//",
  rem: "%",
};

class Printer {
  private readonly table: Table;
  private readonly names = new Map<ValueId, string>();
  private readonly taken = new Set<string>();
  private count = 0;

  constructor(table: Table) {
    this.table = table;
  }

  /** Gives a value a name, made different from all names so far. */
  call(value: ValueId, wish: string): void {
    let name = wish;
    for (let i = 2; this.taken.has(name); i++) name = `${wish}${i}`;
    this.taken.add(name);
    this.names.set(value, name);
  }

  /** Lets an inner value go by the name of the outer one that it stands for. */
  private alias(inner: ValueId, outer: ValueId): void {
    const maker = this.table.producer(outer);
    if (maker?.op === "full") this.names.set(inner, this.use(outer));
    else this.names.set(inner, this.nameOf(outer));
  }

  private nameOf(value: ValueId): string {
    if (!this.names.has(value)) this.call(value, this.fresh());
    return this.names.get(value) as string;
  }

  private fresh(): string {
    for (;;) {
      let name = "";
      for (let n = this.count++; n >= 0; n = Math.floor(n / 26) - 1) {
        name = String.fromCharCode(97 + (n % 26)) + name;
      }
      if (!this.taken.has(name)) return name;
    }
  }

  declare(value: ValueId): string {
    const type = this.table.types[value] as ValueType;
    return `${this.nameOf(value)}: ${type.kind === "ref" ? "ref " : ""}${printType(type)}`;
  }

  /** A value where it is used; a splat constant by its value. */
  use(value: ValueId, like?: Shape): string {
    const maker = this.table.producer(value);
    if (maker?.op !== "full") return this.nameOf(value);
    const { dtype, shape, bits } = maker.params;
    const text = printScalar(dtype, fromBits(dtype, bits));
    const plain = shape.length === 0 || (like !== undefined && sameShape(shape, like));
    return plain ? text : `${text}:${printType({ dtype, shape })}`;
  }

  /** The lines of a region; `closing` adds its results. */
  region(region: Region, indent: string, closing = true): string[] {
    const lines = region.nodes.flatMap((id) => this.node(this.table.nodes[id] as Node, indent));
    if (closing && region.results.length > 0) {
      lines.push(`${indent}return ${region.results.map((value) => this.use(value)).join(", ")}`);
    }
    return lines;
  }

  private node(node: Node, indent: string): string[] {
    switch (node.op) {
      case "full":
        return [];
      case "get":
        return [`${indent}${this.results(node)} = ${this.view(node, node.params.transforms, 1)}`];
      case "set":
      case "addupdate": {
        const sign = node.op === "set" ? "=" : "+=";
        const target = this.view(node, node.params.transforms, 2);
        return [`${indent}${target} ${sign} ${this.use(node.inputs[1] as ValueId)}`];
      }
      case "cond":
        return this.branches(node, indent);
      case "scan":
        return this.scan(node, indent);
      case "while":
        return this.while(node, indent);
      case "grid":
        return this.grid(node, indent);
      default:
        return [`${indent}${this.results(node)} = ${this.right(node)}`];
    }
  }

  private results(node: Node): string {
    return node.outputs.map((value) => this.declare(value)).join(", ");
  }

  private right(node: Node): string {
    const elementwise = definitionOf(node.op as OpName).category === "elementwise";
    const shape = elementwise ? this.table.tensor(node.outputs[0] as ValueId).shape : undefined;
    const operands = node.inputs.map((value) => this.use(value, shape));
    return [`${node.op}${printParams(node)}`, ...operands].join(" ");
  }

  // ── State ─────────────────────────────────────────────────────────────────────────────────

  private view(node: Node, transforms: RefTransforms, indices: number): string {
    const source = (s: IndexSource): string =>
      typeof s === "number" ? `${s}` : this.use(node.inputs[indices + s.operand] as ValueId);
    const links = transforms.map((link) =>
      link
        .map((indexer) => {
          switch (indexer.kind) {
            case "int":
              return source(indexer.index);
            case "slice": {
              const start = source(indexer.start);
              const stride = indexer.stride === 1 ? "" : `:${indexer.stride}`;
              return `${start}:+${indexer.size}${stride}`;
            }
            default:
              return source({ operand: indexer.operand });
          }
        })
        .join(", "),
    );
    const ref = this.use(node.inputs[0] as ValueId);
    return ref + (links.length === 0 ? "[]" : links.map((link) => `[${link}]`).join(""));
  }

  // ── Regions ───────────────────────────────────────────────────────────────────────────────

  /** Lets the trailing params of a region go by the names of the operands. */
  private capture(region: Region, from: number, operands: readonly ValueId[]): void {
    for (const [i, outer] of operands.entries())
      this.alias(region.params[from + i] as ValueId, outer);
  }

  private head(node: Node): string {
    const results = this.results(node);
    return results === "" ? node.op : `${results} = ${node.op}`;
  }

  private branches(node: NodeNamed<"cond">, indent: string): string[] {
    const [which, ...operands] = node.inputs as readonly [ValueId, ...ValueId[]];
    const lines = [`${indent}${this.head(node)} ${this.use(which)}`];
    const isBool = this.table.tensor(which).dtype === "bool";
    for (const [i, branch] of node.regions.entries()) {
      this.capture(branch, 0, operands);
      const body = this.region(branch, `${indent}    `);
      if (body.length > 0) lines.push(`${indent}  ${isBool ? i === 1 : i}:`, ...body);
    }
    return lines;
  }

  private carries(node: Node, region: Region, from: number, count: number): string {
    return node.inputs
      .slice(0, count)
      .map((outer, i) => {
        const inner = region.params[from + i] as ValueId;
        return `${this.nameOf(inner)} = ${this.use(outer)}`;
      })
      .join(", ");
  }

  private scan(node: NodeNamed<"scan">, indent: string): string[] {
    const { trips, carries, xs, reverse, grid, name } = node.params;
    const body = node.regions[0] as Region;
    const i = body.params[0] as ValueId;
    this.capture(body, 1 + carries + xs, node.inputs.slice(carries + xs));
    const range = `${this.nameOf(i)} < ${trips}${reverse ? " reversed" : ""}`;
    const notes = [name ?? "", grid === true ? "grid axis" : ""].filter((note) => note !== "");
    const label = notes.length === 0 ? "" : `[${notes.join(", ")}]`;
    const carry = carries === 0 ? "" : ` (${this.carries(node, body, 1, carries)})`;
    const elements = node.inputs.slice(carries, carries + xs).map((outer, k) => {
      const inner = body.params[1 + carries + k] as ValueId;
      return `${this.nameOf(inner)} in ${this.use(outer)}`;
    });
    const over = elements.length === 0 ? "" : ` for ${elements.join(", ")}`;
    const head = `${indent}${this.head(node)}${label} ${range}${carry}${over}`;
    return [head, ...this.region(body, `${indent}  `)];
  }

  private while(node: NodeNamed<"while">, indent: string): string[] {
    const [condition, body] = node.regions as readonly [Region, Region];
    const { carries } = node.params;
    const head = `${indent}${this.head(node)} (${this.carries(node, body, 0, carries)})`;
    for (let i = 0; i < carries; i++) {
      this.alias(condition.params[i] as ValueId, body.params[i] as ValueId);
    }
    for (const region of [condition, body]) {
      this.capture(region, carries, node.inputs.slice(carries));
    }
    return [
      head,
      `${indent}  while:`,
      ...this.region(condition, `${indent}    `),
      `${indent}  do:`,
      ...this.region(body, `${indent}    `),
    ];
  }

  private grid(node: NodeNamed<"grid">, indent: string): string[] {
    const { params } = node;
    const body = node.regions[0] as Region;
    const names = bodyNames(node);
    for (const [i, name] of names.entries()) this.call(body.params[i] as ValueId, name);
    const own = params.prefetch + params.inputs.length;
    this.capture(body, names.length, node.inputs.slice(own));
    const axes = params.axes
      .map(({ name, size, count }) =>
        count === undefined
          ? `${name}: ${size}`
          : `${name}: ${this.use(node.inputs[count] as ValueId)} ≤ ${size}`,
      )
      .join(", ");
    const lines = [`${indent}${this.results(node)} = grid ${params.name}(${axes})`];
    const inside = `${indent}  `;
    const refs = body.params.slice(params.axes.length);
    for (let i = 0; i < params.prefetch; i++) {
      const outer = this.use(node.inputs[i] as ValueId);
      lines.push(`${inside}prefetch ${this.declareRef(refs[i] as ValueId)} = ${outer}`);
    }
    const mappings = [...params.inputs, ...params.outputs];
    for (const [i, mapping] of mappings.entries()) {
      const isInput = i < params.inputs.length;
      const ref = this.declareRef(refs[params.prefetch + i] as ValueId);
      const map = this.indexMap(node.regions[1 + i] as Region, mapping.block, names, node);
      const alias = params.aliases.find(([, to]) => to === i - params.inputs.length);
      const source = isInput ? this.use(node.inputs[params.prefetch + i] as ValueId) : "";
      lines.push(
        isInput
          ? `${inside}in ${ref} = ${source}${map}`
          : `${inside}out ${ref} of [${mapping.shape.join(",")}]${map}${alias === undefined ? "" : ` starting as ${params.inputs[alias[0]]?.name}`}`,
      );
    }
    for (const [i, { space }] of params.scratch.entries()) {
      const ref = refs[params.prefetch + mappings.length + i] as ValueId;
      lines.push(`${inside}scratch ${this.declareRef(ref)} in ${space}`);
    }
    return [...lines, `${inside}do:`, ...this.region(body, `${inside}  `)];
  }

  private declareRef(value: ValueId): string {
    return `${this.nameOf(value)}: ${printType(this.table.types[value] as ValueType)}`;
  }

  private indexMap(
    map: Region,
    block: readonly BlockDim[],
    names: readonly string[],
    { params }: NodeNamed<"grid">,
  ): string {
    const inner = new Printer(this.table);
    const given = [...names.slice(0, params.axes.length), ...names.slice(params.axes.length)];
    for (const [i, param] of map.params.entries()) inner.names.set(param, given[i] as string);
    const formulas = map.results.map((value) => inner.formula(value));
    let next = 0;
    const at = block.map((dim) => {
      const first = formulas[next++] as string;
      switch (dim.kind) {
        case "blocked":
          return first;
        case "squeezed":
          return `[${first}]`;
        case "element": {
          const [lo, hi] = dim.padding;
          return `${first}:+${dim.size}${lo === 0 && hi === 0 ? "" : ` padded ${lo},${hi}`}`;
        }
        default:
          return `${first}:+${formulas[next++]}`;
      }
    });
    return ` at (${at.join(", ")})`;
  }

  /** A value as an expression over the params of its region. */
  private formula(value: ValueId): string {
    const named = this.names.get(value);
    if (named !== undefined) return named;
    const node = this.table.producer(value);
    if (node === undefined) return this.nameOf(value);
    if (node.op === "full") return this.use(value);
    const operands = node.inputs.map((input) => {
      const text = this.formula(input);
      return infix[node.op] !== undefined && text.includes(" ") ? `(${text})` : text;
    });
    if (node.op === "get") {
      const [ref, ...indices] = operands;
      return node.params.transforms.length === 0
        ? `${ref}[]`
        : `${ref}[${staticIndices(node, indices)}]`;
    }
    if (node.op === "convert_element_type") return operands[0] as string;
    const sign = infix[node.op];
    if (sign !== undefined) return operands.join(` ${sign} `);
    return `${node.op}(${operands.join(", ")})`;
  }
}

function staticIndices(node: NodeNamed<"get">, indices: readonly string[]): string {
  const source = (s: IndexSource) =>
    typeof s === "number" ? `${s}` : (indices[s.operand] as string);
  return (node.params.transforms[0] ?? [])
    .map((indexer) =>
      indexer.kind === "int"
        ? source(indexer.index)
        : indexer.kind === "slice"
          ? `${source(indexer.start)}:+${indexer.size}`
          : source({ operand: indexer.operand }),
    )
    .join(", ");
}

/** Names of a grid body's params, captures left out. */
function bodyNames({ params, regions }: NodeNamed<"grid">): readonly string[] {
  const names = [
    ...params.axes.map(({ name }) => (/^\d+$/.test(name) ? `i${name}` : name)),
    ...Array.from({ length: params.prefetch }, (_, i) => `prefetch${i}`),
    ...params.inputs.map(({ name }) => name),
    ...params.outputs.map(({ name }) => name),
    ...params.scratch.map(({ name }) => name),
    ...params.mutated.map((i) => `${params.inputs[i]?.name}_state`),
  ];
  return names.slice(0, (regions[0] as Region).params.length);
}
