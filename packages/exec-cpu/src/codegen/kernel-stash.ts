/**
 * What one stage of a kernel computes and a later one would compute again, along the same axis: the exponentials of a softmax,
 * which are first summed and then divided. The earlier stage leaves them in scratch memory, a row at a time.
 */
import { type DType, itemSize, type Write } from "@gridfuse/plan";
import { axis } from "@gridfuse/plan/index-expr";
import { argsOf, type ScalarNode } from "@gridfuse/plan/scalar";
import type { KernelForm, LoopAxis, StageForm } from "./kernel-form.ts";
import { valuesIn } from "./program-facts.ts";

/** Fewer operations than this are quicker than a store and a load. */
const worthwhile = 8;
/** Beyond this the way to memory is longer than the way through the operations. */
const mostBytes = 1 << 18;

export interface Stash {
  readonly form: KernelForm;
  /** Bytes of each row of values that is kept; row i is buffer number `first` + i. */
  readonly rows: readonly number[];
}

/** A node of a stage. */
interface Known {
  readonly stage: number;
  readonly node: number;
}

/** @param first number of the first buffer that nobody has */
export function withStash(form: KernelForm, first: number): Stash {
  const stages: StageForm[] = [...form.stages];
  const rows: number[] = [];
  const names = new Names();
  const known = new Map<number, Known>();
  const buffers = new Map<number, number>();
  for (const [number, stage] of form.stages.entries()) {
    const [loop] = stage.inner;
    if (loop === undefined || loop.extent === 0 || stage.inner.length !== 1) continue;
    const own = names.ofStage(stage, loop);
    const index = axis(loop.axis, loop.extent);

    /** The row that holds what an earlier stage computed. */
    const rowOf = (name: number, { stage: from, node }: Known, dtype: DType): number => {
      let buffer = buffers.get(name);
      if (buffer === undefined) {
        buffer = first + rows.length;
        rows.push(loop.extent * itemSize(dtype));
        buffers.set(name, buffer);
        const write: Write = { buffer, dtype, index, guard: [], value: node };
        const source = stages[from] as StageForm;
        stages[from] = { ...source, writes: [...source.writes, write] };
      }
      return buffer;
    };

    const nodes = [...stage.nodes];
    const seen = new Set<number>();
    const visit = (i: number): void => {
      if (seen.has(i)) return;
      seen.add(i);
      const node = stage.nodes[i] as ScalarNode;
      const name = own[i];
      const earlier = name === undefined ? undefined : known.get(name);
      const { dtype } = node;
      const isKept =
        earlier !== undefined &&
        loop.extent * itemSize(dtype) <= mostBytes &&
        countOperations(stage.nodes, i) >= worthwhile;
      if (isKept) {
        const buffer = rowOf(name as number, earlier, dtype);
        nodes[i] = { op: "load", dtype, buffer, index, guard: [], fill: { lo: 0, hi: 0 } };
        return;
      }
      for (const arg of argsOf(node)) visit(arg);
    };
    for (const { value } of [...stage.reductions, ...stage.writes]) visit(value);
    stages[number] = { ...(stages[number] as StageForm), nodes };
    for (const i of seen) {
      const name = own[i];
      if (name !== undefined && !known.has(name)) known.set(name, { stage: number, node: i });
    }
  }
  return { form: { ...form, stages }, rows };
}

/** Numbers that nodes of several stages share exactly if they compute the same along the same axis. */
class Names {
  readonly #numbers = new Map<string, number>();

  #number(text: string): number {
    const known = this.#numbers.get(text) ?? this.#numbers.size;
    this.#numbers.set(text, known);
    return known;
  }

  /** For each node that is computed and differs along the axis; undefined for the others. */
  ofStage(
    { nodes }: StageForm,
    { axis: along, extent }: LoopAxis,
  ): readonly (number | undefined)[] {
    const numbers: (number | undefined)[] = [];
    const varies: boolean[] = [];
    return nodes.map((node, i) => {
      const args = argsOf(node);
      const own = ownText(node);
      const named = own !== undefined && args.every((arg) => numbers[arg] !== undefined);
      const operands = args.map((arg) => numbers[arg]).join();
      numbers[i] = named ? this.#number(`${along}:${extent} ${own} ${operands}`) : undefined;
      varies[i] = (own ?? "").includes(`a${along}:`) || args.some((arg) => varies[arg]);
      return args.length > 0 && varies[i] ? numbers[i] : undefined;
    });
  }
}

/** What a node says beside its operands; undefined where that refers to other nodes. */
function ownText(node: ScalarNode): string | undefined {
  const head = `${node.op} ${node.dtype}`;
  switch (node.op) {
    case "const":
      return `${head} ${node.bits.lo}:${node.bits.hi}`;
    case "reduced":
      return `${head} ${node.stage}.${node.reduction}`;
    case "argument":
      return `${head} ${node.index}`;
    case "index":
    case "load": {
      const guard = node.op === "load" ? node.guard : [];
      const indices = [node.index, ...guard.map((range) => range.index)];
      if (indices.some((e) => valuesIn(e).length > 0)) return undefined;
      const bounds = guard.map(({ index, lo, hi }) => `${lo}<=${index.key}<${hi}`).join("&");
      const fill = node.op === "load" ? `${node.buffer} ${node.fill.lo}:${node.fill.hi}` : "";
      return `${head} ${node.index.key} ${bounds} ${fill}`;
    }
    default:
      return head;
  }
}

/** Operations that lead to a node; slow sides do not count. */
function countOperations(nodes: readonly ScalarNode[], from: number): number {
  const seen = new Set<number>();
  const visit = (i: number): void => {
    const node = nodes[i] as ScalarNode;
    const args = argsOf(node);
    if (args.length === 0 || seen.has(i)) return;
    seen.add(i);
    for (const [position, arg] of args.entries()) {
      if (node.op !== "rare" || position !== 1) visit(arg);
    }
  };
  visit(from);
  return seen.size;
}
