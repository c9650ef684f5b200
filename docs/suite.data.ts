/** The table of all examples, from the list that `npm run examples` runs. */
import { suite } from "@gridfuse/docs/examples";

export interface ListedExample {
  readonly name: string;
  readonly about: string;
  /** Axes that stay loops, each with the reason. */
  readonly inOrder: readonly string[];
}

export declare const data: readonly ListedExample[];

export default {
  load(): readonly ListedExample[] {
    return suite.map(({ name, about, expects }) => ({
      name,
      about,
      inOrder: Object.entries(expects.sequential ?? {}).map(([axis, why]) => `${axis}: ${why}`),
    }));
  },
};
