/** From bytes to a graph: what `pallas-ir/1` says, as the front end would have traced it. */
import {
  BuildError,
  type FillMode,
  Graph,
  newRegion,
  type OptionCheck,
  type OptionNames,
  optionCheck,
  type Program,
  sourceLocation,
  Table,
  type TensorType,
  tensorType,
  type ValueId,
} from "@gridfuse/graph";
import { Body } from "./body.ts";
import { FAULTS } from "./bounds.ts";
import { readContainer } from "./container.ts";
import { malformed, unsupported } from "./errors.ts";
import { wrapped } from "./few-bits.ts";
import { Importing, variableOf } from "./importing.ts";
import { ruleOf } from "./primitives/table.ts";
import { Scope } from "./scope.ts";

export interface ImportOptions {
  /** Name of the graph; else the program's own. */
  readonly name?: string;
  /**
   * What memory holds that nobody wrote, and what lies outside of an array: "hlo" as with `interpret=True`,
   * "tpu" and "zero" as TPU interpret mode has them.
   */
  readonly fill?: FillMode;
  /**
   * What a read gives whose computed start leaves the ref: "clamp" (the default, and JAX's plain interpreter) moves
   * the window inside, "fill" gives what nobody wrote there.
   */
  readonly reads?: "clamp" | "fill";
  /** The same for writes: "drop" leaves out what lies outside. */
  readonly writes?: "clamp" | "drop";
  /**
   * "report": the program has one more output, "faults", with a number for each grid point of its kernel: 0, or 1 + the
   * index into the program's source lines of the first access at a computed index that is outside. Default "clamp".
   */
  readonly bounds?: "clamp" | "report";
}
const importOptions: OptionNames<ImportOptions> = {
  name: true,
  fill: true,
  reads: true,
  writes: true,
  bounds: true,
};
const checked: OptionCheck = optionCheck(BuildError, "GF2605", () =>
  sourceLocation({ stack: new Error() }),
);

/**
 * A program exported from JAX (`gridfuse.export`) as a graph, to compile, save as a plan and run.
 *
 * @param bytes the file: FORMAT.md describes it
 * @throws BuildError GF2601 where it is no such file, GF2602 where it is damaged, GF2603 for an unknown
 *   primitive and GF2604 for a form that is not supported, with the line of the Python source; GF2605 for options there are not
 */
export function importJaxpr(bytes: Uint8Array, options: ImportOptions = {}): Graph {
  return new Graph(importProgram(bytes, options));
}

/** The dense form of `importJaxpr`. */
export function importProgram(bytes: Uint8Array, options: ImportOptions = {}): Program {
  checked("importJaxpr", options, importOptions);
  const container = readContainer(bytes);
  const { program } = container;
  const table = new Table();
  const importing = new Importing(container, table, options, ruleOf);
  const scope = new Scope(table, undefined, newRegion());
  const main = importing.jaxpr(program.main);
  const params = main.in.map((v): ValueId => {
    const type = importing.typeOfVar(v);
    if (type === undefined) throw malformed("an input of the program has no type");
    if (type.kind === "ref") throw unsupported("pallas_call", "memory as an input of the program");
    if (importing.isKey(v)) return keyInput(scope, type);
    return wrapped(scope, scope.param(type), importing.wireDType("v" in v ? v.a : v[1]));
  });
  const results = new Body(importing, scope).run(program.main, params);
  const keys = new Set(
    main.eqns
      .flatMap(({ o = [] }) => o.filter((v) => v !== null))
      .filter((v) => importing.isKey(v))
      .map(variableOf),
  );
  for (const v of main.in) if (importing.isKey(v)) keys.add(variableOf(v));
  main.out.forEach((atom, i) => {
    const isKey = typeof atom === "number" && keys.has(atom);
    const value = results[i] as ValueId;
    scope.region.results.push(isKey ? keyOutput(scope, value) : value);
  });
  const { faults } = importing;
  if (faults.length > 1) throw unsupported("pallas_call", "reports of several kernels", undefined);
  scope.region.results.push(...faults);
  return {
    name: options.name ?? program.name ?? main.name ?? "jaxpr",
    table,
    main: scope.region,
    inputs: portNames(program.inputs, "in", params.length),
    outputs: [...portNames(program.outputs, "out", results.length), ...faults.map(() => FAULTS)],
  };
}

/** Keys come and go as their words: uint32[…, 2]. */
function keyInput(scope: Scope, { shape }: TensorType): ValueId {
  const words = scope.param(tensorType("uint32", [...shape, 2]));
  return scope.e.emit("bitcast_convert_type", [words], { dtype: "uint64" });
}
const keyOutput = (scope: Scope, key: ValueId): ValueId =>
  scope.e.emit("bitcast_convert_type", [key], { dtype: "uint32" });

function portNames(
  names: readonly string[] | undefined,
  prefix: string,
  count: number,
): readonly string[] {
  if (names === undefined) return Array.from({ length: count }, (_, i) => `${prefix}${i}`);
  if (names.length !== count) throw malformed(`${names.length} ${prefix}put names for ${count}`);
  return names;
}
