/**
 * What every program keeps at every level, so that a pass may take it for granted and must leave it.
 *
 * tinygrad calls this a spec, LLVM a verifier: it runs between all passes of all tests and on what
 * importers write, never on the way of a user's compile. It says everything that is wrong, not only the
 * first thing, and goes on where it can.
 */
import { BuildError } from "@gridfuse/plan/errors";
import { dtypes } from "@gridfuse/plan/scalar";
import type { Node, Program, Region, Table, ValueId } from "../ir/table.ts";
import type { ValueType } from "../ir/types.ts";
import { isStructured, structuredTypes } from "../ops/control.ts";
import { infer, opTable } from "../ops/table.ts";
import { checkedHere, type OptionNames } from "../options.ts";
import { verifyGridRegions } from "./grid.ts";
import { type EnclosingLoops, verifyLoopLeaves, withLoop } from "./loops.ts";
import { type Violation, Violations } from "./violations.ts";

/** What passes have removed, and must not come back. */
export interface VerifyOptions {
  readonly noRefs?: boolean;
  readonly noGrids?: boolean;
}
const verifyOptions: OptionNames<VerifyOptions> = { noRefs: true, noGrids: true };

/** What is wrong with `program`; empty where all is well. */
export function violationsOf(program: Program, options: VerifyOptions = {}): readonly Violation[] {
  checkedHere("violationsOf", options, verifyOptions);
  const found = new Violations();
  new Verifier(program.table, options, found).region(program.main, "main", new Map());
  verifyPorts(program, found);
  return found.list;
}

/**
 * Verifies a program.
 *
 * @param after what made it, for the message
 * @throws BuildError GF2901 with everything that is wrong
 */
export function verifyProgram(
  program: Program,
  options: VerifyOptions = {},
  after: string = "building",
): void {
  const found = violationsOf(program, options);
  if (found.length === 0) return;
  const lines = found.map(({ invariant, where, what }) => `${where}: ${what} [${invariant}]`);
  throw new BuildError(
    "GF2901",
    `graph "${program.name}" is malformed after ${after}: ${lines[0]}`,
    {
      received: found.length,
      notes: lines.slice(1, 12),
      help: "Report it with the printed graph.",
    },
  );
}

function verifyPorts({ table, main, inputs, outputs }: Program, found: Violations): void {
  const ports = (kind: string, names: readonly string[], values: readonly ValueId[]): void => {
    if (names.length !== values.length) {
      found.add("ports", "main", `${names.length} ${kind} names for ${values.length} values`);
    }
    const twice = names.find((name, i) => names.indexOf(name) !== i);
    if (twice !== undefined) found.add("ports", "main", `${kind} "${twice}" is named twice`);
    values.forEach((value, i) => {
      if (table.types[value]?.kind !== "ref") return;
      found.add("ports", "main", `${kind} "${names[i]}" is a ref`);
    });
  };
  ports("input", inputs, main.params);
  ports("output", outputs, main.results);
}

class Verifier {
  readonly #table: Table;
  readonly #options: VerifyOptions;
  readonly #found: Violations;
  readonly #placed = new Set<number>();
  readonly #made = new Set<ValueId>();

  constructor(table: Table, options: VerifyOptions, found: Violations) {
    this.#table = table;
    this.#options = options;
    this.#found = found;
  }

