/**
 * Einstein summation. Operands are joined from left to right; labels that nothing after needs are
 * summed as soon as they can be, so each join is one `dot_general`.
 */
import { BuildError } from "@gridfuse/plan/errors";
import { formatShape } from "../ir/types.ts";
import { commonDType } from "../operand.ts";
import { traced } from "../scope.ts";
import { isTensor, type Tensor } from "../tensor.ts";
import { iota } from "./create.ts";
import { astype, eq, where } from "./elementwise.ts";
import { dotGeneral } from "./linear.ts";
import { transpose } from "./movement.ts";
import { sum } from "./reduction.ts";

interface Labelled {
  readonly labels: readonly string[];
  readonly tensor: Tensor;
}

/**
 * `einsum("bij,bjk->bik", x, y)`. Without `->` the result has the labels that appear once, in
 * alphabetical order.
 *
 * @throws BuildError GF2317 where the equation does not fit the operands
 */
export function einsum(equation: string, ...operands: readonly Tensor[]): Tensor {
  return traced("einsum", () => {
    const { inputs, output } = parse(equation, operands);
    const dtype = commonDType("einsum", operands);
    const terms = inputs.map((labels, i) => {
      const tensor = astype(operands[i] as Tensor, dtype) as Tensor;
      return onDiagonal({ labels, tensor });
    });
    const [first, ...rest] = terms as [Labelled, ...Labelled[]];
    const needed = (from: number) =>
      new Set([...output, ...rest.slice(from).flatMap(({ labels }) => labels)]);
    const joined = rest.reduce(
      (left, right, i) => join(sumAway(left, needed(i)), right, needed(i + 1)),
      first,
    );
    const { labels, tensor } = sumAway(joined, new Set(output));
    return transpose(
      tensor,
      output.map((label) => labels.indexOf(label)),
    );
  });
}

function parse(
  equation: string,
  operands: readonly Tensor[],
): { readonly inputs: readonly (readonly string[])[]; readonly output: readonly string[] } {
  const fail = (why: string): never => {
    throw new BuildError("GF2317", `einsum "${equation}": ${why}`, {
      received: operands.map((x) => (isTensor(x) ? formatShape(x.shape) : x)),
      help: 'write one letter for each dimension, as in "ij,jk->ik"',
    });
  };
  const match = /^([A-Za-z,]*)(?:->([A-Za-z]*))?$/.exec(equation.replaceAll(" ", ""));
  if (match === null) return fail("it is not a list of labels");
  const inputs = (match[1] as string).split(",").map((term) => [...term]);
  if (inputs.length !== operands.length) {
    fail(`it names ${inputs.length} operands, ${operands.length} are given`);
  }
  const sizes = new Map<string, unknown>();
  for (const [i, labels] of inputs.entries()) {
    const { shape } = operands[i] as Tensor;
    if (labels.length !== shape.length) {
      fail(`"${labels.join("")}" for operand ${i} of shape ${formatShape(shape)}`);
    }
    for (const [axis, label] of labels.entries()) {
      const known = sizes.get(label) ?? shape[axis];
      if (known !== shape[axis]) fail(`label ${label} is ${known} and ${shape[axis]}`);
      sizes.set(label, known);
    }
  }
  const all = inputs.flat();
  const output =
    match[2] === undefined
      ? [...new Set(all)].filter((label) => all.indexOf(label) === all.lastIndexOf(label)).sort()
      : [...match[2]];
  if (new Set(output).size !== output.length) fail("a label repeats in the result");
  const unknown = output.find((label) => !all.includes(label));
  if (unknown !== undefined) fail(`label ${unknown} of the result is in no operand`);
  return { inputs, output };
}

/** A repeated label means the diagonal: everything else becomes 0 and is summed away. */
function onDiagonal({ labels, tensor }: Labelled): Labelled {
  const second = labels.findIndex((label, i) => labels.indexOf(label) < i);
  if (second < 0) return { labels, tensor };
  const first = labels.indexOf(labels[second] as string);
  const coordinate = (axis: number) => iota("int32", tensor.shape, axis) as Tensor;
  const kept = where(eq(coordinate(first), coordinate(second)) as Tensor, tensor, 0) as Tensor;
  return onDiagonal({
    labels: labels.toSpliced(second, 1),
    tensor: sum(kept, { axis: second }) as Tensor,
  });
}

function sumAway({ labels, tensor }: Labelled, needed: ReadonlySet<string>): Labelled {
  const axes = labels.flatMap((label, i) => (needed.has(label) ? [] : [i]));
  if (axes.length === 0) return { labels, tensor };
  return {
    labels: labels.filter((label) => needed.has(label)),
    tensor: sum(tensor, { axis: axes }) as Tensor,
  };
}

function join(left: Labelled, other: Labelled, needed: ReadonlySet<string>): Labelled {
  const right = sumAway(other, new Set([...needed, ...left.labels]));
  const shared = left.labels.filter((label) => right.labels.includes(label));
  const batch = shared.filter((label) => needed.has(label));
  const contract = shared.filter((label) => !needed.has(label));
  const axesIn = ({ labels }: Labelled, wanted: readonly string[]) =>
    wanted.map((label) => labels.indexOf(label));
  const free = ({ labels }: Labelled) => labels.filter((label) => !shared.includes(label));
  return {
    labels: [...batch, ...free(left), ...free(right)],
    tensor: dotGeneral(left.tensor, right.tensor, {
      contract: [axesIn(left, contract), axesIn(right, contract)],
      batch: [axesIn(left, batch), axesIn(right, batch)],
    }),
  };
}
