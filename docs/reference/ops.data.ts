/** The operation page's data: the op table, as built. */
import { opTable } from "gridfuse";

export interface OpGroup {
  readonly category: string;
  readonly ops: readonly {
    readonly name: string;
    readonly operands: string;
    readonly doc: string;
  }[];
}

export declare const data: readonly OpGroup[];

export default {
  load(): readonly OpGroup[] {
    const ops = Object.values(opTable);
    return [...new Set(ops.map(({ category }) => category))].map((category) => ({
      category,
      ops: ops
        .filter((op) => op.category === category)
        .map(({ name, arity, variadic, doc }) => ({
          name,
          operands: variadic ? `${arity} or more` : `${arity}`,
          doc,
        })),
    }));
  },
};