  region(region: Region, path: string, loops: EnclosingLoops): void {
    const known = new Set<ValueId>();
    const own = this.#madeInside(region);
    for (const param of region.params) {
      this.#make(param, known, `${path} params`);
      if ((this.#table.producers[param] ?? -1) >= 0) {
        this.#found.add("table", `${path} params`, `%${param} has a producer`);
      }
    }
    for (const id of region.nodes) this.#node(id, path, known, own, loops);
    for (const value of region.results) this.#use(value, known, own, `${path} results`);
  }

  /** Everything a region makes, at whatever place: what stands too late is no capture. */
  #madeInside(region: Region): ReadonlySet<ValueId> {
    return new Set(region.nodes.flatMap((id) => this.#table.nodes[id]?.outputs ?? []));
  }

  #make(value: ValueId, known: Set<ValueId>, where: string): void {
    const type = this.#table.types[value];
    if (type === undefined) this.#found.add("table", where, `%${value} has no type`);
    else this.#type(type, where, value);
    if (this.#made.has(value)) this.#found.add("made once", where, `%${value} is made twice`);
    this.#made.add(value);
    known.add(value);
  }

  #type({ kind, dtype, shape }: ValueType, where: string, value: ValueId): void {
    if (!dtypes.includes(dtype)) this.#found.add("table", where, `%${value} is of dtype ${dtype}`);
    const bad = shape.find(
      (dim) => typeof dim !== "string" && !(Number.isSafeInteger(dim) && dim >= 0),
    );
    if (bad !== undefined) this.#found.add("table", where, `%${value} has a dimension of ${bad}`);
    if (kind === "ref" && this.#options.noRefs === true) {
      this.#found.add("no refs", where, `%${value} is a ref`);
    }
  }

  #use(
    value: ValueId,
    known: ReadonlySet<ValueId>,
    own: ReadonlySet<ValueId>,
    where: string,
  ): void {
    if (known.has(value)) return;
    if (own.has(value)) this.#found.add("order", where, `%${value} is used before it is made`);
    else this.#found.add("closed", where, `%${value} is neither a param nor made in this region`);
  }

  #node(
    id: number,
    path: string,
    known: Set<ValueId>,
    own: ReadonlySet<ValueId>,
    loops: EnclosingLoops,
  ): void {
    const node = this.#table.nodes[id];
    const where = `${path}/#${id}${node === undefined ? "" : ` ${node.op}`}`;
    if (node === undefined) {
      this.#found.add("table", where, "there is no such node");
      return;
    }
    if (node.id !== id) this.#found.add("table", where, `calls itself #${node.id}`);
    if (this.#placed.has(id)) this.#found.add("placed once", where, "stands in two places");
    this.#placed.add(id);
    if (node.op === "grid" && this.#options.noGrids === true) {
      this.#found.add("no grids", where, `grid "${node.params.name}" is left`);
    }
    for (const value of node.inputs) this.#use(value, known, own, where);
    verifyLoopLeaves(node, loops, where, this.#found);
    const inner = withLoop(loops, node);
    for (const [i, region] of node.regions.entries()) this.region(region, `${where}[${i}]`, inner);
    this.#types(node, where);
    for (const value of node.outputs) {
      this.#make(value, known, where);
      if (this.#table.producers[value] === id) continue;
      this.#found.add("table", where, `%${value} says another node made it`);
    }
  }

  #types(node: Node, where: string): void {
    const typesOf = (values: readonly ValueId[]): (ValueType | undefined)[] =>
      values.map((value) => this.#table.types[value]);
    if (!Object.hasOwn(opTable, node.op)) {
      this.#found.add("table", where, "there is no such op");
      return;
    }
    const regions = node.regions.flatMap(({ params, results }) => [...params, ...results]);
    // What has no type was reported where it should have been made.
    if (typesOf([...node.inputs, ...node.outputs, ...regions]).includes(undefined)) return;
    const operands = typesOf(node.inputs) as ValueType[];
    try {
      const inferred = infer(node.op, operands, node.params);
      const expected = isStructured(node.op)
        ? structuredTypes(this.#table, node.op, node.params, node.inputs, node.regions)
        : inferred;
      const wanted = expected.map(formatType).join(", ");
      const given = (typesOf(node.outputs) as ValueType[]).map(formatType).join(", ");
      if (given !== wanted) {
        this.#found.add("types", where, `gives (${given}), the op table says (${wanted})`);
      }
      if (node.op === "grid") verifyGridRegions(this.#table, node, where, this.#found);
      else if (!isStructured(node.op) && node.regions.length > 0) {
        this.#found.add("types", where, "owns regions");
      }
    } catch (error) {
      this.#found.add("types", where, (error as Error).message);
    }
  }
}

const formatType = ({ kind, dtype, shape }: ValueType): string =>
  `${kind} ${dtype}[${shape.join(", ")}]`;
