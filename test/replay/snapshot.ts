/** The plans of all examples as text, and the figures by which a change of theirs is judged. */
import { suite } from "@gridfuse/docs/examples";
import { compile, printPlan, report } from "@gridfuse/passes";

export interface Figures {
  readonly kernels: number;
  readonly steps: number;
  readonly gridLoops: number;
  readonly peakBytes: number;
}

export interface Recorded {
  readonly figures: Figures;
  readonly text: string;
}

export type Snapshot = { readonly [example: string]: Recorded };

export const examples: readonly string[] = suite.map(({ name }) => name);

export function record(name: string): Recorded {
  const example = suite.find((each) => each.name === name);
  if (example === undefined) throw new Error(`there is no example "${name}"`);
  const plan = compile(example.graph());
  const { planKernels, planSteps, gridLoops, peakBytes } = report(plan);
  return {
    figures: { kernels: planKernels, steps: planSteps, gridLoops, peakBytes },
    text: printPlan(plan),
  };
}

export const figuresLine = ({ kernels, steps, gridLoops, peakBytes }: Figures): string =>
  `${kernels} kernels, ${steps} steps, ${gridLoops} grid loops, ${peakBytes} bytes`;
