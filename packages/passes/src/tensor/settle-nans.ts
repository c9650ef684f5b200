/**
 * settle-nans: where a program looks at the bits of floats, a NaN that arithmetic made becomes the
 * canonical one as it is made.
 *
 * A NaN of arithmetic is only a class, and executors make what their machine makes. The scalar language
 * lets `bitcast` settle it, but between the two there may be memory, movement and selects that mix it with
 * NaNs from inputs, whose bits must be kept. So the question "who sees these bits" is answered here,
 * backwards from every bitcast to the arithmetic behind it. Programs without such a bitcast pay nothing.
 */
import {
  censusOf,
  definitionOf,
  type Emitter,
  type Node,
  type Region,
  type Table,
  type ValueId,
  walk,
} from "@gridfuse/graph";
import { isFloat, toBits } from "@gridfuse/plan/scalar";
import { copyNode, rewriteRegion } from "./rebuild.ts";

export function settleNaNs(table: Table, region: Region): Region {
  if (!censusOf(table, region).ops.has("bitcast_convert_type")) return region;
  const observed = observedArithmetic(table, region);
  return observed.size === 0 ? region : settleRegion(table, region, observed);
}

function settleRegion(table: Table, region: Region, observed: ReadonlySet<ValueId>): Region {
  return rewriteRegion(table, region, (node, inputs, e) => {
    const regions = node.regions.map((inner) => settleRegion(table, inner, observed));
    const isObserved = node.outputs.some((value) => observed.has(value));
    if (!isObserved && regions.every((inner, i) => inner === node.regions[i])) return undefined;
    const outputs = copyNode(e, node, inputs, regions);
    return node.outputs.map((value, i) => {
      const made = outputs[i] as ValueId;
      return observed.has(value) ? canonical(e, made) : made;
    });
  });
}

function canonical(e: Emitter, value: ValueId): ValueId {
  const { dtype, shape } = e.type(value);
  const bits = toBits(dtype, Number.NaN);
  const quiet = e.emit("full", [], { dtype, shape, bits });
  return e.emit("select_n", [e.emit("ne", [value, value], {}), value, quiet], {});
}

// ── Who sees the bits ───────────────────────────────────────────────────────────────────────

/** Results of float arithmetic whose bits some bitcast may see. */
function observedArithmetic(table: Table, region: Region): Set<ValueId> {
  const start: ValueId[] = [];
  walk(table, region, (node) => {
    if (node.op !== "bitcast_convert_type") return;
    start.push(...node.inputs.filter((value) => isFloat(table.tensor(value).dtype)));
  });
  const arithmetic = new Set<ValueId>();
  if (start.length === 0) return arithmetic;
  const arrivals = arrivalsOf(table, region);
  const seen = new Set<ValueId>();
  for (let value = start.pop(); value !== undefined; value = start.pop()) {
    if (seen.has(value)) continue;
    seen.add(value);
    const node = table.producer(value);
    const { dtype } = table.tensor(value);
    if (arrivals.has(value)) start.push(...(arrivals.get(value) as readonly ValueId[]));
    else if (node !== undefined && movesBits(node)) {
      start.push(...node.inputs.filter((input) => table.tensor(input).dtype === dtype));
    } else if (node !== undefined && makesNaNs(node)) arithmetic.add(value);
  }
  return arithmetic;
}

const movers: ReadonlySet<string> = new Set(["movement", "indexing", "sorting"]);

/** A scatter that combines is arithmetic, also for the elements it leaves alone: nobody can tell them apart. */
const movesBits = (node: Node): boolean =>
  node.op === "scatter"
    ? node.params.combine === "set"
    : node.op === "select_n" || movers.has(definitionOf(node.op).category);

const makesNaNs = (node: Node): boolean =>
  node.regions.length === 0 &&
  node.op !== "bitcast_convert_type" &&
  definitionOf(node.op).category !== "source";

/** For params and results of structured ops: the values that arrive there. */
function arrivalsOf(table: Table, region: Region): ReadonlyMap<ValueId, readonly ValueId[]> {
  const arrivals = new Map<ValueId, ValueId[]>();
  const arrive = (at: ValueId, from: readonly (ValueId | undefined)[]): void => {
    const known = arrivals.get(at) ?? [];
    for (const value of from) if (value !== undefined) known.push(value);
    arrivals.set(at, known);
  };
  walk(table, region, (node) => {
    switch (node.op) {
      case "scan": {
        const [body] = node.regions as readonly [Region];
        const { carries } = node.params;
        node.inputs.forEach((value, i) => {
          const carried = i < carries ? body.results[i] : undefined;
          arrive(body.params[i + 1] as ValueId, [value, carried]);
        });
        node.outputs.forEach((value, i) => {
          arrive(value, [body.results[i], i < carries ? node.inputs[i] : undefined]);
        });
        return;
      }
      case "while": {
        const [condition, body] = node.regions as readonly [Region, Region];
        node.inputs.forEach((value, i) => {
          const from = [value, i < node.params.carries ? body.results[i] : undefined];
          arrive(condition.params[i] as ValueId, from);
          arrive(body.params[i] as ValueId, from);
        });
        node.outputs.forEach((value, i) => {
          arrive(value, [body.results[i], node.inputs[i]]);
        });
        return;
      }
      case "cond":
        for (const branch of node.regions) {
          branch.params.forEach((param, i) => {
            arrive(param, [node.inputs[i + 1]]);
          });
        }
        node.outputs.forEach((value, i) => {
          arrive(
            value,
            node.regions.map(({ results }) => results[i]),
          );
        });
        return;
      default:
    }
  });
  return arrivals;
}
